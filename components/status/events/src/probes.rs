//! `/probes`: what this installation asks by itself, for operators.

use crate::notifications::{respond, window};
use crate::roles;
use serde_json::json;
use windlass_core::db::Db;
use windlass_core::outbound::address;
use windlass_core::{Body, Context, Response, Result, Timestamp, ids, platform};
use windlass_status::components::list::find_all;
use windlass_status::probes::{self, Settings};

/// How many quarters of an hour the history has: a day of them.
const SLOTS: i64 = 96;

/// `GET /probes`: all of them.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let (limit, offset) = window(ctx)?;
    let page = probes::list(&ctx.db, &scope, limit, offset).await?;
    Ok(respond(&page, limit, offset))
}

/// `GET /probes/{probe_id}`: one of them, and how it stands.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    ctx.ok(probes::find(&ctx.db, &scope, ctx.path("probe_id")).await?)
}

/// `PUT /probes/{probe_id}`: make one, or give it other settings. It asks at once.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let id = ctx.path("probe_id");
    ids::check("probe_id", id)?;
    let allow_private = address::allows_private().await;
    let (component, settings) = Settings::read(&Body::of(ctx)?, allow_private)?;
    let probe = ctx
        .db
        .transaction(async |tx| {
            let now = Timestamp::now();
            for component in find_all(tx, &[component]).await? {
                probes::save(tx, &scope, id, &component, &settings, now).await?;
            }
            probes::find(tx, &scope, id).await
        })
        .await?;
    platform::nudge();
    ctx.ok(probe)
}

/// `DELETE /probes/{probe_id}`: ask no more. An incident that it opened ends, if nothing else holds it.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let id = ctx.path("probe_id");
    ctx.db
        .transaction(async |tx| {
            let probe = probes::find(tx, &scope, id).await?;
            probes::delete(tx, &scope, &probe, Timestamp::now()).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// `GET /components/{component_id}/response-times`: what probes of a component measured in the last day, by
/// quarters of an hour. Everybody may know, as the page shows it.
pub async fn history(ctx: &Context<impl Db>) -> Result<Response> {
    let id = crate::fields::number(ctx.path("component_id"));
    let id = id.ok_or_else(windlass_status::components::list::unknown)?;
    windlass_status::components::list::find(&ctx.db, id).await?;
    let slots = probes::history(&ctx.db, id, SLOTS, Timestamp::now()).await?;
    ctx.ok(json!({ "data": slots }))
}
