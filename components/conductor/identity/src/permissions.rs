//! `/permissions`: which role may do what. Only administrators may know and decide.

use serde_json::json;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Context, Error, Kind, Response, Result, Scope};
use windlass_store::permissions::{self, PERMISSIONS};

/// The longest name of a permission, in characters. Beyond that no name is refused.
const MAX_NAME: usize = 256;

/// `GET /permissions`: every pair of a role and a permission it holds.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = administrator(ctx)?;
    let query = ctx.list_query(&PERMISSIONS, &[])?;
    ctx.page(&PERMISSIONS, &scope, &query).await
}

/// `GET /permissions/{role_name}`: what one role holds.
pub async fn list_role(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = administrator(ctx)?;
    let role = ctx.path("role_name");
    let query = ctx.list_query(&PERMISSIONS, &[])?;
    let role = permissions::find_role(&ctx.db, &scope, role).await?;
    let query = permissions::of_role(query, &role);
    ctx.page(&PERMISSIONS, &scope, &query).await
}

/// `PUT /permissions/{role_name}/{permission_name}`: lets a role do something more.
pub async fn add(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = administrator(ctx)?;
    let (role, permission) = (ctx.path("role_name"), ctx.path("permission_name"));
    let include = ctx.include(&PERMISSIONS)?;
    if permission.chars().count() > MAX_NAME {
        return Err(Error::bad_parameters(format!(
            "The name of a permission is longer than {MAX_NAME} characters"
        )));
    }
    ctx.db
        .transaction(async |tx| {
            let role = permissions::find_role(tx, &scope, role).await?;
            permissions::insert(tx, &scope, &role, permission).await
        })
        .await?;
    ctx.ok(include.of(json!({ "role": role, "permission": permission })))
}

/// `DELETE /permissions/{role_name}/{permission_name}`: takes something from a role.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = administrator(ctx)?;
    let (role, permission) = (ctx.path("role_name"), ctx.path("permission_name"));
    ctx.db
        .transaction(async |tx| {
            let role = permissions::find_role(tx, &scope, role).await?;
            permissions::delete(tx, &scope, &role, permission).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// Only administrators by role: a permission to change permissions would be all of them. The original
/// speaks of editing to readers too.
fn administrator(ctx: &Context<impl Db>) -> Result<Scope> {
    let scope = ctx.allow_everybody()?;
    if scope.caller()?.is_admin() {
        return Ok(scope);
    }
    Err(Error::new(
        Kind::Unauthorized,
        "Only admin users are permitted to edit permissions",
    ))
}
