//! `/receivers`: alerts of other programs that open and close incidents.

use crate::notifications::{respond, window};
use crate::roles;
use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Permission, Response, Result, Scope, Timestamp, ids};
use windlass_status::TENANT;
use windlass_status::components::list::find_all;
use windlass_status::receivers::{self, Alert, Settings, Taken};

/// How many alerts are taken in one transaction.
const AT_ONCE: usize = 50;

/// `GET /receivers`: all of them.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let (limit, offset) = window(ctx)?;
    let page = receivers::list(&ctx.db, &scope, limit, offset).await?;
    Ok(respond(&page, limit, offset))
}

/// `GET /receivers/{receiver_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    roles::operator(ctx)?;
    ctx.ok(receivers::find(&ctx.db, ctx.path("receiver_id")).await?)
}

/// `PUT /receivers/{receiver_id}`: make one, or give it other settings.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let id = ctx.path("receiver_id");
    ids::check("receiver_id", id)?;
    let settings = Settings::read(&Body::of(ctx)?)?;
    let receiver = ctx
        .db
        .transaction(async |tx| {
            find_all(tx, &settings.components()).await?;
            receivers::save(tx, &scope, id, &settings, Timestamp::now()).await?;
            receivers::find(tx, id).await
        })
        .await?;
    ctx.ok(receiver)
}

/// `DELETE /receivers/{receiver_id}`: take no more of its alerts.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let id = ctx.path("receiver_id");
    ctx.db
        .transaction(async |tx| {
            let receiver = receivers::find(tx, id).await?;
            receivers::delete(tx, &scope, &receiver).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// `GET /receivers/{receiver_id}/alerts`: what fires.
pub async fn list_firing(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let (limit, offset) = window(ctx)?;
    let receiver = receivers::find(&ctx.db, ctx.path("receiver_id")).await?;
    let page = receivers::list_firing(&ctx.db, &scope, &receiver, limit, offset).await?;
    Ok(respond(&page, limit, offset))
}

/// `POST /receivers/{receiver_id}/alerts`: what fires now and what is over. Answers what became of each.
pub async fn take(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = sender(ctx)?;
    let receiver = receivers::find(&ctx.db, ctx.path("receiver_id")).await?;
    let alerts = receivers::read(&receiver.settings, &Body::of(ctx)?)?;
    let usable: Vec<&Alert> = alerts
        .iter()
        .filter_map(|alert| alert.as_ref().ok())
        .collect();
    let mut taken = Vec::with_capacity(alerts.len());
    // Whoever sends alerts sends them again until they were taken, so they may be taken in pieces.
    for some in usable.chunks(AT_ONCE) {
        let piece = ctx
            .db
            .transaction(async |tx| {
                let receiver = receivers::find(tx, &receiver.id).await?;
                // Whoever had to wait for others begins after them.
                let now = Timestamp::now();
                receivers::take(tx, &scope, &receiver, some, now).await
            })
            .await?;
        taken.extend(piece);
    }
    let mut taken = taken.into_iter();
    let told = alerts
        .iter()
        .enumerate()
        .filter_map(|(place, alert)| match alert {
            Ok(_) => taken.next(),
            Err(why) => Some(Taken::refused(&receiver, place, why)),
        });
    ctx.ok(json!({ "result": told.collect::<Vec<_>>() }))
}

/// Monitors send by what they signed, people and their tools by a permission.
fn sender(ctx: &Context<impl Db>) -> Result<Scope> {
    match ctx.caller()?.monitor() {
        Some(_) => ctx.allow_everybody(),
        None => ctx.allow_in(TENANT, Permission::StatusReport),
    }
}
