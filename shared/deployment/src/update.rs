//! Updating a deployment: another blueprint or other inputs for one that is there.
//!
//! [`plan`] finds out what that means without changing anything: the steps that clients are shown, and
//! what becomes of nodes and instances. [`difference()`], its heart, is pure. The engine carries an update
//! out: [`begin`] writes what is new and what is to be done, the workflow does it, and [`finish`] takes away
//! what was to go. A failure in between leaves a deployment that can be updated again; what was
//! left undone is then done.

mod carrying_out;
mod difference;
mod instances;
mod nodes;
mod planning;
mod plugins;
mod schedules;
mod shown;
mod steps;

pub use carrying_out::{begin, finish, replace_nodes, settle};
pub use difference::{Difference, Shape, Unsupported, difference};
pub use planning::{Goal, Planned, inputs_after, plan};
pub use steps::{Action, EntityType, Step};

#[cfg(test)]
pub(crate) mod tests;
