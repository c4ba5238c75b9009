//! Roles, and which permissions they hold.
//!
//! Roles are given; what they hold is data. A change counts from the next request on, because it
//! changes `identity_version`.

use crate::audit;
use windlass_core::db::Db;
use windlass_core::list::{Field, Resource};
use windlass_core::python;
use windlass_core::{Error, Kind, Result, Scope, params};

/// Pairs of a role and a permission it holds. The limit keeps SQLite from merging the inner
/// statement into the outer one, where it could not look up a key that is made of two columns.
pub static PERMISSIONS: Resource = Resource {
    name: "Permission",
    table: "(select role || ' ' || permission as key, role, permission
             from permissions limit -1) t",
    fields: &[
        Field::text("role", "t.role"),
        Field::text("permission", "t.permission"),
    ],
    search: None,
    of_tenant: false,
};

/// Where a role counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleType {
    /// In the whole system.
    System,
    /// In one tenant.
    Tenant,
}

impl RoleType {
    /// The word in the API and in the table `roles`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system_role",
            Self::Tenant => "tenant_role",
        }
    }
}

/// Refuses a role that there is not, or that is of the other type.
///
/// # Errors
/// 400, naming the roles of this type.
pub async fn demand_role(db: &impl Db, _scope: &Scope, role: &str, wanted: RoleType) -> Result<()> {
    let rows = db
        .query("select name, type from roles order by id", &[])
        .await?;
    let mut valid = Vec::new();
    for row in &rows {
        let (name, is) = (row.text(0)?, row.text(1)?);
        if is == wanted.name() {
            valid.push(name);
        } else if name == role {
            return Err(Error::bad_parameters(format!(
                "Role `{role}` is a {is} and cannot be assigned as a {}",
                wanted.name()
            )));
        }
    }
    if valid.contains(&role) {
        return Ok(());
    }
    Err(Error::bad_parameters(format!(
        "Invalid role: `{role}`. Valid {} roles are: {}",
        wanted.name(),
        python::list(valid)
    )))
}

/// Refuses a role that there is not.
///
/// # Errors
/// 404.
pub async fn demand_known(db: &impl Db, _scope: &Scope, role: &str) -> Result<()> {
    let row = db
        .first("select 1 from roles where name = ?1", params![role])
        .await?;
    row.map(drop).ok_or_else(|| Error::not_found("Role", role))
}

async fn is_held(db: &impl Db, role: &str, permission: &str) -> Result<bool> {
    let row = db
        .first(
            "select 1 from permissions where role = ?1 and permission = ?2",
            params![role, permission],
        )
        .await?;
    Ok(row.is_some())
}

/// Lets a role do something more. Any name will do: other programs than this one ask for some.
///
/// # Errors
/// 404 for the role; 409 when it holds the permission.
pub async fn insert(db: &impl Db, scope: &Scope, role: &str, permission: &str) -> Result<()> {
    demand_known(db, scope, role).await?;
    if is_held(db, role, permission).await? {
        return Err(Error::conflict(format!(
            "The role `{role}` already has the permission `{permission}`"
        )));
    }
    db.execute(
        "insert into permissions (role, permission) values (?1, ?2)",
        params![role, permission],
    )
    .await?;
    let target = format!("{role}/{permission}");
    audit::insert(db, scope, "permission_add", "Permission", &target).await
}

/// Takes a permission from a role.
///
/// # Errors
/// 404 for the role, and when it does not hold the permission.
pub async fn delete(db: &impl Db, scope: &Scope, role: &str, permission: &str) -> Result<()> {
    demand_known(db, scope, role).await?;
    if !is_held(db, role, permission).await? {
        return Err(Error::new(
            Kind::NotFound,
            format!("The role `{role}` does not have the permission `{permission}`"),
        ));
    }
    db.execute(
        "delete from permissions where role = ?1 and permission = ?2",
        params![role, permission],
    )
    .await?;
    let target = format!("{role}/{permission}");
    audit::insert(db, scope, "permission_delete", "Permission", &target).await
}
