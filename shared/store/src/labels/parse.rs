//! What a label may be. Pure: the same rules hold for requests, blueprints and filters.

use super::Label;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use windlass_core::{Error, Result, ids, limits};

/// The label that names a deployment's parent.
pub const OBJECT_PARENT: &str = "csys-obj-parent";

/// The label that names who uses a deployment; the server computes it.
pub const CONSUMER_ID: &str = "csys-consumer-id";

/// Keys with the reserved prefix that users may give.
pub const RESERVED: [&str; 11] = [
    "csys-consumer-id",
    "csys-env-type",
    "csys-environment",
    "csys-location-lat",
    "csys-location-long",
    "csys-location-name",
    "csys-obj-name",
    "csys-obj-parent",
    "csys-obj-type",
    "csys-wrcp-group-id",
    "csys-wrcp-services",
];

const RESERVED_PREFIX: &str = "csys-";

/// Reads a list of labels: `[{"k": "v"}, {"k2": ["v", "w"]}]`, or `[{"key": "k", "value": "v"}]`
/// (also with what a resource shows beside them, whose labels are being restored), or a mixture.
/// Keys come back in lower case, values normalised, in the order given.
///
/// # Errors
/// 400 for another shape, for what [`check`] refuses, and for the same label twice.
pub fn parse(given: &Value) -> Result<Vec<Label>> {
    let items = given.as_array().ok_or_else(bad_shape)?;
    let mut labels: Vec<Label> = Vec::new();
    for item in items {
        let (key, value) = entry(item)?;
        let values = match value {
            Value::Array(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        for value in values {
            labels.push(check(key, value.as_str().ok_or_else(bad_shape)?)?);
            if labels.len() > limits::LABELS {
                return Err(Error::bad_parameters(format!(
                    "A resource can have at most {} labels",
                    limits::LABELS
                )));
            }
        }
    }
    let mut sorted: Vec<&Label> = labels.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(Error::bad_parameters(
            "You cannot define the same label twice",
        ));
    }
    Ok(labels)
}

/// What a label may have beside its key and value, as a resource shows it.
const SHOWN: [&str; 5] = ["key", "value", "created_at", "created_by", "creator_id"];

/// The key and the value or values of one item, in either of its forms.
fn entry(item: &Value) -> Result<(&str, &Value)> {
    let item = item.as_object().ok_or_else(bad_shape)?;
    if let (Some(Value::String(key)), Some(value)) = (item.get("key"), item.get("value"))
        && item.keys().all(|name| SHOWN.contains(&name.as_str()))
    {
        return Ok((key, value));
    }
    match item.iter().next() {
        Some((key, value)) if item.len() == 1 => Ok((key, value)),
        _ => Err(bad_shape()),
    }
}

fn bad_shape() -> Error {
    Error::bad_parameters(
        "Labels must be a list of 1-entry dictionaries: [{<key1>: <value1>}, {<key2>: [<value2>, <value3>]}, ...]",
    )
}

/// One label as it is stored.
///
/// # Errors
/// 400 for a key or value that is too long or has characters it may not have, for reserved keys
/// that are none of [`RESERVED`], and for places that are not on Earth.
pub fn check(key: &str, value: &str) -> Result<Label> {
    let key = check_key(key)?;
    if value.chars().count() > ids::MAX_LENGTH {
        return Err(Error::bad_parameters(format!(
            "The value of the label `{key}` is too long. Maximum allowed length is {} characters",
            ids::MAX_LENGTH
        )));
    }
    let mut value: String = value.nfkc().collect();
    if value.contains(|c: char| c.is_control() || c == '"') {
        return Err(Error::bad_parameters(format!(
            "The value of the label `{key}` contains illegal characters. Control characters and `\"` are not allowed"
        )));
    }
    match key.as_str() {
        "csys-obj-type" => value = value.to_lowercase(),
        "csys-location-lat" => check_degrees(&key, &value, 90.0)?,
        "csys-location-long" => check_degrees(&key, &value, 180.0)?,
        _ => {}
    }
    Ok(Label { key, value })
}

/// A label's key as it is stored: in lower case.
///
/// # Errors
/// 400 for one that no label can have.
pub fn check_key(key: &str) -> Result<String> {
    if let Some(fault) = ids::fault(key) {
        let shown: String = key.chars().take(ids::MAX_LENGTH).collect();
        let text = format!("The label key `{shown}` {fault}");
        return Err(Error::bad_parameters(text));
    }
    let key = key.to_ascii_lowercase();
    if key.starts_with(RESERVED_PREFIX) && !RESERVED.contains(&key.as_str()) {
        return Err(Error::bad_parameters(format!(
            "All labels with a `{RESERVED_PREFIX}` prefix are reserved for internal use. \
             Allowed `{RESERVED_PREFIX}` prefixed labels are: {}",
            RESERVED.join(", ")
        )));
    }
    Ok(key)
}

fn check_degrees(key: &str, value: &str, most: f64) -> Result<()> {
    match value.trim().parse::<f64>() {
        Ok(degrees) if degrees.abs() <= most => Ok(()),
        _ => Err(Error::bad_parameters(format!(
            "The value of the label `{key}` must be a number between -{most} and {most}, got `{value}`"
        ))),
    }
}
