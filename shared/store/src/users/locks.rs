//! Locks: an address that gave too many wrong passwords for a name is held off from that name.
//!
//! One counter for each name let strangers lock the administrator out, with five wrong passwords every
//! half an hour. So failures are counted by name and address. Addresses from where the user has
//! logged in lately are judged by their own failures only. All others are held off together once
//! many of them have failed, as when a password is guessed from everywhere.

use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};

use crate::config;

/// How many failed logins of an address a name takes, unless a setting says otherwise.
pub const FAILED_LOGINS_BEFORE_LOCK: i64 = 4;

/// How long a failure counts, in minutes, unless a setting says otherwise.
const LOCK_PERIOD: i64 = 30;

/// A name takes the failures of so many addresses that are held off, before strange ones all are.
pub const STRANGERS: i64 = 20;

/// How long an address is familiar after a login, in seconds.
const FAMILIARITY: i64 = 30 * 24 * 3600;

/// How long a failure counts against its address whatever the name was, in milliseconds.
pub const ADDRESS_WINDOW: i64 = 60_000;

/// When an address is held off: after more failures than these since a time.
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

/// What an address and a name have to do with each other.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Standing {
    /// How often the address failed.
    pub failures: i64,
    /// How often all addresses did, this one among them.
    failures_everywhere: i64,
    /// Whether the name's user has logged in from there lately.
    pub is_familiar: bool,
}

impl Standing {
    /// What is known of a name, whoever has it, and an address; the address is empty where the
    /// platform tells none.
    pub async fn read(
        db: &impl Db,
        _scope: &Scope,
        username: &str,
        address: &str,
        rule: &LockRule,
    ) -> Result<Self> {
        let standing = db
            .first_json(
                "select json_object(
                     'failures', (select count(*) from failed_logins
                         where username = ?1 and address = ?2 and at > ?3),
                     'failures_everywhere', (select count(*) from failed_logins
                         where username = ?1 and at > ?3),
                     'is_familiar', json(iif(exists (select 1 from familiar_addresses f
                         join users u on u.id = f.user_id
                         where u.username = ?1 and f.address = ?2 and f.at > ?4), 'true', 'false')))",
                params![username, address, rule.since, familiar_since()],
            )
            .await?;
        standing.ok_or_else(|| windlass_core::Error::internal("a select of values answers one row"))
    }

    /// Whether one more failure of the address holds it off.
    pub fn is_on_the_brink(&self, rule: &LockRule) -> bool {
        self.failures == rule.failures
    }

    /// Whether the right password does not count from there at the moment.
    pub fn is_held_off(&self, rule: &LockRule) -> bool {
        let is_crowded = self.failures_everywhere > rule.failures.saturating_mul(STRANGERS);
        self.failures > rule.failures || (is_crowded && !self.is_familiar)
    }
}

/// Counts a wrong password against its address and, if somebody may have the name, against the name
/// from there. Forgets what no longer counts.
pub async fn record_failure(
    tx: &impl Tx,
    address: &str,
    username: Option<&str>,
    rule: &LockRule,
) -> Result<()> {
    tx.execute(
        "delete from failed_logins where at <= ?1",
        params![rule.since],
    )
    .await?;
    insert_failure(tx, address, username).await
}

/// Counts the refusal of something that is no password against its address.
pub async fn record_refusal(tx: &impl Tx, address: &str) -> Result<()> {
    insert_failure(tx, address, None).await
}

async fn insert_failure(tx: &impl Tx, address: &str, username: Option<&str>) -> Result<()> {
    let now = Timestamp::now();
    tx.execute(
        "delete from failed_logins where username is null and at <= ?1",
        params![now.plus_millis(-ADDRESS_WINDOW)],
    )
    .await?;
    tx.execute(
        "insert into failed_logins (address, username, at) values (?1, ?2, ?3)",
        params![address, username, now],
    )
    .await
}

/// Forgets the failures of an address for a user who logged in from there, and knows it from now on.
pub(super) async fn make_familiar(
    tx: &impl Tx,
    user_id: i64,
    username: &str,
    address: &str,
) -> Result<()> {
    forget_address(tx, username, address).await?;
    tx.execute(
        "delete from familiar_addresses where user_id = ?1 and at <= ?2",
        params![user_id, familiar_since()],
    )
    .await?;
    tx.execute(
        "insert or replace into familiar_addresses (user_id, address, at) values (?1, ?2, ?3)",
        params![user_id, address, Timestamp::now()],
    )
    .await
}

/// Forgets the failures of an address for a name, but not those of the address for whatever name.
pub async fn forget_address(tx: &impl Tx, username: &str, address: &str) -> Result<()> {
    tx.execute(
        "update failed_logins set username = null where username = ?1 and address = ?2",
        params![username, address],
    )
    .await
}

/// Forgets all failures for a name, so that the right password counts from everywhere.
pub(super) async fn forget(tx: &impl Tx, username: &str) -> Result<()> {
    tx.execute(
        "update failed_logins set username = null where username = ?1",
        params![username],
    )
    .await
}

fn familiar_since() -> Timestamp {
    Timestamp::now().plus_seconds(-FAMILIARITY)
}

#[cfg(test)]
mod tests;
