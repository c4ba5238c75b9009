use super::*;
use crate::Identity;
use std::time::Instant;
use windlass_core::app::Identity as _;
use windlass_core::context::Identified;
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::platform;
use windlass_core::{Family, Request, params};

const HOME: &str = "192.0.2.7:4711";
const ELSEWHERE: &str = "203.0.113.9:4711";

/// An application whose administrator has the password `right`, as has Bob, who is not active.
async fn fresh() -> NativeDb {
    let db = NativeDb::in_memory();
    platform::set_variable("admin_password", "right");
    Identity::prepare(&db).await.unwrap();
    db.execute(
        "insert into users (username, password_hash, role, active, created_at)
         select 'bob', password_hash, 'default', 0, created_at from users where id = 0",
        &[],
    )
    .await
    .unwrap();
    db
}

async fn login(db: &NativeDb, from: &str, name: &str, password: &str) -> Result<Identified> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    let request = Request::new(Method::GET, "/api/v3.1/user")
        .header("spin-client-addr", from)
        .header("authorization", &format!("Basic {text}"));
    Identity::authenticate(db, Family::Conductor, &request).await
}

#[test]
fn strangers_lock_nobody_out() {
    pollster::block_on(async {
        let db = fresh().await;
        // The administrator has never logged in, as right after the installation.
        for guess in 0..10 {
            let guess = format!("guess {guess}");
            assert!(login(&db, ELSEWHERE, "admin", &guess).await.is_err());
        }
        assert!(login(&db, ELSEWHERE, "admin", "right").await.is_err());
        assert!(login(&db, HOME, "ADMIN", "right").await.is_ok());
        // What an instance remembers of that is no way in from elsewhere.
        assert!(login(&db, HOME, "ADMIN", "right").await.is_ok());
        assert!(login(&db, ELSEWHERE, "ADMIN", "right").await.is_err());
        // Guessed from everywhere, the account is open where its user was lately.
        db.execute(
            "with recursive strangers (n) as (select 1 union all select n + 1 from strangers where n < 81)
             insert into failed_logins (address, username, at)
             select '198.51.100.' || (n / 4), 'admin', ?1 from strangers",
            params![windlass_core::Timestamp::now()],
        )
        .await
        .unwrap();
        assert!(login(&db, "192.0.2.8", "admin", "right").await.is_err());
        assert!(login(&db, HOME, "admin", "right").await.is_ok());
    });
}

#[test]
fn the_address_of_a_user_is_held_off_by_its_own_failures() {
    pollster::block_on(async {
        let db = fresh().await;
        assert!(login(&db, HOME, "admin", "right").await.is_ok());
        for _ in 0..2 {
            for _ in 0..4 {
                assert!(login(&db, HOME, "admin", "guess").await.is_err());
            }
            // It is remembered, and still forgets the failures.
            assert!(login(&db, HOME, "admin", "right").await.is_ok());
        }
        // Nor is it held up while others fail from there.
        let sql = "with recursive others (n) as (select 1 union all select n + 1 from others where n < 30)
             insert into failed_logins (address, at) select '192.0.2.7', ?1 from others";
        db.execute(sql, params![windlass_core::Timestamp::now()])
            .await
            .unwrap();
        assert!(login(&db, HOME, "admin", "right").await.is_ok());
        db.execute("delete from failed_logins", &[]).await.unwrap();
        for _ in 0..5 {
            assert!(login(&db, HOME, "admin", "guess").await.is_err());
        }
        assert!(login(&db, HOME, "admin", "right").await.is_err());
        assert!(login(&db, "", "admin", "right").await.is_ok(), "no address");
    });
}

#[test]
fn who_exists_is_told_neither_in_words_nor_by_what_is_done() {
    pollster::block_on(async {
        let db = fresh().await;
        for _ in 0..5 {
            assert!(login(&db, ELSEWHERE, "admin", "guess").await.is_err());
        }
        for (from, name, password) in [
            (HOME, "nobody", "right"),
            (HOME, "ADMIN", "wrong"),
            (HOME, "Bob", "right"),
            (ELSEWHERE, "admin", "right"),
            (ELSEWHERE, "admin", "wrong"),
        ] {
            let before = Instant::now();
            let refusal = login(&db, from, name, password).await.unwrap_err();
            let taken = before.elapsed();
            assert_eq!(
                refusal.message(),
                format!(
                    "User unauthorized: Authentication failed for <User username=`{name}`>. \
                     Wrong credentials or locked account"
                )
            );
            // Comparing takes tens of milliseconds, all else less than one.
            assert!(taken.as_millis() >= 5, "{name} from {from}: {taken:?}");
        }
        let sql = "select count(*) from failed_logins where username = 'nobody'";
        let kept = db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(kept.integer(0).unwrap(), 0, "it could be a password");
    });
}

#[test]
fn a_token_speaks_beside_a_wrong_password_as_beside_an_unknown_name() {
    pollster::block_on(async {
        let db = fresh().await;
        db.execute(
            "insert into tokens (id, user_id, secret_hash, created_at)
             values ('abcdefghij', 0, ?1, '2024')",
            params![windlass_core::hashing::digest("secret")],
        )
        .await
        .unwrap();
        // admin:x, nobody:x
        for header in ["Basic YWRtaW46eA==", "Basic bm9ib2R5Ong="] {
            let request = Request::new(Method::GET, "/api/v3.1/user")
                .header("spin-client-addr", HOME)
                .header("authorization", header)
                .header("authentication-token", "ctok-abcdefghij-secret");
            let found = Identity::authenticate(&db, Family::Conductor, &request).await;
            assert!(found.unwrap().caller.method.token().is_some(), "{header}");
        }
        let count = db.first("select count(*) from failed_logins", &[]).await;
        assert_eq!(count.unwrap().unwrap().integer(0).unwrap(), 2);
    });
}

#[test]
fn the_last_login_moves_while_a_caller_is_known_at_most_once_a_minute() {
    pollster::block_on(async {
        let db = fresh().await;
        let last = async || {
            let sql = "select json_quote(last_login_at) from users where id = 0";
            let last: Option<String> = db.first_json(sql, &[]).await.unwrap();
            last.unwrap()
        };
        assert!(login(&db, HOME, "admin", "right").await.is_ok());
        let first = last().await;
        assert!(login(&db, HOME, "admin", "right").await.is_ok());
        assert_eq!(last().await, first);
        let minute_ago = windlass_core::Timestamp::now().plus_seconds(-61);
        db.execute("update users set last_login_at = ?1", params![minute_ago])
            .await
            .unwrap();
        // Another instance, which remembers nobody.
        db.execute("update identity_version set version = version + 1", &[])
            .await
            .unwrap();
        assert!(login(&db, HOME, "admin", "right").await.is_ok());
        assert!(last().await >= first);
    });
}
