//! What URLs in answers begin with.

use windlass_core::db::Db;
use windlass_core::{Context, variables};

/// The address of the application as its clients know it: the variable `public_url`, else where the
/// request reached it.
pub async fn base_url(ctx: &Context<impl Db>) -> String {
    let url = match variables::text("public_url").await {
        Some(url) => Some(url),
        None => ctx.request.origin(),
    };
    let url = url.unwrap_or_default();
    url.trim_end_matches('/').to_owned()
}
