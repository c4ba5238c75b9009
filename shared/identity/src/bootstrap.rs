//! First use: the administrator, and the keys that the operator did not set, are made here once.
//!
//! Ten requests may arrive at an empty database at the same moment, in ten instances. Each of
//! them looks again inside a transaction, and only one at a time has one. What it makes is in the
//! key-value store before it commits, so a crash in between loses nothing.

use crate::credentials;
use windlass_core::db::{Db, Tx};
use windlass_core::platform::{self, kv};
use windlass_core::secretbox::{ENCRYPTION_KEY_KEY, encryption_key};
use windlass_core::{Error, Result, hashing, ids, variables};
use windlass_store::users;

/// Where the generated password of the first administrator is kept.
pub const ADMIN_PASSWORD_KEY: &str = "core/admin-password";

/// Makes the administrator, the default tenant and the keys, if there are none.
pub async fn run(db: &impl Db) -> Result<()> {
    if users::has_first_administrator(db).await? {
        return keep_tick_token(db).await;
    }
    db.transaction(async |tx| {
        if users::has_first_administrator(tx).await? {
            return Ok(());
        }
        keep(
            ENCRYPTION_KEY_KEY,
            variables::secret("encryption_key").await,
            48,
        )
        .await?;
        keep(
            platform::TICK_TOKEN_KEY,
            variables::secret("tick_token").await,
            40,
        )
        .await?;
        if let Some(password) = variables::secret("admin_password").await {
            return insert(tx, &password).await;
        }
        let password = keep(ADMIN_PASSWORD_KEY, None, 20)
            .await?
            .unwrap_or_default();
        insert(tx, &password).await?;
        // The one text that goes to standard output. Before the commit: a crash in between shows
        // the same password again, a crash after it would have shown none.
        println!("Windlass is ready. Log in as `admin` with the password: {password}");
        Ok(())
    })
    .await
}

/// Makes the tick's token where the operator had set one and does not any more: without any, nothing that
/// happens by itself would happen.
pub async fn keep_tick_token(db: &impl Db) -> Result<()> {
    if platform::tick_token().await?.is_some() {
        return Ok(());
    }
    db.transaction(async |_| {
        let given = variables::secret("tick_token").await;
        keep(platform::TICK_TOKEN_KEY, given, 40).await.map(drop)
    })
    .await
}

/// Makes a value for a key that has none, unless the operator gives one. Answers what there is then.
async fn keep(key: &str, given: Option<String>, length: usize) -> Result<Option<String>> {
    if given.is_some() {
        return Ok(given);
    }
    if let Some(kept) = kv::get(key).await? {
        return String::from_utf8(kept).map(Some).map_err(Error::internal);
    }
    let made = ids::random_text(length);
    kv::set(key, made.as_bytes()).await?;
    Ok(Some(made))
}

async fn insert(tx: &impl Tx, password: &str) -> Result<()> {
    users::insert_first_administrator(tx, &credentials::hash_password(password)?).await
}

/// The key that signs tokens. It is derived from the application's key, so whoever learns it cannot
/// read stored secrets.
pub async fn token_signing_key() -> Result<String> {
    Ok(hashing::mac(
        &encryption_key().await?,
        &["token signing key"],
    ))
}
