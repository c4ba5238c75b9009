//! Logging in with a password: verification, counting failures, locking.
//!
//! Many attempts may be under way at once, so looking at the counter before the slow verification
//! decides nothing. What decides is the counter at the moment the success is recorded: in
//! the order in which the database takes them, only so many attempts can come before the lock.

use super::verified::Credential;
use crate::credentials;
use windlass_core::db::{Db, Row};
use windlass_core::{Error, Result, Timestamp, params};

/// How many failed logins an account takes before it is locked, unless a setting says otherwise.
pub const FAILED_LOGINS_BEFORE_LOCK: i64 = 4;

/// How long it is locked, in minutes, unless a setting says otherwise.
const LOCK_PERIOD: i64 = 30;

/// How long a verified password counts, in seconds.
const LIFETIME: i64 = 600;

/// When an account is locked.
pub struct LockRule {
    /// More failures than these lock it,
    pub failures: i64,
    /// while the last one is younger than this.
    pub since: Timestamp,
}

impl LockRule {
    /// The rule as the settings have it now.
    pub async fn read(db: &impl Db) -> Result<Self> {
        let failures =
            windlass_store::config::integer(db, "failed_logins_before_account_lock").await?;
        let minutes = windlass_store::config::integer(db, "account_lock_period").await?;
        let seconds = minutes.unwrap_or(LOCK_PERIOD).saturating_mul(-60);
        Ok(Self {
            failures: failures.unwrap_or(FAILED_LOGINS_BEFORE_LOCK),
            since: Timestamp::now().plus_seconds(seconds),
        })
    }

    /// Whether an account with so many failures, the last one at this time, is locked.
    pub fn locks(&self, failures: i64, last: Option<&str>) -> bool {
        // Times are compared as their texts, which sort alike.
        failures > self.failures && last.is_some_and(|last| *last > *self.since.to_string())
    }
}

/// The number of the user whose name and password these are; nothing when nobody has the name.
///
/// # Errors
/// 401 for a wrong password and for an account that is locked or not active, in one text.
pub async fn verify(db: &impl Db, username: &str, password: &str) -> Result<Option<i64>> {
    let row = db
        .first(
            "select id, username, password_hash, active, failed_logins, last_failed_login_at,
                 last_login_at from users where username = ?1",
            params![username],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let rule = LockRule::read(db).await?;
    let locked = rule.locks(row.integer(4)?, row.optional_text(5)?);
    if row.boolean(3)? && !locked && is_right(db, &row, password, &rule).await? {
        return row.integer(0).map(Some);
    }
    Err(wrong(row.text(1)?))
}

/// The refusal of a wrong password, and of an account that takes none now.
pub fn wrong(username: &str) -> Error {
    Error::unauthorized(format!(
        "Authentication failed for <User username=`{username}`>. Wrong credentials or locked account"
    ))
}

/// Whether the password is right and the account still takes it; counts either way.
async fn is_right(db: &impl Db, user: &Row, password: &str, rule: &LockRule) -> Result<bool> {
    let (id, name, hash) = (user.integer(0)?, user.text(1)?, user.text(2)?);
    let credential = Credential {
        kind: "verified credential",
        username: name,
        password,
        against: hash,
    };
    if credential.known_until(db).await?.is_some() {
        let is_worth_recording = user.integer(4)? > 0 || super::is_stale(user.optional_text(6)?)?;
        return Ok(!is_worth_recording || record_success(db, id, hash, rule).await?);
    }
    if !credentials::verify_password(password, hash) {
        record_failure(db, id).await?;
        return Ok(false);
    }
    db.transaction(async |db| {
        let taken = record_success(db, id, hash, rule).await?;
        if taken {
            credential.note(db, LIFETIME).await?;
        }
        Ok(taken)
    })
    .await
}

/// Counts a wrong password: in a transaction, so that it queues for the database as a success does.
pub async fn record_failure(db: &impl Db, id: i64) -> Result<()> {
    db.transaction(async |db| {
        db.execute(
            "update users set failed_logins = failed_logins + 1, last_failed_login_at = ?2
             where id = ?1",
            params![id, Timestamp::now()],
        )
        .await
    })
    .await
}

/// Resets the counter, unless the account was locked, closed or given another password since it
/// was read; answers whether it did.
async fn record_success(db: &impl Db, id: i64, hash: &str, rule: &LockRule) -> Result<bool> {
    let row = db
        .first(
            "update users set failed_logins = 0, last_login_at = ?2,
                 first_login_at = coalesce(first_login_at, ?2)
             where id = ?1 and password_hash = ?3 and active
                 and not (failed_logins > ?4 and coalesce(last_failed_login_at, '') > ?5)
             returning id",
            params![id, Timestamp::now(), hash, rule.failures, rule.since],
        )
        .await?;
    Ok(row.is_some())
}
