//! `/users`: who can log in. An id is the user's number.

use crate::flags::flag;
use crate::lists::{answer, answer_one, is_elsewhere, nothing, window};
use crate::refusals::{could_not_find, demand, demand_login};
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result, Scope};
use windlass_identity::keystone;

/// `GET /users`: everybody who can log in. Whoever asks for their own name is shown themselves: clients
/// look there for the id of a name.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let name = ctx.request.query_value("name");
    let scope = match name.map(|name| is_own(ctx, name)).transpose()? {
        Some(true) => demand_login(ctx, "identity:list_users")?,
        _ => demand(ctx, Permission::UserList, "identity:list_users")?,
    };
    let window = window(&ctx.request)?;
    let part = match is_elsewhere(&ctx.request) {
        true => nothing(),
        false => {
            let enabled = flag(&ctx.request, "enabled");
            keystone::users(&ctx.db, &scope, name, enabled, &window).await?
        }
    };
    answer(ctx, "users", part).await
}

/// Whether a name or an id is the caller's.
fn is_own(ctx: &Context<impl Db>, text: &str) -> Result<bool> {
    let caller = ctx.caller()?;
    Ok(caller.user_id.to_string() == text || caller.username.eq_ignore_ascii_case(text))
}

/// What may be read of a user: their own by everybody, others' by who may read users.
fn demand_user(ctx: &Context<impl Db>, id: &str, action: &str) -> Result<Scope> {
    if is_own(ctx, id)? {
        return demand_login(ctx, action);
    }
    demand(ctx, Permission::UserGet, action)
}

/// `GET /users/{user_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let id = ctx.path("user_id");
    let scope = demand_user(ctx, id, "identity:get_user")?;
    let found = keystone::user(&ctx.db, &scope, id).await?;
    let found = found.ok_or_else(|| could_not_find("user", id))?;
    answer_one(ctx, "user", "users", found).await
}

/// `GET /users/{user_id}/projects`: where a user is.
pub async fn projects(ctx: &Context<impl Db>) -> Result<Response> {
    let id = ctx.path("user_id");
    let scope = demand_user(ctx, id, "identity:list_user_projects")?;
    let window = window(&ctx.request)?;
    demand_known(ctx, &scope, id).await?;
    let name = ctx.request.query_value("name");
    let part = keystone::projects_of(&ctx.db, &scope, id, name, &window).await?;
    answer(ctx, "projects", part).await
}

/// `GET /users/{user_id}/groups`: the groups that a user is in.
pub async fn groups(ctx: &Context<impl Db>) -> Result<Response> {
    let id = ctx.path("user_id");
    let scope = demand_user(ctx, id, "identity:list_groups_for_user")?;
    let window = window(&ctx.request)?;
    demand_known(ctx, &scope, id).await?;
    let name = ctx.request.query_value("name");
    let part = keystone::groups_of(&ctx.db, &scope, id, name, &window).await?;
    answer(ctx, "groups", part).await
}

async fn demand_known(ctx: &Context<impl Db>, scope: &Scope, id: &str) -> Result<()> {
    let found = keystone::user(&ctx.db, scope, id).await?;
    found.map(drop).ok_or_else(|| could_not_find("user", id))
}
