//! Runs: begun, looked at, stopped, approved, resumed.

use crate::body::{named, told, told_or};
use crate::gate;
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Response, Result, Timestamp, platform};
use windlass_opsera::body::count;
use windlass_opsera::lifecycle::{self, Answer, RunStanding, Started};
use windlass_opsera::runs::RunState;

/// `POST /pipeline/run`: a run begins.
pub async fn run(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (body, id) = named(ctx)?;
    let parameters = lifecycle::parameters(body.get("parameters"))?;
    let started = ctx
        .db
        .transaction(async |tx| {
            lifecycle::run(tx, &asker, &id, &parameters, Timestamp::now()).await
        })
        .await?;
    match started {
        Started::Run(number) => {
            platform::nudge();
            let message = format!("Run pipeline request submitted successfully for ({id})");
            ctx.ok(json!({ "status": "executed", "message": message, "runCount": number }))
        }
        Started::Refused(why) => told_or(ctx, Some(why), ""),
    }
}

/// `POST /pipeline/status`: where the current run stands, or an earlier one.
pub async fn status(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (body, id) = named(ctx)?;
    let number = count(&body, "runCount")?;
    let (name, standing) = lifecycle::status(&ctx.db, &asker, &id, number).await?;
    let (status, message) = match standing {
        RunStanding::Idle => ("idle", format!("Pipeline: {name} has not been run.")),
        RunStanding::Unknown(number) => {
            let text = format!("Pipeline: {name}'s Run {number} was not found.");
            return Err(Error::new(Kind::NotFound, text));
        }
        RunStanding::Run(number, state) => {
            let words = match state {
                RunState::Success => "was successful",
                RunState::Running => "is currently running",
                RunState::Paused => "is currently paused",
                RunState::Stopping => "is currently stopping",
                RunState::Failed => "has failed",
                RunState::Stopped => "was stopped",
            };
            (
                state.name(),
                format!("Pipeline: {name}'s Run {number} {words}."),
            )
        }
    };
    ctx.ok(json!({ "status": status, "message": message }))
}

/// `POST /pipeline/reset`: back to the beginning. What has happened stays.
pub async fn reset(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (_, id) = named(ctx)?;
    let refusal = ctx
        .db
        .transaction(async |tx| lifecycle::reset(tx, &asker, &id).await)
        .await?;
    told_or(ctx, refusal, "The pipeline run status has been reset.")
}

/// `POST /pipeline/stop`: what is under way comes to its end, nothing else begins. With `force`, scripts on
/// workers are ended.
pub async fn stop(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (body, id) = named(ctx)?;
    let is_forced = body.boolean("force")?.unwrap_or(false);
    let now = Timestamp::now();
    ctx.db
        .transaction(async |tx| match is_forced {
            true => lifecycle::force_stop(tx, &asker, &id, now).await,
            false => lifecycle::stop(tx, &asker, &id, now).await,
        })
        .await?;
    told(ctx, "The pipeline has been stopped.")
}

/// `POST /pipeline/approve`: what waits for an approval goes on. `stepId` names one of several.
pub async fn approve(ctx: &Context<impl Db>) -> Result<Response> {
    answer(ctx, Answer::Approve, "The pipeline has been approved.").await
}

/// `POST /pipeline/deny`: the run fails.
pub async fn deny(ctx: &Context<impl Db>) -> Result<Response> {
    answer(ctx, Answer::Deny, "The pipeline has been denied.").await
}

async fn answer(ctx: &Context<impl Db>, with: Answer, message: &str) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (body, id) = named(ctx)?;
    let step = body.filled_text("stepId")?;
    let refusal = ctx
        .db
        .transaction(async |tx| {
            lifecycle::answer(tx, &asker, &id, step, with, Timestamp::now()).await
        })
        .await?;
    platform::nudge();
    told_or(ctx, refusal, message)
}

/// `POST /pipeline/resume`: a run that failed, was stopped or is paused goes on.
pub async fn resume(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (_, id) = named(ctx)?;
    let refusal = ctx
        .db
        .transaction(async |tx| lifecycle::resume(tx, &asker, &id, Timestamp::now()).await)
        .await?;
    platform::nudge();
    told_or(ctx, refusal, "The pipeline has been resumed.")
}

/// `POST /pipeline/demo`: whether body and token arrive. Does nothing.
pub async fn demo(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (_, id) = named(ctx)?;
    lifecycle::status(&ctx.db, &asker, &id, None).await?;
    let caller = ctx.caller()?;
    let token = json!({
        "userName": caller.username, "userId": format!("{:024x}", caller.user_id),
        "owner": asker.account(), "scope": caller.method.scopes().names(),
    });
    let body = Value::Object(ctx.json_object()?);
    ctx.ok(json!({
        "status": "success", "message": "it seems to be working", "reqBody": body, "reqToken": token,
    }))
}
