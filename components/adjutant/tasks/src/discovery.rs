//! `/v1`: which version of the API this is.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// `GET /v1`: the version, for everybody.
pub async fn version(ctx: &Context<impl Db>) -> Result<Response> {
    let base = windlass_delivery::public_url().await;
    ctx.ok(json!({ "version": {
        "status": "CURRENT",
        "id": "1.0",
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.adjutant-v1+json",
        }],
        "links": [{ "href": format!("{base}/v1/"), "rel": "self" }],
    } }))
}
