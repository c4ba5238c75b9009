//! `/api/v1/incidents`.

use crate::{paging, versioned};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Scope, Timestamp};
use windlass_status::events::monitor_list::{Window, list_json};

/// `GET /api/v1/incidents`: incidents and maintenances, open and closed, the newest of them.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let limit = paging::limit(&ctx.request)?;
    let offset = paging::offset(&ctx.request)?;
    if let Some(active) = ctx.request.query_bool("active")? {
        // The clock decides what is active, so this is never remembered.
        let window = Window {
            active: Some((active, Timestamp::now())),
            limit,
            offset,
        };
        let body = list_json(&ctx.db, &Scope::public(), &window).await?;
        return Ok(Response::json_text(200, body).header("cache-control", "no-cache"));
    }
    let window = Window {
        active: None,
        limit,
        offset,
    };
    versioned::json(ctx, format!("incidents {limit} {offset}"), async || {
        list_json(&ctx.db, &Scope::public(), &window).await
    })
    .await
}
