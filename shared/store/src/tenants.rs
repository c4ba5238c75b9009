//! Tenants: who works together, and apart from whom.

pub(crate) mod inherited;
mod members;

use inherited::heirs_of_sql;
pub use inherited::{heirs_of, inherited_by};
pub use members::{
    Member, MemberKind, add_member, find_member, remove_member, roles_of_user, set_member_role,
};

use crate::audit;
use crate::counts;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::{Field, ListQuery, Page, Resource, Search};
use windlass_core::{Error, Permission, Result, Scope, Timestamp, params};

/// Names that paths of the API need for themselves, so that no tenant can have them.
pub const RESERVED: [&str; 2] = ["users", "user-groups"];

/// The tenant that the application is set up with.
pub const DEFAULT_TENANT: &str = "default_tenant";

const TABLE: &str = "(select *, id as key from tenants) t";

/// The fields of a tenant, of which some are numbers or details. There is no message broker in
/// which it could have an account.
const fn fields(groups: Field, users: Field, roles: Field) -> [Field; 7] {
    [
        Field::text("name", "t.name"),
        groups,
        users,
        roles,
        Field::text("rabbitmq_username", "null"),
        Field::text("rabbitmq_password", "null"),
        Field::text("rabbitmq_vhost", "null"),
    ]
}

static PLAIN: [Field; 7] = fields(
    Field::integer(
        "groups",
        "(select count(*) from tenant_groups g where g.tenant_name = t.name)",
    ),
    Field::integer(
        "users",
        concat!(
            "(select count(*) from (
              select m.user_id from tenant_users m where m.tenant_name = t.name
              union select u.user_id from tenant_groups g
                  join group_users u on u.group_id = g.group_id where g.tenant_name = t.name
              union select user_id from (",
            heirs_of_sql!("t.name"),
            ")))"
        ),
    ),
    Field::json("user_roles", "null"),
);

static DETAILED: [Field; 7] = fields(
    Field::json(
        "groups",
        "(select json_group_object(name, role) from (
              select u.name, g.role from tenant_groups g join user_groups u on u.id = g.group_id
              where g.tenant_name = t.name order by u.name))",
    ),
    Field::json(
        "users",
        concat!(
            "(select json_group_object(username, json_object('tenant-role', direct, 'roles', json(roles)))
          from (select u.username, max(r.direct) as direct, json_group_array(r.role) as roles from (
              select user_id, role, max(direct) as direct from (
                  select m.user_id, m.role, m.role as direct from tenant_users m
                      where m.tenant_name = t.name
                  union all select m.user_id, g.role, null from tenant_groups g
                      join group_users m on m.group_id = g.group_id where g.tenant_name = t.name
                  union all select user_id, role, null from (",
            heirs_of_sql!("t.name"),
            "))
              group by user_id, role order by user_id, role) r
          join users u on u.id = r.user_id group by u.id order by u.username))"
        ),
    ),
    Field::json(
        "user_roles",
        "json_object(
          'direct', (select json_group_object(username, role) from (
              select u.username, m.role from tenant_users m join users u on u.id = m.user_id
              where m.tenant_name = t.name order by u.username)),
          'groups', (select json_group_object(u.name, json_object('role', g.role, 'users',
              (select json_group_array(username) from (
                  select p.username from group_users m join users p on p.id = m.user_id
                  where m.group_id = g.group_id order by p.username))))
              from tenant_groups g join user_groups u on u.id = g.group_id
              where g.tenant_name = t.name))",
    ),
);

/// The condition that finds the tenant of a name.
pub const BY_NAME: &str = "t.name = {}";

/// Tenants, with numbers where their details are many.
pub static TENANTS: Resource = Resource {
    name: "Tenant",
    table: TABLE,
    fields: &PLAIN,
    search: Some(Search::scan("t.name")),
    of_tenant: false,
    counts: &[&counts::TENANTS],
};

/// Tenants with their details, as `_get_data` asks for.
pub static DETAILED_TENANTS: Resource = Resource {
    fields: &DETAILED,
    ..TENANTS
};

/// One page: all tenants for a caller who works in all, else those the caller is in.
pub async fn list(
    db: &impl Db,
    scope: &Scope,
    resource: &Resource,
    mut query: ListQuery,
) -> Result<Page> {
    let caller = scope.caller()?;
    if !caller.holds(Permission::AllTenants) {
        query.and(of_user(), [caller.user_id; 3].map(Value::from));
    }
    resource.page(db, scope, &query).await
}

/// The condition on a tenant `t` that a user is in it: by themselves, through a group, or by a role in a
/// tenant above. It takes the user's number three times.
#[must_use]
pub fn of_user() -> String {
    format!(
        "t.name in (select m.tenant_name from tenant_users m where m.user_id = {{}}
             union select g.tenant_name from group_users m
                 join tenant_groups g on g.group_id = m.group_id where m.user_id = {{}}
             union select tenant_name from ({}))",
        inherited_by("{}")
    )
}

/// Whether there is a tenant of this name.
pub async fn exists(db: &impl Db, _scope: &Scope, name: &str) -> Result<bool> {
    let row = db
        .first("select 1 from tenants where name = ?1", params![name])
        .await?;
    Ok(row.is_some())
}

/// A tenant that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The name, which is what other tables refer to.
    pub name: String,
}

/// The tenant of this name. Letter case matters.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, scope: &Scope, name: &str) -> Result<Tenant> {
    if exists(db, scope, name).await? {
        return Ok(Tenant {
            name: name.to_owned(),
        });
    }
    Err(Error::not_found(TENANTS.name, name))
}

/// Makes a tenant with nobody in it.
///
/// # Errors
/// 409 when there is one of this name.
pub async fn insert(tx: &impl Tx, scope: &Scope, name: &str) -> Result<()> {
    if exists(tx, scope, name).await? {
        return Err(Error::conflict(format!(
            "The tenant `{name}` already exists"
        )));
    }
    tx.execute(
        "insert into tenants (name, created_at) values (?1, ?2)",
        params![name, Timestamp::now()],
    )
    .await?;
    audit::insert(tx, scope, "tenant_create", "Tenant", name).await
}

/// Puts a tenant below another one.
pub async fn set_parent(
    tx: &impl Tx,
    scope: &Scope,
    tenant: &Tenant,
    parent: &Tenant,
) -> Result<()> {
    let sql = "update tenants set parent_name = ?2 where name = ?1";
    let values = params![tenant.name.as_str(), parent.name.as_str()];
    tx.execute(sql, values).await?;
    audit::insert(tx, scope, "tenant_set_parent", "Tenant", &tenant.name).await
}

/// Removes a tenant that has nothing and nobody left. Its events went with its executions: whoever makes
/// a tenant of the same name reads none of them.
///
/// # Errors
/// 400 for the tenant that everybody begins with; 409, naming what it still has.
pub async fn delete(tx: &impl Tx, scope: &Scope, tenant: &Tenant) -> Result<()> {
    let name = tenant.name.as_str();
    if name == DEFAULT_TENANT {
        return Err(Error::illegal_action(format!(
            "The tenant `{name}` cannot be deleted"
        )));
    }
    let mut left = resources(tx, "tenant_name", name).await?;
    left.extend(directory(tx, name).await?);
    let members: Vec<String> = tx
        .json_rows(
            "select json_quote('users') where exists
                 (select 1 from tenant_users where tenant_name = ?1)
             union all select json_quote('user-groups') where exists
                 (select 1 from tenant_groups where tenant_name = ?1)
             union all select json_quote('tenants below it') where exists
                 (select 1 from tenants where parent_name = ?1)",
            params![name],
        )
        .await?;
    left.extend(members);
    if !left.is_empty() {
        return Err(Error::conflict(format!(
            "Cannot delete the tenant `{name}`: it still has {}",
            left.join(", ")
        )));
    }
    for table in LEFT {
        let sql = format!("delete from {table} where tenant_name = ?1");
        tx.execute(&sql, params![name]).await?;
    }
    tx.execute("delete from tenants where name = ?1", params![name])
        .await?;
    audit::insert(tx, scope, "tenant_delete", "Tenant", name).await
}

/// The tables of what a tenant and a user can own. What else has their names belongs to something
/// in these and goes with it.
pub(crate) const OWNED: &[&str] = &[
    "blueprints",
    "blueprints_filters",
    "deployments",
    "deployments_filters",
    "deployment_groups",
    "executions",
    "execution_schedules",
    "metrics",
    "pipelines",
    "plugins",
    "secrets",
    "secrets_providers",
    "sites",
    "snapshots",
    "tools",
];

/// What a tenant's directory of people and projects is made of, and its tables. Nobody owns a record of it.
pub(crate) const DIRECTORY: [(&str, &str); 3] = [
    ("people", "directory_people"),
    ("projects", "directory_projects"),
    ("mappings", "directory_mappings"),
];

/// What the directory of a tenant still has.
async fn directory(db: &impl Db, name: &str) -> Result<Vec<String>> {
    let parts = DIRECTORY.map(|(word, table)| {
        format!(
            "select json_quote('{word}') where exists (select 1 from {table} where tenant_name = ?1)"
        )
    });
    db.json_rows(&parts.join(" union all "), params![name])
        .await
}

/// The tables of what is left of such things and is nobody's to delete.
const LEFT: [&str; 3] = [
    "agents",
    "execution_groups",
    "inter_deployment_dependencies",
];

/// The kinds of resources whose `column`, one of `tenant_name` and `created_by`, has this value.
pub(crate) async fn resources(
    db: &impl Db,
    column: &'static str,
    value: &str,
) -> Result<Vec<String>> {
    let parts: Vec<String> = OWNED
        .iter()
        .map(|table| {
            let word = table.replace('_', "-");
            format!(
                "select json_quote('{word}') where exists
                     (select 1 from {table} where {column} = ?1)"
            )
        })
        .collect();
    db.json_rows(&parts.join(" union all "), params![value])
        .await
}

#[cfg(test)]
mod tests;
