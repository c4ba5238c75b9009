//! What may be asked of an execution after its start: to stop, to go on, to have another status.

use windlass_core::Body;
use windlass_core::db::Db;
use windlass_core::python;
use windlass_core::{Context, Error, Permission, Response, Result, Timestamp, platform};
use windlass_engine::control::{self, Action};
use windlass_store::executions::{self, EXECUTIONS, Status};

/// `POST /executions/{execution_id}`: stops an execution or lets it go on.
pub async fn act(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionCancel)?;
    ctx.include(&EXECUTIONS)?;
    let id = ctx.path("execution_id");
    let body = Body::of(ctx)?;
    let action = body.required_text("action")?;
    let action = Action::named(action).ok_or_else(|| {
        Error::bad_parameters(format!(
            "Invalid action: {action}, Valid action values are: {}",
            python::list(Action::ALL.map(Action::name))
        ))
    })?;
    ctx.db
        .transaction(async |tx| control::act(tx, &scope, action, id, Timestamp::now()).await)
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
    let error = body.text("error")?.unwrap_or_default();
    ctx.db
        .transaction(async |tx| {
            // A client that asks about a run that is gone is told so, whatever else is wrong.
            executions::find(tx, &scope, id).await?;
            let next = Status::named(status).ok_or_else(|| {
                Error::bad_parameters(format!("Invalid execution status: {status}"))
            })?;
            control::report_status(tx, &scope, id, (next, error), Timestamp::now()).await
        })
        .await?;
    platform::nudge();
    ctx.show(&EXECUTIONS, &scope, id, 200).await
}
