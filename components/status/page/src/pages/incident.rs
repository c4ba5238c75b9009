//! `/incidents/{id}`: all about one incident or maintenance.

use super::page_cache::remembered;
use crate::view::{self, Section};
use maud::html;
use serde_json::json;
use windlass_core::db::Db;
use windlass_core::time::Month;
use windlass_core::{Context, Response, Result, Scope, Timestamp};
use windlass_status::overview::{self, Event, Stage};

/// `GET /incidents/{id}`: what it is about, and every update.
pub async fn incident(ctx: &Context<impl Db>) -> Result<Response> {
    view::brand::load().await;
    let text = ctx.path("id");
    // A number has one spelling, so that what is remembered is remembered once.
    let number = text.parse::<i64>().ok().filter(|id| id.to_string() == text);
    let Some(id) = number else {
        return Ok(unknown(text));
    };
    remembered(ctx, format!("incident {id}"), async |now| {
        Ok(match overview::find(&ctx.db, &Scope::public(), id).await? {
            Some(event) => about(&event, now),
            None => unknown(text),
        })
    })
    .await
}

/// `GET /incidents`: the original has its operators' form there, and refuses everybody else in these
/// words. A browser is shown the way to what a visitor may see.
pub async fn incidents(ctx: &Context<impl Db>) -> Result<Response> {
    let accept = ctx.request.get_header("accept").unwrap_or_default();
    if accept.contains("text/html") {
        view::brand::load().await;
        return Ok(view::error_page(
            401,
            "For operators only",
            "Operators manage incidents here. What happened is on the page of the history.",
        )
        .header("www-authenticate", ctx.family.challenge()));
    }
    let refusal = Response::json(401, &json!({ "message": "Invalid token!" }))?;
    Ok(refusal.header("www-authenticate", ctx.family.challenge()))
}

fn unknown(id: &str) -> Response {
    let text = format!("There is no incident or maintenance {id}.");
    view::error_page(404, "Incident not found", &text)
}

fn about(event: &Event, now: Timestamp) -> Response {
    let stage = event.stage(now);
    let body = html! {
        article.event.single.(view::class(event, now)) {
            h1 dir="auto" { (event.title) }
            (view::facts(event, now, usize::MAX))
            @if let Some(end) = event.ended_at.filter(|end| stage == Stage::Over && *end > event.started_at) {
                p.facts { span { span.k { "Lasted " } (lasted(event.started_at, end)) } }
            }
            @if let Some(description) = &event.description { p.description dir="auto" { (description) } }
        }
        section aria-labelledby="updates" {
            h2 #updates { "Updates" }
            @if event.updates.is_empty() {
                p.none { "Nothing was told about this yet." }
            } @else {
                (view::updates(&event.updates))
            }
        }
        p.more {
            @if let Some(end) = event.ended_at.filter(|_| stage == Stage::Over) {
                @let month = Month::of(end);
                a href={ "/history?month=" (month) } { "Everything in " (month.format("%B %Y")) }
            } @else {
                a href="/status" { "To the status page" }
            }
        }
    };
    view::page(200, Section::Elsewhere, &event.title, &body)
}

fn lasted(from: Timestamp, until: Timestamp) -> String {
    view::duration((until.millis() - from.millis()) / 1000)
}
