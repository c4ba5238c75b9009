//! `/data/org-hierarchy`: the organisation.

use crate::gate::{reader, stored};
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Context, Response, Result};
use windlass_opsera::directory::{hierarchy, mappings};
use windlass_opsera::rows::Paging;

/// `GET`: its links, as mappings; with `tree=true` nested nodes, with `root` those below one.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let asker = reader(ctx)?;
    let root = ctx.request.query_value("root");
    if root.is_some() || ctx.request.query_bool("tree")?.unwrap_or(false) {
        return ctx.ok(hierarchy::tree(&ctx.db, &asker, root).await?);
    }
    let paging = Paging::of(&ctx.request)?;
    let filters = [("relationship", hierarchy::RELATIONSHIP)];
    let listed = mappings::list(&ctx.db, &asker, &filters, paging).await?;
    Ok(listed.respond_counted(&ctx.db))
}

/// `POST`: a link. Answers the mapping that it is.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    stored(ctx, async |tx, asker, object| {
        hierarchy::insert(tx, asker, object).await
    })
    .await
}
