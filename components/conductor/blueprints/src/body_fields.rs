//! What the parameters of several blueprint endpoints say in the same words.

use serde_json::{Value, json};
use windlass_core::{Body, Error, Result};
use windlass_store::labels::{self, Label};

/// Refuses parameters that nobody knows.
pub fn demand_known(body: &Body, known: &[&str]) -> Result<()> {
    let unknown: Vec<&str> = body.names().filter(|name| !known.contains(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::bad_parameters(format!(
        "Unknown parameters: {}",
        unknown.join(", ")
    )))
}

/// The labels: a list, or in the query its JSON or `k=v,k=v`.
///
/// # Errors
/// 400 for what are no labels.
pub fn labels(body: &Body) -> Result<Vec<Label>> {
    match body.get("labels") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => labels::parse(&listed(text)),
        Some(list) => labels::parse(list),
    }
}

/// The list that a text of the query stands for. What is no list stays a text, and is refused.
fn listed(text: &str) -> Value {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).unwrap_or_default();
    }
    let pairs = text.split(',').map(|pair| pair.split_once('='));
    pairs
        .map(|pair| pair.map(|(key, value)| json!({ key.trim(): value.trim() })))
        .collect::<Option<Vec<Value>>>()
        .map_or(Value::Null, Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_a_query_come_as_pairs_or_json() {
        for (text, want) in [
            ("a=b", json!([{ "a": "b" }])),
            ("a=b, c=d=e", json!([{ "a": "b" }, { "c": "d=e" }])),
            (
                "[{\"key\": \"a\", \"value\": \"b\"}]",
                json!([{ "key": "a", "value": "b" }]),
            ),
            ("key", Value::Null),
            ("[broken", Value::Null),
        ] {
            assert_eq!(listed(text), want, "{text}");
        }
    }
}
