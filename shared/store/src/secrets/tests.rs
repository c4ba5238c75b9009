use super::*;
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::list::ListQuery;
use windlass_core::{Request, params};

async fn plan(db: &NativeDb, sql: &str, values: &[Value]) -> String {
    db.plan(sql, values).await.unwrap().join("\n")
}

#[test]
fn lists_and_lookups_of_secrets_follow_indexes() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let scope = Scope::system("ann", "harbour");
        for (text, index) in [
            ("", "secrets_by_tenant"),
            ("_sort=created_at", "secrets_by_creation"),
            ("_sort=-updated_at", "secrets_by_update"),
            ("_sort=key", "sqlite_autoindex_secrets_1"),
            ("_search=pw", "secrets_by_tenant"),
            ("key=pw", "secrets"),
        ] {
            let request = Request::new(Method::GET, &format!("/secrets?{text}"));
            let query = ListQuery::parse(&SECRETS, &request, &[]).unwrap();
            let statement = SECRETS.page_statement(&scope, &query);
            let plan = plan(&db, &statement.sql, &statement.parameters).await;
            assert!(plan.contains(index), "{text}: {plan}");
            assert!(
                plan.contains("secrets_global") || text == "key=pw",
                "{text}: {plan}"
            );
            assert!(!plan.contains("SCAN t\n"), "{text}: {plan}");
        }
        for purpose in [Purpose::Show, Purpose::Run] {
            let (sql, values) = reading::reading_statement(&scope, "pw", purpose, None);
            let shown = plan(&db, &sql, &values).await;
            assert!(shown.contains("secrets_by_id (id=?)"), "{shown}");
            assert!(!shown.contains("SCAN t"), "{shown}");
        }
        let users = "select id from secrets where provider_key = ?1 limit 1";
        let shown = plan(&db, users, params![1]).await;
        assert!(shown.contains("secrets_by_provider"), "{shown}");
    });
}

#[test]
fn a_workflow_reads_what_is_hidden_and_nobody_elses_private_secrets() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        db.execute(
            "insert into tenants (name, created_at) values ('harbour', '')",
            &[],
        )
        .await
        .unwrap();
        for (id, creator, visibility, hidden) in [
            ("hidden", "bob", "tenant", 1),
            ("private", "bob", "private", 0),
            ("own", "ann", "private", 1),
        ] {
            db.execute(
                "insert into secrets (id, tenant_name, created_by, visibility, created_at,
                     updated_at, value, is_hidden_value) values (?1, 'harbour', ?2, ?3, '', '', 'v', ?4)",
                params![id, creator, visibility, hidden],
            )
            .await
            .unwrap();
        }
        let scope = Scope::system("ann", "harbour");
        for (id, is_read) in [
            ("hidden", true),
            ("private", false),
            ("own", true),
            ("none", false),
        ] {
            let found = read(&db, &scope, id, Purpose::Run, None).await.unwrap();
            assert_eq!(found.is_some(), is_read, "{id}");
        }
        let trail: Vec<String> = db
            .first_json(
                "select json_group_array(target_id) from audit_log where action = 'secret_get'",
                &[],
            )
            .await
            .unwrap()
            .unwrap();
        assert_eq!(trail, ["hidden", "own"]);
        let missing = missing(&db, &scope, &["none", "own", "x"]).await.unwrap();
        assert_eq!(missing, ["none", "x"]);
    });
}
