//! Conductor: the manager's status, version and configuration, metrics, and the answer to every
//! path that no other component serves.

mod config;
mod license;
mod metrics;
mod root;
mod status;
mod version;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "",
    routes: {
        GET "/" => root::root;
        GET "/metrics" => metrics::metrics;
        GET "/api/version" => version::version;
        GET "/api/v3.1/version" => version::version;
        GET "/api/v3.1/ok" => status::ok;
        GET "/api/v3.1/status" => status::status;
        GET "/api/v3.1/cluster-status" => status::cluster_status;
        GET "/api/v3.1/license" => license::list;
        PUT "/api/v3.1/license" => license::upload;
        DELETE "/api/v3.1/license" => license::delete;
        GET "/api/v3.1/license-check" => license::check;
        GET "/api/v3.1/config" => config::list;
        GET "/api/v3.1/config/{name}" => config::get;
        PUT "/api/v3.1/config/{name}" => config::set;
    }
}
