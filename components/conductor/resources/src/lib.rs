//! Conductor: the files of blueprints, as operations of plugins download them.

mod blueprint_files;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "",
    routes: {
        GET "/resources/blueprints/{tenant_name}/{blueprint_id}/{*file}" => blueprint_files::get;
    }
}
