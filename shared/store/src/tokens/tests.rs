use super::*;
use std::rc::Rc;
use windlass_core::app::Identity as _;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::permission::PermissionSet;
use windlass_core::{Family, Request};

async fn fresh() -> NativeDb {
    let db = NativeDb::in_memory();
    crate::Identity::prepare(&db).await.unwrap();
    db.execute(
        "insert into users (id, username, password_hash, role, created_at)
         values (7, 'ann', '-', 'default', '2024-01-01T00:00:00.000Z')",
        &[],
    )
    .await
    .unwrap();
    db
}

fn scope(user_id: i64, username: &str, role: &str) -> Scope {
    let caller = Caller {
        user_id,
        username: username.into(),
        role: role.into(),
        method: AuthMethod::Basic,
        system: PermissionSet::default(),
        tenants: Default::default(),
        execution_id: None,
    };
    Scope::of(Rc::new(caller), Reach::Nowhere, "request".into())
}

async fn ids(db: &NativeDb, scope: &Scope, query: &str) -> Vec<String> {
    let request = Request::new(Method::GET, &format!("/tokens?{query}"));
    let query = ListQuery::parse(&TOKENS, &request, &[]).unwrap();
    let items: Vec<Value> = list(db, scope, query).await.unwrap().parse().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn version(db: &NativeDb) -> i64 {
    let row = db.first("select version from identity_version", &[]).await;
    row.unwrap().unwrap().integer(0).unwrap()
}

#[test]
fn a_token_is_shown_once_and_only_to_its_user() {
    pollster::block_on(async {
        let db = fresh().await;
        let (ann, admin) = (scope(7, "ann", "default"), scope(0, "admin", "sys_admin"));
        let made = insert(&db, &ann, Some("for the build"), None)
            .await
            .unwrap();
        let (id, value) = (
            made["id"].as_str().unwrap(),
            made["value"].as_str().unwrap(),
        );
        let parts: Vec<usize> = value.splitn(3, '-').map(str::len).collect();
        assert_eq!(parts, [4, 10, 40], "{value}");
        let secret = &value["ctok-".len() + 11..];
        let kept = db
            .first("select * from tokens", &[])
            .await
            .unwrap()
            .unwrap();
        assert!(!format!("{kept:?}").contains(secret));

        let found = find(&db, &ann, id).await.unwrap();
        assert_eq!(found["value"], MASK);
        assert_eq!(found["description"], "for the build");
        assert_eq!(found["role"], "default");
        let of_admin = insert(&db, &admin, None, None).await.unwrap();
        let of_admin = of_admin["id"].as_str().unwrap();
        let refusal = find(&db, &ann, of_admin).await.unwrap_err();
        assert_eq!(
            refusal.message(),
            format!("Could not find token {of_admin}")
        );
        assert!(delete(&db, &ann, of_admin).await.is_err());
        assert_eq!(ids(&db, &ann, "").await, [id]);
        assert_eq!(ids(&db, &admin, "_sort=-username").await, [id, of_admin]);
        assert_eq!(ids(&db, &admin, "username=ANN").await, [id]);
        delete(&db, &admin, id).await.unwrap();
        assert!(find(&db, &admin, id).await.is_err());
        let trail = db
            .first("select json_group_array(action) from audit_log", &[])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            trail.text(0).unwrap(),
            r#"["create_token","create_token","delete_token"]"#
        );
    });
}

#[test]
fn an_implicit_token_is_reused_for_an_hour_and_never_listed() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = scope(7, "ann", "default");
        let first = implicit(&db, &ann).await.unwrap();
        assert_eq!(implicit(&db, &ann).await.unwrap(), first);
        assert_ne!(
            implicit(&db, &scope(0, "admin", "sys_admin"))
                .await
                .unwrap(),
            first
        );
        assert!(ids(&db, &ann, "").await.is_empty());
        let request =
            Request::new(Method::GET, "/api/v3.1/user").header("authentication-token", &first);
        let found = crate::Identity::authenticate(&db, Family::Conductor, &request).await;
        assert_eq!(found.unwrap().caller.username, "ann");

        let hour_ago = Timestamp::now().plus_seconds(-IMPLICIT_REUSE);
        db.execute("update tokens set created_at = ?1", params![hour_ago])
            .await
            .unwrap();
        let second = implicit(&db, &ann).await.unwrap();
        assert_ne!(second, first);
        // A token that another key derived cannot be shown again.
        db.execute("update tokens set secret_hash = 'other'", &[])
            .await
            .unwrap();
        assert_ne!(implicit(&db, &ann).await.unwrap(), second);
    });
}

#[test]
fn making_a_token_sweeps_expired_ones_and_disturbs_nobody() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = scope(7, "ann", "default");
        let past = Timestamp::now().plus_seconds(-1);
        let future = Timestamp::now().plus_seconds(60);
        let expired = insert(&db, &ann, None, Some(past)).await.unwrap();
        let live = insert(&db, &ann, None, Some(future)).await.unwrap();
        let before = version(&db).await;
        insert(&db, &ann, None, None).await.unwrap();
        implicit(&db, &ann).await.unwrap();
        assert_eq!(version(&db).await, before);
        assert!(
            find(&db, &ann, expired["id"].as_str().unwrap())
                .await
                .is_err()
        );
        // Taking back a live one counts from the next request on.
        delete(&db, &ann, live["id"].as_str().unwrap())
            .await
            .unwrap();
        assert!(version(&db).await > before);
    });
}

#[test]
fn lookups_of_tokens_follow_indexes() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = scope(7, "ann", "default");
        let mut query = ListQuery::everything();
        query.and("t.user_id = {}", [7_i64.into()]);
        let statement = TOKENS.page_statement(&ann, &query);
        let find = TOKENS.find_statement(
            &ann,
            None,
            WITHIN_REACH,
            ["x".into(), 7_i64.into(), false.into()],
        );
        for (statement, index) in [
            (statement, "tokens_by_user"),
            (find, "sqlite_autoindex_tokens_1"),
        ] {
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.contains("SCAN k"), "{plan}");
        }
        let plan = db
            .plan(
                "select id, secret_hash from tokens where is_implicit = 1 and user_id = ?1
                 and created_at > ?2 order by created_at desc limit 1",
                params![7, "2024"],
            )
            .await
            .unwrap()
            .join("\n");
        assert!(
            plan.contains("tokens_implicit") && !plan.contains("TEMP"),
            "{plan}"
        );
    });
}
