//! Cancelling and resuming: what callers may ask of an execution under way, or after its end.
//!
//! Each only writes the wish and queues the work; the driver fulfils it. So a wish that came
//! back as accepted survives any crash.

use crate::{driver, texts};
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Timestamp};
use windlass_store::executions::{self, Execution, Status, deployment_status};
use windlass_store::queue::{self, Work};
use windlass_store::{events, operations, tasks_graphs};

/// Cancels an execution: what runs is waited for, nothing more starts.
///
/// # Errors
/// 404; 400 when it is in no status that can be cancelled.
pub async fn cancel(db: &impl Db, scope: &Scope, id: &str, now: Timestamp) -> Result<Execution> {
    let allowed = [Status::Pending, Status::Started];
    stop(db, scope, id, "cancel", &allowed, Status::Cancelling, now).await
}

/// Cancels an execution without waiting for what runs.
///
/// # Errors
/// As [`cancel`]; one that is being cancelled may be cancelled so.
pub async fn force_cancel(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    now: Timestamp,
) -> Result<Execution> {
    let allowed = [Status::Pending, Status::Started, Status::Cancelling];
    stop(
        db,
        scope,
        id,
        "force-cancel",
        &allowed,
        Status::ForceCancelling,
        now,
    )
    .await
}

/// Cancels an execution in whatever status it is, unless it has ended.
///
/// # Errors
/// As [`cancel`].
pub async fn kill(db: &impl Db, scope: &Scope, id: &str, now: Timestamp) -> Result<Execution> {
    let allowed = [
        Status::Pending,
        Status::Started,
        Status::Cancelling,
        Status::ForceCancelling,
        Status::KillCancelling,
    ];
    stop(db, scope, id, "kill", &allowed, Status::KillCancelling, now).await
}

async fn stop(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    action: &str,
    allowed: &[Status],
    next: Status,
    now: Timestamp,
) -> Result<Execution> {
    let mut execution = executions::find(db, scope, id).await?;
    scope.demand_own_tenant(id, &execution.tenant_name)?;
    let status = execution.status()?;
    let was = execution.status.clone();
    if matches!(status, Status::Queued | Status::Scheduled) {
        // Nothing of it has begun, so there is nothing to wait for.
        Status::Cancelled.name().clone_into(&mut execution.status);
        execution.ended_at = Some(now.to_string());
        executions::save(db, &execution, &was).await?;
        let text = texts::workflow_cancelled(&execution.workflow_id);
        let event = serde_json::json!(["workflow_cancelled", text, null, null, null, null, null]);
        events::insert_all(db, &execution, &[event], now).await?;
        if let Some(deployment) = execution.deployment_key {
            deployment_status::recompute(db, deployment).await?;
        }
        crate::dequeue::start_waiting(db, now).await?;
        return Ok(execution);
    }
    if !allowed.contains(&status) {
        return Err(Error::illegal_action(format!(
            "Can't {action} execution {id} because it's in status {was}"
        )));
    }
    next.name().clone_into(&mut execution.status);
    executions::save(db, &execution, &was).await?;
    queue::push(db, Work::Execution, id, &Value::Null, now, now).await?;
    Ok(execution)
}

/// Lets an execution go on after its last finished operation. Nothing that has finished is run
/// again; what failed, or waits for another try, is.
///
/// # Errors
/// 404; 409 for one that neither runs nor ended without success.
pub async fn resume(db: &impl Db, scope: &Scope, id: &str, now: Timestamp) -> Result<Execution> {
    let allowed = [Status::Started, Status::Failed, Status::Cancelled];
    go_on(db, scope, id, ("resume", &allowed), false, now).await
}

/// As [`resume`], and what was on its way is sent again too.
///
/// # Errors
/// As [`resume`], also for one that runs.
pub async fn force_resume(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    now: Timestamp,
) -> Result<Execution> {
    let allowed = [Status::Failed, Status::Cancelled];
    go_on(db, scope, id, ("force-resume", &allowed), true, now).await
}

async fn go_on(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    (action, allowed): (&str, &[Status]),
    also_running: bool,
    now: Timestamp,
) -> Result<Execution> {
    let mut execution = executions::find(db, scope, id).await?;
    scope.demand_own_tenant(id, &execution.tenant_name)?;
    let status = execution.status()?;
    let was = execution.status.clone();
    if !allowed.contains(&status) {
        return Err(Error::conflict(format!(
            "Cannot {action} execution: `{id}` in state: `{was}`"
        )));
    }
    if let Some(graph) = tasks_graphs::find_current(db, execution.key).await? {
        // What waits for another try does not wait any longer.
        let before = operations::on_their_way(db, graph.key).await?;
        let ended = operations::reset(db, graph.key, also_running, now).await?;
        execution.finished_operations = (execution.finished_operations - ended).max(0);
        let still = operations::on_their_way(db, graph.key).await?;
        let gone: Vec<&str> = before
            .iter()
            .filter(|known| !still.contains(known))
            .map(|(id, _)| id.as_str())
            .collect();
        queue::remove_all(db, Work::Operation, &gone).await?;
        for (operation, queue_name) in &still {
            if queue_name.is_none() {
                // A call that was under way when the execution ended has lost its row.
                queue::push(db, Work::Operation, operation, &Value::Null, now, now).await?;
            }
        }
    }
    Status::Pending.name().clone_into(&mut execution.status);
    execution.resume = true;
    execution.error = None;
    execution.ended_at = None;
    executions::save(db, &execution, &was).await?;
    queue::push(db, Work::Execution, id, &Value::Null, now, now).await?;
    Ok(execution)
}

/// Applies the end of calls that workers carried out, all of one execution. To be called inside
/// a transaction that has made sure that the workers still hold their leases.
///
/// # Errors
/// Of the database, and for rows that cannot be read.
pub async fn report(
    db: &impl Db,
    execution_id: &str,
    reports: Vec<crate::step::Report>,
    now: Timestamp,
) -> Result<()> {
    driver::drive(db, execution_id, reports, now)
        .await
        .map(drop)
}
