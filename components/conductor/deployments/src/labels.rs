//! `/labels/deployments`: the keys and values that deployments' labels have.

use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result};
use windlass_store::labels::{self, LabelOwner};

const OWNER: LabelOwner = LabelOwner::Deployment;

/// `GET /labels/deployments`: the keys in use, or with `_reserved` those the server has meanings for.
pub async fn deployments_keys(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::LabelsList)?;
    let (query, page) = labels::keys(&ctx.db, OWNER, &scope, &ctx.request).await?;
    Ok(page.respond(&query))
}

/// `GET /labels/deployments/{label_key}`: the values in use for a key.
pub async fn deployments_values(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::LabelsList)?;
    let key = ctx.path("label_key");
    let (query, page) = labels::values(&ctx.db, OWNER, &scope, key, &ctx.request).await?;
    Ok(page.respond(&query))
}
