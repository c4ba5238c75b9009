//! Node instances: what of a deployment's nodes runs, and in which state it is.
//!
//! What checks of status and drift find is in `system_properties`; triggers keep the two flags and
//! the deployment's sums in step with it.

mod creation;
mod engine;
mod list;
mod row;
#[cfg(test)]
mod tests;

pub use creation::{NewInstance, add_many, insert_many};
pub use engine::{
    InstanceChange, for_engine, for_evaluation, node_properties, node_types, nodes_for_engine,
    owns_instance, runtime_properties, states, update_all,
};
pub use list::{DEPLOYMENT_KEY, NODE_INSTANCE};
pub use row::{Record, delete, find, save};
