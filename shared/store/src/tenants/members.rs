//! Who is in a tenant, as what: users, and groups with all of their users.

use super::demand;
use crate::{audit, user_groups, users};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, params};

/// Whether a user or a group is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// One user.
    User,
    /// A group, and so each of its users.
    Group,
}

impl MemberKind {
    /// The table, its column of the member's number, the words in refusals and in the audit trail.
    const fn names(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::User => ("tenant_users", "user_id", "user", "TenantUser"),
            Self::Group => ("tenant_groups", "group_id", "group", "TenantGroup"),
        }
    }
}

/// A user or a group, in a tenant.
#[derive(Clone, Copy, Debug)]
pub struct Member<'r> {
    /// Which of both.
    pub kind: MemberKind,
    /// The name of the user or of the group.
    pub name: &'r str,
    /// The tenant.
    pub tenant: &'r str,
}

/// A member that was found: number, name in the case it was given in, role if it is in the tenant.
struct Found {
    id: i64,
    name: String,
    role: Option<String>,
}

impl Member<'_> {
    /// The member's number and present role. Tells of the tenant before it tells of the member.
    async fn find(&self, db: &impl Db, scope: &Scope) -> Result<Found> {
        demand(db, scope, self.tenant).await?;
        let (id, name) = match self.kind {
            MemberKind::User => {
                let user = users::find(db, scope, self.name).await?;
                (user.id, user.username)
            }
            MemberKind::Group => user_groups::find(db, scope, self.name).await?,
        };
        let (table, column, ..) = self.kind.names();
        let row = db
            .first(
                &format!("select role from {table} where {column} = ?1 and tenant_name = ?2"),
                params![id, self.tenant],
            )
            .await?;
        let role = row.map(|row| row.text(0).map(str::to_owned)).transpose()?;
        Ok(Found { id, name, role })
    }

    fn absent(&self, name: &str) -> Error {
        let (_, _, word, _) = self.kind.names();
        Error::new(
            Kind::NotFound,
            format!("The {word} `{name}` is not in the tenant `{}`", self.tenant),
        )
    }

    async fn record(&self, db: &impl Db, scope: &Scope, verb: &str, name: &str) -> Result<()> {
        let (_, _, word, target) = self.kind.names();
        audit::insert(db, scope, &format!("tenant_{verb}_{word}"), target, name).await
    }
}

/// Puts a user or a group into a tenant.
///
/// # Errors
/// 404 for the tenant or the member; 409 when it is there itself already.
pub async fn add_member(db: &impl Db, scope: &Scope, member: Member<'_>, role: &str) -> Result<()> {
    let found = member.find(db, scope).await?;
    let (table, column, word, _) = member.kind.names();
    if found.role.is_some() {
        return Err(Error::conflict(format!(
            "The {word} `{}` is already in the tenant `{}`",
            found.name, member.tenant
        )));
    }
    db.execute(
        &format!("insert into {table} ({column}, tenant_name, role) values (?1, ?2, ?3)"),
        params![found.id, member.tenant, role],
    )
    .await?;
    member.record(db, scope, "add", &found.name).await
}

/// Gives a member of a tenant another role there.
///
/// # Errors
/// 404 for the tenant and for who is not in it.
pub async fn set_member_role(
    db: &impl Db,
    scope: &Scope,
    member: Member<'_>,
    role: &str,
) -> Result<()> {
    let found = member.find(db, scope).await?;
    if found.role.is_none() {
        return Err(member.absent(&found.name));
    }
    let (table, column, ..) = member.kind.names();
    db.execute(
        &format!("update {table} set role = ?3 where {column} = ?1 and tenant_name = ?2"),
        params![found.id, member.tenant, role],
    )
    .await?;
    member.record(db, scope, "update", &found.name).await
}

/// Takes a user or a group out of a tenant. A user who is there through a group too stays for that.
///
/// # Errors
/// 404 for the tenant and for who is not in it.
pub async fn remove_member(db: &impl Db, scope: &Scope, member: Member<'_>) -> Result<()> {
    let found = member.find(db, scope).await?;
    if found.role.is_none() {
        return Err(member.absent(&found.name));
    }
    let (table, column, ..) = member.kind.names();
    db.execute(
        &format!("delete from {table} where {column} = ?1 and tenant_name = ?2"),
        params![found.id, member.tenant],
    )
    .await?;
    member.record(db, scope, "remove", &found.name).await
}
