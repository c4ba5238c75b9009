//! `/`: the first page of the address.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// `GET /`: a program that asks for JSON learns what this is and where to go on, and one of OpenStack's
/// where it logs in. Everybody else is led to the status page. It is open to all and tells nothing about
/// what is stored or running.
pub async fn root(ctx: &Context<impl Db>) -> Result<Response> {
    let accept = ctx.request.get_header("accept").unwrap_or_default();
    if !accept.to_ascii_lowercase().contains("application/json") {
        let redirect = Response::empty(302).header("location", "/status");
        return Ok(redirect.header("vary", "accept"));
    }
    let about = ctx.ok(json!({
        "name": "Windlass",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "A control plane for delivering software that runs as WebAssembly functions",
        "links": {
            "api": "/api/v3.1",
            "version": "/api/version",
            "ok": "/api/v3.1/ok",
            "status": "/api/v3.1/status",
            "metrics": "/metrics",
            "status_page": "/status",
            "keystone": "/v3",
            "openapi": "/openapi.json",
        },
        "versions": { "values": [{
            "id": "v3.14",
            "status": "stable",
            "links": [{ "rel": "self", "href": "/v3/" }],
        }] },
        "documentation": "/docs",
    }))?;
    Ok(about.header("vary", "accept"))
}
