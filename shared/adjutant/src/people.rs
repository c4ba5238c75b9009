//! Users and projects as actions look at them and change them. Who is who is Windlass's own identity:
//! a project is a tenant, and every change goes the way that it goes for Conductor.

use crate::roles::{self, Left};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope};
use windlass_identity::credentials::NO_PASSWORD;
use windlass_identity::project_roles;
use windlass_store::tenants::{self, MemberKind, Tenant};
use windlass_store::users::{self, Changes, Contact, NewUser, User};

/// The one domain that there is, by its id and by its name.
pub const DOMAIN: (&str, &str) = ("default", "Default");

/// The system role of users that tasks make.
const SYSTEM_ROLE: &str = "default";

/// The user of this number, as answers show it.
pub async fn by_id(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Contact>> {
    match id.parse() {
        Ok(id) => users::contact_numbered(db, scope, id).await,
        Err(_) => Ok(None),
    }
}

/// The user of this name.
pub async fn by_name(db: &impl Db, scope: &Scope, name: &str) -> Result<Option<Contact>> {
    users::contact_named(db, scope, name).await
}

/// The user whom a name stands for: their own, or an address that nobody else has.
pub async fn by_name_or_address(
    db: &impl Db,
    scope: &Scope,
    name: &str,
) -> Result<Option<Contact>> {
    if let Some(found) = by_name(db, scope, name).await? {
        return Ok(Some(found));
    }
    let mut found = users::contacts_at(db, scope, name).await?;
    Ok(if found.len() == 1 { found.pop() } else { None })
}

/// Whether somebody has this name or this address.
pub async fn is_taken(db: &impl Db, scope: &Scope, address: &str) -> Result<bool> {
    let named = by_name(db, scope, address).await?.is_some();
    Ok(named || !users::contacts_at(db, scope, address).await?.is_empty())
}

/// Whether users come from a directory, so that none are made or changed here.
pub async fn are_elsewhere(db: &impl Db, scope: &Scope) -> Result<bool> {
    users::are_from_directory(db, scope).await
}

/// Whether there is a project of this name.
pub async fn has_project(db: &impl Db, scope: &Scope, project: &str) -> Result<bool> {
    tenants::exists(db, scope, project).await
}

/// Makes a project, below another one if one is named.
pub async fn make_project(
    tx: &impl Tx,
    scope: &Scope,
    name: &str,
    parent: Option<&str>,
) -> Result<Tenant> {
    tenants::insert(tx, scope, name).await?;
    let tenant = tenants::find(tx, scope, name).await?;
    if let Some(parent) = parent {
        let parent = tenants::find(tx, scope, parent).await?;
        tenants::set_parent(tx, scope, &tenant, &parent).await?;
    }
    Ok(tenant)
}

/// Makes a user whom no password lets in yet.
pub async fn make_user(tx: &impl Tx, scope: &Scope, name: &str, email: &str) -> Result<User> {
    make_user_with(tx, scope, name, email, NO_PASSWORD).await
}

/// Makes a user with a password, given as its hash.
pub async fn make_user_with(
    tx: &impl Tx,
    scope: &Scope,
    name: &str,
    email: &str,
    password_hash: &str,
) -> Result<User> {
    let new = NewUser {
        username: name,
        password_hash: password_hash.to_owned(),
        role: SYSTEM_ROLE,
        active: true,
        created_at: None,
        first_login_at: None,
        last_login_at: None,
    };
    users::insert(tx, scope, &new).await?;
    let user = users::find(tx, scope, name).await?;
    users::set_email(tx, scope, &user, email).await?;
    Ok(user)
}

/// Gives a user another password, as its hash. Failed logins of before are forgotten.
pub async fn set_password(tx: &impl Tx, scope: &Scope, user: &User, hash: &str) -> Result<()> {
    let changes = Changes {
        password_hash: Some(hash.to_owned()),
        ..Changes::default()
    };
    users::save(tx, scope, user, &changes).await?;
    users::unlock(tx, scope, user).await
}

/// Lets a user in who was shut out, with no password until they choose one.
pub async fn let_in_again(tx: &impl Tx, scope: &Scope, user: &User) -> Result<()> {
    if !user.active {
        users::set_active(tx, scope, user, true).await?;
    }
    set_password(tx, scope, user, NO_PASSWORD).await
}

/// Which roles somebody is given: those that count in a project itself, or those that count in all that is
/// below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// In the project.
    Here,
    /// In every project below it, and not in itself.
    Below,
}

impl Extent {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Here, Self::Below];

    /// The field of requests and answers, and what notes call such roles.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Here => ("roles", "roles"),
            Self::Below => ("inherited_roles", "inherited roles"),
        }
    }

    const fn kind(self) -> MemberKind {
        match self {
            Self::Here => MemberKind::User,
            Self::Below => MemberKind::Heir,
        }
    }
}

/// What a user is by themselves in a project or below it, in the words of tenants.
pub async fn tenant_role(
    db: &impl Db,
    scope: &Scope,
    project: &str,
    user: &User,
    extent: Extent,
) -> Result<Option<String>> {
    let tenant = tenants::find(db, scope, project).await?;
    let member = tenants::find_member(db, scope, tenant, extent.kind(), &user.username).await?;
    Ok(member.role().map(str::to_owned))
}

/// The roles that a user has by themselves in a project or below it.
pub async fn roles_in(
    db: &impl Db,
    scope: &Scope,
    project: &str,
    user: &User,
    extent: Extent,
) -> Result<Vec<String>> {
    let role = tenant_role(db, scope, project, user, extent).await?;
    Ok(roles::of_member(role.as_deref()))
}

/// The roles that a user has in any project, by themselves or through a group.
pub async fn roles_anywhere(db: &impl Db, scope: &Scope, user: &User) -> Result<Vec<String>> {
    let held = tenants::roles_of_user(db, scope, user.id).await?;
    Ok(held
        .iter()
        .flat_map(|role| roles::of_member(Some(role)))
        .collect())
}

/// What a user may call themselves in a project now, as Adjutant's roles. Nothing for who is gone.
pub async fn present_roles(db: &impl Db, user_id: &str, project: &str) -> Result<Vec<String>> {
    let roles = match user_id.parse() {
        Ok(id) => project_roles::now(db, id, project).await?,
        Err(_) => Vec::new(),
    };
    Ok(roles.into_iter().map(str::to_owned).collect())
}

/// Gives a user roles in a project. What they have already stays.
pub async fn grant(
    tx: &impl Tx,
    scope: &Scope,
    project: &str,
    user: &User,
    more: &[String],
) -> Result<()> {
    give(tx, scope, (project, Extent::Here), user, more).await
}

/// Gives a user roles in a project or below it. What they have already stays.
pub async fn give(
    tx: &impl Tx,
    scope: &Scope,
    (project, extent): (&str, Extent),
    user: &User,
    more: &[String],
) -> Result<()> {
    let tenant = tenants::find(tx, scope, project).await?;
    let member = tenants::find_member(tx, scope, tenant, extent.kind(), &user.username).await?;
    match (member.role(), roles::with(member.role(), more)) {
        (_, None) => Ok(()),
        (None, Some(role)) => tenants::add_member(tx, scope, &member, role).await,
        (Some(_), Some(role)) => tenants::set_member_role(tx, scope, &member, role).await,
    }
}

/// Takes roles in a project or below it from a user.
pub async fn take(
    tx: &impl Tx,
    scope: &Scope,
    (project, extent): (&str, Extent),
    user: &User,
    less: &[String],
) -> Result<()> {
    let tenant = tenants::find(tx, scope, project).await?;
    let member = tenants::find_member(tx, scope, tenant, extent.kind(), &user.username).await?;
    match roles::without(member.role(), less) {
        Left::Same => Ok(()),
        Left::Role(role) => tenants::set_member_role(tx, scope, &member, role).await,
        Left::Nothing => tenants::remove_member(tx, scope, &member).await,
    }
}
