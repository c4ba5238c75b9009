//! `/internal/sealed-values`: how far encrypting anew is after the application's key has changed.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::platform::{TICK_TOKEN_HEADER, demand_tick_token};
use windlass_core::{Context, Response, Result, secretbox};
use windlass_store::sealed;

/// `GET /internal/sealed-values`: how many encrypted values there are, by column, and how many of them old
/// keys are still needed for. With `left` at 0 everywhere they can go.
pub async fn standing(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    let columns = sealed::standing(&ctx.db).await?;
    let left: i64 = columns.iter().map(|one| one.left).sum();
    let has_old_keys = secretbox::has_old_keys().await?;
    ctx.ok(json!({ "left": left, "has_old_keys": has_old_keys, "columns": columns }))
}
