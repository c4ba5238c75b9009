//! Users and tenants of a story, written into its database.
//!
//! A user's password is the administrator's: hashing one takes a while on purpose, and a copy of the
//! hash is as good.

use crate::windlass::Windlass;

/// Sees to it that the user exists, with this role in the system.
pub(crate) fn ensure_in_system(windlass: &Windlass, user: &str, role: &str) {
    windlass.admin().get("/status").expect(200);
    let sql = "insert into users (username, password_hash, role, created_at)
               select ?1, password_hash, ?2, created_at from users where id = 0
               on conflict do update set role = excluded.role";
    windlass
        .open_database()
        .execute(sql, [user, role])
        .unwrap_or_else(|error| panic!("{error} in {sql}"));
}

/// Sees to it that the tenant exists, and the user with this role in it.
pub(crate) fn ensure(windlass: &Windlass, user: &str, role: &str, tenant: &str) {
    // The first request makes the tables and the administrator.
    windlass.admin().get("/status").expect(200);
    let database = windlass.open_database();
    let now = "2024-05-06T07:08:09.123Z";
    let statements: [(&str, &[&dyn rusqlite::ToSql]); 3] = [
        (
            "insert into tenants (name, created_at) values (?1, ?2) on conflict do nothing",
            &[&tenant, &now],
        ),
        (
            "insert into users (username, password_hash, role, created_at)
             select ?1, password_hash, 'default', ?2 from users where id = 0 on conflict do nothing",
            &[&user, &now],
        ),
        (
            "insert into tenant_users (tenant_name, user_id, role)
             select ?1, id, ?2 from users where username = ?3
             on conflict do update set role = excluded.role",
            &[&tenant, &role, &user],
        ),
    ];
    for (sql, parameters) in statements {
        database
            .execute(sql, parameters)
            .unwrap_or_else(|error| panic!("{error} in {sql}"));
    }
}
