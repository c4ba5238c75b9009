use super::*;
use crate::permissions::{PERMISSIONS, RoleType, demand_role};
use crate::tenants::{Member, MemberKind};
use crate::user_groups::{self, DETAILED_USER_GROUPS, USER_GROUPS};
use windlass_core::db::NativeDb;
use windlass_core::list::ListQuery;

async fn fresh() -> (NativeDb, Scope) {
    let db = crate::fresh_database().await;
    (db, Scope::system("admin", ""))
}

fn named(username: &str) -> NewUser<'_> {
    NewUser {
        username,
        password_hash: "-".into(),
        role: "default",
        active: true,
        created_at: None,
        first_login_at: None,
        last_login_at: None,
    }
}

async fn version(db: &NativeDb) -> i64 {
    let row = db.first("select version from identity_version", &[]).await;
    row.unwrap().unwrap().integer(0).unwrap()
}

#[test]
fn whatever_changes_what_a_caller_may_do_changes_the_version() {
    pollster::block_on(async {
        let (db, scope) = fresh().await;
        insert(&db, &scope, &named("ann")).await.unwrap();
        crate::tenants::insert(&db, &scope, "harbour")
            .await
            .unwrap();
        user_groups::insert(&db, &scope, "deck", None, "default")
            .await
            .unwrap();
        let deck = Member {
            kind: MemberKind::Group,
            name: "deck",
            tenant: "harbour",
        };
        let mut before = version(&db).await;
        let mut changed = async |what: &str| {
            let now = version(&db).await;
            assert!(now > before, "{what}");
            before = now;
        };
        user_groups::add_user(&db, &scope, "deck", "ann")
            .await
            .unwrap();
        changed("a user in a group").await;
        crate::tenants::add_member(&db, &scope, deck, "viewer")
            .await
            .unwrap();
        changed("a group in a tenant").await;
        crate::tenants::set_member_role(&db, &scope, deck, "user")
            .await
            .unwrap();
        changed("another role of a group in a tenant").await;
        user_groups::set_role(&db, &scope, "deck", "sys_admin")
            .await
            .unwrap();
        changed("another role of a group").await;
        crate::tenants::remove_member(&db, &scope, deck)
            .await
            .unwrap();
        changed("a group out of a tenant").await;
        user_groups::remove_user(&db, &scope, "deck", "ann")
            .await
            .unwrap();
        changed("a user out of a group").await;
        user_groups::delete(&db, &scope, "deck").await.unwrap();
        changed("a group that is gone").await;
        crate::permissions::insert(&db, &scope, "viewer", "paint")
            .await
            .unwrap();
        changed("one more permission").await;
        crate::permissions::delete(&db, &scope, "viewer", "paint")
            .await
            .unwrap();
        changed("one permission less").await;
        set_active(&db, &scope, "ann", false).await.unwrap();
        changed("a user who is shut out").await;
        let changes = Changes {
            password_hash: Some("+".into()),
            ..Changes::default()
        };
        save(&db, &scope, "ann", &changes).await.unwrap();
        changed("another password").await;
        db.execute(
            "update users set failed_logins = 9 where username = 'ann'",
            &[],
        )
        .await
        .unwrap();
        changed("a locked user").await;
        unlock(&db, &scope, "ann").await.unwrap();
        changed("an unlocked user").await;
        delete(&db, &scope, "ann").await.unwrap();
        changed("a user who is gone").await;
    });
}

#[test]
fn a_role_is_of_one_type() {
    pollster::block_on(async {
        let (db, scope) = fresh().await;
        for (role, wanted, good) in [
            ("viewer", RoleType::Tenant, true),
            ("viewer", RoleType::System, false),
            ("sys_admin", RoleType::System, true),
            ("sys_admin", RoleType::Tenant, false),
            ("captain", RoleType::Tenant, false),
        ] {
            let answer = demand_role(&db, &scope, role, wanted).await;
            assert_eq!(answer.is_ok(), good, "{role} as {}", wanted.name());
        }
        assert!(!are_from_directory(&db).await.unwrap());
        demand_free(&db, &scope, "ann").await.unwrap();
        demand_free(&db, &scope, "ADMIN").await.unwrap_err();
    });
}

#[test]
fn what_a_tenant_or_a_user_can_own_is_known() {
    pollster::block_on(async {
        let (db, _) = fresh().await;
        // These belong to something that is looked at, or are removed with the tenant.
        let parts = [
            "nodes",
            "node_instances",
            "tasks_graphs",
            "operations",
            "events",
            "status_bindings",
        ];
        let rows = db
            .query(
                "select m.name from sqlite_master m where m.type = 'table'
                 and exists (select 1 from pragma_table_info(m.name) where name = 'tenant_name')
                 and exists (select 1 from pragma_table_info(m.name) where name = 'created_by')",
                &[],
            )
            .await
            .unwrap();
        for row in rows {
            let table = row.text(0).unwrap().to_owned();
            let known = crate::tenants::OWNED.contains(&table.as_str());
            assert!(
                known || parts.contains(&table.as_str()),
                "{table}: say in tenants::OWNED or here whether it keeps a tenant from being deleted"
            );
        }
    });
}

#[test]
fn lists_and_lookups_of_identity_follow_indexes() {
    pollster::block_on(async {
        let (db, scope) = fresh().await;
        for (resource, condition) in [
            (&USERS, "t.username = {}"),
            (&DETAILED_USERS, "t.username = {}"),
            (&USER_GROUPS, "t.name = {}"),
            (&DETAILED_USER_GROUPS, "t.name = {}"),
            (&crate::tenants::TENANTS, "t.name = {}"),
            (&crate::tenants::DETAILED_TENANTS, "t.name = {}"),
        ] {
            let find = resource.find_statement(&scope, None, condition, ["x".into()]);
            let plan = db
                .plan(&find.sql, &find.parameters)
                .await
                .unwrap()
                .join("\n");
            for table in [
                "tenant_users",
                "tenant_groups",
                "group_users",
                "users",
                "user_groups",
            ] {
                for alias in ["m", "g", "u", "p", "t", table] {
                    assert!(!plan.contains(&format!("SCAN {alias}\n")), "{plan}");
                }
            }
            let page = resource.page_statement(&scope, &ListQuery::everything());
            let plan = db
                .plan(&page.sql, &page.parameters)
                .await
                .unwrap()
                .join("\n");
            for alias in ["m", "g", "u"] {
                assert!(!plan.contains(&format!("SCAN {alias}\n")), "{plan}");
            }
        }
        let page = PERMISSIONS.page_statement(&scope, &ListQuery::everything());
        let plan = db
            .plan(&page.sql, &page.parameters)
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("AUTOMATIC"), "{plan}");
        for column in ["tenant_name", "created_by"] {
            for table in crate::tenants::OWNED {
                let sql = format!("select 1 from {table} where {column} = ?1");
                let plan = db.plan(&sql, params!["x"]).await.unwrap().join("\n");
                assert!(plan.contains("INDEX"), "{plan}");
            }
        }
    });
}
