//! Signed tokens: JWTs with HS256 and no other algorithm, `none` least of all.
//!
//! Some clients want to read who they are from their token, and monitors sign theirs themselves. A
//! signature only tells who made a token. The caller has to look up whether it still counts.

use base64::Engine as _;
use jwt_simple::JWTError;
use jwt_simple::algorithms::{HS256Key, MACLike};
use jwt_simple::claims::Claims;
use jwt_simple::common::VerificationOptions;
use jwt_simple::prelude::Duration;
use serde_json::{Map, Value};
use windlass_core::error::{Error, Result};
use windlass_core::time::Timestamp;

/// The shortest secret that is accepted, in bytes: HS256 is no stronger than its secret.
pub const SHORTEST_SECRET: usize = 32;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8192;

/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 5;

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its time is over.
    Expired,
    /// It has no end.
    Endless,
    /// Anything else: another secret, another algorithm, not of this shape, not valid yet.
    Invalid,
    /// The secret is too short to tell anything.
    ShortSecret,
}

/// Whether a text has the shape of a JWT.
pub fn is_shaped(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3
}

/// The claims of a token without looking at its signature: to find the row it is checked against.
pub fn unverified_claims(token: &str) -> Option<Map<String, Value>> {
    let payload = token.split('.').nth(1).filter(|_| token.len() <= LONGEST)?;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&engine.decode(payload).ok()?).ok()
}

/// Signs claims that count from one time to another, in whole seconds.
///
/// # Errors
/// Internal, when the secret is too short.
pub fn sign(
    secret: &str,
    claims: Map<String, Value>,
    from: Timestamp,
    until: Timestamp,
) -> Result<String> {
    if secret.len() < SHORTEST_SECRET {
        return Err(Error::internal("the secret for signing is too short"));
    }
    let seconds = |time: Timestamp| Duration::from_secs(seconds(time));
    let mut claims = Claims::with_custom_claims(claims, Duration::from_secs(0));
    claims.issued_at = Some(seconds(from));
    claims.invalid_before = None;
    claims.expires_at = Some(seconds(until));
    HS256Key::from_bytes(secret.as_bytes())
        .authenticate(claims)
        .map_err(Error::internal)
}

/// The claims of a token that was signed with this secret and counts now.
///
/// # Errors
/// Why it does not.
pub fn verify(secret: &str, token: &str) -> Result<Map<String, Value>, Refusal> {
    if secret.len() < SHORTEST_SECRET {
        return Err(Refusal::ShortSecret);
    }
    let options = VerificationOptions {
        time_tolerance: Some(Duration::from_secs(LEEWAY)),
        max_token_length: Some(LONGEST),
        artificial_time: Some(Duration::from_secs(seconds(Timestamp::now()))),
        ..VerificationOptions::default()
    };
    let claims = HS256Key::from_bytes(secret.as_bytes())
        .verify_token::<Map<String, Value>>(token, Some(options))
        .map_err(|error| match error.downcast_ref() {
            Some(JWTError::TokenHasExpired) => Refusal::Expired,
            _ => Refusal::Invalid,
        })?;
    if claims.expires_at.is_none() {
        return Err(Refusal::Endless);
    }
    Ok(claims.custom)
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.millis() / 1000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn claims() -> Map<String, Value> {
        json!({ "stackmon": "probe" }).as_object().cloned().unwrap()
    }

    /// A token made by hand, of any algorithm and with any claims.
    fn by_hand(header: Value, claims: Value, secret: &str) -> String {
        use hmac::Mac;
        let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", encode(&mac.finalize().into_bytes()))
    }

    #[test]
    fn a_token_counts_for_its_secret_and_its_time() {
        let now = Timestamp::now();
        let token = sign(SECRET, claims(), now, now.plus_seconds(60)).unwrap();
        assert!(is_shaped(&token), "{token}");
        assert_eq!(verify(SECRET, &token), Ok(claims()));
        let other = SECRET.to_uppercase();
        assert_eq!(verify(&other, &token), Err(Refusal::Invalid));
        let old = sign(
            SECRET,
            claims(),
            now.plus_seconds(-120),
            now.plus_seconds(-60),
        );
        assert_eq!(verify(SECRET, &old.unwrap()), Err(Refusal::Expired));
        assert!(sign("short", claims(), now, now.plus_seconds(60)).is_err());
    }

    #[test]
    fn what_is_not_signed_with_hs256_does_not_count() {
        let later = Timestamp::now().plus_seconds(60).millis() / 1000;
        let good = json!({ "alg": "HS256", "typ": "JWT" });
        let claims = json!({ "stackmon": "probe", "exp": later });
        let signed = by_hand(good.clone(), claims.clone(), SECRET);
        let unsigned = by_hand(json!({ "alg": "none" }), claims.clone(), SECRET);
        let (head, _) = unsigned.rsplit_once('.').unwrap();
        let future = json!({ "stackmon": "x", "exp": later + 60, "nbf": later });
        let endless = json!({ "stackmon": "x" });
        for (secret, token, want) in [
            (SECRET, signed.clone(), None),
            (
                "short",
                by_hand(good.clone(), claims.clone(), "short"),
                Some(Refusal::ShortSecret),
            ),
            (SECRET, unsigned.clone(), Some(Refusal::Invalid)),
            (SECRET, format!("{head}."), Some(Refusal::Invalid)),
            (SECRET, head.to_owned(), Some(Refusal::Invalid)),
            (
                SECRET,
                by_hand(json!({ "alg": "HS384" }), claims.clone(), SECRET),
                Some(Refusal::Invalid),
            ),
            (
                SECRET,
                by_hand(json!({ "alg": "RS256" }), claims.clone(), SECRET),
                Some(Refusal::Invalid),
            ),
            (
                SECRET,
                by_hand(good.clone(), future, SECRET),
                Some(Refusal::Invalid),
            ),
            (
                SECRET,
                by_hand(good.clone(), endless, SECRET),
                Some(Refusal::Endless),
            ),
            (
                SECRET,
                by_hand(good.clone(), json!([1]), SECRET),
                Some(Refusal::Invalid),
            ),
            (
                SECRET,
                by_hand(good.clone(), json!({ "exp": -1 }), SECRET),
                Some(Refusal::Invalid),
            ),
            (
                SECRET,
                by_hand(good, json!({ "exp": 1 }), SECRET),
                Some(Refusal::Expired),
            ),
            (SECRET, format!("{signed}x"), Some(Refusal::Invalid)),
            (SECRET, "a.b.c".into(), Some(Refusal::Invalid)),
            (SECRET, ".".repeat(10_000), Some(Refusal::Invalid)),
            (SECRET, String::new(), Some(Refusal::Invalid)),
        ] {
            assert_eq!(verify(secret, &token).err(), want, "{token}");
        }
    }
}
