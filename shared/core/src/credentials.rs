//! Credentials: hashing passwords and secrets, reading `Authorization`, remembering what was verified.

use crate::error::{Error, Result};
use crate::ids;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::cell::OnceCell;

/// Hashes a password with argon2id (19 MiB, 2 passes: the first choice of OWASP's table), in PHC form.
pub fn hash_password(password: &str) -> Result<String> {
    let salt = SaltString::encode_b64(&ids::random_bytes::<16>()).map_err(Error::internal)?;
    hasher()
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(Error::internal)
}

/// Whether the password is the one that was hashed. A hash that cannot be read matches nothing.
pub fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| hasher().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Whether this is a hash that [`verify_password`] can compare with, at a cost like that of our own: a
/// hash names its cost itself, and a large one would take the memory of all requests.
pub fn is_usable_hash(hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        hash.algorithm == Algorithm::Argon2id.ident()
            && hash.salt.is_some()
            && hash.hash.is_some()
            && Params::try_from(&hash).is_ok_and(|cost| {
                cost.m_cost() <= 64 * 1024 && cost.t_cost() <= 10 && cost.p_cost() <= 16
            })
    })
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// SHA-256 in hexadecimal: how secrets that are long and random are stored.
pub fn digest(secret: &str) -> String {
    crate::blob::hex(&Sha256::digest(secret.as_bytes()))
}

/// Compares two texts in a time that does not tell where they differ.
pub fn same(left: &str, right: &str) -> bool {
    // Digests of equal length; what a comparison of them tells is of no use.
    Sha256::digest(left.as_bytes()) == Sha256::digest(right.as_bytes())
}

/// The user name and password of `Authorization: Basic`, if the header holds them.
pub fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(encoded.trim())
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

/// A key under which a verified credential may be remembered: an HMAC with a key of this
/// instance, so that what is in memory is of no use elsewhere.
pub fn memory_key(parts: &[&str]) -> [u8; 32] {
    thread_local! {
        static KEY: OnceCell<[u8; 32]> = const { OnceCell::new() };
    }
    KEY.with(|key| keyed_hash(key.get_or_init(ids::random_bytes::<32>), parts))
}

/// An HMAC of some texts under a key that outlives the instance, in hexadecimal.
pub fn mac(key: &str, parts: &[&str]) -> String {
    crate::blob::hex(&keyed(key, parts))
}

/// An HMAC of some texts under a key that outlives the instance: also a key for one purpose.
pub fn keyed(key: &str, parts: &[&str]) -> [u8; 32] {
    keyed_hash(key.as_bytes(), parts)
}

fn keyed_hash(key: &[u8], parts: &[&str]) -> [u8; 32] {
    // HMAC takes keys of any length, so this never answers the zeros.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        // With its length, so that no two lists of parts read the same.
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = hash_password("correct horse").unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(verify_password("correct horse", &hash));
        assert!(!verify_password("correct house", &hash));
        assert!(!verify_password("", "no hash at all"));
    }

    #[test]
    fn a_hash_from_elsewhere_is_usable_when_it_costs_no_more_than_ours() {
        let own = hash_password("correct horse").unwrap();
        assert!(is_usable_hash(&own));
        for (from, to) in [
            ("m=19456", "m=4194304"),
            ("t=2", "t=2000"),
            ("argon2id", "argon2i"),
            ("argon2id", "pbkdf2-sha256"),
        ] {
            assert!(!is_usable_hash(&own.replace(from, to)), "{to}");
        }
        assert!(!is_usable_hash("$argon2id$v=19$m=19456,t=2,p=1"));
        assert!(!is_usable_hash("correct horse"));
    }

    #[test]
    fn basic_headers_are_read() {
        for (header, want) in [
            ("Basic YWRtaW46cGE6c3M=", Some(("admin", "pa:ss"))),
            ("basic YWRtaW46", Some(("admin", ""))),
            ("Basic YWRtaW4=", None),
            ("Basic ***", None),
            ("Bearer YWRtaW46cGE6c3M=", None),
            ("Basic", None),
        ] {
            let got = basic(header);
            let got = got
                .as_ref()
                .map(|(name, password)| (name.as_str(), password.as_str()));
            assert_eq!(got, want, "{header}");
        }
    }

    #[test]
    fn memory_keys_depend_on_every_part() {
        assert_eq!(memory_key(&["a", "bc"]), memory_key(&["a", "bc"]));
        assert_ne!(memory_key(&["a", "bc"]), memory_key(&["ab", "c"]));
    }
}
