//! Updates of deployments: which there were, and what the one that runs has left to do.
//!
//! An update's row stays for good and tells its history. What it works with is in two tables of
//! its own, [`work`] and [`later`], and is gone when the update has succeeded.

pub mod later;
mod row;
mod state;
pub mod work;

pub use row::{
    DEPLOYMENT_UPDATE, DeploymentUpdate, NewUpdate, Running, SHOWN, Shown, insert, latest_failed,
    of_execution, reevaluate, save, set_shown, set_state, steps,
};
pub use state::UpdateState;

#[cfg(test)]
mod tests;
