//! `/tenants/users` and `/tenants/user-groups`: who is in a tenant, as what.
//!
//! The body names the tenant, and the caller needs the permission there. A group brings all of its
//! users. Somebody who is in a tenant in several ways has all of those roles.

use crate::answers::show;
use crate::tenants::resource;
use crate::{body, users};
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

/// Demands a permission in the tenant that the body names.
fn allow(ctx: &Context<impl Db>, permission: Permission) -> Result<(Scope, Body)> {
    ctx.caller()?;
    let body = Body::of(ctx)?;
    let scope = ctx.allow_in(body.required_text("tenant_name")?, permission)?;
    Ok((scope, body))
}

/// A member as the body names it.
struct Named<'b> {
    kind: MemberKind,
    name: &'b str,
    tenant: &'b str,
}

impl Named<'_> {
    /// The member. A refusal tells of the tenant before it tells of the member.
    async fn find(&self, db: &impl Db, scope: &Scope) -> Result<Member> {
        let tenant = tenants::find(db, scope, self.tenant).await?;
        tenants::find_member(db, scope, tenant, self.kind, self.name).await
    }
}

fn named(body: &Body, kind: MemberKind) -> Result<Named<'_>> {
    let key = match kind {
        MemberKind::User | MemberKind::Heir => "username",
        MemberKind::Group => "group_name",
    };
    // Wrong types anywhere come before unusable names.
    body.required_text(key)?;
    body.text("role")?;
    Ok(Named {
        kind,
        name: body::name(body, key)?,
        tenant: body::name(body, "tenant_name")?,
    })
}

async fn add(ctx: &Context<impl Db>, kind: MemberKind, permission: Permission) -> Result<Response> {
    let (scope, body) = allow(ctx, permission)?;
    let resource = resource(ctx)?;
    if kind == MemberKind::User {
        users::demand_own_users(ctx).await?;
    }
    let named = named(&body, kind)?;
    let role = body::role(&body)?.unwrap_or(DEFAULT_ROLE);
    demand_role(&ctx.db, &scope, role, RoleType::Tenant).await?;
    ctx.db
        .transaction(async |tx| {
            let member = named.find(tx, &scope).await?;
            tenants::add_member(tx, &scope, &member, role).await
        })
        .await?;
    show(ctx, resource, &scope, tenants::BY_NAME, named.tenant).await
}

async fn update(
    ctx: &Context<impl Db>,
    kind: MemberKind,
    permission: Permission,
) -> Result<Response> {
    let (scope, body) = allow(ctx, permission)?;
    let resource = resource(ctx)?;
    let named = named(&body, kind)?;
    let role = body::role(&body)?.ok_or_else(|| Error::missing("role"))?;
    demand_role(&ctx.db, &scope, role, RoleType::Tenant).await?;
    ctx.db
        .transaction(async |tx| {
            let member = named.find(tx, &scope).await?;
            tenants::set_member_role(tx, &scope, &member, role).await
        })
        .await?;
    show(ctx, resource, &scope, tenants::BY_NAME, named.tenant).await
}

async fn remove(
    ctx: &Context<impl Db>,
    kind: MemberKind,
    permission: Permission,
) -> Result<Response> {
    let (scope, body) = allow(ctx, permission)?;
    let named = named(&body, kind)?;
    ctx.db
        .transaction(async |tx| {
            let member = named.find(tx, &scope).await?;
            tenants::remove_member(tx, &scope, &member).await
        })
        .await?;
    Ok(Response::empty(204))
}
