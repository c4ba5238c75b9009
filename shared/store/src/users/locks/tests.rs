use super::*;
use crate::users::logins::{self, Account};
use crate::users::{USERS, find, unlock};
use windlass_core::db::NativeDb;

const HERE: &str = "192.0.2.7";
const THERE: &str = "203.0.113.9";

async fn fresh() -> (NativeDb, LockRule, Account) {
    let db = crate::fresh_database().await;
    let rule = LockRule::read(&db).await.unwrap();
    let account = logins::find(&db, &Scope::public(), "admin").await;
    (db, rule, account.unwrap().unwrap())
}

async fn fail(db: &NativeDb, address: &str, username: &str) {
    let rule = LockRule::read(db).await.unwrap();
    db.transaction(async |tx| record_failure(tx, address, Some(username), &rule).await)
        .await
        .unwrap();
}

async fn is_held_off(db: &NativeDb, address: &str) -> bool {
    let rule = LockRule::read(db).await.unwrap();
    let standing = Standing::read(db, &Scope::public(), "Admin", address, &rule).await;
    standing.unwrap().is_held_off(&rule)
}

async fn succeed(db: &NativeDb, account: &Account, address: &str) -> bool {
    let rule = LockRule::read(db).await.unwrap();
    let scope = Scope::public();
    db.transaction(async |tx| logins::record_success(tx, &scope, account, address, &rule).await)
        .await
        .unwrap()
}

async fn is_shown_as_locked(db: &NativeDb) -> bool {
    let statement =
        USERS.find_statement(&Scope::public(), None, "t.username = {}", ["admin".into()]);
    let user: Option<serde_json::Value> = db
        .first_json(&statement.sql, &statement.parameters)
        .await
        .unwrap();
    user.unwrap()["is_locked"] == true
}

#[test]
fn an_address_is_held_off_from_a_name_and_others_are_not() {
    pollster::block_on(async {
        let (db, _, admin) = fresh().await;
        for _ in 0..FAILED_LOGINS_BEFORE_LOCK {
            fail(&db, THERE, "ADMIN").await;
        }
        assert!(!is_held_off(&db, THERE).await);
        let rule = LockRule::read(&db).await.unwrap();
        for (address, want) in [(THERE, true), (HERE, false)] {
            let standing = Standing::read(&db, &Scope::public(), "admin", address, &rule).await;
            assert_eq!(standing.unwrap().is_on_the_brink(&rule), want, "{address}");
        }
        assert!(!is_shown_as_locked(&db).await);
        // A login from elsewhere forgets nothing of this.
        assert!(succeed(&db, &admin, HERE).await);
        fail(&db, THERE, "admin").await;
        assert!(is_held_off(&db, THERE).await);
        assert!(!succeed(&db, &admin, THERE).await);
        assert!(is_shown_as_locked(&db).await);
        assert!(!is_held_off(&db, HERE).await);
        assert!(!is_held_off(&db, "").await, "where no address is told");

        let scope = Scope::system("admin", "");
        db.transaction(async |tx| {
            let user = find(tx, &scope, "admin").await?;
            unlock(tx, &scope, &user).await
        })
        .await
        .unwrap();
        assert!(!is_held_off(&db, THERE).await);
        assert!(!is_shown_as_locked(&db).await);
    });
}

#[test]
fn a_login_forgets_the_failures_of_its_address() {
    pollster::block_on(async {
        let (db, _, admin) = fresh().await;
        for _ in 0..2 {
            for _ in 0..FAILED_LOGINS_BEFORE_LOCK {
                fail(&db, HERE, "admin").await;
            }
            assert!(succeed(&db, &admin, HERE).await);
        }
        // They count against the address whatever the name is, for a while.
        let count = db.first("select count(*) from failed_logins", &[]).await;
        assert_eq!(count.unwrap().unwrap().integer(0).unwrap(), 8);
    });
}

#[test]
fn many_addresses_hold_off_those_that_are_strange_and_only_those() {
    pollster::block_on(async {
        let (db, rule, admin) = fresh().await;
        assert!(succeed(&db, &admin, HERE).await);
        for stranger in 0..STRANGERS + 1 {
            for _ in 0..rule.failures {
                fail(&db, &format!("198.51.100.{stranger}"), "admin").await;
            }
        }
        assert!(is_shown_as_locked(&db).await);
        assert!(is_held_off(&db, THERE).await, "nobody has logged in there");
        assert!(!is_held_off(&db, HERE).await);
        assert!(succeed(&db, &admin, HERE).await);
        let long_ago = Timestamp::now().plus_seconds(-FAMILIARITY);
        db.execute("update familiar_addresses set at = ?1", params![long_ago])
            .await
            .unwrap();
        assert!(is_held_off(&db, HERE).await);
        // Half an hour without failures, and it is over.
        db.execute("update failed_logins set at = ?1", params![rule.since])
            .await
            .unwrap();
        assert!(!is_held_off(&db, HERE).await);
        assert!(succeed(&db, &admin, THERE).await);
        let count = db
            .first("select count(*) from familiar_addresses", &[])
            .await;
        assert_eq!(count.unwrap().unwrap().integer(0).unwrap(), 1);
    });
}

#[test]
fn failures_are_forgotten_when_they_no_longer_count_and_with_their_user() {
    pollster::block_on(async {
        let (db, rule, _) = fresh().await;
        db.execute(
            "insert into users (username, password_hash, role, created_at)
             values ('ann', '', 'default', '2024')",
            &[],
        )
        .await
        .unwrap();
        let kept = async || {
            let sql = "select count(*) from failed_logins";
            let row = db.first(sql, &[]).await.unwrap().unwrap();
            row.integer(0).unwrap()
        };
        fail(&db, HERE, "admin").await;
        let minute_ago = Timestamp::now().plus_millis(-ADDRESS_WINDOW);
        let age = "update failed_logins set at = ?1";
        db.execute(age, params![minute_ago]).await.unwrap();
        for _ in 0..2 {
            db.transaction(async |tx| record_refusal(tx, HERE).await)
                .await
                .unwrap();
        }
        assert_eq!(kept().await, 3, "a name's failure counts for longer");
        db.execute(age, params![rule.since]).await.unwrap();
        fail(&db, HERE, "Ann").await;
        assert_eq!(kept().await, 1);
        db.execute("delete from users where username = 'ann'", &[])
            .await
            .unwrap();
        assert_eq!(kept().await, 0);
    });
}

#[test]
fn counting_failures_follows_indexes() {
    pollster::block_on(async {
        let (db, ..) = fresh().await;
        for (sql, index) in [
            (
                "select count(*) from failed_logins where username = ?1 and address = ?2 and at > ?3",
                "failed_logins_by_name (username=? AND address=? AND at>?)",
            ),
            (
                "select count(*) from failed_logins where username = ?1 and at > ?2",
                "failed_logins_by_name (username=?",
            ),
            (
                "delete from failed_logins where username is null and at <= ?1",
                "failed_logins_nameless (at<?)",
            ),
            (
                "delete from failed_logins where at <= ?1",
                "failed_logins_by_time (at<?)",
            ),
            (
                "update failed_logins set username = null where username = ?1",
                "failed_logins_by_name (username=?)",
            ),
        ] {
            let values = params!["a", "b", "c"];
            let values = &values[..sql.matches('?').count()];
            let plan = db.plan(sql, values).await.unwrap();
            let plan = plan.join("\n");
            assert!(plan.contains(index), "{sql}: {plan}");
        }
    });
}
