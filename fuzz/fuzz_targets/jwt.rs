//! A token of any letters: without the secret nobody makes one that counts, and reading one ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_identity::credentials;
use windlass_identity::jwt::{self, Refusal};

const SECRET: &str = "a secret that no input of a fuzzer knows";

fuzz_target!(|token: &str| {
    let _ = (jwt::is_shaped(token), jwt::unverified_claims(token));
    assert!(jwt::verify(SECRET, token).is_err(), "{token} was signed");
    assert_eq!(jwt::verify("short", token), Err(Refusal::ShortSecret));
    let _ = credentials::basic(token);
    let _ = credentials::is_usable_hash(token);
});
