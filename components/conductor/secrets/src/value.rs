//! Values on their way in and out: what counts as empty, and answers that nobody may keep.

use serde_json::{Map, Value};
use windlass_core::{Error, Response, Result};
use windlass_secrets::options;
use windlass_store::secrets::Read;

/// Whether a value counts as none: what Python takes for false.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// 400: a secret without a provider has a value.
pub fn refuse_empty(key: &str) -> Error {
    Error::bad_parameters(format!("Cannot create a secret with empty value: {key}"))
}

/// An answer with a secret in it: nobody on the way may keep it.
pub fn respond(fields: Map<String, Value>) -> Result<Response> {
    let response = Response::json(200, &Value::Object(fields))?;
    Ok(response.header("cache-control", "no-store"))
}

/// The fields of a secret with its options decrypted, for those who may read them. The value stays as it
/// is stored.
pub async fn with_options(mut read: Read) -> Result<Map<String, Value>> {
    if read.shown.contains_key("provider_options") {
        let shown = match read.may_read() && read.provider_options.is_some() {
            true => Value::Object(options(&read).await?),
            false => Value::Null,
        };
        read.shown.insert("provider_options".into(), shown);
    }
    Ok(read.shown)
}
