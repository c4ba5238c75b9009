//! What may be asked of an execution after its start: to stop, to go on, to have another status.

use windlass_core::Body;
use windlass_core::db::Db;
use windlass_core::list::python_list;
use windlass_core::{
    Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, platform,
};
use windlass_engine::{control, dequeue, queue_kinds};
use windlass_store::executions::{self, Execution, Status, deployment_status};
use windlass_store::executions_list::EXECUTIONS;
use windlass_store::{audit, queue};

/// The actions, as a refusal names them.
const ACTIONS: [&str; 6] = [
    "cancel",
    "force-cancel",
    "kill",
    "resume",
    "force-resume",
    "requeue",
];

/// `POST /executions/{execution_id}`: stops an execution or lets it go on.
pub async fn act(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionCancel)?;
    ctx.include(&EXECUTIONS)?;
    let id = ctx.path("execution_id");
    let body = Body::of(ctx)?;
    let action = body.required_text("action")?;
    if !ACTIONS.contains(&action) {
        return Err(Error::bad_parameters(format!(
            "Invalid action: {action}, Valid action values are: {}",
            python_list(&ACTIONS)
        )));
    }
    ctx.db
        .transaction(async |db| {
            let now = Timestamp::now();
            match action {
                "cancel" => control::cancel(db, &scope, id, now).await.map(drop)?,
                "force-cancel" => control::force_cancel(db, &scope, id, now).await.map(drop)?,
                "kill" => control::kill(db, &scope, id, now).await.map(drop)?,
                "resume" => control::resume(db, &scope, id, now).await.map(drop)?,
                "force-resume" => control::force_resume(db, &scope, id, now).await.map(drop)?,
                _ => requeue(db, &scope, id, now).await?,
            }
            let name = format!("execution_{}", action.replace('-', "_"));
            audit::insert(db, &scope, &name, "Execution", id).await
        })
        .await?;
    platform::nudge();
    ctx.show(&EXECUTIONS, &scope, id, 200).await
}

/// `PATCH /executions/{execution_id}`: whoever runs an execution reports its status.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionStatusUpdate)?;
    ctx.include(&EXECUTIONS)?;
    let id = ctx.path("execution_id");
    let body = Body::of(ctx)?;
    let status = body.required_text("status")?;
    let next = Status::named(status)
        .ok_or_else(|| Error::bad_parameters(format!("Invalid execution status: {status}")))?;
    let error = body.text("error")?.unwrap_or_default();
    ctx.db
        .transaction(async |db| {
            let execution = executions::find(db, &scope, id).await?;
            scope.demand_own_tenant(id, &execution.tenant_name)?;
            if execution.status()? == next {
                return Ok(());
            }
            demand_possible(&execution, next)?;
            report(db, execution, next, error, Timestamp::now()).await?;
            audit::insert(db, &scope, "execution_status_update", "Execution", id).await
        })
        .await?;
    platform::nudge();
    ctx.show(&EXECUTIONS, &scope, id, 200).await
}

/// Looks again whether an execution that waits may start.
async fn requeue(db: &impl Db, scope: &Scope, id: &str, now: Timestamp) -> Result<()> {
    let execution = executions::find(db, scope, id).await?;
    scope.demand_own_tenant(id, &execution.tenant_name)?;
    if execution.status()? != Status::Queued {
        return Err(Error::conflict(format!(
            "Cannot requeue execution: `{id}` in state: `{}`",
            execution.status
        )));
    }
    dequeue::start_waiting(db, now).await
}

fn demand_possible(execution: &Execution, next: Status) -> Result<()> {
    // A snapshot holds the row of the execution that made it, still running.
    if execution.status()?.can_become(next) || execution.workflow_id == "create_snapshot" {
        return Ok(());
    }
    Err(Error::new(
        Kind::InvalidExceptionStatusUpdate,
        format!(
            "Invalid relationship - can't change status from {} to {} for \"{}\" execution while \
             running \"{}\" workflow.",
            execution.status,
            next.name(),
            execution.id,
            execution.workflow_id
        ),
    ))
}

/// Writes a status and what it means: for the deployment, and for others that wait.
async fn report(
    db: &impl Db,
    mut execution: Execution,
    next: Status,
    error: &str,
    now: Timestamp,
) -> Result<()> {
    let was = std::mem::replace(&mut execution.status, next.name().to_owned());
    execution.error = Some(error.to_owned());
    if next == Status::Started {
        execution.started_at = Some(now.to_string());
    }
    if next.has_ended() {
        execution.ended_at = Some(now.to_string());
    }
    executions::save(db, &execution, &was).await?;
    if next.is_active() {
        // The engine takes it from here, if it has anything to do with it.
        let nothing = serde_json::Value::Null;
        queue::push(
            db,
            queue_kinds::EXECUTION,
            &execution.id,
            &nothing,
            now,
            now,
        )
        .await?;
    }
    if let Some(deployment) = execution.deployment_key {
        if next == Status::Started {
            deployment_status::execution_started(db, deployment, &execution.id).await?;
        } else if next.has_ended() {
            deployment_status::recompute(db, deployment).await?;
        }
    }
    if next.has_ended() {
        dequeue::start_waiting(db, now).await?;
    }
    Ok(())
}
