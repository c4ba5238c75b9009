//! `/subscriptions` and `/notifications`: who is told, and what did not arrive. For administrators.

use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result, Scope, Timestamp, platform};
use windlass_status::{TENANT, outbox, subscriptions};
use windlass_store::audit;

/// How many items a page has, unless the request says otherwise, and at most.
const SIZE: (i64, i64) = (50, 500);

/// `GET /subscriptions`: all of them, the newest first.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    allow(ctx)?;
    let (limit, offset) = page(ctx)?;
    let (items, total) = subscriptions::list(&ctx.db, limit, offset).await?;
    Ok(respond(&items, total, limit, offset))
}

/// `DELETE /subscriptions/{subscription_id}`: end one.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow(ctx)?;
    let id = ctx.path("subscription_id");
    ctx.db
        .transaction(async |db| {
            if !subscriptions::delete(db, id).await? {
                return Err(Error::not_found("Subscription", id));
            }
            audit::insert(db, &scope, "status_subscription_delete", "Subscription", id).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// `GET /notifications/stats`: how many deliveries are in which state.
pub async fn stats(ctx: &Context<impl Db>) -> Result<Response> {
    allow(ctx)?;
    Ok(Response::json_text(200, outbox::stats(&ctx.db).await?))
}

/// `GET /notifications/failed`: the deliveries that were given up, the newest first.
pub async fn list_failed(ctx: &Context<impl Db>) -> Result<Response> {
    allow(ctx)?;
    let (limit, offset) = page(ctx)?;
    let (items, total) = outbox::list_failed(&ctx.db, limit, offset).await?;
    Ok(respond(&items, total, limit, offset))
}

/// `POST /notifications/failed/redrive`: try all of them again.
pub async fn redrive_all(ctx: &Context<impl Db>) -> Result<Response> {
    redrive(ctx, None).await
}

/// `POST /notifications/failed/{delivery_id}/redrive`: try one of them again.
pub async fn redrive_one(ctx: &Context<impl Db>) -> Result<Response> {
    redrive(ctx, Some(ctx.path("delivery_id"))).await
}

async fn redrive<D: Db>(ctx: &Context<D>, id: Option<&str>) -> Result<Response> {
    let scope = allow(ctx)?;
    let count = ctx
        .db
        .transaction(async |db| {
            let count = outbox::redrive(db, id, Timestamp::now()).await?;
            match id {
                Some(id) if count == 0 => return Err(Error::not_found("Failed delivery", id)),
                _ => {}
            }
            let target = id.unwrap_or("all");
            audit::insert(db, &scope, "status_delivery_redrive", "Delivery", target).await?;
            Ok(count)
        })
        .await?;
    platform::nudge();
    ctx.ok(serde_json::json!({ "redriven": count }))
}

fn allow<D: Db>(ctx: &Context<D>) -> Result<Scope> {
    ctx.allow_in(TENANT, Permission::StatusSubscriptionManage)
}

/// The `limit` and the `offset` of a request.
fn page<D: Db>(ctx: &Context<D>) -> Result<(i64, i64)> {
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

fn respond(items: &str, total: i64, limit: i64, offset: i64) -> Response {
    let body = format!(
        r#"{{"data":{items},"pagination":{{"total":{total},"limit":{limit},"offset":{offset}}}}}"#
    );
    Response::json_text(200, body)
}
