//! A deployment's environment: made from a blueprint's plan, and taken away again.
//!
//! Both happen inside the request that asks for them, each in one transaction, and leave the same
//! records as a workflow would. What takes time is done before: [`Prepared::new`] reads the plan,
//! puts the inputs in and makes the node instances, so that [`create`] holds the database for
//! checks and inserts only.

mod creation;
mod plan_rows;
mod removal;
mod world;

pub use creation::{
    Outcome, Prepared, Wanted, create, demand_update_execution, forbid_while_cancelling,
    is_update_execution,
};
pub use plan_rows::{listed_workflows, new_node};
pub use removal::{Removal, remove};
pub use world::{Here, World, context};

#[cfg(test)]
mod tests;
