//! `/groups`: groups of users.

use crate::lists::{answer, answer_one, is_elsewhere, nothing, window};
use crate::refusals::{could_not_find, demand};
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result};
use windlass_identity::keystone;

/// `GET /groups`: all of them, or the one of a name.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = demand(ctx, Permission::UserGroupList, "identity:list_groups")?;
    let window = window(&ctx.request)?;
    let part = match is_elsewhere(&ctx.request) {
        true => nothing(),
        false => {
            let name = ctx.request.query_value("name");
            keystone::groups(&ctx.db, &scope, name, &window).await?
        }
    };
    answer(ctx, "groups", part).await
}

/// `GET /groups/{group_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = demand(ctx, Permission::UserGroupGet, "identity:get_group")?;
    let id = ctx.path("group_id");
    let found = keystone::group(&ctx.db, &scope, id).await?;
    let found = found.ok_or_else(|| could_not_find("group", id))?;
    answer_one(ctx, "group", "groups", found).await
}

/// `GET /groups/{group_id}/users`: who is in it.
pub async fn users(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = demand(
        ctx,
        Permission::UserGroupGet,
        "identity:list_users_in_group",
    )?;
    let window = window(&ctx.request)?;
    let id = ctx.path("group_id");
    let found = keystone::group(&ctx.db, &scope, id).await?;
    found.ok_or_else(|| could_not_find("group", id))?;
    let name = ctx.request.query_value("name");
    let part = keystone::users_in(&ctx.db, &scope, id, name, &window).await?;
    answer(ctx, "users", part).await
}
