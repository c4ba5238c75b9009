//! Values of secrets: opened here, or fetched from the provider that keeps them.
//!
//! Who may read one is the store's to say, and that it was read is in the audit trail before its value
//! gets here. What goes wrong with a provider is told without its credentials.

mod cloudify;
mod connection;
mod vault;

pub use connection::Connection;

use serde_json::{Map, Value};
use windlass_core::outbound::Outbound;
use windlass_core::{Error, Kind, Result};
use windlass_store::secrets::{Read, unseal};
use windlass_store::secrets_providers::ProviderType;

/// The value of a secret that was read, if it is stored here; nothing for one that has to be
/// [fetched](fetch).
///
/// # Errors
/// 500 for a value that no known key opens.
pub async fn stored(read: &Read) -> Result<Option<Value>> {
    let is_elsewhere = |kind| kind != ProviderType::Local;
    if read
        .provider
        .as_ref()
        .is_some_and(|it| is_elsewhere(it.kind))
    {
        return Ok(None);
    }
    unseal(&read.value).await.map(Some)
}

/// The value of a secret of this key, wherever it is.
///
/// # Errors
/// 404 when its provider has none of this key; 400 `failed_dependency` when the provider does not
/// answer; as [`stored`].
pub async fn fetch(read: &Read, key: &str, outbound: &impl Outbound) -> Result<Value> {
    if let Some(value) = stored(read).await? {
        return Ok(value);
    }
    let Some(provider) = &read.provider else {
        return Err(Error::internal("what is not stored here has a provider"));
    };
    let connection = Connection::open(provider).await?;
    connection.value(key, &options(read).await?, outbound).await
}

/// Where at its provider a secret is, decrypted.
///
/// # Errors
/// As [`stored`].
pub async fn options(read: &Read) -> Result<Map<String, Value>> {
    let Some(sealed) = &read.provider_options else {
        return Ok(Map::new());
    };
    match unseal(sealed).await? {
        Value::Object(options) => Ok(options),
        _ => Ok(Map::new()),
    }
}

/// 400: the provider did not do what it was asked.
fn failed(provider: &str, why: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::FailedDependency,
        format!("The secrets provider `{provider}` failed: {why}"),
    )
}

#[cfg(test)]
mod tests;
