//! `PATCH /events/{event_id}`, its updates' texts, and components that leave it.

use crate::fields;
use crate::roles::{self, Role};
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Response, Result, Timestamp, platform};
use windlass_status::events::{self, EventKind};
use windlass_status::lifecycle::Patch;

/// `PATCH /events/{event_id}`: tell what became of it. Answers the event.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let (scope, role) = roles::creator(ctx)?;
    let id = fields::number(ctx.path("event_id")).ok_or_else(events::unknown)?;
    let body = Body::of(ctx)?;
    let version = body.integer("version")?;
    let patch = Patch {
        message: body.required_text("message")?,
        status: body.required_text("status")?,
        update_date: Some(
            fields::time(&body, "update_date")?.ok_or_else(|| Error::missing("update_date"))?,
        ),
        title: body.text("title")?,
        description: body.text("description")?,
        contact_email: body.text("contact_email")?,
        impact: body.integer("impact")?,
        start_date: fields::time(&body, "start_date")?,
        end_date: fields::time(&body, "end_date")?,
    };
    let kind = body.text("type")?;
    let changed = ctx
        .db
        .transaction(async |tx| {
            let now = Timestamp::now();
            let is_operator = role == Role::Operator;
            let event = events::find(tx, &scope, id).await?;
            events::change(tx, &scope, &event, &patch, version, is_operator, now).await?;
            if kind.is_some_and(|kind| EventKind::named(kind) != Some(event.standing.kind)) {
                return Err(Error::bad_parameters("can not change event type"));
            }
            events::find_json(tx, &scope, id).await
        })
        .await?;
    // A window that was moved may have begun.
    platform::nudge();
    Ok(Response::json_text(200, changed))
}

/// `POST /events/{event_id}/extract`: components that have a story of their own. Answers the incident
/// that tells it.
pub async fn extract(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let id = fields::number(ctx.path("event_id")).ok_or_else(events::unknown)?;
    let body = Body::of(ctx)?;
    let components = fields::components(&body)?;
    let part = ctx
        .db
        .transaction(async |tx| {
            let event = events::find(tx, &scope, id).await?;
            let part = events::extract(tx, &scope, &event, &components, Timestamp::now()).await?;
            events::find_json(tx, &scope, part.id).await
        })
        .await?;
    Ok(Response::json_text(200, part))
}

/// `PATCH /events/{event_id}/updates/{index}`: other words for what was told. Answers all updates.
pub async fn rewrite_update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let id = fields::number(ctx.path("event_id")).ok_or_else(events::unknown)?;
    let place = fields::number(ctx.path("index"));
    let body = Body::of(ctx)?;
    let text = body.filled_text("text")?;
    let text = text.ok_or_else(|| Error::bad_parameters("text field is required"))?;
    let updates = ctx
        .db
        .transaction(async |tx| {
            let event = events::find(tx, &scope, id).await?;
            events::rewrite_update(tx, &scope, &event, place, text, Timestamp::now()).await
        })
        .await?;
    Ok(Response::json_text(200, updates))
}
