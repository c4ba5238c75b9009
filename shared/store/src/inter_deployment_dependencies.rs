//! Inter-deployment dependencies: which deployment uses which other one, and why.
//!
//! The source uses the target. Who made the dependency says how: `component.<node instance>` contains
//! the target, `sharedresource.<node instance>` shares it, anything else is the place of a function
//! that reads its capabilities. The target wears the source's id as the label `csys-consumer-id`.

mod creation;
mod dependents;
mod evaluation;
mod removal;

pub use creation::{NewDependency, Target, demand_no_cycle, insert, insert_of};
pub use dependents::{Blocked, Dependent, all_components, blocking};
pub use evaluation::{ToEvaluate, set_target, to_evaluate};
pub use removal::{Selection, delete, delete_all_of, find_selected};

use crate::counts;
use crate::resource::fields::CREATED_AT;
use windlass_core::list::{COMMON, Field, Resource, Search, concat};

static FIELDS: [Field; 13] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("dependency_creator", "t.dependency_creator"),
        Field::text("source_deployment_id", "t.source_deployment_id"),
        Field::text("target_deployment_id", "t.target_deployment_id"),
        Field::json("target_deployment_func", "t.target_deployment_func"),
        Field::json("external_source", "t.external_source"),
        Field::json("external_target", "t.external_target"),
        CREATED_AT,
    ],
    &COMMON,
);

/// Dependencies as the API shows them.
pub static INTER_DEPLOYMENT_DEPENDENCIES: Resource = Resource {
    name: "InterDeploymentDependencies",
    table: "inter_deployment_dependencies t",
    fields: &FIELDS,
    search: Some(Search::scan("t.id")),
    of_tenant: true,
    counts: &[&counts::INTER_DEPLOYMENT_DEPENDENCIES],
};

/// What the creator of a component's dependency begins with.
pub const COMPONENT: &str = "component";

/// The same of a shared resource.
pub const SHARED_RESOURCE: &str = "sharedresource";

#[cfg(test)]
mod tests;
