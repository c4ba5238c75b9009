//! Who may, and what the answers have in common.

use serde_json::{Map, Value, json};
use windlass_core::db::Db;
use windlass_core::token_scope::TokenScope;
use windlass_core::{Context, Response, Result};
use windlass_opsera::access::{Asker, Standing};

/// Whoever reads: everybody in the account.
///
/// # Errors
/// 401 and 403.
pub fn reader(ctx: &Context<impl Db>) -> Result<Asker> {
    Asker::of(ctx, &[TokenScope::Api])
}

/// Whoever writes: those who look after the account.
///
/// # Errors
/// 401 and 403.
pub fn writer(ctx: &Context<impl Db>) -> Result<Asker> {
    let asker = reader(ctx)?;
    asker.demand(Standing::PowerUser)?;
    Ok(asker)
}

/// A record as it was stored.
pub fn record(text: String) -> Result<Response> {
    Ok(Response::json_text(200, text))
}

/// What every request that makes or changes a record does: who may, the object of the body, one
/// transaction, the record as the answer.
///
/// # Errors
/// 401 and 403, then 400 for the body, then those of `write`.
pub async fn stored<D: Db>(
    ctx: &Context<D>,
    write: impl AsyncFnOnce(&D::Tx, &Asker, &Map<String, Value>) -> Result<String>,
) -> Result<Response> {
    let asker = writer(ctx)?;
    let object = ctx.json_object()?;
    let stored = ctx
        .db
        .transaction(async |tx| write(tx, &asker, &object).await)
        .await?;
    record(stored)
}

/// What every request that removes a record does; `what` it is stands in the answer.
///
/// # Errors
/// 401 and 403, then those of `remove`.
pub async fn removed<D: Db>(
    ctx: &Context<D>,
    what: &str,
    remove: impl AsyncFnOnce(&D::Tx, &Asker) -> Result<()>,
) -> Result<Response> {
    let asker = writer(ctx)?;
    ctx.db
        .transaction(async |tx| remove(tx, &asker).await)
        .await?;
    ctx.ok(json!({ "status": "success", "message": format!("{what} deleted") }))
}
