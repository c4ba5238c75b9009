//! `/roles`: what somebody can be in a project.

use crate::lists::{answer, answer_one};
use crate::refusals::{could_not_find, demand_login};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};
use windlass_identity::keystone::Part;
use windlass_identity::project_roles::{ADMIN, MEMBER, PROJECT_ADMIN, PROJECT_MOD, SERVICE};

const ROLES: [(&str, &str); 5] = [
    (ADMIN, "May do everything in every project"),
    (MEMBER, "Is in the project"),
    (
        PROJECT_ADMIN,
        "Looks after the project and all of its members",
    ),
    (
        PROJECT_MOD,
        "Looks after the project's members, but not its administrators",
    ),
    (
        SERVICE,
        "Asks whose session a token is, for a service of its own",
    ),
];

fn role((name, description): (&str, &str)) -> Value {
    json!({
        "id": name,
        "name": name,
        "domain_id": null,
        "description": description,
        "options": {},
    })
}

/// `GET /roles`: all of them, or the one of a name.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    demand_login(ctx, "identity:list_roles")?;
    let name = ctx.request.query_value("name");
    // Roles that only a domain has are asked for by its id.
    let is_of_all = ctx.request.query_value("domain_id").is_none();
    let wanted = ROLES
        .into_iter()
        .filter(|(known, _)| is_of_all && name.is_none_or(|name| name == *known));
    let part = Part {
        items: wanted.map(role).collect(),
        has_more: false,
    };
    answer(ctx, "roles", part).await
}

/// `GET /roles/{role_id}`: a role has its name as id.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    demand_login(ctx, "identity:get_role")?;
    let id = ctx.path("role_id");
    let found = ROLES.into_iter().find(|(name, _)| *name == id);
    let found = found.ok_or_else(|| could_not_find("role", id))?;
    answer_one(ctx, "role", "roles", role(found)).await
}
