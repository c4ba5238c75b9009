//! Executions of another installation, stored as they ended there: nothing of them runs here.

use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope, params};

use super::{Execution, deployment_status, start};
use crate::deployments::CREATE_WORKFLOW;

/// The workflow of an upload.
const UPLOAD_WORKFLOW: &str = "upload_blueprint";

/// Stores an execution as it ended elsewhere, and puts it in the place it had: its deployment's
/// latest one or its creation, its blueprint's upload. Answers its key.
///
/// # Errors
/// 409 when the id is taken.
pub async fn restore(tx: &impl Tx, scope: &Scope, execution: &Execution) -> Result<i64> {
    let key = start(tx, scope, execution).await.map_err(|error| {
        if error.is_unique_violation() {
            let text = format!("Execution with ID `{}` already exists", execution.id);
            return Error::conflict(text);
        }
        error
    })?;
    if execution.workflow_id == UPLOAD_WORKFLOW {
        uploaded(tx, execution).await?;
    }
    ran_on_deployment(tx, execution).await?;
    Ok(key)
}

/// The blueprint is the one that the upload's parameters name.
async fn uploaded(tx: &impl Tx, execution: &Execution) -> Result<()> {
    tx.execute(
        "update blueprints set upload_execution = ?3 where tenant_name = ?1 and id = ?2",
        params![
            &execution.tenant_name,
            execution.blueprint_id.as_deref(),
            &execution.id
        ],
    )
    .await
}

/// A younger execution stays the latest. Only the creation of the environment does not count as
/// younger: a restored deployment was made just now, whatever it has behind it.
async fn ran_on_deployment(tx: &impl Tx, execution: &Execution) -> Result<()> {
    let Some(deployment) = execution.deployment_key else {
        return Ok(());
    };
    if execution.workflow_id == CREATE_WORKFLOW {
        tx.execute(
            "update deployments set create_execution = ?2 where key = ?1",
            params![deployment, &execution.id],
        )
        .await?;
    }
    if !execution.status.is_active() && !execution.status.has_ended() {
        // It has not begun.
        return Ok(());
    }
    tx.execute(
        "update deployments set latest_execution = ?2 where key = ?1 and not exists (
             select 1 from executions latest where latest.id = latest_execution
             and latest.created_at > ?3 and latest.workflow_id <> ?4)",
        params![
            deployment,
            &execution.id,
            execution.created_at,
            CREATE_WORKFLOW
        ],
    )
    .await?;
    deployment_status::execution_ended(tx, execution).await
}
