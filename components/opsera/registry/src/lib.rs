//! Opsera: the registry of tools that pipelines call.

mod registry;

windlass_core::component! {
    family: Opsera,
    identity: windlass_identity::Families,
    base: "/api/v1",
    routes: {
        GET "/registry/tools" => registry::list;
        POST "/registry/summary" => registry::summary;
        POST "/registry/create" => registry::create;
        POST "/registry/update" => registry::update;
        POST "/registry/delete" => registry::delete;
        POST "/registry/test" => registry::test;
    }
}
