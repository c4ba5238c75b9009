//! `/v3`: which version of the API this is.

use crate::base_url::base_url;
use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// `GET /v3`, which clients ask before they log in.
pub async fn version(ctx: &Context<impl Db>) -> Result<Response> {
    let base = base_url(ctx).await;
    ctx.ok(json!({ "version": {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{ "rel": "self", "href": format!("{base}/v3/") }],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.identity-v3+json",
        }],
    }}))
}
