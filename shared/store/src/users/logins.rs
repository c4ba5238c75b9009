//! Logins: which password a user has, and when it was last given.
//!
//! Nobody is known yet while a login is looked at, so nothing here asks for permissions. Whether the
//! password counts is decided again in the transaction that records a success: many attempts may be
//! under way at once.

use super::locks::{self, LockRule, Standing};
use crate::audit;
use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};

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
    /// When the last login was good.
    pub last_login_at: Option<Timestamp>,
}

/// The account of a name, in any case of its letters, if somebody has it.
pub async fn find(db: &impl Db, _scope: &Scope, username: &str) -> Result<Option<Account>> {
    db.first_json(
        "select json_object('id', id, 'username', username, 'password_hash', password_hash,
             'active', json(iif(active, 'true', 'false')), 'last_login_at', last_login_at)
         from users where username = ?1",
        params![username],
    )
    .await
}

/// Records a login from an address, unless that is held off, or the account was closed or given
/// another password since it was read. Answers whether it did.
pub async fn record_success(
    tx: &impl Tx,
    scope: &Scope,
    account: &Account,
    address: &str,
    rule: &LockRule,
) -> Result<bool> {
    let standing = Standing::read(tx, scope, &account.username, address, rule).await?;
    if standing.is_held_off(rule) {
        return Ok(false);
    }
    let row = tx
        .first(
            "update users set last_login_at = ?2, first_login_at = coalesce(first_login_at, ?2)
             where id = ?1 and password_hash = ?3 and active returning id",
            params![account.id, Timestamp::now(), account.password_hash.as_str()],
        )
        .await?;
    if row.is_some() {
        locks::make_familiar(tx, account.id, &account.username, address).await?;
    }
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
    fn a_login_counts_until_the_account_is_another_one() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::public();
            let rule = LockRule::read(&db).await.unwrap();
            let account = async || find(&db, &scope, "ADMIN").await.unwrap().unwrap();
            assert!(find(&db, &scope, "nobody").await.unwrap().is_none());
            assert_eq!(account().await.username, "admin");
            let success = async |account: &Account| {
                db.transaction(async |tx| {
                    record_success(tx, &scope, account, "192.0.2.7", &rule).await
                })
                .await
                .unwrap()
            };
            let other = Account {
                password_hash: "another".into(),
                ..account().await
            };
            assert!(!success(&other).await, "its password changed meanwhile");
            assert!(success(&account().await).await);
            assert!(account().await.last_login_at.is_some());
            let known = account().await;
            db.execute("update users set active = 0", &[])
                .await
                .unwrap();
            assert!(!success(&known).await, "it was closed meanwhile");
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
