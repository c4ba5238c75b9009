//! Changing values without a panic if they have an unexpected type.

use serde_json::Value;

/// Sets a key of a map. Null becomes a map first; other values stay as they are.
pub(crate) fn set(value: &mut Value, key: &str, item: impl Into<Value>) {
    if value.is_null() {
        *value = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(map) = value {
        map.insert(key.to_owned(), item.into());
    }
}
