//! `/registry/..`: tools, what they are and whether they can be called.

use serde_json::json;
use windlass_core::db::{Db, KeptDb};
use windlass_core::outbound::address;
use windlass_core::token_scope::TokenScope;
use windlass_core::{Body, Context, Error, Response, Result, platform};
use windlass_opsera::access::Asker;
use windlass_opsera::body;
use windlass_opsera::rows::Paging;
use windlass_opsera::tools::{self, probe};

fn asker(ctx: &Context<impl Db>) -> Result<Asker> {
    Asker::of(ctx, &[TokenScope::Api])
}

fn named(ctx: &Context<impl Db>) -> Result<(Body, String)> {
    let body = Body::of(ctx)?;
    let id = body::id(&body, "toolId")?.to_owned();
    Ok((body, id))
}

/// `GET /registry/tools`: those that the caller may look at, newest first.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let asker = asker(ctx)?;
    let paging = Paging::of(&ctx.request)?;
    let listed = tools::list(&ctx.db, &asker, paging).await?;
    Ok(listed.respond(&ctx.db))
}

/// `POST /registry/summary`: one of them, without its credentials.
pub async fn summary(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = asker(ctx)?;
    let (_, id) = named(ctx)?;
    let shown = tools::show(&ctx.db, &asker, &id).await?;
    Ok(Response::json_text(200, shown))
}

/// `POST /registry/create`: a new tool. Answers it.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = asker(ctx)?;
    let object = ctx.json_object()?;
    let shown = ctx
        .db
        .transaction(async |tx| {
            let id = tools::insert(tx, &asker, &object).await?;
            tools::show(tx, &asker, &id).await
        })
        .await?;
    Ok(Response::json_text(200, shown))
}

/// `POST /registry/update`: each root property that is given replaces the one that was there. Answers
/// the tool.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = asker(ctx)?;
    let (body, id) = named(ctx)?;
    let changes = body.object("tool")?.ok_or_else(|| {
        let text = "tool is missing";
        Error::bad_parameters(text).field("tool", text)
    })?;
    let shown = ctx
        .db
        .transaction(async |tx| {
            tools::update(tx, &asker, &id, changes).await?;
            tools::show(tx, &asker, &id).await
        })
        .await?;
    Ok(Response::json_text(200, shown))
}

/// `POST /registry/delete`: it is in the registry no more.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = asker(ctx)?;
    let (_, id) = named(ctx)?;
    ctx.db
        .transaction(async |tx| tools::delete(tx, &asker, &id).await)
        .await?;
    ctx.ok(json!({ "status": "success", "message": "The tool has been deleted." }))
}

/// `POST /registry/test`: whether the tool can be reached and lets us in. That it does not is no failure
/// of the request.
pub async fn test(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = asker(ctx)?;
    let (_, id) = named(ctx)?;
    let tool = tools::open_for(&ctx.db, &asker, &id).await?;
    let tested = match probe::test(&tool, address::allows_private().await) {
        Ok(request) => probe::conclude(&tool, platform::send(request).await),
        Err(why) => Err(why),
    };
    let (status, message) = match tested {
        Ok(message) => ("success", message),
        Err(why) => ("failed", why),
    };
    ctx.ok(json!({ "status": status, "message": message }))
}
