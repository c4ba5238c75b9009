//! Failed logins by the client's address. A client that fails too often has to wait.
//!
//! The lock of an address and a name stops guessing the password of one user. This stops guessing the
//! passwords of all users, and tokens. The count is read together with the version that every request reads
//! anyway, so a good login pays nothing for it.

use crate::memory::Memory;
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Request, Result, Timestamp, client, hashing, log, params};
use windlass_store::maintenance::Mode;
use windlass_store::users::locks::{self, ADDRESS_WINDOW};

/// More failures than these within [`ADDRESS_WINDOW`] make an address wait.
pub const FAILURES: i64 = 20;

/// The kind of credential that is a name with a password.
pub const BASIC: &str = "basic";

/// The one failure that is no guess. Whoever has an expired token once had a good one.
pub const EXPIRED: &str = "Token is expired";

/// What is known of a client before anything was verified.
pub struct Attempts {
    /// The version of identity, which a remembered caller must have.
    pub version: i64,
    /// Whether the application is being maintained.
    pub maintenance: Mode,
    /// Empty where the platform tells none.
    address: String,
    failures: i64,
    oldest: Option<Timestamp>,
}

impl Attempts {
    /// Reads the version of identity, and how often the client failed lately.
    pub async fn read(db: &impl Db, request: &Request) -> Result<Self> {
        let address = client::address_of(request).await.unwrap_or_default();
        // Read for every request, so by columns: JSON would be built and read at each of them.
        let row = db
            .first(
                "select coalesce(max(v.version), 0), count(f.at), min(f.at), max(v.maintenance)
                 from identity_version v
                 left join failed_logins f on f.address = ?1 and f.at > ?2",
                params![
                    address.as_str(),
                    Timestamp::now().plus_millis(-ADDRESS_WINDOW)
                ],
            )
            .await?
            .ok_or_else(|| Error::internal("an aggregate answers one row"))?;
        let oldest = row.optional_text(2)?;
        let oldest = oldest.map(|at| Timestamp::parse("failed login", at));
        let mode = row.optional_text(3)?.and_then(Mode::named);
        Ok(Self {
            version: row.integer(0)?,
            maintenance: mode.unwrap_or_default(),
            address,
            failures: row.integer(1)?,
            oldest: oldest.transpose()?,
        })
    }

    /// The client's address; empty where the platform tells none.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the address has not failed for a minute, which is as long as callers are remembered.
    pub fn are_none(&self) -> bool {
        self.failures == 0
    }

    /// What this instance remembers of a credential. A password counts only from the address where it
    /// was verified.
    pub fn memory_of(&self, kind: &str, credential: &str, tenant: &str) -> Memory {
        let address = match kind {
            BASIC => self.address.as_str(),
            _ => "",
        };
        let key = hashing::memory_key(&[kind, credential, tenant, address]);
        Memory::new(key, self.version)
    }

    /// Refuses to verify anything for an address that failed too often.
    ///
    /// # Errors
    /// 429, with the time until the oldest failure no longer counts.
    pub fn demand_few(&self) -> Result<()> {
        if self.failures <= FAILURES || self.address.is_empty() {
            return Ok(());
        }
        let end = self.oldest.unwrap_or_else(Timestamp::now);
        let left = end.plus_millis(ADDRESS_WINDOW).millis() - Timestamp::now().millis();
        let seconds = u32::try_from(left.max(0)).unwrap_or_default() / 1000 + 1;
        Err(Error::new(
            Kind::TooManyRequests,
            "Too many failed logins from this address, try again later",
        )
        .retry_after(seconds))
    }

    /// What a token was found to be. A refusal is counted. Passwords are counted with their names.
    pub async fn counted<T>(&self, db: &impl Db, found: Result<T>) -> Result<T> {
        match found {
            Ok(found) => Ok(found),
            Err(refusal) => Err(self.note(db, refusal).await),
        }
    }

    async fn note(&self, db: &impl Db, refusal: Error) -> Error {
        if refusal.kind() != Kind::Unauthorized || refusal.message().ends_with(EXPIRED) {
            return refusal;
        }
        let told = [("address", self.address.as_str().into())];
        log::line(log::Level::Warning, "token refused", told);
        let noted = db
            .transaction(async |tx| locks::record_refusal(tx, &self.address).await)
            .await;
        // Uncounted guesses are what this is against: then nobody gets an answer to theirs.
        noted.err().unwrap_or(refusal)
    }
}
