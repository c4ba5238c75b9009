//! Limits on what a request may ask for: over one, it is refused and nothing is stored.

use crate::error::{Error, Kind, Result};
use serde_json::Value;

/// The largest JSON body, in bytes.
pub const JSON_BODY: usize = 8 << 20;

/// The largest body of an upload, in bytes: an archive of 50 MB and what multipart adds.
pub const UPLOAD_BODY: usize = 64 << 20;

/// The most items of one page; `_get_all_results` lifts it.
pub const PAGE_SIZE: u64 = 1000;

/// The deepest nesting of a JSON body. serde_json stops at 128 by itself; clients need far less.
pub const JSON_DEPTH: usize = 100;

/// The most labels of one resource.
pub const LABELS: usize = 1000;

/// The most values of one query parameter, and the most parameters.
pub const QUERY_PARAMETERS: usize = 1000;

/// Refuses a value nested deeper than [`JSON_DEPTH`].
pub fn check_depth(what: &str, value: &Value) -> Result<()> {
    fn within(value: &Value, left: usize) -> bool {
        match value {
            Value::Array(items) => left > 0 && items.iter().all(|item| within(item, left - 1)),
            Value::Object(fields) => left > 0 && fields.values().all(|item| within(item, left - 1)),
            _ => true,
        }
    }
    if within(value, JSON_DEPTH) {
        return Ok(());
    }
    Err(Error::bad_parameters(format!(
        "{what} is nested deeper than {JSON_DEPTH} levels"
    )))
}

/// The refusal of a body over its limit.
pub fn too_large(limit: usize) -> Error {
    Error::new(
        Kind::PayloadTooLarge,
        format!("The request body is larger than the allowed {limit} bytes"),
    )
}
