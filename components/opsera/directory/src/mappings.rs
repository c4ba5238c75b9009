//! `/data/mapping`: who belongs to what.

use crate::gate::{reader, record, removed, stored};
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Context, Response, Result};
use windlass_opsera::directory::mappings;
use windlass_opsera::rows::Paging;

/// `GET`: all of the account, in the order in which they came; narrowed by what they hold, in either
/// spelling.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let asker = reader(ctx)?;
    let paging = Paging::of(&ctx.request)?;
    let filters = mappings::FILTERS.iter();
    let filters: Vec<(&str, &str)> = filters
        .filter_map(|(name, column)| Some((*column, ctx.request.query_value(name)?)))
        .collect();
    let listed = mappings::list(&ctx.db, &asker, &filters, paging).await?;
    Ok(listed.respond_counted(&ctx.db))
}

/// `POST`: a new one. Answers the record.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    stored(ctx, async |tx, asker, object| {
        mappings::insert(tx, asker, object).await
    })
    .await
}

/// `GET /data/mapping/{id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = reader(ctx)?;
    let shown = mappings::show(&ctx.db, &asker, ctx.path("id")).await?;
    record(shown)
}

/// `PATCH /data/mapping/{id}`: what is given, a null takes a value away. Answers the record.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    stored(ctx, async |tx, asker, changes| {
        mappings::update(tx, asker, ctx.path("id"), changes).await
    })
    .await
}

/// `DELETE /data/mapping/{id}`.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    removed(ctx, "Mapping", async |tx, asker| {
        mappings::delete(tx, asker, ctx.path("id")).await
    })
    .await
}
