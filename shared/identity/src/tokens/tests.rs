use super::*;
use std::rc::Rc;
use windlass_core::app::Identity as _;
use windlass_core::caller::{AuthMethod, Caller, Reach, UserToken};
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
    Scope::of(Rc::new(caller), Reach::Nowhere, String::from("request"))
}

fn described(description: &str) -> NewToken<'_> {
    NewToken {
        description: Some(description),
        ..NewToken::default()
    }
}

fn until(end: Timestamp) -> NewToken<'static> {
    NewToken {
        expiration: Some(end),
        ..NewToken::default()
    }
}

/// The same caller, who shows a token instead of a password.
fn by_token(scope: &Scope, token: UserToken) -> Scope {
    let caller = Caller {
        method: AuthMethod::Token(token),
        ..scope.caller().unwrap().clone()
    };
    Scope::of(Rc::new(caller), Reach::Nowhere, String::from("request"))
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

async fn make(db: &NativeDb, scope: &Scope, token: NewToken<'_>) -> Result<Value> {
    db.transaction(async |tx| insert(tx, scope, token).await)
        .await
}

async fn remove(db: &NativeDb, scope: &Scope, id: &str) -> Result<()> {
    db.transaction(async |tx| {
        let token = find(tx, scope, id).await?;
        delete(tx, scope, &token).await
    })
    .await
}

#[test]
fn a_token_is_shown_once_and_only_to_its_user() {
    pollster::block_on(async {
        let db = fresh().await;
        let (ann, admin) = (scope(7, "ann", "default"), scope(0, "admin", "sys_admin"));
        let made = make(&db, &ann, described("for the build")).await.unwrap();
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

        let found = find(&db, &ann, id).await.unwrap().into_json();
        assert_eq!(found["value"], windlass_store::config::MASK);
        assert_eq!(found["description"], "for the build");
        assert_eq!(found["role"], "default");
        let of_admin = make(&db, &admin, NewToken::default()).await.unwrap();
        let of_admin = of_admin["id"].as_str().unwrap();
        let refusal = find(&db, &ann, of_admin).await.unwrap_err();
        assert_eq!(
            refusal.message(),
            format!("Could not find token {of_admin}")
        );
        assert!(remove(&db, &ann, of_admin).await.is_err());
        assert_eq!(ids(&db, &ann, "").await, [id]);
        assert_eq!(ids(&db, &admin, "_sort=-username").await, [id, of_admin]);
        assert_eq!(ids(&db, &admin, "username=ANN").await, [id]);
        remove(&db, &admin, id).await.unwrap();
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
        let expired = make(&db, &ann, until(past)).await.unwrap();
        let live = make(&db, &ann, until(future)).await.unwrap();
        let before = version(&db).await;
        make(&db, &ann, NewToken::default()).await.unwrap();
        implicit(&db, &ann).await.unwrap();
        assert_eq!(version(&db).await, before);
        assert!(
            find(&db, &ann, expired["id"].as_str().unwrap())
                .await
                .is_err()
        );
        // Taking back a live one counts from the next request on.
        remove(&db, &ann, live["id"].as_str().unwrap())
            .await
            .unwrap();
        assert!(version(&db).await > before);
    });
}

#[test]
fn a_token_makes_no_more_than_itself_and_an_execution_makes_none() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = scope(7, "ann", "default");
        let soon = Timestamp::now().plus_seconds(60);
        let later = soon.plus_seconds(60);
        let (free, api) = (TokenScopes::UNRESTRICTED, TokenScopes::from_names(&["api"]));
        let key = 1;
        make(&db, &ann, NewToken::default()).await.unwrap();
        for (until, scopes, expiration, wanted, want) in [
            (None, free, None, free, Ok(None)),
            (None, free, Some(soon), api, Ok(Some(soon))),
            (Some(soon), free, None, free, Ok(Some(soon))),
            (Some(soon), free, Some(later), free, Ok(Some(soon))),
            (Some(later), api, Some(soon), api, Ok(Some(soon))),
            (None, api, None, free, Err(Kind::Forbidden)),
            (
                None,
                api,
                None,
                TokenScopes::from_names(&["api", "conductor"]),
                Err(Kind::Forbidden),
            ),
        ] {
            let row = format!("{until:?} {scopes:?}: {expiration:?} {wanted:?}");
            let maker = by_token(&ann, UserToken { key, until, scopes });
            let wish = NewToken {
                expiration,
                scopes: wanted,
                ..NewToken::default()
            };
            let made = make(&db, &maker, wish).await;
            let made = made.map(|made| made["expiration_date"].clone());
            let made = made.map_err(|refusal| refusal.kind());
            assert_eq!(made, want.map(|end| json!(end)), "{row}");
        }
        let execution = Scope::system("ann", "");
        let refusal = make(&db, &execution, NewToken::default())
            .await
            .unwrap_err();
        assert_eq!(refusal.message(), "An execution cannot create tokens");
        let id = ids(&db, &ann, "").await.remove(0);
        let refusal = remove(&db, &execution, &id).await.unwrap_err();
        assert_eq!(refusal.message(), "An execution cannot delete tokens");
        // With the first one goes what it made.
        remove(&db, &ann, &id).await.unwrap();
        assert!(ids(&db, &ann, "").await.is_empty());
        let plan = db
            .plan(
                "select t.id from tokens m join tokens t on t.made_with = m.key where m.id = ?1",
                params!["x"],
            )
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("tokens_by_maker"), "{plan}");
    });
}

/// SQLite removes a thousand levels of what hangs together. With a longer chain of tokens a user could
/// not be deleted.
#[test]
fn tokens_that_were_made_one_with_another_can_be_taken_back() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = scope(7, "ann", "default");
        let mut maker = ann.clone();
        let mut made = 0;
        let refusal = loop {
            if let Err(refusal) = make(&db, &maker, NewToken::default()).await {
                break refusal;
            }
            made += 1;
            assert!(made <= 1000, "nobody ends this chain");
            let row = db.first("select max(key) from tokens", &[]).await;
            let shown = UserToken {
                key: row.unwrap().unwrap().integer(0).unwrap(),
                ..UserToken::default()
            };
            maker = by_token(&ann, shown);
        };
        assert_eq!(made, LONGEST_CHAIN);
        assert_eq!(
            refusal.message(),
            "This token is the last of 100 that were made one with another: use the password to make more"
        );
        db.execute("delete from users where id = 7", &[])
            .await
            .unwrap();
        let left = db.first("select count(*) from tokens", &[]).await;
        assert_eq!(left.unwrap().unwrap().integer(0).unwrap(), 0);
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
        for (sql, parameters, index) in [
            (statement.sql, statement.parameters, "tokens_by_user"),
            (find.sql, find.parameters, "sqlite_autoindex_tokens_1"),
        ] {
            let plan = db.plan(&sql, &parameters).await.unwrap().join("\n");
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

#[test]
fn the_total_of_everybodys_tokens_is_one_number() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = scope(7, "ann", "default");
        for _ in 0..3 {
            make(&db, &ann, NewToken::default()).await.unwrap();
        }
        for (of_user, numbers, total) in [(None, "all_tokens", 3), (Some(8_i64), "tokens", 0)] {
            let mut query = ListQuery::everything();
            query.and("t.is_implicit = 0", []);
            if let Some(user) = of_user {
                query.and("t.user_id = {}", [user.into()]);
            }
            let statement = TOKENS.page_statement(&ann, &query);
            let reads = format!("from row_counts where counts = '{numbers}'");
            assert!(statement.sql.contains(&reads), "{}", statement.sql);
            let page = TOKENS.page(&db, &ann, &query).await.unwrap();
            assert_eq!(page.total, Some(total));
        }
    });
}

#[test]
fn a_signed_token_names_its_user_and_ends_with_its_row() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = scope(7, "ann", "default");
        let wish = NewToken {
            scopes: TokenScopes::from_names(&["api"]),
            format: Format::Signed,
            ..NewToken::default()
        };
        let made = make(&db, &ann, wish.clone()).await.unwrap();
        let (id, value) = (
            made["id"].as_str().unwrap(),
            made["value"].as_str().unwrap(),
        );
        let claims = jwt::verify(&token_signing_key().await.unwrap(), value).unwrap();
        for (claim, want) in [
            ("userName", "ann"),
            ("userId", "7"),
            ("scope", "api"),
            ("tokenId", id),
            ("owner", "windlass"),
        ] {
            assert_eq!(claims[claim], want, "{claim}");
        }
        let end = made["expiration_date"].as_str().unwrap();
        assert!(end.ends_with(".000Z"), "{end}");
        let found = find(&db, &ann, id).await.unwrap().into_json();
        assert_eq!(found["expiration_date"], end);
        assert_eq!(found["scopes"], json!(["api"]));
        assert_eq!(found["value"], windlass_store::config::MASK);

        let recognised = async |value: &str| {
            let request = Request::new(Method::GET, "/").header("authorization", value);
            crate::Families::authenticate(&db, Family::Opsera, &request).await
        };
        assert_eq!(recognised(value).await.unwrap().caller.username, "ann");
        // Signed by us, with the same claims, but another text than the row was made for.
        let now = Timestamp::now();
        let key = token_signing_key().await.unwrap();
        let twin = jwt::sign(&key, claims, now, now.plus_seconds(60)).unwrap();
        assert!(recognised(&twin).await.is_err());
        remove(&db, &ann, id).await.unwrap();
        assert!(recognised(value).await.is_err());
    });
}

#[test]
fn a_token_is_bound_to_no_tenant_that_its_user_is_not_in() {
    pollster::block_on(async {
        let db = fresh().await;
        let bound = |tenant| NewToken {
            tenant: Some(tenant),
            ..NewToken::default()
        };
        let ann = scope(7, "ann", "default");
        for tenant in ["default_tenant", "nowhere"] {
            let refusal = make(&db, &ann, bound(tenant)).await.unwrap_err();
            assert_eq!(refusal.kind(), Kind::Forbidden, "{tenant}");
        }
        assert!(ids(&db, &ann, "").await.is_empty());
        let admin = scope(0, "admin", "sys_admin");
        let made = make(&db, &admin, bound("default_tenant")).await.unwrap();
        assert_eq!(made["tenant_name"], "default_tenant");
        assert!(make(&db, &admin, bound("nowhere")).await.is_err());
    });
}
