//! Who has which role where, as Keystone lists it.
//!
//! A role in a tenant gives one or two roles in the project; the administrator's counts in the whole
//! system. A user who is somewhere through a group is told as that group, and who is somewhere by a role
//! above as that role, unless effects are asked for.

use super::number;
use crate::project_roles::{ADMIN, of_tenant_role};
use serde::Deserialize;
use windlass_core::db::{Db, Value};
use windlass_core::{Result, Scope};
use windlass_store::tenants;

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
    /// Whether groups are told as the users in them, and what is inherited where it counts.
    pub is_effective: bool,
    /// Those alone that count in all that is below their project.
    pub is_inherited: bool,
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
    /// Whether it counts in all that is below the project, and not in itself.
    pub is_inherited: bool,
}

/// A role in a tenant or in the system, before it becomes roles of Keystone.
#[derive(Deserialize)]
struct Row {
    is_of_group: bool,
    is_inherited: bool,
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
        "select json_object('is_of_group', json(iif(is_of_group, 'true', 'false')),
             'is_inherited', json(iif(is_inherited, 'true', 'false')), 'id', id, 'name', name, 'tenant', tenant, 'role', role)
         from ({}) limit ?{}",
        parts.join(" union all "),
        values.len()
    );
    let mut rows: Vec<Row> = db.json_rows(&sql, &values).await?;
    let has_more = rows.len() > MOST_ASSIGNMENTS;
    rows.truncate(MOST_ASSIGNMENTS);
    // Not by the database: it would read and sort all of them for the first ones.
    rows.sort_by(|a, b| {
        let kind = |row: &Row| (row.is_of_group, row.is_inherited);
        (&a.tenant, kind(a), &a.name).cmp(&(&b.tenant, kind(b), &b.name))
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
        is_inherited: row.is_inherited,
    };
    roles.iter().map(assignment).collect()
}

/// Where rows come from: whether they are a group's, whether they count below their tenant, the columns that
/// name who has the role and where, and the rest of the statement.
struct Source {
    is_of_group: bool,
    is_inherited: bool,
    columns: &'static str,
    from: String,
}

impl Source {
    fn of_users(columns: &'static str, from: impl Into<String>) -> Self {
        Self {
            is_of_group: false,
            is_inherited: false,
            columns,
            from: from.into(),
        }
    }

    fn of_groups(columns: &'static str, from: impl Into<String>) -> Self {
        Self {
            is_of_group: true,
            ..Self::of_users(columns, from)
        }
    }
}

/// The columns of a user `u` with a membership `m`.
const USER_THERE: &str = "u.id, u.username as name, m.tenant_name as tenant, m.role";

/// The roles in tenants, with what groups and inheritance make of them if that is asked for.
fn in_tenants(filter: &Filter<'_>, user: Option<&str>, tenant: Option<&str>) -> Vec<Source> {
    let inherited = Source {
        is_inherited: true,
        ..Source::of_users(
            USER_THERE,
            "inherited_roles m join users u on u.id = m.user_id where 1",
        )
    };
    if filter.is_inherited {
        return vec![inherited];
    }
    let users = Source::of_users(
        USER_THERE,
        "tenant_users m join users u on u.id = m.user_id where 1",
    );
    if !filter.is_effective {
        let groups = Source::of_groups(
            "g.id, g.name, m.tenant_name as tenant, m.role",
            "tenant_groups m join user_groups g on g.id = m.group_id where 1",
        );
        return vec![users, groups, inherited];
    }
    let members = Source::of_users(
        USER_THERE,
        "tenant_groups m join group_users p on p.group_id = m.group_id
             join users u on u.id = p.user_id where 1",
    );
    let below = below(user, tenant);
    let from = format!("({below}) m cross join users u on u.id = m.user_id where 1");
    vec![users, members, Source::of_users(USER_THERE, from)]
}

/// Who is where by inheritance: a user, in a tenant, or everybody. Both are given as SQL.
fn below(user: Option<&str>, tenant: Option<&str>) -> String {
    match (user, tenant) {
        (Some(user), _) => format!(
            "select {user} as user_id, tenant_name, role from ({})",
            tenants::inherited_by(user)
        ),
        (None, Some(tenant)) => format!(
            "select user_id, {tenant} as tenant_name, role from ({})",
            tenants::heirs_of(tenant)
        ),
        (None, None) => "with recursive below (user_id, tenant_name, role) as (
                 select i.user_id, t.name, i.role from inherited_roles i
                     cross join tenants t on t.parent_name = i.tenant_name
                 union select b.user_id, t.name, b.role from below b
                     cross join tenants t on t.parent_name = b.tenant_name)
             select user_id, tenant_name, role from below"
            .to_owned(),
    }
}

/// The roles that count in the whole system.
fn in_system(filter: &Filter<'_>) -> [Source; 2] {
    let users = Source::of_users(
        "u.id, u.username as name, null as tenant, u.role",
        "users u where u.role = 'sys_admin'",
    );
    let groups = match filter.is_effective {
        false => Source::of_groups(
            "g.id, g.name, null as tenant, g.role",
            "user_groups g where g.role = 'sys_admin'",
        ),
        true => Source::of_users(
            "u.id, u.username as name, null as tenant, g.role",
            "user_groups g join group_users p on p.group_id = g.id
                 join users u on u.id = p.user_id where g.role = 'sys_admin'",
        ),
    };
    [users, groups]
}

/// The statements whose rows fit, and their values.
fn parts(filter: &Filter<'_>, values: &mut Vec<Value>) -> Vec<String> {
    let mut place = |value: Value| {
        values.push(value);
        format!("?{}", values.len())
    };
    let tenant = match filter.place {
        Some(Place::Project(project)) => Some(place(project.into())),
        _ => None,
    };
    // An id that is no number is nobody's.
    let user = filter.user.map(|id| place(number(id).into()));
    let group = filter.group.map(|id| place(number(id).into()));
    let mut sources = Vec::new();
    if matches!(filter.place, None | Some(Place::Project(_))) {
        sources.extend(in_tenants(filter, user.as_deref(), tenant.as_deref()));
    }
    if matches!(filter.place, None | Some(Place::System)) && !filter.is_inherited {
        sources.extend(in_system(filter));
    }
    let there = tenant.map_or_else(String::new, |tenant| {
        format!(" and m.tenant_name = {tenant}")
    });
    let mut statements = Vec::new();
    for source in sources {
        let mine = match (&user, &group, source.is_of_group) {
            (Some(_), _, true) | (_, Some(_), false) => continue,
            (Some(user), _, false) => format!(" and u.id = {user}"),
            (_, Some(group), true) => format!(" and g.id = {group}"),
            (None, None, _) => String::new(),
        };
        statements.push(format!(
            "select {} as is_of_group, {} as is_inherited, {} from {}{there}{mine}",
            u8::from(source.is_of_group),
            u8::from(source.is_inherited),
            source.columns,
            source.from
        ));
    }
    statements
}
