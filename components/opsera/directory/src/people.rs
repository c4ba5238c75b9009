//! `/data/people`: who there is, by their address.

use crate::gate::{reader, record, removed, stored};
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Context, Response, Result};
use windlass_opsera::directory::people;
use windlass_opsera::rows::Paging;

/// `GET`: all of the account, in the order in which they came; with `under` those of a node of the
/// organisation and of what is below it.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let asker = reader(ctx)?;
    let paging = Paging::of(&ctx.request)?;
    let under = ctx.request.query_value("under");
    let listed = people::list(&ctx.db, &asker, under, paging).await?;
    Ok(listed.respond_counted(&ctx.db))
}

/// `POST`: a new one. Answers the record.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    stored(ctx, async |tx, asker, object| {
        people::insert(tx, asker, object).await
    })
    .await
}

/// `GET /data/people/{email}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = reader(ctx)?;
    let shown = people::show(&ctx.db, &asker, ctx.path("email")).await?;
    record(shown)
}

/// `PATCH /data/people/{email}`: what is given, a null takes a value away. Answers the record.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    stored(ctx, async |tx, asker, changes| {
        people::update(tx, asker, ctx.path("email"), changes).await
    })
    .await
}

/// `DELETE /data/people/{email}`.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    removed(ctx, "Person", async |tx, asker| {
        people::delete(tx, asker, ctx.path("email")).await
    })
    .await
}
