//! `/openstack/users`: who is in the project of the request, and who is invited to it.

use crate::gate;
use serde_json::json;
use windlass_adjutant::{lifecycle, members};
use windlass_core::db::Db;
use windlass_core::{Context, Kind, Response, Result};

/// `GET /openstack/users`: members, and open invitations.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let project = asker.demand_project()?;
    let users = members::list(&ctx.db, &asker.scope, project, &asker.roles).await?;
    ctx.ok(json!({ "users": users }))
}

/// `GET /openstack/users/{id}`: one member.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let project = asker.demand_project()?;
    ctx.ok(members::show(&ctx.db, &asker.scope, project, ctx.path("id")).await?)
}

/// `GET /openstack/users/{id}/roles`: the roles of a member.
pub async fn roles(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let project = asker.demand_project()?;
    let member = members::show(&ctx.db, &asker.scope, project, ctx.path("id")).await?;
    ctx.ok(json!({
        "roles": member.get("roles"),
        "inherited_roles": member.get("inherited_roles"),
    }))
}

/// `DELETE /openstack/users/{id}`: take an invitation back. Members lose roles instead.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let project = asker.demand_project()?;
    let id = ctx.path("id");
    if members::is_invitation(&ctx.db, &asker.scope, project, id).await? {
        lifecycle::cancel(&ctx.db, &asker.scope, id).await?;
        return ctx.ok("Cancelled pending invite task!");
    }
    let shown = members::show(&ctx.db, &asker.scope, project, id).await;
    if let Err(error) = shown {
        return match error.kind() {
            // The original's clients know this refusal as a text alone.
            Kind::NotFound => Response::json(404, &"Not found."),
            _ => Err(error),
        };
    }
    let text = "Revoking keystone users not implemented. Try removing all roles instead.";
    Response::json(501, &json!({ "errors": [text] }))
}
