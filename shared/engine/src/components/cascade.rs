//! What is done to an execution and reaches the components of its deployment: a workflow that cascades
//! runs on them too, and whoever stops or resumes a run means the runs that it waits for.

use super::other_runs;
use crate::control::{self, Action};
use crate::start::{self, StartRequest};
use serde_json::Value;
use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, Scope, Timestamp};
use windlass_store::component_waits;
use windlass_store::executions::{self, Execution, Status};
use windlass_store::inter_deployment_dependencies::all_components;

fn scope_of(execution: &Execution) -> Scope {
    Scope::in_name_of(&execution.created_by, &execution.tenant_name)
}

fn cascades(workflow: &Value) -> bool {
    workflow["is_cascading"].as_bool() == Some(true)
}

/// Starts the same workflow on the components of an execution's deployment, if it cascades. Those that do
/// not have it are passed over.
///
/// # Errors
/// As the start of each.
pub(crate) async fn start_below(
    tx: &impl Tx,
    execution: &Execution,
    (workflow, request): (&Value, &StartRequest),
    now: Timestamp,
) -> Result<()> {
    if !cascades(workflow) {
        return Ok(());
    }
    let Some(deployment) = execution.deployment_key else {
        return Ok(());
    };
    for component in all_components(tx, deployment).await? {
        // What another tenant has made global is for that tenant to run.
        if component.tenant_name != execution.tenant_name {
            continue;
        }
        let below = StartRequest {
            deployment_id: component.id,
            queue: true,
            is_below: true,
            ..request.clone()
        };
        match Box::pin(start::start(tx, &scope_of(execution), below, now)).await {
            Err(error) if !matches!(error.kind(), Kind::NonexistentWorkflow | Kind::NotFound) => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Stops what an execution waits for, and where its workflow cascades all of it below.
///
/// # Errors
/// Of the database.
pub(crate) async fn stop_below(
    tx: &impl Tx,
    action: Action,
    execution: &Execution,
    now: Timestamp,
) -> Result<()> {
    let mut ids = component_waits::waited_for(tx, execution).await?;
    if is_cascading(tx, execution).await?
        && let Some(deployment) = execution.deployment_key
    {
        for component in all_components(tx, deployment).await? {
            let workflow = execution.workflow_id.as_str();
            ids.extend(executions::in_progress(tx, component.key, workflow).await?);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        match Box::pin(control::act(tx, &scope_of(execution), action, &id, now)).await {
            // It is being stopped already, or is somebody else's.
            Err(error) if !is_passed_over(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn is_cascading(tx: &impl Tx, execution: &Execution) -> Result<bool> {
    let workflow = executions::workflow(tx, execution).await?;
    Ok(workflow.is_some_and(|workflow| cascades(&workflow)))
}

/// Resumes what an execution's operations failed with, and where its workflow cascades what of it failed
/// or was cancelled below.
///
/// # Errors
/// Of the database.
pub(crate) async fn resume_below(
    tx: &impl Tx,
    action: Action,
    execution: &Execution,
    now: Timestamp,
) -> Result<()> {
    let mut ids = component_waits::failed_below(tx, execution).await?;
    if is_cascading(tx, execution).await?
        && let Some(deployment) = execution.deployment_key
    {
        for component in all_components(tx, deployment).await? {
            let latest = executions::latest(tx, component.key).await?;
            let latest = latest.filter(|latest| {
                matches!(latest.status, Status::Failed | Status::Cancelled)
                    && latest.workflow_id == execution.workflow_id
                    && latest.created_at >= execution.created_at
            });
            ids.extend(latest.map(|latest| latest.id));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        match Box::pin(control::act(tx, &scope_of(execution), action, &id, now)).await {
            Err(error) if !is_passed_over(&error) => return Err(error),
            _ => {}
        }
    }
    // It has as long as it had at first.
    component_waits::wait_again(tx, execution, now.plus_seconds(other_runs::PATIENCE)).await
}

/// Whether a refusal is about what cannot be stopped or resumed, or is not theirs who ask.
fn is_passed_over(error: &Error) -> bool {
    let kind = error.kind();
    matches!(kind, Kind::IllegalAction | Kind::NotFound | Kind::Forbidden)
}
