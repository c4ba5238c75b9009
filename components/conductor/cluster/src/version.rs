//! `/version`: what this is, in the words clients compare.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::list::{Field, Fields};
use windlass_core::{Context, Permission, Response, Result};

/// The version of Conductor whose clients are served.
pub const CONDUCTOR: &str = "7.0.5";

static VERSION: Fields = Fields(&[
    Field::named("version"),
    Field::named("edition"),
    Field::named("distribution"),
    Field::named("distro_release"),
    Field::named("build"),
    Field::named("date"),
    Field::named("commit"),
]);

/// `GET /version` and `GET /api/version`, which clients call to find out what they talk to.
pub async fn version(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_anywhere(Permission::VersionGet)?;
    let include = ctx.include(VERSION)?;
    ctx.ok(include.of(json!({
        "version": CONDUCTOR,
        "edition": "premium",
        "distribution": "windlass",
        "distro_release": env!("CARGO_PKG_VERSION"),
        "build": null,
        "date": null,
        "commit": null,
    })))
}
