//! Tenants: who works together, and apart from whom.

use windlass_core::db::Db;
use windlass_core::list::{self, Field, ListQuery, Page, Resource, concat};
use windlass_core::{Permission, Result, Scope, params};

const TABLE: &str = "(select *, id as key from tenants) t";

/// The message broker's account of a tenant: there is no broker.
const BROKER: [Field; 3] = [
    Field::text("rabbitmq_username", "null"),
    Field::text("rabbitmq_password", "null"),
    Field::text("rabbitmq_vhost", "null"),
];

static FIELDS: [Field; 7] = concat(
    &[
        Field::text("name", "t.name"),
        Field::integer("groups", "0"),
        Field::integer(
            "users",
            "(select count(*) from tenant_users m where m.tenant_name = t.name)",
        ),
        Field::json("user_roles", "null"),
    ],
    &BROKER,
);

static DETAILED_FIELDS: [Field; 7] = concat(
    &[
        Field::text("name", "t.name"),
        Field::json("groups", "json_object()"),
        Field::json(
            "users",
            "(select json_group_object(u.username,
                  json_object('tenant-role', m.role, 'roles', json_array(m.role)))
              from tenant_users m join users u on u.id = m.user_id where m.tenant_name = t.name)",
        ),
        Field::json(
            "user_roles",
            "(select json_object('direct', json_group_object(u.username, m.role),
                  'groups', json_object())
              from tenant_users m join users u on u.id = m.user_id where m.tenant_name = t.name)",
        ),
    ],
    &BROKER,
);

/// Tenants, with numbers where their details are many.
pub static TENANTS: Resource = Resource {
    name: "Tenant",
    table: TABLE,
    fields: &FIELDS,
    search: Some("t.name"),
    of_tenant: false,
};

/// Tenants with their details, as `_get_data` asks for.
pub static DETAILED_TENANTS: Resource = Resource {
    fields: &DETAILED_FIELDS,
    ..TENANTS
};

/// One page: all tenants for who works in all, else those the caller is in.
pub async fn list(
    db: &impl Db,
    scope: &Scope,
    resource: &Resource,
    mut query: ListQuery,
) -> Result<Page> {
    let caller = scope.caller()?;
    if !caller.holds(Permission::AllTenants) {
        query.and(
            "t.name in (select tenant_name from tenant_users where user_id = {})",
            [caller.user_id.into()],
        );
    }
    list::page(db, &resource.page_statement(scope, &query)).await
}

/// Whether there is a tenant of this name.
pub async fn exists(db: &impl Db, name: &str) -> Result<bool> {
    let row = db
        .first("select 1 from tenants where name = ?1", params![name])
        .await?;
    Ok(row.is_some())
}

#[cfg(test)]
#[path = "tenants/tests.rs"]
mod tests;
