//! Conductor: executions, their events, and the tasks graphs and operations they consist of.
mod action;
mod caller;
mod effects;
mod events;
mod executions;
mod operations;
mod start;
mod start_body;
mod tasks_graphs;
#[cfg(test)]
mod tests;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/executions" => executions::list;
        POST "/executions" => start::start;
        DELETE "/executions" => executions::delete;
        GET "/executions/{execution_id}" => executions::get;
        POST "/executions/{execution_id}" => action::act;
        PATCH "/executions/{execution_id}" => action::update;
        GET "/executions/{execution_id}/should-start" => executions::should_start;

        GET "/events" => events::list;
        POST "/events" => events::create;
        DELETE "/events" => events::delete;

        GET "/operations" => operations::list;
        POST "/operations" => operations::bulk_action;
        GET "/operations/{operation_id}" => operations::get;
        PUT "/operations/{operation_id}" => operations::create;
        PATCH "/operations/{operation_id}" => operations::update;
        DELETE "/operations/{operation_id}" => operations::delete;

        GET "/tasks_graphs" => tasks_graphs::list;
        POST "/tasks_graphs" => tasks_graphs::create;
        POST "/tasks_graphs/tasks_graphs" => tasks_graphs::create;
        PATCH "/tasks_graphs/{tasks_graph_id}" => tasks_graphs::update;
    }
}
