//! Conductor: filters, summaries, and searches of secrets and of what belongs to deployments.
//!
//! Blueprints, deployments and workflows are searched where they are listed.

mod filters;
mod in_blueprint;
mod parts;
mod searches;
mod summary;

use windlass_store::filters::{BlueprintsFilter, DeploymentsFilter};

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/filters/blueprints" => filters::list::<BlueprintsFilter>;
        GET "/filters/blueprints/{filter_id}" => filters::get::<BlueprintsFilter>;
        PUT "/filters/blueprints/{filter_id}" => filters::create::<BlueprintsFilter>;
        PATCH "/filters/blueprints/{filter_id}" => filters::update::<BlueprintsFilter>;
        DELETE "/filters/blueprints/{filter_id}" => filters::delete::<BlueprintsFilter>;
        GET "/filters/deployments" => filters::list::<DeploymentsFilter>;
        GET "/filters/deployments/{filter_id}" => filters::get::<DeploymentsFilter>;
        PUT "/filters/deployments/{filter_id}" => filters::create::<DeploymentsFilter>;
        PATCH "/filters/deployments/{filter_id}" => filters::update::<DeploymentsFilter>;
        DELETE "/filters/deployments/{filter_id}" => filters::delete::<DeploymentsFilter>;
        POST "/searches/secrets" => searches::secrets;
        POST "/searches/nodes" => searches::nodes;
        POST "/searches/node-types" => searches::node_types;
        POST "/searches/node-instances" => searches::node_instances;
        POST "/searches/capabilities" => parts::capabilities;
        POST "/searches/scaling-groups" => parts::scaling_groups;
        GET "/summary/blueprints" => summary::blueprints;
        GET "/summary/deployments" => summary::deployments;
        GET "/summary/executions" => summary::executions;
        GET "/summary/nodes" => summary::nodes;
        GET "/summary/node_instances" => summary::node_instances;
        GET "/summary/execution_schedules" => summary::execution_schedules;
    }
}

#[cfg(test)]
mod tests;
