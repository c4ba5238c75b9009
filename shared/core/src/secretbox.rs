//! Encryption of what is stored and must be read again, such as passwords for other servers.
//!
//! It is XChaCha20-Poly1305 with a random nonce, so instances need not count anything together. The
//! key is derived from the application's: the variable `encryption_key`, or the one made on first
//! use. Whoever has only the database learns nothing but lengths.

use crate::error::{Error, Result};
use crate::hashing;
use crate::ids;
use crate::platform::kv;
use crate::variables;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use std::cell::OnceCell;

/// Where the generated key for what is stored encrypted is kept.
pub const ENCRYPTION_KEY_KEY: &str = "core/encryption-key";

/// What a sealed text begins with. Another way of sealing would begin with another version.
const VERSION: &str = "v1:";

/// How many random bytes stand before the encrypted ones.
const NONCE: usize = 24;

/// Encrypts bytes into a text that [`open`] reads.
///
/// # Errors
/// Internal, when there is no key.
pub async fn seal(plain: &[u8]) -> Result<String> {
    let nonce = ids::random_bytes::<NONCE>();
    let sealed = cipher()
        .await?
        .encrypt(XNonce::from_slice(&nonce), plain)
        .map_err(|_| Error::internal("this is too long to be encrypted"))?;
    let mut bytes = nonce.to_vec();
    bytes.extend(sealed);
    Ok(format!("{VERSION}{}", STANDARD.encode(bytes)))
}

/// Decrypts a text that [`seal`] made.
///
/// # Errors
/// Internal, when the text was changed or sealed with another key.
pub async fn open(sealed: &str) -> Result<Vec<u8>> {
    let bytes = sealed
        .strip_prefix(VERSION)
        .and_then(|text| STANDARD.decode(text).ok());
    let Some((nonce, sealed)) = bytes
        .as_deref()
        .and_then(<[u8]>::split_first_chunk::<NONCE>)
    else {
        return Err(Error::internal("this is not an encrypted value"));
    };
    cipher()
        .await?
        .decrypt(XNonce::from_slice(nonce), sealed)
        .map_err(|_| {
            Error::internal(
                "a stored value cannot be decrypted: encryption_key is not the one it was encrypted with",
            )
        })
}

async fn cipher() -> Result<XChaCha20Poly1305> {
    let key = hashing::keyed(&encryption_key().await?, &["sealed values"]);
    Ok(XChaCha20Poly1305::new(&key.into()))
}

/// The application's key: the variable `encryption_key`, or the one made on first use.
///
/// # Errors
/// Internal, when there is neither: the key-value store was lost.
pub async fn encryption_key() -> Result<String> {
    thread_local! {
        static KEY: OnceCell<String> = const { OnceCell::new() };
    }
    if let Some(key) = KEY.with(|key| key.get().cloned()) {
        return Ok(key);
    }
    let key = match variables::secret("encryption_key").await {
        Some(key) => key,
        None => {
            let kept = kv::get(ENCRYPTION_KEY_KEY).await?.ok_or_else(|| {
                Error::internal(
                    "the key-value store holds no encryption key and none is configured",
                )
            })?;
            String::from_utf8(kept).map_err(Error::internal)?
        }
    };
    KEY.with(|known| known.set(key.clone()).ok());
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_nothing_else_does() {
        pollster::block_on(async {
            assert!(seal(b"x").await.is_err(), "there is no key yet");
            kv::set(ENCRYPTION_KEY_KEY, b"a key").await.unwrap();
            for plain in [&b""[..], b"secret", &[0xff; 5000]] {
                let sealed = seal(plain).await.unwrap();
                assert!(!sealed.contains("secret"));
                assert_ne!(sealed, seal(plain).await.unwrap());
                assert_eq!(open(&sealed).await.unwrap(), plain);
                let mut other = sealed.clone().into_bytes();
                let at = other.len() - 8;
                other[at] = if other[at] == b'A' { b'B' } else { b'A' };
                assert!(open(&String::from_utf8(other).unwrap()).await.is_err());
            }
            for text in ["", "v1:", "v1:AAAA", "v2:AAAA", "secret"] {
                assert!(open(text).await.is_err(), "{text}");
            }
        });
    }
}
