use super::*;
use crate::users::{DETAILED_USERS, USERS};
use serde_json::{Value, json};
use std::rc::Rc;
use windlass_core::Timestamp;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::NativeDb;
use windlass_core::permission::PermissionSet;

async fn harbour() -> NativeDb {
    let db = crate::fresh_database().await;
    for sql in [
        "insert into users (id, username, password_hash, role, created_at)
         values (7, 'ann', '-', 'default', '2024-01-01T00:00:00.000Z')",
        "insert into tenants (name, created_at) values ('harbour', '2024'), ('quay', '2024')",
        "insert into tenant_users (tenant_name, user_id, role) values ('harbour', 7, 'manager')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    db
}

fn scope(user_id: i64, all_tenants: bool) -> Scope {
    let permissions = all_tenants.then_some(Permission::AllTenants);
    let caller = Caller {
        user_id,
        username: "someone".into(),
        role: "default".into(),
        method: AuthMethod::Basic,
        system: permissions.into_iter().collect::<PermissionSet>(),
        tenants: Default::default(),
        execution_id: None,
    };
    Scope::of(Rc::new(caller), Reach::Nowhere, String::new())
}

async fn one(db: &NativeDb, resource: &Resource, condition: &str, value: &str) -> Value {
    let statement = resource.find_statement(&scope(7, false), None, condition, [value.into()]);
    let row = db.first(&statement.sql, &statement.parameters).await;
    row.unwrap().unwrap().json(0).unwrap()
}

#[test]
fn a_caller_lists_the_tenants_they_are_in_unless_they_work_in_all() {
    pollster::block_on(async {
        let db = harbour().await;
        for (scope, want) in [
            (scope(7, false), &["harbour"][..]),
            (scope(7, true), &["default_tenant", "harbour", "quay"]),
            (scope(8, false), &[]),
        ] {
            let page = list(&db, &scope, &TENANTS, ListQuery::everything())
                .await
                .unwrap();
            let items: Vec<Value> = page.parse().unwrap();
            let names: Vec<&str> = items
                .iter()
                .filter_map(|item| item["name"].as_str())
                .collect();
            assert_eq!(names, want);
        }
        assert!(exists(&db, &Scope::public(), "quay").await.unwrap());
        // Tenants, unlike users, are told apart by letter case.
        assert!(!exists(&db, &Scope::public(), "Quay").await.unwrap());
    });
}

#[test]
fn a_tenant_counts_its_users_or_names_them() {
    pollster::block_on(async {
        let db = harbour().await;
        let harbour = one(&db, &TENANTS, "t.name = {}", "harbour").await;
        assert_eq!(harbour["users"], 1);
        assert_eq!(harbour["user_roles"], Value::Null);
        let harbour = one(&db, &DETAILED_TENANTS, "t.name = {}", "harbour").await;
        assert_eq!(
            harbour["users"],
            json!({ "ann": { "tenant-role": "manager", "roles": ["manager"] } })
        );
        assert_eq!(
            harbour["user_roles"],
            json!({ "direct": { "ann": "manager" }, "groups": {} })
        );
        let quay = one(&db, &DETAILED_TENANTS, "t.name = {}", "quay").await;
        assert_eq!(quay["users"], json!({}));
        assert_eq!(quay["user_roles"], json!({ "direct": {}, "groups": {} }));
    });
}

#[test]
fn a_user_counts_their_tenants_or_names_them() {
    pollster::block_on(async {
        let db = harbour().await;
        let ann = one(&db, &USERS, "t.username = {}", "ANN").await;
        assert_eq!(ann["tenants"], 1);
        assert_eq!(
            (&ann["active"], &ann["is_locked"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(ann["password_hash"], Value::Null);
        let ann = one(&db, &DETAILED_USERS, "t.username = {}", "ann").await;
        assert_eq!(
            ann["tenants"],
            json!({ "harbour": { "tenant-role": "manager", "roles": ["manager"] } })
        );
        assert_eq!(ann["groups"], json!([]));
    });
}

#[test]
fn a_user_is_locked_for_as_long_as_the_setting_says() {
    pollster::block_on(async {
        let db = harbour().await;
        for (failures, minutes_ago, locked) in [(4, 0, false), (5, 29, true), (5, 31, false)] {
            let last = Timestamp::now().plus_seconds(-60 * minutes_ago);
            db.execute("delete from failed_logins", &[]).await.unwrap();
            for _ in 0..failures {
                db.execute(
                    "insert into failed_logins (address, username, at) values ('', 'ANN', ?1)",
                    params![last],
                )
                .await
                .unwrap();
            }
            let ann = one(&db, &USERS, "t.username = {}", "ann").await;
            assert_eq!(
                ann["is_locked"], locked,
                "{failures} failures, {minutes_ago} minutes ago"
            );
        }
    });
}

#[test]
fn tenants_are_found_and_listed_along_indexes() {
    pollster::block_on(async {
        let db = harbour().await;
        let find = TENANTS.find_statement(&scope(7, true), None, "t.name = {}", ["x".into()]);
        let plan = db
            .plan(&find.sql, &find.parameters)
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("sqlite_autoindex_tenants_1"), "{plan}");
        let page = TENANTS.page_statement(&scope(7, true), &ListQuery::everything());
        let plan = db
            .plan(&page.sql, &page.parameters)
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("tenant_users_by_tenant"), "{plan}");
        assert!(plan.contains("tenant_groups_by_tenant"), "{plan}");
        // Two: whoever is in a tenant through two groups, or from above too, counts once.
        assert_eq!(
            plan.matches("TEMP B-TREE FOR ORDER BY").count(),
            2,
            "{plan}"
        );
    });
}

#[test]
fn what_is_inherited_is_found_by_walking_along_indexes() {
    pollster::block_on(async {
        let db = harbour().await;
        for (sql, indexes) in [
            (
                inherited_by("?1"),
                [
                    "SEARCH i USING PRIMARY KEY (user_id=?)",
                    "SEARCH c USING INDEX tenants_by_parent (parent_name=?)",
                ],
            ),
            (
                heirs_of("?1"),
                [
                    "SEARCH i USING COVERING INDEX inherited_roles_by_tenant (tenant_name=?)",
                    "SEARCH c USING INDEX sqlite_autoindex_tenants_1 (name=?)",
                ],
            ),
        ] {
            let plan = db.plan(&sql, params!["x"]).await.unwrap().join("; ");
            for index in indexes {
                let words = index.replace("COVERING ", "");
                assert!(
                    plan.contains(index) || plan.contains(&words),
                    "{index}: {plan}"
                );
            }
        }
    });
}

#[test]
fn heirs_of_a_tenant_are_in_what_is_below_it() {
    pollster::block_on(async {
        let db = harbour().await;
        let sql = "update tenants set parent_name = 'harbour' where name = 'quay'";
        db.execute(sql, &[]).await.unwrap();
        let engine = Scope::engine();
        let heir = async || {
            let tenant = find(&db, &engine, "harbour").await.unwrap();
            find_member(&db, &engine, tenant, MemberKind::Heir, "ann")
                .await
                .unwrap()
        };
        db.transaction(async |tx| add_member(tx, &engine, &heir().await, "user").await)
            .await
            .unwrap();
        let heirs = format!("select json_quote(role) from ({})", heirs_of("?1"));
        for (tenant, want) in [("quay", &["user"][..]), ("harbour", &[])] {
            let roles: Vec<String> = db.json_rows(&heirs, params![tenant]).await.unwrap();
            assert_eq!(roles, want, "{tenant}");
        }
        let names = async || {
            let page = list(&db, &scope(7, false), &TENANTS, ListQuery::everything()).await;
            let items: Vec<Value> = page.unwrap().parse().unwrap();
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["harbour", "quay"]);
        let quay = one(&db, &DETAILED_TENANTS, "t.name = {}", "quay").await;
        assert_eq!(
            quay["users"],
            json!({ "ann": { "tenant-role": null, "roles": ["user"] } })
        );
        assert_eq!(one(&db, &TENANTS, "t.name = {}", "quay").await["users"], 1);
        let ann = one(&db, &DETAILED_USERS, "t.username = {}", "ann").await;
        assert_eq!(
            ann["tenants"],
            json!({ "harbour": { "tenant-role": "manager", "roles": ["manager"] },
                    "quay": { "tenant-role": null, "roles": ["user"] } })
        );
        assert_eq!(
            one(&db, &USERS, "t.username = {}", "ann").await["tenants"],
            2
        );
        db.transaction(async |tx| remove_member(tx, &engine, &heir().await).await)
            .await
            .unwrap();
        assert_eq!(names().await, ["harbour"]);
    });
}

#[test]
fn a_worker_that_was_seen_keeps_no_tenant() {
    pollster::block_on(async {
        let db = harbour().await;
        let queues = ["central_deployment_agent".to_owned()];
        let worker = ("north", &queues[..], None);
        let whose = Scope::system("ann", "quay");
        crate::agents::see_worker(&db, &whose, worker, Timestamp::now())
            .await
            .unwrap();
        let scope = scope(7, true);
        let quay = find(&db, &scope, "quay").await.unwrap();
        db.transaction(async |tx| delete(tx, &scope, &quay).await)
            .await
            .unwrap();
        assert!(find(&db, &scope, "quay").await.is_err());
    });
}
