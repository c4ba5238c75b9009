//! `/`: what somebody finds who opens the address in a browser.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// `GET /`: what this is and where to go on, open to everybody. It tells nothing about what is
/// stored or running.
pub async fn root(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.ok(json!({
        "name": "Windlass",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "A control plane for delivering software that runs as WebAssembly functions",
        "links": {
            "api": "/api/v3.1",
            "version": "/api/version",
            "ok": "/api/v3.1/ok",
            "status": "/api/v3.1/status",
            "metrics": "/metrics",
        },
        "documentation": "docs/api.md in the sources",
    }))
}
