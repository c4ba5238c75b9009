//! Conductor: executions and their schedules, their events, agents, and the tasks graphs and operations they consist of.
mod action;
mod agents;
mod caller;
mod effects;
mod events;
mod execution_groups;
mod executions;
mod leases;
mod live;
mod news;
mod occurrences;
mod operations;
mod schedule_body;
mod schedules;
mod sent_operations;
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
        POST "/executions/{execution_id}/sent-operations" => sent_operations::send;
        GET "/executions/{execution_id}/sent-operations" => sent_operations::ended;
        GET "/executions/{execution_id}/should-start" => executions::should_start;
        GET "/executions/{execution_id}/events/stream" => live::follow_execution;

        GET "/execution-groups" => execution_groups::list;
        POST "/execution-groups" => execution_groups::start;
        GET "/execution-groups/{execution_group_id}" => execution_groups::get;
        POST "/execution-groups/{execution_group_id}" => execution_groups::act;
        PATCH "/execution-groups/{execution_group_id}" => execution_groups::update;

        GET "/execution-schedules" => schedules::list;
        GET "/execution-schedules/{schedule_id}" => schedules::get;
        PUT "/execution-schedules/{schedule_id}" => schedules::create;
        PATCH "/execution-schedules/{schedule_id}" => schedules::update;
        DELETE "/execution-schedules/{schedule_id}" => schedules::delete;
        GET "/executions-schedules/{schedule_id}" => schedules::get;
        DELETE "/executions-schedules/{schedule_id}" => schedules::delete;

        GET "/events" => events::list;
        GET "/events/stream" => live::follow_deployment;
        POST "/events" => events::create;
        DELETE "/events" => events::delete;

        GET "/agents" => agents::list;
        PATCH "/agents" => agents::replace_certs;
        GET "/agents/{name}" => agents::get;
        PUT "/agents/{name}" => agents::create;
        PATCH "/agents/{name}" => agents::update;

        GET "/operations" => operations::list;
        POST "/operations" => operations::bulk_action;
        POST "/operations/lease" => leases::lease;
        POST "/operations/leases/results" => leases::results;
        POST "/operations/leases/{lease_id}/heartbeat" => leases::heartbeat;
        POST "/operations/leases/{lease_id}/console" => leases::console;
        POST "/operations/leases/{lease_id}/result" => leases::result;
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
