//! A deployment's environment: made from a blueprint's plan, and taken away again.
//!
//! Both happen inside the request that asks for them, each in one transaction, and leave the same
//! records as a workflow would. What takes time is done before: [`Prepared::new`] reads the plan,
//! puts the inputs in and makes the node instances, so that [`create`] holds the database for
//! checks and inserts only.

mod creation;
mod known;
mod removal;
mod rows;

pub use creation::{
    Outcome, Prepared, Wanted, create, demand_update_execution, forbid_while_cancelling,
    is_update_execution,
};
pub use known::{Here, World, context};
pub use removal::{Removal, remove};
pub use rows::{listed_workflows, new_node};

#[cfg(test)]
mod tests;
