//! Status Dashboard: what monitors report, the catalogue of components, the public page with its
//! feeds, and subscriptions to it.

mod api_spec;
mod calendar;
mod catalogue;
mod components;
mod feed;
mod incidents;
mod links;
mod pages;
mod paging;
mod reports;
mod rss;
mod subscriptions;
mod versioned;
mod view;

windlass_core::component! {
    family: StatusDashboard,
    identity: windlass_identity::Families,
    base: "",
    routes: {
        POST "/api/v1/component_status" => reports::report;
        GET "/api/v1/component_status" => components::list;
        GET "/api/v1/incidents" => incidents::list;
        GET "/api/v1/catalogue" => catalogue::get;
        PUT "/api/v1/catalogue" => catalogue::set;
        GET "/api-spec.json" => api_spec::get;
        GET "/status" => pages::status;
        GET "/status/summary.json" => pages::summary;
        GET "/status/badge.svg" => pages::badge;
        GET "/status/response-times.svg" => pages::response_times;
        GET "/status/favicon.svg" => pages::favicon;
        GET "/status/times.js" => pages::times;
        GET "/status/calendar.ics" => calendar::calendar;
        GET "/status/subscribe" => subscriptions::form;
        POST "/status/subscriptions" => subscriptions::create;
        GET "/status/subscriptions/confirm" => links::show_confirm;
        POST "/status/subscriptions/confirm" => links::confirm;
        GET "/status/subscriptions/unsubscribe" => links::show_unsubscribe;
        POST "/status/subscriptions/unsubscribe" => links::unsubscribe;
        GET "/status/{page}" => pages::not_found;
        GET "/api/v2/summary.json" => pages::statuspage_summary;
        GET "/api/v2/status.json" => pages::statuspage_status;
        GET "/incidents" => pages::incidents;
        GET "/incidents/{id}" => pages::incident;
        GET "/history" => pages::history;
        GET "/availability" => pages::availability;
        GET "/rss" => rss::rss;
    }
}
