//! Limits on what a request may ask for: over one, it is refused and nothing is stored.

use crate::error::{Error, Kind, Result};
use serde_json::Value;
use std::io;

/// The largest JSON body, in bytes.
pub const JSON_BODY: usize = 8 << 20;

/// The largest value of a JSON body that is kept as one, such as the inputs of a deployment, in bytes.
pub const VALUE_BYTES: usize = 512 << 10;

/// The largest body of an upload, in bytes: an archive of 50 MB and what multipart adds.
pub const UPLOAD_BODY: usize = 64 << 20;

/// The most items of one page; `_get_all_results` lifts it.
pub const PAGE_SIZE: u64 = 1000;

/// The most bytes of the items of one page.
pub const PAGE_BYTES: i64 = 64 << 20;

/// How many bytes of something large are one value in the database, which takes none of more than a
/// megabyte.
pub const PIECE: i64 = 512 << 10;

/// The deepest nesting of a JSON body. serde_json stops at 128 by itself; clients need far less.
pub const JSON_DEPTH: usize = 100;

/// The most values of a JSON body, those inside lists and objects included. As values they take far
/// more memory than as text, and an instance has little.
pub const JSON_VALUES: usize = 300_000;

/// The most labels of one resource.
pub const LABELS: usize = 1000;

/// The most values of one query parameter, and the most parameters.
pub const QUERY_PARAMETERS: usize = 1000;

/// The most keys of `_sort`: each is a column that SQLite carries along.
pub const SORT_KEYS: usize = 32;

/// The longest text that is searched for, in bytes. SQLite takes patterns up to 50,000 bytes, and
/// normalising may make eighteen letters of one.
pub const SEARCH_TEXT: usize = 2000;

/// Refuses a JSON text with more than [`JSON_VALUES`] values, before anything is made of it.
///
/// # Errors
/// 413, with the number. Whether it is JSON at all is for its reader to say.
pub fn check_values(json: &[u8]) -> Result<()> {
    // Each value but the first of its container comes after a comma, each first one after a bracket.
    let (mut values, mut in_text, mut is_escaped) = (1_usize, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_text,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    if values <= JSON_VALUES {
        return Ok(());
    }
    Err(Error::new(
        Kind::PayloadTooLarge,
        format!("The request body has more than the allowed {JSON_VALUES} values"),
    ))
}

/// Refuses a value that has more bytes as JSON than are kept as one; of a list each item counts by
/// itself, because it becomes a row.
///
/// # Errors
/// 413, naming what is too large.
pub fn check_size(what: &str, value: &Value) -> Result<()> {
    if let Value::Array(items) = value {
        let mut items = items.iter().enumerate();
        return items.try_for_each(|(place, item)| match item {
            Value::Array(_) => check_bytes(&format!("{what}[{place}]"), item),
            _ => check_size(&format!("{what}[{place}]"), item),
        });
    }
    check_bytes(what, value)
}

/// The same of a value that is kept as one whatever it is.
///
/// # Errors
/// As [`check_size`].
pub fn check_bytes(what: &str, value: &Value) -> Result<()> {
    let mut counted = Counted(0);
    // Counting does not fail.
    let _ = serde_json::to_writer(&mut counted, value);
    let Counted(bytes) = counted;
    if bytes <= VALUE_BYTES {
        return Ok(());
    }
    Err(Error::new(
        Kind::PayloadTooLarge,
        format!("{what} has {bytes} bytes, more than the allowed {VALUE_BYTES} of one value"),
    ))
}

struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_too_large_by_itself_and_a_list_by_its_items() {
        let text = |bytes: usize| Value::from("x".repeat(bytes - 2));
        let list = |items: &[usize]| items.iter().map(|bytes| text(*bytes)).collect::<Value>();
        for (value, refused) in [
            (text(VALUE_BYTES), None),
            (text(VALUE_BYTES + 1), Some("inputs has 524289 bytes")),
            (list(&[VALUE_BYTES, VALUE_BYTES]), None),
            (
                list(&[9, VALUE_BYTES + 1]),
                Some("inputs[1] has 524289 bytes"),
            ),
            (
                Value::from(vec![list(&[VALUE_BYTES])]),
                Some("inputs[0] has 524290 bytes"),
            ),
        ] {
            let refusal = check_size("inputs", &value).err();
            let text = refusal.as_ref().map(Error::message);
            assert_eq!(refused.is_some(), text.is_some(), "{text:?}");
            let is_named = text
                .zip(refused)
                .is_none_or(|(text, named)| text.starts_with(named));
            assert!(is_named, "{text:?}");
        }
    }

    #[test]
    fn values_are_counted_and_texts_are_not() {
        let list = |values: usize| format!("[{}]", vec!["1"; values].join(",")).into_bytes();
        assert!(check_values(&list(JSON_VALUES - 2)).is_ok());
        let refusal = check_values(&list(JSON_VALUES + 1)).unwrap_err();
        assert_eq!(refusal.kind(), Kind::PayloadTooLarge);
        assert!(refusal.message().contains("300000"), "{refusal:?}");
        let text = format!(
            "{{\"a\": \"{}\\\"{}\"}}",
            ",[".repeat(JSON_VALUES),
            ",".repeat(9)
        );
        assert!(check_values(text.as_bytes()).is_ok());
        let nested = "[".repeat(JSON_VALUES + 1);
        assert!(check_values(nested.as_bytes()).is_err());
    }
}
