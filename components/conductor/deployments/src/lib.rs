//! Conductor: deployments, their nodes, node instances and workflows.

mod body_fields;
mod create;
mod dependencies;
mod deployment_groups;
mod deployments;
mod evaluate;
mod labels;
mod modifications;
mod node_instances;
mod nodes;
mod outputs;
mod site;
mod update;
mod updates;
mod updates_initiate;
mod visibility;
mod workflows;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/deployments" => deployments::list;
        POST "/searches/deployments" => deployments::search;
        POST "/searches/workflows" => workflows::search;
        GET "/deployments/{deployment_id}" => deployments::get;
        PUT "/deployments/{deployment_id}" => create::create;
        PATCH "/deployments/{deployment_id}" => update::update_labels;
        DELETE "/deployments/{deployment_id}" => deployments::delete;
        PATCH "/deployments/{deployment_id}/set-visibility" => visibility::set_visibility;
        POST "/deployments/{deployment_id}/set-site" => site::set_site;
        GET "/deployments/{deployment_id}/outputs" => outputs::outputs;
        GET "/deployments/{deployment_id}/capabilities" => outputs::capabilities;
        GET "/deployments/inter-deployment-dependencies" => dependencies::list;
        PUT "/deployments/inter-deployment-dependencies" => dependencies::create;
        POST "/deployments/inter-deployment-dependencies" => dependencies::create_many;
        DELETE "/deployments/inter-deployment-dependencies" => dependencies::delete;
        PUT "/deployments/{deployment_id}/inter-deployment-dependencies" => dependencies::replace;
        GET "/deployment-modifications" => modifications::list;
        POST "/deployment-modifications" => modifications::start;
        GET "/deployment-modifications/{modification_id}" => modifications::get;
        POST "/deployment-modifications/{modification_id}/finish" => modifications::finish;
        POST "/deployment-modifications/{modification_id}/rollback" => modifications::rollback;
        GET "/deployment-groups" => deployment_groups::list;
        GET "/deployment-groups/{group_id}" => deployment_groups::get;
        PUT "/deployment-groups/{group_id}" => deployment_groups::put;
        PATCH "/deployment-groups/{group_id}" => deployment_groups::patch;
        DELETE "/deployment-groups/{group_id}" => deployment_groups::delete;
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
        GET "/deployment-updates" => updates::list;
        POST "/deployment-updates" => updates::bulk;
        GET "/deployment-updates/{update_id}" => updates::get;
        PUT "/deployment-updates/{update_id}" => updates::put;
        PATCH "/deployment-updates/{update_id}" => updates::patch;
        POST "/deployment-updates/{deployment_id}/update/initiate" => updates_initiate::initiate;
        POST "/deployment-updates/{update_id}/update/finalize" => updates::finalize;
        GET "/workflows" => workflows::list;
    }
}

#[cfg(test)]
mod tests;
