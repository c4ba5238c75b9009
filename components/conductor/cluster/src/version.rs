//! `/version`: what this is, in the words clients compare.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result};

/// `GET /version` and `GET /api/version`, which clients call to find out what they talk to.
pub async fn version(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_anywhere(Permission::VersionGet)?;
    ctx.ok(json!({
        "version": "7.0.5",
        "edition": "premium",
        "distribution": "windlass",
        "distro_release": env!("CARGO_PKG_VERSION"),
        "build": null,
        "date": null,
        "commit": null,
    }))
}
