//! What feed readers and calendars fetch again and again: answers with a tag, which cost one small read
//! as long as nothing changed.

use crate::versioned;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};
use windlass_status as status;

/// Answers 200 with what `make` makes, or 304 to whoever has it.
pub async fn tagged<D: Db>(
    ctx: &Context<D>,
    content_type: &str,
    make: impl AsyncFnOnce() -> Result<Vec<u8>>,
) -> Result<Response> {
    // Read before the rest: a change in between makes an answer that is newer than its tag.
    let tag = format!("\"{}\"", status::version(&ctx.db).await?);
    let response = if versioned::has(&ctx.request, &tag) {
        Response::empty(304)
    } else {
        Response::bytes(200, content_type, make().await?)
    };
    Ok(response
        .header("etag", tag)
        .header("cache-control", "no-cache")
        .header("x-content-type-options", "nosniff"))
}
