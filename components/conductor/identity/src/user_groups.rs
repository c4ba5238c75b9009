//! `/user-groups`: what a group is in the system and in tenants, each of its users is too.

use crate::answers::{plain_or_detailed, show};
use crate::body;
use crate::users::demand_own_users;
use windlass_core::db::{Db, KeptDb};
use windlass_core::list::Resource;
use windlass_core::{Body, Context, Error, Permission, Response, Result, ids};
use windlass_store::permissions::{RoleType, demand_role};
use windlass_store::user_groups::{self, BY_NAME, DETAILED_USER_GROUPS, USER_GROUPS};

/// The system role of a group for which none is named.
const DEFAULT_ROLE: &str = "default";

/// The longest name of a group in a directory, in characters.
const MAX_LDAP_DN: usize = 1024;

/// The fields that an answer shows.
fn resource(ctx: &Context<impl Db>) -> Result<&'static Resource> {
    plain_or_detailed(ctx, &USER_GROUPS, &DETAILED_USER_GROUPS)
}

/// `GET /user-groups`: all groups.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserGroupList)?;
    let resource = resource(ctx)?;
    let query = ctx.list_query(resource, &[])?;
    ctx.page(resource, &scope, &query).await
}

/// `GET /user-groups/{group_name}`: one group.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserGroupGet)?;
    show(ctx, resource(ctx)?, &scope, BY_NAME, ctx.path("group_name")).await
}

/// `POST /user-groups`: a group with nobody in it.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserGroupCreate)?;
    let resource = resource(ctx)?;
    let body = Body::of(ctx)?;
    body.required_text("group_name")?;
    let ldap_dn = body.text("ldap_group_dn")?.filter(|dn| !dn.is_empty());
    body.text("role")?;
    let name = body::name(&body, "group_name")?;
    if name == "users" {
        return Err(Error::bad_parameters(format!(
            "`{name}` is not allowed as a user-group name"
        )));
    }
    if ldap_dn.is_some_and(|dn| dn.chars().count() > MAX_LDAP_DN) {
        return Err(Error::bad_parameters(format!(
            "ldap_group_dn is longer than {MAX_LDAP_DN} characters"
        )));
    }
    let role = body::role(&body)?.unwrap_or(DEFAULT_ROLE);
    demand_role(&ctx.db, &scope, role, RoleType::System).await?;
    ctx.db
        .transaction(async |tx| user_groups::insert(tx, &scope, name, ldap_dn, role).await)
        .await?;
    let mut response = show(ctx, resource, &scope, BY_NAME, name).await?;
    response.status = 201;
    Ok(response)
}

/// `POST /user-groups/{group_name}`: another system role.
pub async fn set_role(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserGroupUpdate)?;
    let name = ctx.path("group_name");
    let resource = resource(ctx)?;
    let body = Body::of(ctx)?;
    let role = body.required_text("role")?;
    ids::check("role", role)?;
    demand_role(&ctx.db, &scope, role, RoleType::System).await?;
    ctx.db
        .transaction(async |tx| {
            let group = user_groups::find(tx, &scope, name).await?;
            user_groups::set_role(tx, &scope, &group, role).await
        })
        .await?;
    show(ctx, resource, &scope, BY_NAME, name).await
}

/// `DELETE /user-groups/{group_name}`: its users stay, without what they were through it.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserGroupDelete)?;
    let name = ctx.path("group_name");
    ctx.db
        .transaction(async |tx| {
            let group = user_groups::find(tx, &scope, name).await?;
            user_groups::delete(tx, &scope, &group).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// Who in which group, as the body names them.
fn place(body: &Body) -> Result<(&str, &str)> {
    Ok((
        body::name(body, "username")?,
        body::name(body, "group_name")?,
    ))
}

/// `PUT /user-groups/users`: puts a user into a group.
pub async fn add_user(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserGroupAddUser)?;
    demand_own_users(ctx).await?;
    let resource = resource(ctx)?;
    let body = Body::of(ctx)?;
    let (username, group) = place(&body)?;
    ctx.db
        .transaction(async |tx| {
            let place = user_groups::find_place(tx, &scope, group, username).await?;
            user_groups::add_user(tx, &scope, &place).await
        })
        .await?;
    show(ctx, resource, &scope, BY_NAME, group).await
}

/// `DELETE /user-groups/users`: takes a user out of a group.
pub async fn remove_user(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserGroupRemoveUser)?;
    demand_own_users(ctx).await?;
    let body = Body::of(ctx)?;
    let (username, group) = place(&body)?;
    ctx.db
        .transaction(async |tx| {
            let place = user_groups::find_place(tx, &scope, group, username).await?;
            user_groups::remove_user(tx, &scope, &place).await
        })
        .await?;
    Ok(Response::empty(204))
}
