use super::*;
use crate::families::only_tenant;
use crate::tokens::{self, NewToken};
use crate::{Families, Identity};
use std::rc::Rc;
use windlass_core::app::Identity as _;
use windlass_core::caller::Reach;
use windlass_core::context::{Identified, TenantHeader};
use windlass_core::db::NativeDb;
use windlass_core::http::Method as Verb;
use windlass_core::{Family, Kind, Request, platform};
use windlass_store::users::{self, Changes};

/// Ann manages the harbour and reads in the quay, Bob is in the harbour alone.
async fn fresh() -> NativeDb {
    let db = NativeDb::in_memory();
    platform::set_variable("admin_password", "first one");
    Families::prepare(&db).await.unwrap();
    for sql in [
        "insert into tenants (id, name, created_at) values (1, 'harbour', ''), (2, 'quay', '')",
        "insert into users (id, username, password_hash, role, created_at)
         values (7, 'ann', '-', 'default', ''), (8, 'bob', '-', 'default', '')",
        "insert into tenant_users (tenant_name, user_id, role)
         values ('harbour', 7, 'manager'), ('quay', 7, 'viewer'), ('harbour', 8, 'user')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    db
}

async fn user(db: &NativeDb, id: i64) -> Caller {
    caller(db, id, AuthMethod::Basic, None).await.unwrap()
}

/// A session for a password, about a project.
async fn given(db: &NativeDb, id: i64, tenant: Option<&str>) -> (String, Session) {
    let (caller, extent) = (user(db, id).await, extent(tenant));
    let shown = Shown::Password(None);
    insert(db, &caller, &shown, extent, tenant).await.unwrap()
}

fn extent(tenant: Option<&str>) -> Extent {
    tenant.map_or(Extent::Unscoped, |_| Extent::Project)
}

/// A session for a session.
async fn next(db: &NativeDb, shown: &Session) -> Result<(String, Session)> {
    let (caller, shown) = (user(db, shown.user_id).await, shown.clone());
    let shown = Shown::Session(Box::new(shown));
    insert(db, &caller, &shown, Extent::Unscoped, None).await
}

/// A token of Ann's, and its key.
async fn token(db: &NativeDb, ends_in: Option<i64>) -> UserToken {
    let scope = Scope::of(Rc::new(user(db, 7).await), Reach::Nowhere, String::new());
    let wanted = NewToken {
        expiration: ends_in.map(|seconds| Timestamp::now().plus_seconds(seconds)),
        ..NewToken::default()
    };
    let made = db.transaction(async |tx| tokens::insert(tx, &scope, wanted).await);
    let value = made.await.unwrap()["value"].as_str().unwrap().to_owned();
    let found = crate::user_tokens::find(db, &value).await.unwrap().unwrap();
    found.caller.method.token().unwrap()
}

async fn call(db: &NativeDb, family: Family, header: &str, value: &str) -> Result<Identified> {
    let request = Request::new(Verb::GET, "/").header(header, value);
    match family {
        Family::Conductor => Identity::authenticate(db, family, &request).await,
        _ => Families::authenticate(db, family, &request).await,
    }
}

#[test]
fn a_session_opens_adjutant_and_keystone_and_nothing_else() {
    pollster::block_on(async {
        let db = fresh().await;
        let (value, _) = given(&db, 7, Some("quay")).await;
        let bearer = format!("Bearer {value}");
        for (family, header, value, refusal) in [
            (Family::Adjutant, "x-auth-token", &value, None),
            (Family::Adjutant, "authorization", &bearer, None),
            (Family::Keystone, "x-auth-token", &value, None),
            (
                Family::Conductor,
                "authentication-token",
                &value,
                Some(Kind::Forbidden),
            ),
            (
                Family::Opsera,
                "authorization",
                &bearer,
                Some(Kind::Forbidden),
            ),
            (
                Family::StatusDashboard,
                "authorization",
                &bearer,
                Some(Kind::Forbidden),
            ),
        ] {
            // Twice, because the second answer comes from memory.
            for _ in 0..2 {
                match (call(&db, family, header, value).await, refusal) {
                    (Ok(found), None) => {
                        assert_eq!(found.caller.username, "ann");
                        assert_eq!(found.tenant, TenantHeader::Known("quay".into()));
                        assert!(!found.caller.method.is_unlimited());
                    }
                    (Err(error), Some(kind)) => assert_eq!(error.kind(), kind, "{family:?}"),
                    (got, _) => panic!("{family:?} {header}: {got:?}"),
                }
            }
        }
    });
}

#[test]
fn a_session_makes_and_deletes_no_tokens() {
    pollster::block_on(async {
        let db = fresh().await;
        let (value, _) = given(&db, 7, None).await;
        let found = recognise(&db, &value).await.unwrap();
        let scope = Scope::of(Rc::new(found.caller), Reach::Nowhere, String::new());
        let made = db.transaction(async |tx| tokens::insert(tx, &scope, NewToken::default()).await);
        assert_eq!(
            made.await.unwrap_err().message(),
            "A session cannot create tokens"
        );
        let kept = token(&db, None).await;
        let sql = "select json_quote(id) from tokens where key = ?1";
        let id: Option<String> = db.first_json(sql, params![kept.key]).await.unwrap();
        let gone = db.transaction(async |tx| {
            let found = tokens::find(tx, &scope, &id.unwrap()).await?;
            tokens::delete(tx, &scope, &found).await
        });
        assert_eq!(
            gone.await.unwrap_err().message(),
            "A session cannot delete tokens"
        );
    });
}

#[test]
fn a_session_about_nothing_is_not_about_the_only_tenant() {
    pollster::block_on(async {
        let db = fresh().await;
        for (tenant, want) in [
            (None, TenantHeader::Absent),
            (Some("harbour"), TenantHeader::Known("harbour".into())),
        ] {
            let (value, _) = given(&db, 8, tenant).await;
            let found = call(&db, Family::Keystone, "x-auth-token", &value).await;
            assert_eq!(found.unwrap().tenant, want, "{tenant:?}");
        }
        assert_eq!(only_tenant(&user(&db, 8).await).as_deref(), Some("harbour"));
    });
}

/// Whether a session is good to those who ask, and to who shows it.
async fn counts(db: &NativeDb, value: &str) -> bool {
    let shown = call(db, Family::Keystone, "x-auth-token", value).await;
    let found = find(db, value).await.unwrap();
    assert_eq!(shown.is_ok(), found.is_some(), "{value}");
    found.is_some()
}

#[test]
fn another_password_and_being_shut_out_end_all_sessions_of_a_user() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = Scope::system("admin", "");
        let changes = Changes {
            password_hash: Some("another".into()),
            ..Changes::default()
        };
        let (other, _) = given(&db, 8, None).await;
        let (value, session) = given(&db, 7, None).await;
        let (child, _) = next(&db, &session).await.unwrap();
        assert!(counts(&db, &value).await && counts(&db, &child).await);
        let change = async |changes: &Changes<'_>| {
            let changed = db.transaction(async |tx| {
                let ann = users::find(tx, &scope, "ann").await?;
                users::save(tx, &scope, &ann, changes).await
            });
            changed.await.unwrap();
        };
        change(&Changes {
            show_getting_started: Some(false),
            ..Changes::default()
        })
        .await;
        assert!(counts(&db, &value).await, "nothing of the kind has changed");
        change(&changes).await;
        assert!(!counts(&db, &value).await && !counts(&db, &child).await);
        // What has ended makes nothing that has not.
        let refusal = next(&db, &session).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::Unauthorized);

        let (value, _) = given(&db, 7, None).await;
        for active in [false, true] {
            let changed = db.transaction(async |tx| {
                let ann = users::find(tx, &scope, "ann").await?;
                users::set_active(tx, &scope, &ann, active).await
            });
            changed.await.unwrap();
            assert!(!counts(&db, &value).await, "active again: {active}");
        }
        assert!(counts(&db, &other).await, "the others are somebody else's");
    });
}

#[test]
fn a_password_that_was_changed_meanwhile_gives_no_session() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = user(&db, 7).await;
        let epoch = async || {
            let row = db.first("select session_epoch from users where id = 7", &[]);
            row.await.unwrap().unwrap().integer(0).unwrap()
        };
        let before = Shown::Password(Some(epoch().await));
        assert!(
            insert(&db, &ann, &before, Extent::Unscoped, None)
                .await
                .is_ok()
        );
        let sql = "update users set password_hash = 'another' where id = 7";
        db.execute(sql, &[]).await.unwrap();
        let refusal = insert(&db, &ann, &before, Extent::Unscoped, None).await;
        assert_eq!(refusal.unwrap_err().kind(), Kind::Unauthorized);
        let now = Shown::Password(Some(epoch().await));
        assert!(
            insert(&db, &ann, &now, Extent::Unscoped, None)
                .await
                .is_ok()
        );
    });
}

#[test]
fn a_session_ends_no_later_than_what_was_shown_for_it() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = user(&db, 7).await;
        for (ends_in, want) in [(None, LIFETIME), (Some(60), 60), (Some(90_000), LIFETIME)] {
            let shown = Shown::Token(Method::ApplicationCredential, token(&db, ends_in).await);
            let made = insert(&db, &ann, &shown, Extent::Project, Some("harbour")).await;
            let (_, session) = made.unwrap();
            let left = session.expires_at.millis() - Timestamp::now().millis();
            assert!(
                (want * 1000 - 5000..=want * 1000).contains(&left),
                "{ends_in:?}: {left}"
            );
            let (_, second) = next(&db, &session).await.unwrap();
            assert!(second.expires_at <= session.expires_at);
            assert_eq!(session.methods, [Method::ApplicationCredential]);
            assert_eq!(
                second.methods,
                [Method::Token, Method::ApplicationCredential]
            );
            let (_, third) = next(&db, &second).await.unwrap();
            assert_eq!(third.methods, second.methods);
            let audit_ids = [third.key, session.key].map(audit_id);
            assert_eq!(
                third.audit_ids(),
                audit_ids,
                "its own, and that of the first"
            );
            assert_eq!(session.audit_ids(), [audit_id(session.key)]);
        }
    });
}

#[test]
fn a_session_goes_with_what_was_shown_for_it() {
    pollster::block_on(async {
        let db = fresh().await;
        let ann = user(&db, 7).await;
        let program = token(&db, None).await;
        let shown = Shown::Token(Method::Token, program);
        let made = insert(&db, &ann, &shown, Extent::Unscoped, None).await;
        let (first, session) = made.unwrap();
        let (second, child) = next(&db, &session).await.unwrap();
        let (third, _) = next(&db, &child).await.unwrap();
        for value in [&first, &second, &third] {
            assert!(counts(&db, value).await);
        }
        let scope = Scope::of(Rc::new(ann.clone()), Reach::Nowhere, String::new());
        let ended = db.transaction(async |tx| delete(tx, &scope, &child).await);
        ended.await.unwrap();
        assert!(counts(&db, &first).await);
        assert!(!counts(&db, &second).await && !counts(&db, &third).await);
        let sql = "select json_quote(action || ' ' || target_id) from audit_log order by key desc";
        let told: Option<String> = db.first_json(sql, &[]).await.unwrap();
        assert_eq!(
            told.unwrap(),
            format!("revoke_token {}", audit_id(child.key))
        );

        let sql = "delete from tokens where key = ?1";
        db.execute(sql, params![program.key]).await.unwrap();
        assert!(!counts(&db, &first).await);
        let refusal = insert(&db, &ann, &shown, Extent::Unscoped, None).await;
        assert_eq!(
            refusal.unwrap_err().kind(),
            Kind::Unauthorized,
            "it is gone"
        );

        let (value, _) = given(&db, 7, Some("quay")).await;
        let (other, _) = given(&db, 7, Some("harbour")).await;
        db.execute("delete from tenants where name = 'quay'", &[])
            .await
            .unwrap();
        assert!(!counts(&db, &value).await && counts(&db, &other).await);
        db.execute("delete from users where id = 7", &[])
            .await
            .unwrap();
        assert!(!counts(&db, &other).await);
    });
}

#[test]
fn who_has_left_what_a_session_is_about_has_none() {
    pollster::block_on(async {
        let db = fresh().await;
        let shown = async |value: &str| {
            let found = call(&db, Family::Keystone, "x-auth-token", value).await;
            found.is_ok()
        };
        let (value, session) = given(&db, 8, Some("harbour")).await;
        let (free, _) = given(&db, 8, None).await;
        let password = Shown::Password(None);
        let admin = user(&db, 0).await;
        let of_system = insert(&db, &admin, &password, Extent::System, None).await;
        let (of_system, _) = of_system.unwrap();
        assert!(shown(&value).await && shown(&free).await && shown(&of_system).await);
        assert_eq!(session.roles(&user(&db, 8).await), ["member"]);
        let sql = "delete from tenant_users where user_id = 8";
        db.execute(sql, &[]).await.unwrap();
        assert!(!shown(&value).await && shown(&free).await);
        assert!(!session.suits(&user(&db, 8).await));
        let ann = user(&db, 7).await;
        let of_domain = insert(&db, &ann, &password, Extent::Domain, None).await;
        let (of_domain, _) = of_domain.unwrap();
        assert!(!shown(&of_domain).await, "she is no administrator");
    });
}

#[test]
fn giving_a_session_leaves_no_audit_row_and_forgets_nobody() {
    pollster::block_on(async {
        let db = fresh().await;
        let number = async |sql: &str| db.first(sql, &[]).await.unwrap().unwrap().integer(0);
        let version = number("select version from identity_version")
            .await
            .unwrap();
        let trail = number("select count(*) from audit_log").await.unwrap();
        let (value, _) = given(&db, 7, Some("harbour")).await;
        assert!(counts(&db, &value).await);
        assert_eq!(
            number("select version from identity_version")
                .await
                .unwrap(),
            version
        );
        assert_eq!(
            number("select count(*) from audit_log").await.unwrap(),
            trail
        );
        let sql = "select json_quote(secret_hash) from sessions";
        let stored: Option<String> = db.first_json(sql, &[]).await.unwrap();
        let secret = value.rsplit('-').next().unwrap();
        assert_eq!(stored.unwrap(), hashing::digest(secret));
    });
}

#[test]
fn what_is_no_session_is_told_apart_only_by_whether_it_was_one() {
    pollster::block_on(async {
        let db = fresh().await;
        let (value, session) = given(&db, 7, None).await;
        let (head, secret) = value.rsplit_once('-').unwrap();
        let other = format!("{PREFIX}{}-{secret}", audit_id(session.key ^ 1));
        for (value, text) in [
            (
                format!("{head}-{}", "0".repeat(40)),
                "User unauthorized: Unauthorized",
            ),
            (other, "User unauthorized: Unauthorized"),
            (head.to_owned(), "User unauthorized: Unauthorized"),
            (
                format!("{PREFIX}-7-{secret}"),
                "User unauthorized: Unauthorized",
            ),
            (
                format!("{PREFIX}{}-{secret}", "f".repeat(16)),
                "User unauthorized: Unauthorized",
            ),
            (
                format!("{PREFIX}{:>16}-{secret}", "+7"),
                "User unauthorized: Unauthorized",
            ),
        ] {
            let refusal = recognise(&db, &value).await.err().unwrap();
            assert_eq!(refusal.message(), text, "{value}");
            assert!(find(&db, &value).await.unwrap().is_none());
        }
        let sql = "update sessions set expires_at = ?1";
        let now = Timestamp::now();
        db.execute(sql, params![now]).await.unwrap();
        let refusal = recognise(&db, &value).await.err().unwrap();
        assert_eq!(refusal.message(), format!("User unauthorized: {EXPIRED}"));
        assert!(find(&db, &value).await.unwrap().is_none());
        // Who shows it has once had a good one: nobody is held off for that.
        for _ in 0..30 {
            let refusal = call(&db, Family::Keystone, "x-auth-token", &value).await;
            assert_eq!(refusal.unwrap_err().kind(), Kind::Unauthorized);
        }
        let failures = db.first("select count(*) from failed_logins", &[]).await;
        assert_eq!(failures.unwrap().unwrap().integer(0).unwrap(), 0);
    });
}

mod ends;
