//! What follows from the end of an execution, whoever ended it: for its deployment and for what depends on
//! that.

use crate::{execution_groups, plugins_updates};
use windlass_core::db::Tx;
use windlass_core::{Result, log};
use windlass_deployment::dependencies;
use windlass_store::executions::{Execution, deployment_status};

/// Follows an execution that ended.
///
/// # Errors
/// Of the database.
pub(crate) async fn follow(tx: &impl Tx, execution: &Execution) -> Result<()> {
    deployment_status::execution_ended(tx, execution).await?;
    follow_begun(tx, execution).await
}

/// The same for one that began and ended in one go, whose deployment was brought up to date already.
///
/// # Errors
/// Of the database.
pub(crate) async fn follow_begun(tx: &impl Tx, execution: &Execution) -> Result<()> {
    execution_groups::follow_end(tx, execution).await?;
    plugins_updates::follow_end(tx, execution).await?;
    if let Some(deployment) = execution.deployment_key {
        // What it did may have changed which deployments its functions name.
        dependencies::evaluate_again(tx, deployment).await?;
    }
    Ok(())
}

/// Says in the log that an execution failed. Why is with the execution: its text may repeat what another
/// server answered, which is no business of the log's readers.
pub(crate) fn tell_failure(execution: &Execution) {
    let told = [
        ("execution", execution.id.as_str().into()),
        ("workflow", execution.workflow_id.as_str().into()),
        ("deployment", execution.deployment_id.as_deref().into()),
        ("tenant", execution.tenant_name.as_str().into()),
    ];
    log::line(log::Level::Warning, "an execution failed", told);
}
