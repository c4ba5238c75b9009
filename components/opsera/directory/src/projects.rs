//! `/data/project`: what is worked on, by the id that its source gives it.

use crate::gate::{reader, record, removed, stored};
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Context, Response, Result};
use windlass_opsera::directory::projects;
use windlass_opsera::rows::Paging;

/// `GET`: all of the account, in the order in which they came; with `under` those of a node of the
/// organisation and of what is below it.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let asker = reader(ctx)?;
    let paging = Paging::of(&ctx.request)?;
    let under = ctx.request.query_value("under");
    let listed = projects::list(&ctx.db, &asker, under, paging).await?;
    Ok(listed.respond_counted(&ctx.db))
}

/// `POST`: a new one. Answers the record.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    stored(ctx, async |tx, asker, object| {
        projects::insert(tx, asker, object).await
    })
    .await
}

/// `GET /data/project/{project_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = reader(ctx)?;
    let shown = projects::show(&ctx.db, &asker, ctx.path("project_id")).await?;
    record(shown)
}

/// `PATCH /data/project/{project_id}`: what is given, a null takes a value away. Answers the record.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    stored(ctx, async |tx, asker, changes| {
        projects::update(tx, asker, ctx.path("project_id"), changes).await
    })
    .await
}

/// `DELETE /data/project/{project_id}`.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    removed(ctx, "Project", async |tx, asker| {
        projects::delete(tx, asker, ctx.path("project_id")).await
    })
    .await
}
