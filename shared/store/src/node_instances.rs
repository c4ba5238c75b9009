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
mod update;

pub use creation::{NewInstance, add_many, insert_many};
pub use engine::{
    Health, InstanceChange, drifted, for_engine, for_evaluation, health, node_properties,
    node_types, nodes_for_engine, owns_instance, runtime_properties, states, system_properties,
    update_all,
};
pub use list::{DEPLOYMENT_KEY, NODE_INSTANCE};
pub use row::{Record, delete, find, save};
pub use update::{NewRelationships, for_update, remove, set_relationships};
