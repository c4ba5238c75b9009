//! Conductor: the manager's status, version and configuration, metrics, and the answer to every
//! path that no other component serves.

mod audit;
mod audit_csv;
mod audit_stream;
mod brokers;
mod config;
mod contacts;
mod db_nodes;
mod license;
mod log_bundles;
mod maintenance;
mod managers;
mod measurements;
mod metrics;
mod provider_context;
mod reference;
mod resources;
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
        GET "/openapi.json" => reference::document;
        GET "/docs" => reference::page;
        GET "/resources/cloudify/types/{name}" => resources::types;
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
        GET "/api/v3.1/audit" => audit::list;
        POST "/api/v3.1/audit" => audit::inject;
        DELETE "/api/v3.1/audit" => audit::truncate;
        GET "/api/v3.1/audit/stream" => audit_stream::follow;
        GET "/api/v3.1/idp" => contacts::idp;
        POST "/api/v3.1/contacts" => contacts::create;
        POST "/api/v3.1/license" => license::register;
        GET "/api/v3.1/log-bundles" => log_bundles::list;
        GET "/api/v3.1/log-bundles/{log_bundle_id}" => log_bundles::get;
        PUT "/api/v3.1/log-bundles/{log_bundle_id}" => log_bundles::create;
        DELETE "/api/v3.1/log-bundles/{log_bundle_id}" => log_bundles::delete;
        GET "/api/v3.1/log-bundles/{log_bundle_id}/archive" => log_bundles::archive;
        GET "/api/v3.1/managers" => managers::list;
        POST "/api/v3.1/managers" => managers::add;
        GET "/api/v3.1/managers/{hostname}" => managers::get;
        PUT "/api/v3.1/managers/{hostname}" => managers::update;
        DELETE "/api/v3.1/managers/{hostname}" => managers::delete;
        GET "/api/v3.1/brokers" => brokers::list;
        POST "/api/v3.1/brokers" => brokers::add;
        PUT "/api/v3.1/brokers/{name}" => brokers::update;
        DELETE "/api/v3.1/brokers/{name}" => brokers::delete;
        GET "/api/v3.1/db-nodes" => db_nodes::list;
        POST "/api/v3.1/db-nodes" => db_nodes::update;
        GET "/api/v3.1/maintenance" => maintenance::get;
        POST "/api/v3.1/maintenance/activate" => maintenance::activate;
        POST "/api/v3.1/maintenance/deactivate" => maintenance::deactivate;
        POST "/api/v3.1/maintenance/{action}" => maintenance::act;
        GET "/api/v3.1/provider/context" => provider_context::get;
        POST "/api/v3.1/provider/context" => provider_context::set;
        GET "/api/v3.1/metrics" => measurements::list;
        PUT "/api/v3.1/metrics/{metric_id}" => measurements::create;
        GET "/api/v3.1/metrics-overview" => measurements::overview;
    }
}
