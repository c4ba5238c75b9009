//! Modifications of deployments: other numbers of node instances.
//!
//! Starting one adds what is new, so that a workflow can install it; what is to go stays until the
//! modification is finished. Taken back, the deployment is as it was before. What a modification is
//! about is kept with it, an instance a row, because it can be thousands.

mod instances;
mod list;
mod row;
#[cfg(test)]
mod tests;

pub use instances::{Change, Modified, Part, change_relationships, instances_text, keep, keep_all};
pub use instances::{added_ids, remove_added, remove_removed, restore, shorten_relationships};
pub use list::{DEPLOYMENT_MODIFICATION, PLACE};
pub use row::{
    DeploymentModification, New, Status, any_in_use, demand_none_started, find, find_own, insert,
    save_end, started,
};
