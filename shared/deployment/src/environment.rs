//! A deployment's environment: made from a blueprint's plan, and taken away again.
//!
//! Both happen inside the request that asks for them, each in one transaction, and leave the same
//! records as a workflow would. What takes time is done before: [`Prepared::new`] reads the plan,
//! puts the inputs in and makes the node instances, so that [`create`] holds the database for
//! checks and inserts only.

mod calling_execution;
mod creation;
mod creation_record;
pub(crate) mod default_schedules;
mod display_name;
pub(crate) mod parent_capabilities;
mod pending;
pub(crate) mod plan_rows;
mod removal;
mod secrets;
mod world;

pub use calling_execution::{demand_update_execution, forbid_while_cancelling};
pub(crate) use creation::{
    NotMade, all_labels, deployment_plan, random_numbers, refused_inputs, uploaded_plan,
};
pub use creation::{Outcome, Prepared, Wanted, create};
pub use pending::{Asked, delete_by_execution, make_by_execution};
pub(crate) use plan_rows::{ScalingGroups, instances as new_instances};
pub use plan_rows::{counts_of, listed_workflows, new_node};
pub use removal::{Removal, demand_removable, remove};
pub use world::{Here, World, context, refused};

#[cfg(test)]
pub(crate) mod tests;
