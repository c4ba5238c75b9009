//! `/subscriptions` and `/notifications`: who is told, and what did not arrive. For administrators.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result, Scope, Timestamp, platform};
use windlass_status::{Page, TENANT, outbox, subscriptions};

/// How many items a page has, unless the request says otherwise, and at most.
const SIZE: (i64, i64) = (50, 500);

/// `GET /subscriptions`: all of them, the newest first.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow(ctx)?;
    let (limit, offset) = window(ctx)?;
    let page = subscriptions::list(&ctx.db, &scope, limit, offset).await?;
    Ok(respond(&page, limit, offset))
}

/// `DELETE /subscriptions/{subscription_id}`: end one.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow(ctx)?;
    let id = ctx.path("subscription_id");
    ctx.db
        .transaction(async |tx| {
            let subscription = subscriptions::find(tx, &scope, id).await?;
            subscriptions::delete(tx, &scope, &subscription).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// `GET /notifications/stats`: how many deliveries are in which state.
pub async fn stats(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow(ctx)?;
    let stats = outbox::stats(&ctx.db, &scope).await?;
    Ok(Response::json_text(200, stats))
}

/// `GET /notifications/failed`: the deliveries that were given up, the newest first.
pub async fn list_failed(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow(ctx)?;
    let (limit, offset) = window(ctx)?;
    let page = outbox::list_failed(&ctx.db, &scope, limit, offset).await?;
    Ok(respond(&page, limit, offset))
}

/// `POST /notifications/failed/redrive`: try all of them again.
pub async fn redrive_all(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow(ctx)?;
    let count = ctx
        .db
        .transaction(async |tx| outbox::redrive_all(tx, &scope, Timestamp::now()).await)
        .await?;
    redriven(ctx, count)
}

/// `POST /notifications/failed/{delivery_id}/redrive`: try one of them again.
pub async fn redrive_one(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow(ctx)?;
    let id = ctx.path("delivery_id");
    let count = ctx
        .db
        .transaction(async |tx| {
            let delivery = outbox::find_failed(tx, &scope, id).await?;
            outbox::redrive(tx, &scope, &delivery, Timestamp::now()).await
        })
        .await?;
    redriven(ctx, count)
}

fn redriven<D: Db>(ctx: &Context<D>, count: usize) -> Result<Response> {
    platform::nudge();
    ctx.ok(json!({ "redriven": count }))
}

fn allow<D: Db>(ctx: &Context<D>) -> Result<Scope> {
    ctx.allow_in(TENANT, Permission::StatusSubscriptionManage)
}

/// The `limit` and the `offset` of a request.
pub(crate) fn window<D: Db>(ctx: &Context<D>) -> Result<(i64, i64)> {
    let number = |name: &str, standard: i64, least: i64, most: i64| {
        let Some(text) = ctx.request.query_value(name) else {
            return Ok(standard);
        };
        text.parse()
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| {
                let text = format!("{name} must be a number from {least} to {most}");
                Error::bad_parameters(text.clone()).field(name, text)
            })
    };
    let limit = number("limit", SIZE.0, 1, SIZE.1)?;
    Ok((limit, number("offset", 0, 0, i64::from(u32::MAX))?))
}

pub(crate) fn respond(page: &Page, limit: i64, offset: i64) -> Response {
    let Page { items, total } = page;
    let body = format!(
        r#"{{"data":{items},"pagination":{{"total":{total},"limit":{limit},"offset":{offset}}}}}"#
    );
    Response::json_text(200, body)
}
