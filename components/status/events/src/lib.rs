//! Status Dashboard v2: people open, update, close and schedule events.
//!
//! The same endpoints stand under `/v2`, where the successor's clients look for them, and under
//! `/api/v2/status`.

mod availability;
mod bindings;
mod components;
mod events;
mod fields;
mod filter;
mod notifications;
mod open;
mod probes;
mod receivers;
mod roles;
mod rooms;
mod templates;
mod update;

windlass_core::component! {
    family: StatusDashboardV2,
    identity: windlass_identity::Families,
    base: "/v2",
    also: "/api/v2/status",
    routes: {
        GET "/components" => components::list;
        POST "/components" => components::create;
        GET "/components/{component_id}" => components::get;

        GET "/events" => events::list;
        POST "/events" => open::open;
        GET "/events/{event_id}" => events::get;
        PATCH "/events/{event_id}" => update::update;
        POST "/events/{event_id}/extract" => update::extract;
        PATCH "/events/{event_id}/updates/{index}" => update::rewrite_update;
        GET "/incidents" => events::list_all;

        GET "/availability" => availability::list;

        GET "/components/{component_id}/binding" => bindings::get;
        PUT "/components/{component_id}/binding" => bindings::set;
        DELETE "/components/{component_id}/binding" => bindings::delete;
        GET "/components/{component_id}/response-times" => probes::history;
        GET "/probes" => probes::list;
        GET "/probes/{probe_id}" => probes::get;
        PUT "/probes/{probe_id}" => probes::set;
        DELETE "/probes/{probe_id}" => probes::delete;
        GET "/receivers" => receivers::list;
        GET "/receivers/{receiver_id}" => receivers::get;
        PUT "/receivers/{receiver_id}" => receivers::set;
        DELETE "/receivers/{receiver_id}" => receivers::delete;
        GET "/receivers/{receiver_id}/alerts" => receivers::list_firing;
        POST "/receivers/{receiver_id}/alerts" => receivers::take;
        GET "/templates" => templates::list;
        GET "/templates/{template_id}" => templates::get;
        PUT "/templates/{template_id}" => templates::set;
        DELETE "/templates/{template_id}" => templates::delete;
        GET "/subscriptions" => notifications::list;
        POST "/subscriptions" => rooms::create;
        DELETE "/subscriptions/{subscription_id}" => notifications::delete;
        GET "/notifications/stats" => notifications::stats;
        GET "/notifications/failed" => notifications::list_failed;
        POST "/notifications/failed/redrive" => notifications::redrive_all;
        POST "/notifications/failed/{delivery_id}/redrive" => notifications::redrive_one;
    }
}
