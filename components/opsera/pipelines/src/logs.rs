//! `POST /pipeline/logs`: what happened in a pipeline's runs.

use crate::body::named;
use crate::gate;
use windlass_core::db::KeptDb;
use windlass_core::{Context, Response, Result};
use windlass_opsera::body::count;
use windlass_opsera::logs;

/// `POST /pipeline/logs`: the newest records, newest first: of one run or of all, console output alone or
/// everything. Any other `type` than that of console output means nothing.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (body, id) = named(ctx)?;
    let run = count(&body, "runCount")?;
    let is_console = body.text("type")? == Some(logs::CONSOLE);
    let listed = logs::list(&ctx.db, &asker, &id, run, is_console).await?;
    Ok(listed.respond(&ctx.db))
}
