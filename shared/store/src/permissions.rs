//! Roles, and which permissions they hold.
//!
//! The roles come with the application; what they hold is data. A change counts from the next request on, because it
//! changes `identity_version`.

use crate::audit;
use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::list::{Field, ListQuery, Resource};
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
    counts: &[],
};

windlass_core::named_enum! {
    /// Where a role counts.
    pub enum RoleType {
        /// In the whole system.
        System = "system_role",
        /// In one tenant.
        Tenant = "tenant_role",
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Role {
    /// The name, which is what other tables refer to.
    pub name: String,
    /// Where it counts.
    #[serde(rename = "type")]
    pub kind: RoleType,
}

async fn roles(db: &impl Db) -> Result<Vec<Role>> {
    let roles = db
        .first_json(
            "select json_group_array(json_object('name', name, 'type', type))
             from (select name, type from roles order by id)",
            &[],
        )
        .await?;
    Ok(roles.unwrap_or_default())
}

/// Refuses a name that is no role, or a role of the other type.
///
/// # Errors
/// 400, naming the roles of this type.
pub async fn demand_role(db: &impl Db, _scope: &Scope, role: &str, wanted: RoleType) -> Result<()> {
    let roles = roles(db).await?;
    match roles.iter().find(|known| known.name == role) {
        Some(known) if known.kind == wanted => Ok(()),
        Some(known) => Err(Error::bad_parameters(format!(
            "Role `{role}` is a {} and cannot be assigned as a {}",
            known.kind.name(),
            wanted.name()
        ))),
        None => {
            let valid = roles.iter().filter(|known| known.kind == wanted);
            let valid: Vec<&str> = valid.map(|known| known.name.as_str()).collect();
            Err(Error::bad_parameters(format!(
                "Invalid role: `{role}`. Valid {} roles are: {}",
                wanted.name(),
                python::list(valid)
            )))
        }
    }
}

/// The role of this name.
///
/// # Errors
/// 404 when there is none.
pub async fn find_role(db: &impl Db, _scope: &Scope, name: &str) -> Result<Role> {
    let found = db
        .first_json(
            "select json_object('name', name, 'type', type) from roles where name = ?1",
            params![name],
        )
        .await?;
    found.ok_or_else(|| Error::not_found("Role", name))
}

/// Narrows a list of permissions to those that one role holds.
pub fn of_role(mut query: ListQuery, role: &Role) -> ListQuery {
    query.and("t.role = {}", [role.name.as_str().into()]);
    query
}

async fn is_held(db: &impl Db, role: &Role, permission: &str) -> Result<bool> {
    let row = db
        .first(
            "select 1 from permissions where role = ?1 and permission = ?2",
            params![role.name.as_str(), permission],
        )
        .await?;
    Ok(row.is_some())
}

/// Lets a role do something more. Any name will do: other programs than this one ask for some.
///
/// # Errors
/// 409 when it holds the permission.
pub async fn insert(tx: &impl Tx, scope: &Scope, role: &Role, permission: &str) -> Result<()> {
    let name = role.name.as_str();
    if is_held(tx, role, permission).await? {
        return Err(Error::conflict(format!(
            "The role `{name}` already has the permission `{permission}`"
        )));
    }
    tx.execute(
        "insert into permissions (role, permission) values (?1, ?2)",
        params![name, permission],
    )
    .await?;
    let target = format!("{name}/{permission}");
    audit::insert(tx, scope, "permission_add", "Permission", &target).await
}

/// Takes a permission from a role.
///
/// # Errors
/// 404 when it does not hold the permission.
pub async fn delete(tx: &impl Tx, scope: &Scope, role: &Role, permission: &str) -> Result<()> {
    let name = role.name.as_str();
    if !is_held(tx, role, permission).await? {
        return Err(Error::new(
            Kind::NotFound,
            format!("The role `{name}` does not have the permission `{permission}`"),
        ));
    }
    tx.execute(
        "delete from permissions where role = ?1 and permission = ?2",
        params![name, permission],
    )
    .await?;
    let target = format!("{name}/{permission}");
    audit::insert(tx, scope, "permission_delete", "Permission", &target).await
}
