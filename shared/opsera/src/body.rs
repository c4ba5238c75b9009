//! What bodies hold, and the refusals that Opsera's clients know.

use serde_json::{Map, Value as Json};
use windlass_core::{Body, Error, Kind, Result, blob, ids};

/// The most bytes of an object that clients store, as JSON.
pub const OBJECT_BYTES: usize = 256 << 10;

/// The longest name.
const NAME: usize = 256;

/// The longest other text, such as a description.
const TEXT: usize = 1024;

/// A new id: 24 letters and digits, as the original's database makes them.
pub fn new_id() -> String {
    blob::hex(&ids::random_bytes::<12>())
}

/// 404 for a thing that is not in the account.
pub fn not_found(what: &str, id: &str) -> Error {
    Error::new(Kind::NotFound, format!("{what} not found ({id})"))
}

/// An id that a body must have.
///
/// # Errors
/// 400 when it is missing or cannot be one.
pub fn id<'b>(body: &'b Body, name: &str) -> Result<&'b str> {
    let refuse = |text: &str| Error::bad_parameters(format!("{name} {text}")).field(name, text);
    let given = body.get(name).ok_or_else(|| refuse("is missing"))?;
    let id = given.as_str().filter(|id| is_id(id));
    id.ok_or_else(|| refuse("must be 24 letters and digits"))
}

/// Whether a text can be an id.
pub fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A whole number of at least one, which may come as text.
///
/// # Errors
/// 400 for anything else.
pub fn count(body: &Body, name: &str) -> Result<Option<i64>> {
    let Some(given) = body.get(name) else {
        return Ok(None);
    };
    let number = match given {
        Json::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let number = number.filter(|number| *number >= 1);
    number.map(Some).ok_or_else(|| {
        let text = "must be a whole number of at least 1";
        Error::bad_parameters(format!("{name} {text}")).field(name, text)
    })
}

/// A name, trimmed.
///
/// # Errors
/// 400 for none, a long one, or one with control characters.
pub fn name(value: Option<&Json>, field: &str) -> Result<String> {
    let name = text(value, field, NAME)?;
    name.ok_or_else(|| {
        let text = "is missing";
        Error::bad_parameters(format!("{field} {text}")).field(field, text)
    })
}

/// A short text that may be absent, trimmed; an empty one is none.
///
/// # Errors
/// 400 for what is no text, too long, or has control characters.
pub fn optional_name(value: Option<&Json>, field: &str) -> Result<Option<String>> {
    text(value, field, NAME)
}

/// A longer text that may be absent.
///
/// # Errors
/// As [`optional_name`].
pub fn optional_text(value: Option<&Json>, field: &str) -> Result<Option<String>> {
    text(value, field, TEXT)
}

fn text(value: Option<&Json>, field: &str, most: usize) -> Result<Option<String>> {
    let refuse = |text: String| Error::bad_parameters(format!("{field} {text}")).field(field, text);
    let text = match value {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::String(text)) => text.trim(),
        Some(_) => return Err(refuse("must be a text".into())),
    };
    if text.chars().count() > most {
        return Err(refuse(format!("has more than {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(refuse("has control characters".into()));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// A truth value that may be absent.
///
/// # Errors
/// 400 for anything else.
pub fn flag(fields: &Map<String, Json>, name: &str) -> Result<Option<bool>> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => {
            let text = "must be true or false";
            Err(Error::bad_parameters(format!("{name} {text}")).field(name, text))
        }
    }
}

/// Refuses an object that is too large to be kept.
///
/// # Errors
/// 413.
pub fn demand_small(what: &str, object: &Map<String, Json>) -> Result<()> {
    let bytes = serde_json::to_string(object)
        .map_err(Error::internal)?
        .len();
    if bytes <= OBJECT_BYTES {
        return Ok(());
    }
    Err(Error::new(
        Kind::PayloadTooLarge,
        format!("{what} has {bytes} bytes, more than the allowed {OBJECT_BYTES}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_and_counts_are_read_or_refused() {
        let body = |value: Json| Body::inner(&value, "body").unwrap();
        assert!(is_id(&new_id()));
        for (given, text) in [
            (json!({}), "pipelineId is missing"),
            (json!({ "pipelineId": null }), "pipelineId is missing"),
            (
                json!({ "pipelineId": 7 }),
                "pipelineId must be 24 letters and digits",
            ),
            (
                json!({ "pipelineId": "../../../../etc/passwd.." }),
                "pipelineId must be 24 letters and digits",
            ),
        ] {
            let refusal = id(&body(given), "pipelineId").unwrap_err();
            assert_eq!(refusal.message(), text);
        }
        for (given, want) in [
            (json!({}), Some(None)),
            (json!({ "runCount": 3 }), Some(Some(3))),
            (json!({ "runCount": "3" }), Some(Some(3))),
            (json!({ "runCount": 0 }), None),
            (json!({ "runCount": 1.5 }), None),
            (json!({ "runCount": "x" }), None),
            (json!({ "runCount": [] }), None),
        ] {
            assert_eq!(
                count(&body(given.clone()), "runCount").ok(),
                want,
                "{given}"
            );
        }
    }
}
