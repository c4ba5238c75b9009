//! How lists show users: their fields, with numbers or with details.

use crate::counts;
use crate::tenants::inherited::inherited_by_sql;
use windlass_core::list::{Field, Resource, Search};

const TABLE: &str = "(select *, id as key from users) t";

const TENANTS: Field = Field::integer(
    "tenants",
    concat!(
        "(select count(*) from (
          select m.tenant_name from tenant_users m where m.user_id = t.id
          union select g.tenant_name from group_users m
              join tenant_groups g on g.group_id = m.group_id where m.user_id = t.id
          union select tenant_name from (",
        inherited_by_sql!("t.id"),
        ")))"
    ),
);

const DETAILED_TENANTS: Field = Field::json(
    "tenants",
    concat!(
        "(select json_group_object(tenant_name, json_object('tenant-role', direct, 'roles', json(roles)))
      from (select tenant_name, max(direct) as direct, json_group_array(role) as roles from (
          select tenant_name, role, max(direct) as direct from (
              select m.tenant_name, m.role, m.role as direct from tenant_users m where m.user_id = t.id
              union all select g.tenant_name, g.role, null from group_users m
                  join tenant_groups g on g.group_id = m.group_id where m.user_id = t.id
              union all select tenant_name, role, null from (",
        inherited_by_sql!("t.id"),
        "))
          group by tenant_name, role order by tenant_name, role) group by tenant_name))"
    ),
);

const TENANT_ROLES: Field = Field::json(
    "tenant_roles",
    "json_object(
      'direct', (select json_group_object(tenant_name, role) from (
          select m.tenant_name, m.role from tenant_users m where m.user_id = t.id order by 1)),
      'groups', (select json_group_object(tenant_name, json(roles)) from (
          select tenant_name, json_group_object(role, json(names)) as roles from (
              select g.tenant_name, g.role, json_group_array(u.name) as names from group_users m
              join tenant_groups g on g.group_id = m.group_id join user_groups u on u.id = m.group_id
              where m.user_id = t.id group by g.tenant_name, g.role) group by tenant_name)))",
);

const GROUPS: Field = Field::integer(
    "groups",
    "(select count(*) from group_users m where m.user_id = t.id)",
);

const DETAILED_GROUPS: Field = Field::json(
    "groups",
    "(select json_group_array(name) from (select g.name from group_users m
          join user_groups g on g.id = m.group_id where m.user_id = t.id order by g.name))",
);

/// The fields of a user, of which some are numbers or details, and one is for few.
const fn fields(tenants: Field, roles: Field, groups: Field, hash: &'static str) -> [Field; 13] {
    [
        Field::text("username", "t.username"),
        Field::text("role", "t.role"),
        Field::json(
            "group_system_roles",
            "(select json_group_object(role, json(names)) from (
                  select g.role, json_group_array(g.name) as names from group_users m
                  join user_groups g on g.id = m.group_id where m.user_id = t.id group by g.role))",
        ),
        tenants,
        roles,
        groups,
        Field::boolean("active", "t.active"),
        // The rule of `locks`: some address is held off, or all strange ones are.
        Field::boolean(
            "is_locked",
            "(select coalesce(max(here) > most, 0) or coalesce(sum(here) > most * 20, 0) from (
                  select count(*) as here, coalesce((select cast(value as integer) from config
                      where scope = 'rest' and name = 'failed_logins_before_account_lock'), 4) as most
                  from failed_logins f where f.username = t.username
                      and f.at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-'
                          || coalesce((select cast(value as integer) from config
                              where scope = 'rest' and name = 'account_lock_period'), 30) || ' minutes')
                  group by f.address))",
        ),
        Field::text("first_login_at", "t.first_login_at"),
        Field::text("last_login_at", "t.last_login_at"),
        Field::text("created_at", "t.created_at"),
        Field::boolean("show_getting_started", "t.show_getting_started"),
        Field::text("password_hash", hash),
    ]
}

const NO_ROLES: Field = Field::json("tenant_roles", "null");

static PLAIN: [Field; 13] = fields(TENANTS, NO_ROLES, GROUPS, "null");
static WITH_HASH: [Field; 13] = fields(TENANTS, NO_ROLES, GROUPS, "t.password_hash");
static DETAILED: [Field; 13] = fields(DETAILED_TENANTS, TENANT_ROLES, DETAILED_GROUPS, "null");
static DETAILED_WITH_HASH: [Field; 13] = fields(
    DETAILED_TENANTS,
    TENANT_ROLES,
    DETAILED_GROUPS,
    "t.password_hash",
);

/// The condition that finds the user of a name, in any case of its letters.
pub const BY_NAME: &str = "t.username = {}";

/// Users, with numbers where their details are many.
pub static USERS: Resource = Resource {
    name: "User",
    table: TABLE,
    fields: &PLAIN,
    search: Some(Search::scan("t.username")),
    of_tenant: false,
    counts: &[&counts::USERS],
};

/// Users with their details, as `_get_data` asks for.
pub static DETAILED_USERS: Resource = Resource {
    fields: &DETAILED,
    ..USERS
};

/// [`USERS`] with the hashes of their passwords, for who may have those.
pub static USERS_WITH_HASH: Resource = Resource {
    fields: &WITH_HASH,
    ..USERS
};

/// [`DETAILED_USERS`] with the hashes of their passwords.
pub static DETAILED_USERS_WITH_HASH: Resource = Resource {
    fields: &DETAILED_WITH_HASH,
    ..USERS
};
