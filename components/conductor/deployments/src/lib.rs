//! Conductor: deployments, their nodes, node instances and workflows.

mod body_fields;
mod create;
mod deployments;
mod evaluate;
mod labels;
mod node_instances;
mod nodes;
mod outputs;
mod site;
mod update;
mod visibility;
mod workflows;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/deployments" => deployments::list;
        GET "/deployments/{deployment_id}" => deployments::get;
        PUT "/deployments/{deployment_id}" => create::create;
        PATCH "/deployments/{deployment_id}" => update::update_labels;
        DELETE "/deployments/{deployment_id}" => deployments::delete;
        PATCH "/deployments/{deployment_id}/set-visibility" => visibility::set_visibility;
        POST "/deployments/{deployment_id}/set-site" => site::set_site;
        GET "/deployments/{deployment_id}/outputs" => outputs::outputs;
        GET "/deployments/{deployment_id}/capabilities" => outputs::capabilities;
        GET "/labels/deployments" => labels::deployments_keys;
        GET "/labels/deployments/{label_key}" => labels::deployments_values;
        POST "/evaluate/functions" => evaluate::evaluate_functions;
        GET "/nodes" => nodes::list;
        POST "/nodes" => nodes::create_many;
        PATCH "/nodes/{deployment_id}/{node_id}" => nodes::update;
        DELETE "/nodes/{deployment_id}/{node_id}" => nodes::delete;
        GET "/node-instances" => node_instances::list;
        POST "/node-instances" => node_instances::create_many;
        GET "/node-instances/{node_instance_id}" => node_instances::get;
        PATCH "/node-instances/{node_instance_id}" => node_instances::update;
        DELETE "/node-instances/{node_instance_id}" => node_instances::delete;
        GET "/workflows" => workflows::list;
    }
}

#[cfg(test)]
mod tests;
