//! `/templates`: events that happen again, written in quiet. Operators write them, whoever opens events uses them.

use crate::notifications::{respond, window};
use crate::roles;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Response, Result, Scope, Timestamp, ids};
use windlass_status::components::list::find_all;
use windlass_status::templates::{self, Content};

/// `GET /templates`: all of them.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let (scope, _) = roles::creator(ctx)?;
    let (limit, offset) = window(ctx)?;
    let page = templates::list(&ctx.db, &scope, limit, offset).await?;
    Ok(respond(&page, limit, offset))
}

/// `GET /templates/{template_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let (scope, _) = roles::creator(ctx)?;
    ctx.ok(templates::find(&ctx.db, &scope, ctx.path("template_id")).await?)
}

/// `PUT /templates/{template_id}`: make one, or write it anew.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let id = ctx.path("template_id");
    ids::check("template_id", id)?;
    let now = Timestamp::now();
    let content = Content::read(&Body::of(ctx)?, now)?;
    let template = ctx
        .db
        .transaction(async |tx| {
            find_all(tx, &content.components).await?;
            templates::save(tx, &scope, id, &content, now).await?;
            templates::find(tx, &scope, id).await
        })
        .await?;
    ctx.ok(template)
}

/// `DELETE /templates/{template_id}`: use it no more.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let id = ctx.path("template_id");
    ctx.db
        .transaction(async |tx| {
            let template = templates::find(tx, &scope, id).await?;
            templates::delete(tx, &scope, &template).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// The body of a new event: as it was sent, or filled from the `template` that it names. Monitors name none.
pub async fn filled<D: Db>(ctx: &Context<D>, scope: &Scope) -> Result<Body> {
    let body = Body::of(ctx)?;
    let Some(id) = body.filled_text("template")? else {
        return Ok(body);
    };
    let template = templates::find(&ctx.db, scope, id).await?;
    template.content.fill(&body, Timestamp::now())
}
