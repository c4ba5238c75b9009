//! Passwords that were verified a moment ago, for all instances.
//!
//! What is stored is an HMAC of the name, the password, and what the verification depended on. Its key
//! is the application's, so it is of no use without that. With another hash or other settings it no
//! longer counts.

use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, hashing, params, secretbox};

/// A name and a password, and what vouched for them.
pub struct Credential<'r> {
    /// Who verified it. One kind of verification says nothing about another.
    pub kind: &'static str,
    /// The name in the case in which it was compared.
    pub username: &'r str,
    /// The password as it was given.
    pub password: &'r str,
    /// The hash, or the directory's settings: with others, nothing was verified.
    pub against: &'r str,
}

impl Credential<'_> {
    /// Until when it counts as verified, if it was a moment ago.
    pub async fn known_until(&self, db: &impl Db) -> Result<Option<Timestamp>> {
        db.first_json(
            "select json_quote(expires_at) from verified_credentials
             where mac = ?1 and expires_at > ?2",
            params![self.mac().await?, Timestamp::now()],
        )
        .await
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
