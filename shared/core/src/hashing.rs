//! Digests and keyed hashes of secrets. Secrets are stored, compared and derived with these.

use crate::ids;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::cell::OnceCell;

/// SHA-256 in hexadecimal: how secrets that are long and random are stored.
pub fn digest(secret: &str) -> String {
    crate::blob::hex(&Sha256::digest(secret.as_bytes()))
}

/// Compares two texts in a time that does not tell where they differ.
pub fn same(left: &str, right: &str) -> bool {
    // Digests of equal length; what a comparison of them tells is of no use.
    Sha256::digest(left.as_bytes()) == Sha256::digest(right.as_bytes())
}

/// A key under which an instance may remember a verified credential. It is an HMAC with a key that
/// only this instance has, so the memory of one instance is of no use elsewhere.
pub fn memory_key(parts: &[&str]) -> [u8; 32] {
    thread_local! {
        static KEY: OnceCell<[u8; 32]> = const { OnceCell::new() };
    }
    KEY.with(|key| keyed_hash(key.get_or_init(ids::random_bytes::<32>), parts))
}

/// An HMAC of some texts with a key that all instances have, in hexadecimal.
pub fn mac(key: &str, parts: &[&str]) -> String {
    crate::blob::hex(&keyed(key, parts))
}

/// An HMAC of some texts with a key that all instances have. It can serve as a key for one purpose.
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
    fn memory_keys_depend_on_every_part() {
        assert_eq!(memory_key(&["a", "bc"]), memory_key(&["a", "bc"]));
        assert_ne!(memory_key(&["a", "bc"]), memory_key(&["ab", "c"]));
    }
}
