//! The weight of values.
//!
//! Blueprints come from strangers, and a short one can ask for many copies of a large value. So
//! code that copies values adds up what they weigh, and there are limits.

use serde_json::Value;

/// The weight of a value: 1 for each value in it, and 1 for every 64 bytes of text.
pub(crate) fn of(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len() / 64,
        Value::Array(items) => 1 + items.iter().map(of).sum::<usize>(),
        Value::Object(map) => {
            1 + map
                .iter()
                .map(|(key, value)| key.len() / 64 + of(value))
                .sum::<usize>()
        }
        _ => 1,
    }
}
