//! A deployment's environment: made from a blueprint's plan, and taken away again.
//!
//! Both happen inside the request that asks for them, each in one transaction, and leave the same
//! records as a workflow would. What takes time is done before: [`Prepared::new`] reads the plan,
//! puts the inputs in and makes the node instances, so that [`create`] holds the database for
//! checks and inserts only.

mod calling_execution;
mod creation;
mod creation_record;
mod display_name;
mod plan_rows;
mod removal;
mod world;

pub use calling_execution::{demand_update_execution, forbid_while_cancelling};
pub use creation::{Outcome, Prepared, Wanted, create};
pub use plan_rows::{listed_workflows, new_node};
pub use removal::{Removal, remove};
pub use world::{Here, World, context, refused};

#[cfg(test)]
mod tests;
