//! Deployments: what a blueprint becomes with inputs, and what its workflows run on.
//!
//! A deployment's tenant, creator and visibility are copied into its nodes and node instances, so
//! that their lists need no join. Parents and consumers are known by labels, which are
//! looked up by value: `csys-obj-parent` on a child names its parent.

mod executions;
mod fields;
mod insert;
mod listing;
pub mod named;
mod plan_columns;
mod relatives;
mod removal;
mod row;
pub(crate) mod site;
pub(crate) mod sub_deployments;
mod update;
mod workflows;

pub use executions::{
    CREATE_WORKFLOW, DELETE_WORKFLOW, is_cancelled_calling, is_failed_creation, is_update_calling,
    set_creation, unfinished_executions,
};
pub use fields::{DEPLOYMENT, DEPLOYMENT_SHALLOW};
pub use insert::{NewDeployment, already_exists, insert};
pub use listing::DEPLOYMENT_LIST;
pub use plan_columns::{PLAN_COLUMNS, plan_of};
pub use relatives::{
    Consumer, Service, all_services, children, consumers, find_existing, find_parents,
    forget_consumer, link_parents, only_dependencies_of, parent_ids, services, unlink_parents,
    without_components,
};
pub use removal::{delete, delete_failed, live_instances};
pub use row::{
    Deployment, Owner, exists_elsewhere, find, find_by_key, find_optional, find_own, is_taken,
    statuses,
};
pub(crate) use site::move_to_site;
pub use site::{demand_site, demand_site_as_wide};
pub use update::{
    Changes, blueprint_visibility, complete, save, set_display_name, set_scaling_groups, set_site,
    set_visibility,
};
pub use workflows::{
    DeploymentWorkflows, SITUATIONS, of_each_blueprint as workflows_of_each_blueprint,
};

#[cfg(test)]
mod tests;
