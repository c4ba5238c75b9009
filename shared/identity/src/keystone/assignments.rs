//! Who has which role where, as Keystone lists it.
//!
//! A role in a tenant gives one or two roles in the project; the administrator's counts in the whole
//! system. A user who is somewhere through a group is told as that group, unless the effects of groups
//! are asked for.

use super::number;
use crate::project_roles::{ADMIN, of_tenant_role};
use serde::Deserialize;
use windlass_core::db::{Db, Value};
use windlass_core::{Result, Scope};

/// How many rows a list of assignments is made of at most. Keystone knows no pages of it.
pub const MOST_ASSIGNMENTS: usize = 10_000;

/// What a list of assignments is about; all that is given must fit.
#[derive(Clone, Debug, Default)]
pub struct Filter<'q> {
    /// One user's. With the effects of groups also what they have through those.
    pub user: Option<&'q str>,
    /// One group's.
    pub group: Option<&'q str>,
    /// Those in one place.
    pub place: Option<Place<'q>>,
    /// Those of one role.
    pub role: Option<&'q str>,
    /// Whether groups are told as the users in them.
    pub is_effective: bool,
}

/// Where roles count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'q> {
    /// In one project.
    Project(&'q str),
    /// In the whole system.
    System,
    /// In the domain, where nobody has roles.
    Domain,
}

/// One role that somebody has somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Whether a group has it.
    pub is_of_group: bool,
    /// The id of the user or the group.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// The role.
    pub role: &'static str,
    /// The project; none when it counts in the whole system.
    pub project: Option<String>,
}

/// A role in a tenant or in the system, before it becomes roles of Keystone.
#[derive(Deserialize)]
struct Row {
    is_of_group: bool,
    id: i64,
    name: String,
    tenant: Option<String>,
    role: String,
}

/// The assignments that fit, and whether there are more of them than are read.
pub async fn assignments(
    db: &impl Db,
    _scope: &Scope,
    filter: &Filter<'_>,
) -> Result<(Vec<Assignment>, bool)> {
    let mut values: Vec<Value> = Vec::new();
    let parts = parts(filter, &mut values);
    if parts.is_empty() {
        return Ok((Vec::new(), false));
    }
    values.push((MOST_ASSIGNMENTS + 1).into());
    let sql = format!(
        "select json_object('is_of_group', json(iif(is_of_group, 'true', 'false')), 'id', id,
             'name', name, 'tenant', tenant, 'role', role)
         from ({}) limit ?{}",
        parts.join(" union all "),
        values.len()
    );
    let mut rows: Vec<Row> = db.json_rows(&sql, &values).await?;
    let has_more = rows.len() > MOST_ASSIGNMENTS;
    rows.truncate(MOST_ASSIGNMENTS);
    // Not by the database: it would read and sort all of them for the first ones.
    rows.sort_by(|a, b| {
        (&a.tenant, a.is_of_group, &a.name).cmp(&(&b.tenant, b.is_of_group, &b.name))
    });
    let found = rows.into_iter().flat_map(given).filter(|given| {
        let wanted = filter.role;
        wanted.is_none_or(|role| role == given.role)
    });
    let mut found: Vec<Assignment> = found.collect();
    if filter.is_effective {
        // The same role by oneself and through groups has one effect.
        found.sort_by(|a, b| (&a.project, &a.name, a.role).cmp(&(&b.project, &b.name, b.role)));
        found.dedup();
    }
    Ok((found, has_more))
}

/// The roles that one row gives.
fn given(row: Row) -> Vec<Assignment> {
    let roles = match row.tenant {
        Some(_) => of_tenant_role(&row.role),
        None => &[ADMIN],
    };
    let assignment = |role: &&'static str| Assignment {
        is_of_group: row.is_of_group,
        id: row.id.to_string(),
        name: row.name.clone(),
        role,
        project: row.tenant.clone(),
    };
    roles.iter().map(assignment).collect()
}

/// The statements whose rows fit, and their values.
fn parts(filter: &Filter<'_>, values: &mut Vec<Value>) -> Vec<String> {
    let mut parts = Vec::new();
    let (in_tenants, in_system) = match filter.place {
        None => (true, true),
        Some(Place::Project(_)) => (true, false),
        Some(Place::System) => (false, true),
        Some(Place::Domain) => (false, false),
    };
    if in_tenants {
        parts.push((
            "0 as is_of_group, u.id, u.username as name, m.tenant_name as tenant, m.role",
            "tenant_users m join users u on u.id = m.user_id where 1",
        ));
        parts.push(match filter.is_effective {
            false => (
                "1 as is_of_group, g.id, g.name, m.tenant_name as tenant, m.role",
                "tenant_groups m join user_groups g on g.id = m.group_id where 1",
            ),
            true => (
                "0 as is_of_group, u.id, u.username as name, m.tenant_name as tenant, m.role",
                "tenant_groups m join group_users p on p.group_id = m.group_id
                     join users u on u.id = p.user_id where 1",
            ),
        });
    }
    if in_system {
        parts.push((
            "0 as is_of_group, u.id, u.username as name, null as tenant, u.role",
            "users u where u.role = 'sys_admin'",
        ));
        parts.push(match filter.is_effective {
            false => (
                "1 as is_of_group, g.id, g.name, null as tenant, g.role",
                "user_groups g where g.role = 'sys_admin'",
            ),
            true => (
                "0 as is_of_group, u.id, u.username as name, null as tenant, g.role",
                "user_groups g join group_users p on p.group_id = g.id
                     join users u on u.id = p.user_id where g.role = 'sys_admin'",
            ),
        });
    }
    let mut place = |value: Value| {
        values.push(value);
        format!("?{}", values.len())
    };
    let tenant = match filter.place {
        Some(Place::Project(project)) => format!(" and m.tenant_name = {}", place(project.into())),
        _ => String::new(),
    };
    // An id that is no number is nobody's.
    let user = filter.user.map(|id| place(number(id).into()));
    let group = filter.group.map(|id| place(number(id).into()));
    let mut statements = Vec::new();
    for (columns, from) in parts {
        let is_of_group = columns.starts_with('1');
        let mine = match (&user, &group, is_of_group) {
            (Some(_), _, true) | (_, Some(_), false) => continue,
            (Some(user), _, false) => format!(" and u.id = {user}"),
            (_, Some(group), true) => format!(" and g.id = {group}"),
            (None, None, _) => String::new(),
        };
        statements.push(format!("select {columns} from {from}{tenant}{mine}"));
    }
    statements
}
