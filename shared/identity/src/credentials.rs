//! Hashing and comparing passwords, and reading the header that carries one.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use windlass_core::{Error, Result, ids};

/// How many characters a password may have.
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 5..=256;

/// Refuses a password that is too short or too long.
///
/// # Errors
/// 400, with the lengths.
pub fn check_password(password: &str) -> Result<()> {
    if PASSWORD_LENGTH.contains(&password.chars().count()) {
        return Ok(());
    }
    Err(Error::bad_parameters(format!(
        "The password must have {} to {} characters",
        PASSWORD_LENGTH.start(),
        PASSWORD_LENGTH.end()
    )))
}

/// Hashes a password with argon2id (19 MiB, 2 passes: the first choice of OWASP's table), in PHC form.
pub fn hash_password(password: &str) -> Result<String> {
    let salt = SaltString::encode_b64(&ids::random_bytes::<16>()).map_err(Error::internal)?;
    hasher()
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(Error::internal)
}

/// A hash like ours that no password is known to match: what is compared for a name that nobody has.
pub const NO_PASSWORD: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether the password is the one that was hashed. A hash that is not usable matches nothing, and
/// that takes as long as a comparison.
pub fn verify_password(password: &str, hash: &str) -> bool {
    let is_usable = is_usable_hash(hash);
    let compared = if is_usable { hash } else { NO_PASSWORD };
    let matches = PasswordHash::new(compared)
        .is_ok_and(|hash| hasher().verify_password(password.as_bytes(), &hash).is_ok());
    matches && is_usable
}

/// Whether [`verify_password`] can compare with this hash at a cost like that of our own. A hash
/// names its cost itself, and a high one would take the memory of all requests.
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
        for hash in ["no hash at all", "", NO_PASSWORD] {
            assert!(!verify_password("", hash), "{hash}");
        }
        assert!(is_usable_hash(NO_PASSWORD));
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
}
