//! What monitors of the Status Dashboard show: tokens that they sign themselves, and what somebody
//! who would like to be one makes instead.

use base64::Engine as _;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a story's monitors sign with: the variable `status_jwt_secret`.
pub const MONITORS_SECRET: &str = "a secret of the stories' monitors, long enough";

/// The token of a monitor of this name, good for an hour.
pub fn monitor_token(name: &str) -> String {
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    jwt(&header, &claims_of(name, 3600), MONITORS_SECRET)
}

/// The claims of a monitor whose token ends in so many seconds.
pub fn claims_of(name: &str, seconds: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |time| time.as_secs().cast_signed());
    json!({ "stackmon": name, "exp": now + seconds })
}

/// A token with any header and claims, signed by HMAC-SHA256 whatever the header says.
pub fn jwt(header: &Value, claims: &Value, secret: &str) -> String {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let text = |value: &Value| encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", text(header), text(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", encode(&mac.finalize().into_bytes()))
}
