//! Conductor: the manager's status, version and configuration.

mod status;
mod version;

windlass_core::component! {
    family: Conductor,
    identity: windlass_store::Identity,
    base: "",
    routes: {
        GET "/api/v3.1/status" => status::status;
        GET "/api/v3.1/ok" => status::ok;
        GET "/api/v3.1/version" => version::version;
        GET "/api/version" => version::version;
    }
}
