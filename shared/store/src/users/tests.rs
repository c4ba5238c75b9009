use super::*;
use crate::permissions::{self, PERMISSIONS, RoleType, demand_role};
use crate::tenants::MemberKind;
use crate::user_groups::{self, DETAILED_USER_GROUPS, USER_GROUPS};
use windlass_core::Kind;
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
        db.transaction(async |tx| {
            insert(tx, &scope, &named("ann")).await?;
            tenants::insert(tx, &scope, "harbour").await?;
            user_groups::insert(tx, &scope, "deck", None, "default").await
        })
        .await
        .unwrap();
        let deck = async || user_groups::find(&db, &scope, "deck").await.unwrap();
        let place = async || {
            let place = user_groups::find_place(&db, &scope, "deck", "ANN").await;
            place.unwrap()
        };
        let member = async || {
            let harbour = tenants::find(&db, &scope, "harbour").await.unwrap();
            let kind = MemberKind::Group;
            let member = tenants::find_member(&db, &scope, harbour, kind, "deck").await;
            member.unwrap()
        };
        let viewer = permissions::find_role(&db, &scope, "viewer").await.unwrap();
        let ann = async || find(&db, &scope, "ann").await.unwrap();
        let mut before = version(&db).await;
        macro_rules! changes {
            ($what:literal, $tx:ident, $work:expr) => {
                db.transaction(async |$tx| $work.await).await.unwrap();
                let now = version(&db).await;
                assert!(now > before, $what);
                before = now;
            };
        }
        let found = place().await;
        changes!(
            "a user in a group",
            tx,
            user_groups::add_user(tx, &scope, &found)
        );
        let found = member().await;
        changes!(
            "a group in a tenant",
            tx,
            tenants::add_member(tx, &scope, &found, "viewer")
        );
        let found = member().await;
        changes!(
            "another role of a group in a tenant",
            tx,
            tenants::set_member_role(tx, &scope, &found, "user")
        );
        let found = deck().await;
        changes!(
            "another role of a group",
            tx,
            user_groups::set_role(tx, &scope, &found, "sys_admin")
        );
        let found = member().await;
        changes!(
            "a group out of a tenant",
            tx,
            tenants::remove_member(tx, &scope, &found)
        );
        let found = place().await;
        changes!(
            "a user out of a group",
            tx,
            user_groups::remove_user(tx, &scope, &found)
        );
        let found = deck().await;
        changes!(
            "a group that is gone",
            tx,
            user_groups::delete(tx, &scope, &found)
        );
        changes!(
            "one more permission",
            tx,
            permissions::insert(tx, &scope, &viewer, "paint")
        );
        changes!(
            "one permission less",
            tx,
            permissions::delete(tx, &scope, &viewer, "paint")
        );
        let found = ann().await;
        changes!(
            "a user who is shut out",
            tx,
            set_active(tx, &scope, &found, false)
        );
        let other_password = Changes {
            password_hash: Some("+".into()),
            ..Changes::default()
        };
        let found = ann().await;
        changes!(
            "another password",
            tx,
            save(tx, &scope, &found, &other_password)
        );
        changes!("a user who is gone", tx, delete(tx, &scope, &found));
        assert!(before > 0);
    });
}

#[test]
fn a_creator_is_a_user_that_there_is() {
    pollster::block_on(async {
        let (db, scope) = fresh().await;
        assert_eq!(creator(&db, &scope, "ADMIN").await.unwrap(), "admin");
        let refusal = creator(&db, &scope, "zoe").await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::BadParameters);
        assert_eq!(refusal.message(), "User zoe does not exist.");
        assert!(has_first_administrator(&db).await.unwrap());
    });
}

#[test]
fn the_places_of_a_user_in_a_directorys_groups_are_known() {
    pollster::block_on(async {
        let (db, scope) = fresh().await;
        db.transaction(async |tx| {
            user_groups::insert(tx, &scope, "deck", Some("cn=deck"), "default").await?;
            user_groups::insert(tx, &scope, "hold", Some("cn=hold"), "default").await?;
            user_groups::insert(tx, &scope, "ours", None, "default").await?;
            let place = user_groups::find_place(tx, &scope, "hold", "admin").await?;
            user_groups::add_user(tx, &scope, &place).await
        })
        .await
        .unwrap();
        let admin = find(&db, &scope, "admin").await.unwrap();
        let places = user_groups::directory_places(&db, &scope, &admin).await;
        let places: Vec<(String, bool)> = places
            .unwrap()
            .into_iter()
            .map(|place| (place.group.ldap_dn, place.is_taken))
            .collect();
        assert_eq!(
            places,
            [("cn=deck".into(), false), ("cn=hold".into(), true)]
        );
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
        assert!(!are_from_directory(&db, &scope).await.unwrap());
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
            "agents",
            "nodes",
            "node_instances",
            "tasks_graphs",
            "operations",
            "status_bindings",
            "row_counts",
            "execution_groups",
            "inter_deployment_dependencies",
            "log_bundles",
            "deployment_modifications",
            "deployment_updates",
            "plugins_updates",
            "shell_steps",
            "workflow_leases",
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
            (&USERS, BY_NAME),
            (&DETAILED_USERS, BY_NAME),
            (&USER_GROUPS, user_groups::BY_NAME),
            (&DETAILED_USER_GROUPS, user_groups::BY_NAME),
            (&tenants::TENANTS, tenants::BY_NAME),
            (&tenants::DETAILED_TENANTS, tenants::BY_NAME),
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
        let mut looked_at = vec![RUNS_PIPELINES.to_owned()];
        for column in ["tenant_name", "created_by"] {
            for table in crate::tenants::OWNED {
                looked_at.push(format!("select 1 from {table} where {column} = ?1"));
            }
        }
        for (_, table) in crate::tenants::DIRECTORY {
            looked_at.push(format!("select 1 from {table} where tenant_name = ?1"));
        }
        for sql in looked_at {
            let plan = db.plan(&sql, params!["x"]).await.unwrap().join("\n");
            assert!(plan.contains("INDEX"), "{plan}");
        }
    });
}
