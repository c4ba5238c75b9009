//! `/tenants/users` and `/tenants/user-groups`: who is in a tenant, as what.
//!
//! The body names the tenant, and the permission is asked for there. A group brings all of its
//! users; who is in a tenant in several ways has the roles of all of them.

use crate::body;
use crate::{tenants as shown, users};
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Permission, Response, Result, Scope};
use windlass_store::permissions::{RoleType, demand_role};
use windlass_store::tenants::{self, Member, MemberKind};

/// The role of a member for whom none is named.
const DEFAULT_ROLE: &str = "user";

/// `PUT /tenants/users`: puts a user into a tenant.
pub async fn add_user(ctx: &Context<impl Db>) -> Result<Response> {
    add(ctx, MemberKind::User, Permission::TenantAddUser).await
}

/// `PATCH /tenants/users`: gives a user of a tenant another role there.
pub async fn update_user(ctx: &Context<impl Db>) -> Result<Response> {
    update(ctx, MemberKind::User, Permission::TenantUpdateUser).await
}

/// `DELETE /tenants/users`: takes a user out of a tenant.
pub async fn remove_user(ctx: &Context<impl Db>) -> Result<Response> {
    remove(ctx, MemberKind::User, Permission::TenantRemoveUser).await
}

/// `PUT /tenants/user-groups`: puts a group, and so each of its users, into a tenant.
pub async fn add_group(ctx: &Context<impl Db>) -> Result<Response> {
    add(ctx, MemberKind::Group, Permission::TenantAddGroup).await
}

/// `PATCH /tenants/user-groups`: gives a group of a tenant another role there.
pub async fn update_group(ctx: &Context<impl Db>) -> Result<Response> {
    update(ctx, MemberKind::Group, Permission::TenantUpdateGroup).await
}

/// `DELETE /tenants/user-groups`: takes a group out of a tenant.
pub async fn remove_group(ctx: &Context<impl Db>) -> Result<Response> {
    remove(ctx, MemberKind::Group, Permission::TenantRemoveGroup).await
}

/// Who may, in the tenant that the body names.
fn allow(ctx: &Context<impl Db>, permission: Permission) -> Result<(Scope, Body)> {
    ctx.caller()?;
    let body = Body::of(ctx)?;
    let scope = ctx.allow_in(body.required_text("tenant_name")?, permission)?;
    Ok((scope, body))
}

fn member(body: &Body, kind: MemberKind) -> Result<Member<'_>> {
    let key = match kind {
        MemberKind::User => "username",
        MemberKind::Group => "group_name",
    };
    // Wrong types anywhere come before unusable names.
    body.required_text(key)?;
    body.text("role")?;
    Ok(Member {
        kind,
        name: body::name(body, key)?,
        tenant: body::name(body, "tenant_name")?,
    })
}

async fn add(ctx: &Context<impl Db>, kind: MemberKind, permission: Permission) -> Result<Response> {
    let (scope, body) = allow(ctx, permission)?;
    let resource = shown::resource(ctx)?;
    if kind == MemberKind::User {
        users::demand_own_users(ctx).await?;
    }
    let member = member(&body, kind)?;
    let role = body::role(&body)?.unwrap_or(DEFAULT_ROLE);
    demand_role(&ctx.db, &scope, role, RoleType::Tenant).await?;
    ctx.db
        .transaction(async |db| tenants::add_member(db, &scope, member, role).await)
        .await?;
    shown::show(ctx, resource, &scope, member.tenant).await
}

async fn update(
    ctx: &Context<impl Db>,
    kind: MemberKind,
    permission: Permission,
) -> Result<Response> {
    let (scope, body) = allow(ctx, permission)?;
    let resource = shown::resource(ctx)?;
    let member = member(&body, kind)?;
    let role = body::role(&body)?.ok_or_else(|| Error::missing("role"))?;
    demand_role(&ctx.db, &scope, role, RoleType::Tenant).await?;
    ctx.db
        .transaction(async |db| tenants::set_member_role(db, &scope, member, role).await)
        .await?;
    shown::show(ctx, resource, &scope, member.tenant).await
}

async fn remove(
    ctx: &Context<impl Db>,
    kind: MemberKind,
    permission: Permission,
) -> Result<Response> {
    let (scope, body) = allow(ctx, permission)?;
    let member = member(&body, kind)?;
    ctx.db
        .transaction(async |db| tenants::remove_member(db, &scope, member).await)
        .await?;
    Ok(Response::empty(204))
}
