//! Values that travel encrypted with a passphrase.
//!
//! A text is `p1:<salt>:<nonce and encrypted bytes>`, both in base64: the key is argon2id of the passphrase
//! with the salt, which all values of an export share, so that one derivation does for all.

use argon2::Argon2;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use windlass_core::{Error, Result, ids, secretbox};

const VERSION: &str = "p1:";

/// The shortest passphrase, in characters.
const SHORTEST: usize = 8;

/// How many salts one import may have: deriving a key takes long.
const MOST_SALTS: usize = 8;

/// A passphrase with the keys that were derived from it.
pub struct Passphrase<'a> {
    text: &'a str,
    keys: HashMap<Vec<u8>, [u8; 32]>,
}

impl<'a> Passphrase<'a> {
    /// A passphrase as a request gives it.
    ///
    /// # Errors
    /// 400 for one that is too short.
    pub fn new(text: &'a str) -> Result<Self> {
        if text.chars().count() < SHORTEST {
            return Err(Error::bad_parameters(format!(
                "The passphrase must have at least {SHORTEST} characters"
            )));
        }
        Ok(Self {
            text,
            keys: HashMap::new(),
        })
    }

    /// Encrypts a value; all with the same salt.
    ///
    /// # Errors
    /// Internal.
    pub fn seal(&mut self, plain: &[u8]) -> Result<String> {
        let salt = match self.keys.keys().next() {
            Some(salt) => salt.clone(),
            None => ids::random_bytes::<16>().to_vec(),
        };
        let key = self.key(&salt)?;
        let sealed = secretbox::seal_with(&key, plain)?;
        Ok(format!(
            "{VERSION}{}:{}",
            STANDARD.encode(salt),
            STANDARD.encode(sealed)
        ))
    }

    /// Decrypts a value; nothing for one of another passphrase or of another kind.
    pub fn open(&mut self, text: &str) -> Option<Vec<u8>> {
        let (salt, sealed) = text.strip_prefix(VERSION)?.split_once(':')?;
        let salt = STANDARD.decode(salt).ok()?;
        if !self.keys.contains_key(&salt) && self.keys.len() >= MOST_SALTS {
            return None;
        }
        let key = self.key(&salt).ok()?;
        secretbox::open_with(&key, &STANDARD.decode(sealed).ok()?)
    }

    fn key(&mut self, salt: &[u8]) -> Result<[u8; 32]> {
        if let Some(key) = self.keys.get(salt) {
            return Ok(*key);
        }
        let mut key = [0; 32];
        Argon2::default()
            .hash_password_into(self.text.as_bytes(), salt, &mut key)
            .map_err(Error::internal)?;
        self.keys.insert(salt.to_vec(), key);
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_open_with_their_passphrase_only() {
        assert!(Passphrase::new("short").is_err());
        let mut ours = Passphrase::new("correct horse").unwrap();
        let (one, two) = (ours.seal(b"one").unwrap(), ours.seal(b"two").unwrap());
        assert_eq!(ours.keys.len(), 1, "one derivation does for all");
        let mut same = Passphrase::new("correct horse").unwrap();
        assert_eq!(same.open(&one).as_deref(), Some(&b"one"[..]));
        assert_eq!(same.open(&two).as_deref(), Some(&b"two"[..]));
        let mut other = Passphrase::new("another horse").unwrap();
        assert_eq!(other.open(&one), None);
        for text in ["", "p1:", "p1:AAAA:AAAA", "plain", "p2:AAAA:AAAA"] {
            assert_eq!(same.open(text), None, "{text}");
        }
    }
}
