//! Logging in with a password: verification, counting failures, locking.
//!
//! Many attempts may be under way at once, so the counter before the slow verification decides
//! nothing. The counter at the moment when the success is recorded decides. The database takes one
//! attempt after the other, so only as many as allowed can come before the lock.

use crate::credentials;
use crate::verified::Credential;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope};
use windlass_store::users::logins::{self, Account, LockRule};

/// How long a verified password counts, in seconds.
const LIFETIME: i64 = 600;

/// The number of the user with this name and password. Nothing when nobody has the name.
///
/// # Errors
/// 401 in the same words for a wrong password and for an account that is locked or not active.
pub async fn verify(db: &impl Db, username: &str, password: &str) -> Result<Option<i64>> {
    let Some(account) = logins::find(db, &Scope::public(), username).await? else {
        return Ok(None);
    };
    let rule = LockRule::read(db).await?;
    if account.is_open(&rule) && is_right(db, &account, password, &rule).await? {
        return Ok(Some(account.id));
    }
    Err(wrong(&account.username))
}

/// The refusal of a wrong password, and of an account that takes no password now.
pub fn wrong(username: &str) -> Error {
    Error::unauthorized(format!(
        "Authentication failed for <User username=`{username}`>. Wrong credentials or locked account"
    ))
}

/// Whether the password is right and the account still takes it. It is counted either way.
async fn is_right(
    db: &impl Db,
    account: &Account,
    password: &str,
    rule: &LockRule,
) -> Result<bool> {
    let credential = Credential {
        kind: "verified credential",
        username: &account.username,
        password,
        against: &account.password_hash,
    };
    if credential.known_until(db).await?.is_some() {
        let is_worth_recording =
            account.failed_logins > 0 || super::is_stale(account.last_login_at);
        return Ok(!is_worth_recording || logins::record_success(db, account, rule).await?);
    }
    if !credentials::verify_password(password, &account.password_hash) {
        record_failure(db, account).await?;
        return Ok(false);
    }
    db.transaction(async |tx| {
        let taken = logins::record_success(tx, account, rule).await?;
        if taken {
            credential.note(tx, LIFETIME).await?;
        }
        Ok(taken)
    })
    .await
}

/// Counts a wrong password.
pub async fn record_failure(db: &impl Db, account: &Account) -> Result<()> {
    db.transaction(async |tx| logins::record_failure(tx, account).await)
        .await
}
