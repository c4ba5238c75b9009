//! Executions: one run of a workflow on a deployment.
//!
//! Statuses are changed here only by their owner, the engine: everybody else asks it. What a
//! change means for the deployment is in [`deployment_status`].

pub mod deployment_status;
mod deployment_to_run;
mod list;
mod patience;
mod removal;
mod restored;
mod retention;
mod row;
mod status;
#[cfg(test)]
pub(crate) mod tests;
mod waiting;
#[cfg(test)]
pub(crate) use waiting::next_startable_sql;

pub use deployment_to_run::{DeploymentToRun, deployment_to_run, workflow};
pub use list::{EXECUTIONS, without_system_workflows};
pub use patience::{set_wait_after_fail, wait_after_fail};
pub use removal::{Removal, delete};
pub use restored::restore;
pub use retention::{Place, forget_old};
pub use row::{Execution, find, find_if_any, insert, note_requeue, save, save_for, start};
pub use status::Status;
pub use waiting::{
    count_active, in_progress, in_the_way, latest, next_startable, next_system, system_is_busy,
};
