//! `/projects`: the tenants, as OpenStack calls them. An id is the name.

use crate::flags::flag;
use crate::lists::{answer, answer_one, is_elsewhere, nothing, window};
use crate::refusals::{could_not_find, demand, demand_login};
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result};
use windlass_identity::keystone;

/// `GET /projects`: all of them for who works in all, else those the caller is in.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = demand(ctx, Permission::TenantList, "identity:list_projects")?;
    let window = window(&ctx.request)?;
    // Domains are projects to Keystone, and none is disabled here.
    let asks_for_none = flag(&ctx.request, "is_domain") == Some(true)
        || flag(&ctx.request, "enabled") == Some(false);
    let part = match asks_for_none || is_elsewhere(&ctx.request) {
        true => nothing(),
        false => {
            let name = ctx.request.query_value("name");
            keystone::projects(&ctx.db, &scope, name, &window).await?
        }
    };
    answer(ctx, "projects", part).await
}

/// `GET /projects/{project_id}`: one that the caller may see.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = demand_login(ctx, "identity:get_project")?;
    let id = ctx.path("project_id");
    let found = keystone::project(&ctx.db, &scope, id).await?;
    let found = found.ok_or_else(|| could_not_find("project", id))?;
    answer_one(ctx, "project", "projects", found).await
}

/// `GET /auth/projects`: those that the caller's session could be about.
pub async fn list_own(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = demand_login(ctx, "identity:get_auth_projects")?;
    let window = window(&ctx.request)?;
    let part = keystone::projects(&ctx.db, &scope, None, &window).await?;
    answer(ctx, "projects", part).await
}
