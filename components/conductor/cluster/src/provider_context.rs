//! `/provider/context`: what tools that set up managers keep here for each other.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::list::{Field, Fields};
use windlass_core::{Body, Context, Error, Permission, Response, Result};
use windlass_store::provider_context;

static CONTEXT: Fields = Fields(&[Field::named("name"), Field::named("context")]);

/// `GET /provider/context`: the context.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ProviderContextGet)?;
    let include = ctx.include(CONTEXT)?;
    ctx.ok(include.of(provider_context::find(&ctx.db, &scope).await?))
}

/// `POST /provider/context`: the first context, or with `update` another one.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::ProviderContextCreate)?;
    let is_update = ctx.request.query_bool("update")?.unwrap_or(false);
    let body = Body::of(ctx)?;
    let name = body.required_text("name")?;
    let context = body
        .object("context")?
        .ok_or_else(|| Error::missing("context"))?;
    ctx.db
        .transaction(async |tx| match is_update {
            true => provider_context::save(tx, &scope, name, context).await,
            false => provider_context::insert(tx, &scope, name, context).await,
        })
        .await?;
    let status = if is_update { 200 } else { 201 };
    Response::json(status, &json!({ "status": "ok" }))
}
