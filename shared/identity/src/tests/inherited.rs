//! What somebody is in tenants below one.

use super::*;

#[test]
fn a_role_above_counts_in_everything_below_and_not_where_it_was_given() {
    pollster::block_on(async {
        let (db, _) = fresh().await;
        for sql in [
            "insert into tenants (name, created_at) values ('port', '')",
            "insert into tenants (name, created_at, parent_name) values ('pier', '', 'port')",
            "insert into tenants (name, created_at, parent_name) values ('berth', '', 'pier')",
            "insert into users (id, username, password_hash, role, created_at)
             values (70, 'heir', '', 'default', '')",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let version = async || {
            let row = db.first("select version from identity_version", &[]).await;
            row.unwrap().unwrap().integer(0).unwrap()
        };
        let mut before = version().await;
        for (sql, want) in [
            (
                "insert into inherited_roles (tenant_name, user_id, role) values ('port', 70, 'viewer')",
                "berth:viewer pier:viewer",
            ),
            (
                "insert into inherited_roles (tenant_name, user_id, role) values ('pier', 70, 'manager')",
                "berth:manager+viewer pier:viewer",
            ),
            (
                "insert into tenant_users (tenant_name, user_id, role) values ('port', 70, 'user')",
                "berth:manager+viewer pier:viewer port:user",
            ),
            (
                "update inherited_roles set role = 'user' where tenant_name = 'pier'",
                "berth:user+viewer pier:viewer port:user",
            ),
            (
                "update tenants set parent_name = null where name = 'berth'",
                "pier:viewer port:user",
            ),
            ("delete from inherited_roles", "port:user"),
        ] {
            db.execute(sql, &[]).await.unwrap();
            let now = version().await;
            assert!(now > before, "instances forget what they knew: {sql}");
            before = now;
            let heir = caller(&db, 70, AuthMethod::Basic, None).await.unwrap();
            let shown = heir.tenants.iter().map(|(name, membership)| {
                let mut roles = membership.roles.clone();
                roles.sort();
                format!("{name}:{}", roles.join("+"))
            });
            assert_eq!(shown.collect::<Vec<_>>().join(" "), want, "{sql}");
        }
    });
}
