//! What bodies say: names, texts, truth values. Null and absent are the same, as clients send null
//! for what they do not mean.

use serde_json::{Map, Value};
use windlass_core::request::parse_bool;
use windlass_core::{Error, Result, Timestamp, ids};

/// The body of a request.
pub type Body = Map<String, Value>;

/// A text, if it is there.
pub fn text<'b>(body: &'b Body, key: &str) -> Result<Option<&'b str>> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(Error::wrong_type(key, "str", other)),
    }
}

/// A text that must be there.
pub fn required<'b>(body: &'b Body, key: &str) -> Result<&'b str> {
    text(body, key)?.ok_or_else(|| Error::missing(key))
}

/// A text that must be there and usable as a name.
pub fn name<'b>(body: &'b Body, key: &str) -> Result<&'b str> {
    let name = required(body, key)?;
    ids::check(key, name)?;
    Ok(name)
}

/// The name of a role, if it is there. Empty counts as absent.
pub fn role(body: &Body) -> Result<Option<&str>> {
    let role = text(body, "role")?.filter(|role| !role.is_empty());
    if let Some(role) = role {
        ids::check("role", role)?;
    }
    Ok(role)
}

/// A truth value, also as the text of one.
pub fn boolean(body: &Body, key: &str) -> Result<Option<bool>> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) => parse_bool(key, text).map(Some),
        Some(other) => Err(Error::wrong_type(key, "bool", other)),
    }
}

/// A time that names its zone.
pub fn time(body: &Body, key: &str) -> Result<Option<Timestamp>> {
    let Some(text) = text(body, key)? else {
        return Ok(None);
    };
    let clock = text.get(10..).unwrap_or_default();
    if !clock.contains(['Z', 'z', '+', '-']) {
        return Err(Error::bad_parameters(format!(
            "{key}: `{text}` names no time zone"
        )));
    }
    Timestamp::parse(key, text).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies_are_read_with_their_types() {
        let body = json!({ "a": null, "b": "True", "c": 1, "d": "", "role": "", "at": "2024-01-01T10:00:00" });
        let body = body.as_object().unwrap();
        assert_eq!(text(body, "a").unwrap(), None);
        assert_eq!(role(body).unwrap(), None);
        assert_eq!(boolean(body, "b").unwrap(), Some(true));
        for (refusal, want) in [
            (
                required(body, "a").map(drop),
                "Missing a in json request body",
            ),
            (
                required(body, "c").map(drop),
                "c parameter is expected to be of type str but is of type int",
            ),
            (
                boolean(body, "c").map(drop),
                "c parameter is expected to be of type bool but is of type int",
            ),
            (name(body, "d").map(drop), "The `d` argument is empty"),
            (
                time(body, "at").map(drop),
                "at: `2024-01-01T10:00:00` names no time zone",
            ),
        ] {
            assert_eq!(refusal.unwrap_err().message(), want);
        }
    }
}
