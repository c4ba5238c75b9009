//! `/status`: what an administrator looks at first.

use crate::gate;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// `GET /status`: errors that nobody has acknowledged, the newest task that is not done, and the one
/// that was done last.
pub async fn status(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let status = windlass_adjutant::tasks::status(&ctx.db, &asker.scope).await?;
    Ok(Response::json_text(200, status))
}
