//! Logging in with a password: verification, counting failures, holding off who guesses.
//!
//! Many attempts may be under way at once, so the count before the slow verification decides
//! nothing. The count at the moment when the success is recorded decides. The database takes one
//! attempt after the other, so only as many as allowed can come before the lock.
//!
//! A stranger must not learn which names there are. So a name that nobody has, a wrong password and an
//! account that takes none are refused in the same words, after the same work.

use crate::attempts::Attempts;
use crate::credentials;
use crate::verified::Credential;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, log};
use windlass_store::users::locks::{self, LockRule, Standing};
use windlass_store::users::logins::{self, Account};

/// How long a verified password counts, in seconds.
const LIFETIME: i64 = 600;

/// A name and a password, and where they come from.
pub struct Login<'r> {
    /// The name as it was given.
    pub username: String,
    /// The password as it was given.
    pub password: String,
    /// The client's address; empty where the platform tells none.
    pub address: &'r str,
}

impl<'r> Login<'r> {
    /// What a header says that holds a name and a password.
    pub fn read(header: &str, attempts: &'r Attempts) -> Self {
        let (username, password) = credentials::basic(header).unwrap_or_default();
        Self {
            username,
            password,
            address: attempts.address(),
        }
    }

    /// The refusal of a wrong password, of an account that takes no password now, and of a name that
    /// nobody has. The name stands in it as it was given: in its own case it would tell that it exists.
    pub fn refusal(&self) -> Error {
        refusal(&self.username)
    }

    /// Counts a failure, against the name `counted` unless it is null, and tells the log of it. A name
    /// without an account is not told: it could be a password.
    pub async fn record_failure(
        &self,
        db: &impl Db,
        account: Option<&Account>,
        counted: Option<&str>,
        rule: &LockRule,
    ) -> Result<()> {
        let told = [
            ("address", self.address.into()),
            (
                "username",
                account.map(|account| account.username.as_str()).into(),
            ),
        ];
        log::line(log::Level::Warning, "login refused", told);
        db.transaction(async |tx| locks::record_failure(tx, self.address, counted, rule).await)
            .await
    }
}

/// The number of the user with this name and password, if there is one and the password counts.
/// A failure was counted then.
pub async fn verify(db: &impl Db, login: &Login<'_>) -> Result<Option<i64>> {
    let scope = Scope::public();
    let account = logins::find(db, &scope, &login.username).await?;
    let rule = LockRule::read(db).await?;
    let standing = Standing::read(db, &scope, &login.username, login.address, &rule).await?;
    let nobody = (login.username.as_str(), credentials::NO_PASSWORD);
    let (username, hash) = account.as_ref().map_or(nobody, |account| {
        (account.username.as_str(), account.password_hash.as_str())
    });
    let credential = Credential {
        kind: "verified credential",
        username,
        password: &login.password,
        against: hash,
    };
    let was_verified = credential.known_until(db).await?.is_some();
    let is_held_off = standing.is_held_off(&rule);
    let open = account.as_ref();
    let open = open.filter(|account| account.active && !is_held_off);
    if let Some(account) = open.filter(|_| was_verified) {
        let is_usual = standing.is_familiar && standing.failures == 0;
        let is_recorded = is_usual && !super::is_stale(account.last_login_at);
        let is_taken =
            is_recorded || record_success(db, account, &credential, login, &rule).await?;
        return Ok(is_taken.then_some(account.id));
    }
    // Also where the answer is known: it must not come sooner.
    let is_right = credentials::verify_password(&login.password, hash);
    match open {
        Some(account) if is_right => {
            let is_taken = record_success(db, account, &credential, login, &rule).await?;
            Ok(is_taken.then_some(account.id))
        }
        Some(account) => {
            let counted = Some(account.username.as_str());
            login.record_failure(db, open, counted, &rule).await?;
            if standing.is_on_the_brink(&rule) {
                let told = [
                    ("address", login.address.into()),
                    ("username", account.username.as_str().into()),
                ];
                log::line(log::Level::Warning, "address held off", told);
            }
            Ok(None)
        }
        None => {
            login
                .record_failure(db, account.as_ref(), None, &rule)
                .await?;
            Ok(None)
        }
    }
}

/// The refusal of whoever says to be this user, and cannot prove it or is shut out.
pub fn refusal(username: &str) -> Error {
    Error::unauthorized(format!(
        "Authentication failed for <User username=`{username}`>. Wrong credentials or locked account"
    ))
}

/// Whether a password that was right a moment ago still counts from its address. If so, failures from
/// there are forgotten, as at every login.
pub async fn still_counts(db: &impl Db, login: &Login<'_>) -> Result<bool> {
    let rule = LockRule::read(db).await?;
    let (username, address) = (login.username.as_str(), login.address);
    let standing = Standing::read(db, &Scope::public(), username, address, &rule).await?;
    let counts = !standing.is_held_off(&rule);
    if counts && standing.failures > 0 {
        db.transaction(async |tx| locks::forget_address(tx, username, address).await)
            .await?;
    }
    Ok(counts)
}

/// Records a right password, unless the account no longer takes it. Answers whether it did.
async fn record_success(
    db: &impl Db,
    account: &Account,
    credential: &Credential<'_>,
    login: &Login<'_>,
    rule: &LockRule,
) -> Result<bool> {
    db.transaction(async |tx| {
        let scope = Scope::public();
        let taken = logins::record_success(tx, &scope, account, login.address, rule).await?;
        if taken {
            credential.note(tx, LIFETIME).await?;
        }
        Ok(taken)
    })
    .await
}

#[cfg(test)]
mod tests;
