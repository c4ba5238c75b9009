//! The stories: what clients of Windlass can rely on, told over HTTP.
//!
//! A URL's story is found as its handler is: `tests/<family>/<resource>.rs`. What holds for every URL
//! has a file of its own beside the families.

mod conductor {
    mod archives;
    mod blueprints;
    mod deployments;
    mod events;
    mod executions;
    mod http_operations;
    mod ldap;
    mod login;
    mod sites;
    mod status;
    mod tokens;
}
mod status {
    mod api_spec;
    mod bindings;
    mod catalogue;
    mod components;
    mod desk;
    mod events;
    mod feeds;
    mod maintenances;
    mod pages;
    mod reports;
    mod subscriptions;
}
mod bad_input;
mod crashes;
mod first_use;
mod isolation;
mod samples;
