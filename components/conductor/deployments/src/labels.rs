//! `/labels/deployments`: the keys and values that deployments' labels have.

use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result};
use windlass_store::labels::{self, LABEL_LIST, LabelOwner};

/// `GET /labels/deployments`: the keys in use, or with `_reserved` those the server has meanings for.
pub async fn deployments_keys(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::LabelsList)?;
    let query = ctx.list_query(&LABEL_LIST, &[])?;
    let page = if ctx.request.query_bool("_reserved")?.unwrap_or(false) {
        labels::reserved(&ctx.request, &query)
    } else {
        labels::keys(
            &ctx.db,
            LabelOwner::Deployment,
            &scope,
            &ctx.request,
            &query,
        )
        .await?
    };
    Ok(page.respond(&query))
}

/// `GET /labels/deployments/{label_key}`: the values in use for a key.
pub async fn deployments_values(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::LabelsList)?;
    let key = labels::check_key(ctx.path("label_key"))?;
    let query = ctx.list_query(&LABEL_LIST, &[])?;
    let owner = LabelOwner::Deployment;
    let page = labels::values(&ctx.db, owner, &scope, &key, &ctx.request, &query).await?;
    Ok(page.respond(&query))
}
