//! `/auth/catalog`: where which API is.
//!
//! All APIs are this application's own, and each has the same URL for every kind of client.

use crate::base_url::base_url;
use crate::refusals::demand_login;
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// The one region, by the name that OpenStack's own has.
const REGION: &str = "RegionOne";

/// The services: type, name, path.
const SERVICES: [(&str, &str, &str); 4] = [
    ("identity", "keystone", "/v3"),
    ("admin-logic", "adjutant", "/v1"),
    ("conductor", "conductor", "/api/v3.1"),
    ("status-dashboard", "status-dashboard", "/v2"),
];

/// The catalog of an application with this address.
pub fn catalog(base: &str) -> Value {
    let service = |(kind, name, path): (&str, &str, &str)| {
        let endpoint = |interface: &str| {
            json!({
                "id": format!("{kind}-{interface}"),
                "interface": interface,
                "region": REGION,
                "region_id": REGION,
                "url": format!("{base}{path}"),
            })
        };
        let endpoints = ["public", "internal", "admin"].map(endpoint);
        json!({
            "id": kind,
            "type": kind,
            "name": name,
            "endpoints": endpoints,
        })
    };
    Value::from(SERVICES.map(service).to_vec())
}

/// `GET /auth/catalog`: the same as in a token.
pub async fn show(ctx: &Context<impl Db>) -> Result<Response> {
    demand_login(ctx, "identity:get_auth_catalog")?;
    let base = base_url(ctx).await;
    ctx.ok(json!({
        "catalog": catalog(&base),
        "links": { "self": format!("{base}/v3/auth/catalog") },
    }))
}
