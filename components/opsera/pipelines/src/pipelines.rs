//! `/pipeline/pipelines` and what is done to pipelines themselves.

use crate::body::{named, object, told_or};
use crate::gate;
use serde_json::Value;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Context, Response, Result};
use windlass_opsera::pipelines::{self, Narrowed};
use windlass_opsera::rows::Paging;

/// `GET /pipeline/pipelines`: those that the caller may look at, newest first.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let paging = Paging::of(&ctx.request)?;
    let narrowed = Narrowed {
        name: ctx.request.query_value("name"),
        status: ctx.request.query_value("status"),
    };
    let listed = pipelines::list(&ctx.db, &asker, narrowed, paging).await?;
    Ok(listed.respond(&ctx.db))
}

/// `POST /pipeline/summary`: one of them.
pub async fn summary(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (_, id) = named(ctx)?;
    let shown = pipelines::show(&ctx.db, &asker, &id).await?;
    Ok(Response::json_text(200, shown))
}

/// `POST /pipeline/create`: a new one. Answers it.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let object = ctx.json_object()?;
    let shown = ctx
        .db
        .transaction(async |tx| {
            let id = pipelines::insert(tx, &asker, &object).await?;
            pipelines::show(tx, &asker, &id).await
        })
        .await?;
    Ok(Response::json_text(200, shown))
}

/// `POST /pipeline/update`: other properties. Answers the pipeline.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (body, id) = named(ctx)?;
    let changes = object(&body, "pipeline")?;
    let shown = ctx
        .db
        .transaction(async |tx| {
            pipelines::update(tx, &asker, &id, changes).await?;
            pipelines::show(tx, &asker, &id).await
        })
        .await?;
    Ok(Response::json_text(200, shown))
}

/// `POST /pipeline/delete`: it goes with its runs and logs.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (_, id) = named(ctx)?;
    let refusal = ctx
        .db
        .transaction(async |tx| pipelines::delete(tx, &asker, &id).await)
        .await?;
    told_or(ctx, refusal, "The pipeline has been deleted.")
}

/// `POST /pipeline/duplicate`: a copy under another name. Answers it.
pub async fn duplicate(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (body, id) = named(ctx)?;
    let name: Option<&Value> = body.get("name");
    let shown = ctx
        .db
        .transaction(async |tx| {
            let copy = pipelines::duplicate(tx, &asker, &id, name).await?;
            pipelines::show(tx, &asker, &copy).await
        })
        .await?;
    Ok(Response::json_text(200, shown))
}

/// `POST /pipeline/lock`: nothing starts it any more.
pub async fn lock(ctx: &Context<impl Db>) -> Result<Response> {
    set_locked(ctx, true, "The pipeline has been locked.").await
}

/// `POST /pipeline/unlock`: it can be started again.
pub async fn unlock(ctx: &Context<impl Db>) -> Result<Response> {
    set_locked(ctx, false, "The pipeline has been unlocked.").await
}

async fn set_locked(ctx: &Context<impl Db>, locked: bool, message: &str) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (_, id) = named(ctx)?;
    let refusal = ctx
        .db
        .transaction(async |tx| pipelines::set_locked(tx, &asker, &id, locked).await)
        .await?;
    told_or(ctx, refusal, message)
}
