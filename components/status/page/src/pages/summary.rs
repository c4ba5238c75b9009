//! `/status/summary.json`: the status page for programs.

use super::home::headline;
use super::page_cache::remembered;
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Scope};
use windlass_status::overview::{self, Event, State};

/// `GET /status/summary.json`: how everything is, each component's state, what goes on and what is
/// planned. Pages of any origin may read it.
pub async fn summary(ctx: &Context<impl Db>) -> Result<Response> {
    remembered(ctx, "summary".to_owned(), async |now| {
        let components = overview::components(&ctx.db).await?;
        let current = overview::current(&ctx.db, &Scope::public(), now).await?;
        let states = current.states();
        let components: Vec<Value> = components
            .iter()
            .map(|component| {
                let state = states
                    .get(&component.id)
                    .copied()
                    .unwrap_or(State::Available);
                json!({
                    "id": component.id,
                    "name": component.name,
                    "region": component.region,
                    "category": component.category,
                    "state": state.name(),
                })
            })
            .collect();
        let body = json!({
            "overall": current.overall().name(),
            "description": headline(&current),
            "components": components,
            "incidents": events(&current.incidents),
            "maintenances": events(&current.maintenances),
            "planned": events(&current.planned),
            "information": events(&current.information),
        });
        Ok(Response::json(200, &body)?
            .header("cache-control", "no-cache")
            .header("x-content-type-options", "nosniff")
            .header("access-control-allow-origin", "*"))
    })
    .await
}

fn events(events: &[Event]) -> Vec<Value> {
    let value = |event: &Event| {
        let components: Vec<i64> = event.components.iter().map(|c| c.id).collect();
        json!({
            "id": event.id,
            "type": event.kind.name(),
            "title": event.title,
            "impact": event.impact,
            "status": event.status,
            "started_at": event.started_at,
            "ended_at": event.ended_at,
            "components": components,
            "path": format!("/incidents/{}", event.id),
        })
    };
    events.iter().map(value).collect()
}
