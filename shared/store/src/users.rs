//! Users: who can log in, and what they are in which tenants.

use windlass_core::list::{Field, Resource, concat};

const TABLE: &str = "(select *, id as key from users) t";

/// What a user's resource begins with.
const HEAD: [Field; 3] = [
    Field::text("username", "t.username"),
    Field::text("role", "t.role"),
    Field::json("group_system_roles", "'{}'"),
];

/// What it ends with.
const TAIL: [Field; 7] = [
    Field::boolean("active", "t.active"),
    Field::boolean(
        "is_locked",
        "(t.failed_logins > coalesce((select cast(value as integer) from config
              where scope = 'rest' and name = 'failed_logins_before_account_lock'), 4)
          and coalesce(t.last_failed_login_at, '') > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-'
              || coalesce((select cast(value as integer) from config
                  where scope = 'rest' and name = 'account_lock_period'), 30) || ' minutes'))",
    ),
    Field::text("first_login_at", "t.first_login_at"),
    Field::text("last_login_at", "t.last_login_at"),
    Field::text("created_at", "t.created_at"),
    Field::boolean("show_getting_started", "t.show_getting_started"),
    Field::text("password_hash", "null"),
];

static FIELDS: [Field; 13] = concat(
    &HEAD,
    &concat::<10>(
        &[
            Field::integer(
                "tenants",
                "(select count(*) from tenant_users m where m.user_id = t.id)",
            ),
            Field::json("tenant_roles", "null"),
            Field::integer("groups", "0"),
        ],
        &TAIL,
    ),
);

static DETAILED_FIELDS: [Field; 13] = concat(
    &HEAD,
    &concat::<10>(
        &[
            Field::json(
                "tenants",
                "(select json_group_object(m.tenant_name,
                      json_object('tenant-role', m.role, 'roles', json_array(m.role)))
                  from tenant_users m where m.user_id = t.id)",
            ),
            Field::json(
                "tenant_roles",
                "(select json_object('direct', json_group_object(m.tenant_name, m.role),
                      'groups', json_object())
                  from tenant_users m where m.user_id = t.id)",
            ),
            Field::json("groups", "json_array()"),
        ],
        &TAIL,
    ),
);

/// Users, with numbers where their details are many.
pub static USERS: Resource = Resource {
    name: "User",
    table: TABLE,
    fields: &FIELDS,
    search: Some("t.username"),
    of_tenant: false,
};

/// Users with their details, as `_get_data` asks for.
pub static DETAILED_USERS: Resource = Resource {
    fields: &DETAILED_FIELDS,
    ..USERS
};
