//! Who is in a tenant, as what: users, groups with all of their users, and users who are something in
//! everything below it.

use super::Tenant;
use crate::{audit, user_groups, users};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, params};

/// Whether a user or a group is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// One user.
    User,
    /// A group, and so each of its users.
    Group,
    /// A user with a role that counts in every tenant below this one, and not in itself.
    Heir,
}

impl MemberKind {
    /// The table, its column of the member's number, the words in refusals and in the audit trail.
    const fn names(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::User => ("tenant_users", "user_id", "user", "TenantUser"),
            Self::Group => ("tenant_groups", "group_id", "group", "TenantGroup"),
            Self::Heir => ("inherited_roles", "user_id", "heir", "TenantHeir"),
        }
    }
}

/// A user or a group, and what it is in a tenant.
#[derive(Clone, Debug)]
pub struct Member {
    kind: MemberKind,
    tenant: Tenant,
    id: i64,
    name: String,
    role: Option<String>,
}

/// The user or the group of this name, with what it is in a tenant, if it is in it.
///
/// # Errors
/// 404 for who does not exist.
pub async fn find_member(
    db: &impl Db,
    scope: &Scope,
    tenant: Tenant,
    kind: MemberKind,
    name: &str,
) -> Result<Member> {
    let (id, name) = match kind {
        MemberKind::User | MemberKind::Heir => {
            let user = users::find(db, scope, name).await?;
            (user.id, user.username)
        }
        MemberKind::Group => {
            let group = user_groups::find(db, scope, name).await?;
            (group.id, group.name)
        }
    };
    let (table, column, ..) = kind.names();
    let role = db
        .first_json(
            &format!(
                "select json_quote(role) from {table} where {column} = ?1 and tenant_name = ?2"
            ),
            params![id, tenant.name.as_str()],
        )
        .await?;
    Ok(Member {
        kind,
        tenant,
        id,
        name,
        role,
    })
}

/// The roles that a user has in tenants, by themselves, through groups, and below others.
pub async fn roles_of_user(db: &impl Db, _scope: &Scope, user_id: i64) -> Result<Vec<String>> {
    db.json_rows(
        "select json_quote(role) from (select role from tenant_users where user_id = ?1
             union select g.role from group_users m join tenant_groups g on g.group_id = m.group_id
                 where m.user_id = ?1
             union select role from inherited_roles where user_id = ?1)",
        params![user_id],
    )
    .await
}

impl Member {
    /// What it is in the tenant by itself, if it is in it.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// Refuses one who is not in the tenant.
    fn demand_present(&self) -> Result<()> {
        if self.role.is_some() {
            return Ok(());
        }
        let (_, _, word, _) = self.kind.names();
        Err(Error::new(
            Kind::NotFound,
            format!(
                "The {word} `{}` is not in the tenant `{}`",
                self.name, self.tenant.name
            ),
        ))
    }

    async fn record(&self, tx: &impl Tx, scope: &Scope, verb: &str) -> Result<()> {
        let (_, _, word, target) = self.kind.names();
        audit::insert(
            tx,
            scope,
            &format!("tenant_{verb}_{word}"),
            target,
            &self.name,
        )
        .await
    }
}

/// Puts a user or a group into a tenant.
///
/// # Errors
/// 409 when it is there itself already.
pub async fn add_member(tx: &impl Tx, scope: &Scope, member: &Member, role: &str) -> Result<()> {
    let (table, column, word, _) = member.kind.names();
    if member.role.is_some() {
        return Err(Error::conflict(format!(
            "The {word} `{}` is already in the tenant `{}`",
            member.name, member.tenant.name
        )));
    }
    tx.execute(
        &format!("insert into {table} ({column}, tenant_name, role) values (?1, ?2, ?3)"),
        params![member.id, member.tenant.name.as_str(), role],
    )
    .await?;
    member.record(tx, scope, "add").await
}

/// Gives a member of a tenant another role there.
///
/// # Errors
/// 404 for one who is not in it.
pub async fn set_member_role(
    tx: &impl Tx,
    scope: &Scope,
    member: &Member,
    role: &str,
) -> Result<()> {
    member.demand_present()?;
    let (table, column, ..) = member.kind.names();
    tx.execute(
        &format!("update {table} set role = ?3 where {column} = ?1 and tenant_name = ?2"),
        params![member.id, member.tenant.name.as_str(), role],
    )
    .await?;
    member.record(tx, scope, "update").await
}

/// Takes a user or a group out of a tenant. A user who is there through a group too stays for that.
///
/// # Errors
/// 404 for one who is not in it.
pub async fn remove_member(tx: &impl Tx, scope: &Scope, member: &Member) -> Result<()> {
    member.demand_present()?;
    let (table, column, ..) = member.kind.names();
    tx.execute(
        &format!("delete from {table} where {column} = ?1 and tenant_name = ?2"),
        params![member.id, member.tenant.name.as_str()],
    )
    .await?;
    member.record(tx, scope, "remove").await
}
