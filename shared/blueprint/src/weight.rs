//! How much a value weighs. Blueprints come from strangers, and a short one can ask for the
//! same large value many times over: whoever copies values counts what they weigh.

use serde_json::Value;

/// One for each value, and one for every 64 bytes of text.
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
