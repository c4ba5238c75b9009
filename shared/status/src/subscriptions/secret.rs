//! What a subscription's links and signatures are derived from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use windlass_core::{Error, Result, hashing, ids, secretbox};

/// The random bytes of a subscription, encrypted, and what is derived from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub(super) sealed: String,
    key: String,
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// Internal, when the application has no encryption key.
    pub async fn new() -> Result<Self> {
        let key = ids::random_text(43);
        Ok(Self {
            sealed: secretbox::seal(key.as_bytes()).await?,
            key,
        })
    }

    /// The one that was stored, decrypted.
    pub(super) async fn open(sealed: &str) -> Result<Self> {
        let key = String::from_utf8(secretbox::open(sealed).await?).map_err(Error::internal)?;
        Ok(Self {
            sealed: sealed.to_owned(),
            key,
        })
    }

    /// What confirms the subscription; a webhook's challenge.
    pub fn confirm_token(&self) -> String {
        hashing::mac(&self.key, &["confirm"])
    }

    /// What ends the subscription.
    pub fn unsubscribe_token(&self) -> String {
        hashing::mac(&self.key, &["unsubscribe"])
    }

    /// The same key as receivers configure it, in the form of Standard Webhooks.
    pub fn signing_secret(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.signing_key()))
    }

    /// What a webhook's requests are signed with.
    pub fn signing_key(&self) -> [u8; 32] {
        hashing::keyed(&self.key, &["signing"])
    }
}
