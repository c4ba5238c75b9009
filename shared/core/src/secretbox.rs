//! Encryption of what is stored and must be read again, such as passwords for other servers.
//!
//! It is XChaCha20-Poly1305 with a random nonce, so instances need not count anything together. The
//! key is derived from the application's: the variable `encryption_key`, or the one made on first
//! use. Whoever has only the database learns nothing but lengths.
//!
//! A sealed text names the key that made it, so keys can be changed while the application runs: those in
//! `old_encryption_keys`, and the one made on first use, are still read, and [`reseal`] turns what they
//! sealed into texts of the present key.

use crate::error::{Error, Result};
use crate::hashing;
use crate::ids;
use crate::platform::kv;
use crate::variables;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use std::cell::RefCell;
use std::rc::Rc;

/// Where the generated key for what is stored encrypted is kept.
pub const ENCRYPTION_KEY_KEY: &str = "core/encryption-key";

/// What a sealed text begins with, before the name of its key. Another way of sealing would begin with
/// another version.
pub const VERSION: &str = "v2:";

/// What texts begin with that name no key: older ones.
const NAMELESS: &str = "v1:";

/// How many random bytes stand before the encrypted ones.
const NONCE: usize = 24;

/// How many characters the name of a key has.
const NAME: usize = 8;

/// A key, and the name by which sealed texts know it.
struct Key {
    name: String,
    bytes: [u8; 32],
}

impl Key {
    fn of(text: &str) -> Self {
        let mut name = hashing::mac(text, &["name of a key for sealed values"]);
        name.truncate(NAME);
        Self {
            name,
            bytes: hashing::keyed(text, &["sealed values"]),
        }
    }
}

/// The keys of an instance.
struct Keys {
    /// The application's key as it was given.
    text: String,
    present: Key,
    /// Only read with.
    old: Vec<Key>,
}

thread_local! {
    static KEYS: RefCell<Option<Rc<Keys>>> = const { RefCell::new(None) };
}

/// Encrypts bytes into a text that [`open`] reads.
///
/// # Errors
/// Internal, when there is no key.
pub async fn seal(plain: &[u8]) -> Result<String> {
    let keys = keys().await?;
    let Key { name, bytes } = &keys.present;
    let sealed = seal_with(bytes, plain)?;
    Ok(format!("{VERSION}{name}:{}", STANDARD.encode(sealed)))
}

/// Encrypts bytes with a key of the caller's: a random nonce, then what is encrypted.
///
/// # Errors
/// Internal, for more than can be encrypted at once.
pub fn seal_with(key: &[u8; 32], plain: &[u8]) -> Result<Vec<u8>> {
    let nonce = ids::random_bytes::<NONCE>();
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(XNonce::from_slice(&nonce), plain)
        .map_err(|_| Error::internal("this is too long to be encrypted"))?;
    let mut bytes = nonce.to_vec();
    bytes.extend(sealed);
    Ok(bytes)
}

/// What [`seal_with`] encrypted; nothing when it was another key, or the bytes were changed.
pub fn open_with(key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(XNonce::from_slice(nonce), sealed).ok()
}

/// Decrypts a text that [`seal`] made, with whichever key it was.
///
/// # Errors
/// Internal, when the text was changed or sealed with a key that is not known.
pub async fn open(sealed: &str) -> Result<Vec<u8>> {
    let (name, text) = parts(sealed).ok_or_else(not_sealed)?;
    let bytes = STANDARD.decode(text).map_err(|_| not_sealed())?;
    let keys = keys().await?;
    let opened = keys
        .old
        .iter()
        .chain([&keys.present])
        .filter(|key| name.is_none_or(|name| name == key.name))
        .find_map(|key| open_with(&key.bytes, &bytes));
    opened.ok_or_else(|| {
        Error::internal(
            "a stored value cannot be decrypted: it was encrypted with a key that is neither \
             encryption_key nor one of old_encryption_keys",
        )
    })
}

fn not_sealed() -> Error {
    Error::internal("this is not an encrypted value")
}

/// The name of a sealed text's key, if it has one, and the rest.
fn parts(sealed: &str) -> Option<(Option<&str>, &str)> {
    if let Some(text) = sealed.strip_prefix(NAMELESS) {
        return Some((None, text));
    }
    let (name, text) = sealed.strip_prefix(VERSION)?.split_once(':')?;
    Some((Some(name), text))
}

/// What texts sealed with the present key begin with.
///
/// # Errors
/// Internal, when there is no key.
pub async fn present_prefix() -> Result<String> {
    Ok(format!("{VERSION}{}:", keys().await?.present.name))
}

/// What texts sealed with any of the known keys begin with, unless they are of a version that named none.
///
/// # Errors
/// Internal, when there is no key.
pub async fn known_prefixes() -> Result<Vec<String>> {
    let keys = keys().await?;
    let all = keys.old.iter().chain([&keys.present]);
    Ok(all.map(|key| format!("{VERSION}{}:", key.name)).collect())
}

/// The same value sealed with the present key; nothing when it is already.
///
/// # Errors
/// As [`open`].
pub async fn reseal(sealed: &str) -> Result<Option<String>> {
    if sealed.starts_with(&present_prefix().await?) {
        return Ok(None);
    }
    seal(&open(sealed).await?).await.map(Some)
}

/// Whether there are keys that are only read with, so that there may be something to [`reseal`].
///
/// # Errors
/// Internal, when there is no key.
pub async fn has_old_keys() -> Result<bool> {
    Ok(!keys().await?.old.is_empty())
}

/// The application's key: the variable `encryption_key`, or the one made on first use.
///
/// # Errors
/// Internal, when there is neither: the key-value store was lost.
pub async fn encryption_key() -> Result<String> {
    Ok(keys().await?.text.clone())
}

async fn keys() -> Result<Rc<Keys>> {
    if let Some(keys) = KEYS.with_borrow(Clone::clone) {
        return Ok(keys);
    }
    let made = kv::get(ENCRYPTION_KEY_KEY).await?;
    let made = made
        .map(|bytes| String::from_utf8(bytes).map_err(Error::internal))
        .transpose()?;
    let given = variables::secret("encryption_key").await;
    let text = given.or_else(|| made.clone()).ok_or_else(|| {
        Error::internal("the key-value store holds no encryption key and none is configured")
    })?;
    let listed = variables::secret("old_encryption_keys").await;
    let listed = listed.as_deref().unwrap_or_default();
    let mut old: Vec<Key> = Vec::new();
    // A key may have spaces in it, so the whole text may be one too.
    let words = listed.split_whitespace().chain([listed]);
    for other in words.chain(made.as_deref()) {
        let key = Key::of(other);
        let is_new = old.iter().all(|known| known.name != key.name);
        if !other.is_empty() && other != text && is_new {
            old.push(key);
        }
    }
    let keys = Rc::new(Keys {
        present: Key::of(&text),
        text,
        old,
    });
    KEYS.set(Some(keys.clone()));
    Ok(keys)
}

/// Lets go of the keys that this instance remembers, as a new instance has none yet.
#[cfg(feature = "native")]
pub fn forget_keys() {
    KEYS.set(None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::set_variable;

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
            for text in [
                "",
                "v1:",
                "v1:AAAA",
                "v2:AAAA",
                "v2:a:AAAA",
                "v3:a:AAAA",
                "secret",
            ] {
                assert!(open(text).await.is_err(), "{text}");
            }
        });
    }

    #[test]
    fn old_keys_are_read_with_until_all_is_sealed_with_the_new_one() {
        pollster::block_on(async {
            kv::set(ENCRYPTION_KEY_KEY, b"made").await.unwrap();
            let made = seal(b"one").await.unwrap();
            // Texts of older versions name no key.
            let nameless = made.replacen(&present_prefix().await.unwrap(), NAMELESS, 1);
            assert!(!has_old_keys().await.unwrap());
            let with = |key: &str, old: &str| {
                set_variable("encryption_key", key);
                set_variable("old_encryption_keys", old);
                forget_keys();
            };
            with("second key", "");
            assert!(has_old_keys().await.unwrap(), "the one made on first use");
            let second = seal(b"two").await.unwrap();
            with("third", "second key");
            for (sealed, plain) in [(&made, b"one"), (&nameless, b"one"), (&second, b"two")] {
                assert_eq!(open(sealed).await.unwrap(), plain);
                let again = reseal(sealed).await.unwrap().unwrap();
                assert_eq!(open(&again).await.unwrap(), plain);
                assert_eq!(reseal(&again).await.unwrap(), None);
            }
            with("third", "x second-key\ny");
            assert!(open(&second).await.is_err());
            with("third", "x\nanother");
            assert!(open(&second).await.is_err());
        });
    }
}
