//! Passwords that were verified a moment ago, for all instances.
//!
//! What is stored is an HMAC of name, password and what the verification depended on, under the
//! application's key: it counts only while that is the same, and is of no use without the key.

use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, hashing, params, secretbox};

/// A name and a password, and what vouched for them.
pub struct Credential<'r> {
    /// What the rest means: one kind of verification says nothing about another.
    pub kind: &'static str,
    /// The name.
    pub username: &'r str,
    /// The password.
    pub password: &'r str,
    /// The hash, or the directory's settings: with others, nothing was verified.
    pub against: &'r str,
}

impl Credential<'_> {
    /// Until when it counts as verified, if it was a moment ago.
    pub async fn known_until(&self, db: &impl Db) -> Result<Option<Timestamp>> {
        let row = db
            .first(
                "select expires_at from verified_credentials where mac = ?1 and expires_at > ?2",
                params![self.mac().await?, Timestamp::now()],
            )
            .await?;
        row.map(|row| Timestamp::parse("expires_at", row.text(0)?))
            .transpose()
    }

    /// Notes that it was verified, and forgets what has expired. Answers until when it counts.
    pub async fn note(&self, tx: &impl Tx, seconds: i64) -> Result<Timestamp> {
        let mac = self.mac().await?;
        let now = Timestamp::now();
        let until = now.plus_seconds(seconds);
        tx.execute(
            "delete from verified_credentials where expires_at <= ?1",
            params![now],
        )
        .await?;
        tx.execute(
            "insert or replace into verified_credentials (mac, expires_at) values (?1, ?2)",
            params![mac, until],
        )
        .await?;
        Ok(until)
    }

    async fn mac(&self) -> Result<String> {
        let key = secretbox::encryption_key().await?;
        let parts = [self.kind, self.username, self.password, self.against];
        Ok(hashing::mac(&key, &parts))
    }
}
