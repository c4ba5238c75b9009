//! Logins: which password a user has, and how often somebody gave another one.
//!
//! Nobody is known yet while a login is looked at, so nothing here asks for permissions. Whether an
//! account is locked is decided again in the statement that records a success: many attempts may
//! be under way at once.

use crate::{audit, config};
use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};

/// How many failed logins an account takes before it is locked, unless a setting says otherwise.
pub const FAILED_LOGINS_BEFORE_LOCK: i64 = 4;

/// How long it is locked, in minutes, unless a setting says otherwise.
const LOCK_PERIOD: i64 = 30;

/// A user as a login looks at one.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    /// The user's number.
    pub id: i64,
    /// The name in the case it was given in.
    pub username: String,
    /// The hash of the password. It is empty for users of a directory: no password matches that.
    pub password_hash: String,
    /// Whether they may log in.
    pub active: bool,
    /// How many logins failed since the last good one.
    pub failed_logins: i64,
    /// When the last one failed.
    pub last_failed_login_at: Option<Timestamp>,
    /// When the last one was good.
    pub last_login_at: Option<Timestamp>,
}

impl Account {
    /// Whether the right password counts at the moment.
    pub fn is_open(&self, rule: &LockRule) -> bool {
        let is_recent = self.last_failed_login_at.is_some_and(|at| at > rule.since);
        self.active && !(self.failed_logins > rule.failures && is_recent)
    }
}

/// When an account is locked: after more failures than these, while the last one is younger than
/// a time.
#[derive(Clone, Copy, Debug)]
pub struct LockRule {
    failures: i64,
    since: Timestamp,
}

impl LockRule {
    /// The rule as the settings have it now.
    pub async fn read(db: &impl Db) -> Result<Self> {
        let failures = config::integer(db, "failed_logins_before_account_lock").await?;
        let minutes = config::integer(db, "account_lock_period").await?;
        let seconds = minutes.unwrap_or(LOCK_PERIOD).saturating_mul(-60);
        Ok(Self {
            failures: failures.unwrap_or(FAILED_LOGINS_BEFORE_LOCK),
            since: Timestamp::now().plus_seconds(seconds),
        })
    }
}

/// The account of a name, in any case of its letters, if somebody has it.
pub async fn find(db: &impl Db, _scope: &Scope, username: &str) -> Result<Option<Account>> {
    db.first_json(
        "select json_object('id', id, 'username', username, 'password_hash', password_hash,
             'active', json(iif(active, 'true', 'false')), 'failed_logins', failed_logins,
             'last_failed_login_at', last_failed_login_at, 'last_login_at', last_login_at)
         from users where username = ?1",
        params![username],
    )
    .await
}

/// Counts a wrong password: in a transaction, so that it queues for the database as a success does.
pub async fn record_failure(tx: &impl Tx, account: &Account) -> Result<()> {
    tx.execute(
        "update users set failed_logins = failed_logins + 1, last_failed_login_at = ?2
         where id = ?1",
        params![account.id, Timestamp::now()],
    )
    .await
}

/// Resets the counter, unless the account was locked, closed or given another password since it
/// was read. Answers whether it did.
pub async fn record_success(db: &impl Db, account: &Account, rule: &LockRule) -> Result<bool> {
    let row = db
        .first(
            "update users set failed_logins = 0, last_login_at = ?2,
                 first_login_at = coalesce(first_login_at, ?2)
             where id = ?1 and password_hash = ?3 and active
                 and not (failed_logins > ?4 and coalesce(last_failed_login_at, '') > ?5)
             returning id",
            params![
                account.id,
                Timestamp::now(),
                account.password_hash.as_str(),
                rule.failures,
                rule.since
            ],
        )
        .await?;
    Ok(row.is_some())
}

/// Makes a user whom a directory vouches for. None of their passwords is kept here.
pub async fn insert_of_directory(tx: &impl Tx, scope: &Scope, username: &str) -> Result<()> {
    tx.execute(
        "insert into users (username, password_hash, role, created_at)
         values (?1, '', 'default', ?2)",
        params![username, Timestamp::now()],
    )
    .await?;
    audit::insert(tx, scope, "user_create", "User", username).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_locked_and_opened_again() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::public();
            let rule = LockRule::read(&db).await.unwrap();
            let account = async || find(&db, &scope, "ADMIN").await.unwrap().unwrap();
            assert!(find(&db, &scope, "nobody").await.unwrap().is_none());
            assert_eq!(account().await.username, "admin");
            for failures in 1..=FAILED_LOGINS_BEFORE_LOCK + 1 {
                let known = account().await;
                assert!(known.is_open(&rule));
                db.transaction(async |tx| record_failure(tx, &known).await)
                    .await
                    .unwrap();
                assert_eq!(account().await.failed_logins, failures);
            }
            let locked = account().await;
            assert!(!locked.is_open(&rule));
            let success =
                async |account: &Account| record_success(&db, account, &rule).await.unwrap();
            assert!(!success(&locked).await, "it is locked");
            db.execute("update users set failed_logins = 1", &[])
                .await
                .unwrap();
            let other = Account {
                password_hash: "another".into(),
                ..locked
            };
            assert!(!success(&other).await, "its password changed meanwhile");
            assert!(success(&account().await).await);
            assert_eq!(account().await.failed_logins, 0);
            assert!(account().await.last_login_at.is_some());
        });
    }

    #[test]
    fn a_user_of_a_directory_has_no_password_here() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::system("ann", "");
            db.transaction(async |tx| insert_of_directory(tx, &scope, "ann").await)
                .await
                .unwrap();
            let ann = find(&db, &scope, "ann").await.unwrap().unwrap();
            assert_eq!((ann.password_hash.as_str(), ann.active), ("", true));
        });
    }
}
