//! `/openstack/roles`: the roles that the caller may give.

use crate::gate;
use serde_json::json;
use windlass_adjutant::roles;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// `GET /openstack/roles`: those that the caller may give and take away.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let base = windlass_delivery::public_url().await;
    let roles: Vec<_> = roles::manageable(&asker.roles)
        .into_iter()
        .map(|name| {
            json!({
                "id": name,
                "name": name,
                "domain_id": null,
                "links": { "self": format!("{base}/v3/roles/{name}") },
            })
        })
        .collect();
    ctx.ok(json!({ "roles": roles }))
}
