//! Passwords that were verified a moment ago, for all instances.
//!
//! What is stored is an HMAC of name, password and the user's present hash under the application's
//! key: it counts only while the password is the same, and is of no use without the key.

use windlass_core::db::Db;
use windlass_core::{Result, Timestamp, credentials, params};

/// How long a verified password counts, in seconds.
const LIFETIME: i64 = 600;

/// Whether this password was verified for this user and hash a moment ago.
pub async fn is_known(db: &impl Db, username: &str, password: &str, hash: &str) -> Result<bool> {
    let mac = mac(username, password, hash).await?;
    let row = db
        .first(
            "select 1 from verified_credentials where mac = ?1 and expires_at > ?2",
            params![mac, Timestamp::now()],
        )
        .await?;
    Ok(row.is_some())
}

/// Notes that the password was verified, and forgets what has expired.
pub async fn note(db: &impl Db, username: &str, password: &str, hash: &str) -> Result<()> {
    let mac = mac(username, password, hash).await?;
    let now = Timestamp::now();
    db.transaction(async |db| {
        db.execute(
            "delete from verified_credentials where expires_at <= ?1",
            params![now],
        )
        .await?;
        db.execute(
            "insert or replace into verified_credentials (mac, expires_at) values (?1, ?2)",
            params![mac, now.plus_seconds(LIFETIME)],
        )
        .await
    })
    .await
}

async fn mac(username: &str, password: &str, hash: &str) -> Result<String> {
    let key = super::bootstrap::encryption_key().await?;
    Ok(credentials::mac(
        &key,
        &["verified credential", username, password, hash],
    ))
}
