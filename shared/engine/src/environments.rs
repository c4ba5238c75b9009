//! The two workflows that every deployment has without its blueprint saying so: its environment is made,
//! and taken away. The engine runs them itself, in one step.

use crate::step::End;
use windlass_core::Result;
use windlass_core::db::Tx;
use windlass_deployment::environment;
use windlass_store::deployments::{CREATE_WORKFLOW, DELETE_WORKFLOW};
use windlass_store::executions::Execution;

/// Whether a workflow is one of the two: it has no parameters to be checked and is always available.
pub(crate) fn is_one(workflow_id: &str) -> bool {
    matches!(workflow_id, CREATE_WORKFLOW | DELETE_WORKFLOW)
}

/// How it went.
pub(crate) enum Ran {
    /// It ended so.
    Ended(End),
    /// The deployment is gone, and with it the execution.
    Gone,
}

/// Runs an execution of one of the two.
///
/// # Errors
/// Of the database.
pub(crate) async fn run(tx: &impl Tx, execution: &Execution) -> Result<Ran> {
    let failure = if execution.is_dry_run {
        None
    } else if execution.workflow_id == CREATE_WORKFLOW {
        environment::make_by_execution(tx, execution).await?
    } else {
        match environment::delete_by_execution(tx, execution).await? {
            None => return Ok(Ran::Gone),
            failure => failure,
        }
    };
    Ok(Ran::Ended(match failure {
        None => End::Succeeded,
        Some(reason) => End::Failed(reason),
    }))
}
