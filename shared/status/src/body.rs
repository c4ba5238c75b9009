//! What bodies of requests to the status page say in the same way everywhere.

use crate::events::{BAD, impact_named};
use serde_json::Value;
use windlass_core::{Body, Error, Result};

/// A field that cannot be used, in the answer's text and by its name.
pub fn refusal(field: &str, text: String) -> Error {
    Error::bad_parameters(text.clone()).field(field, text)
}

/// The field `impact`: 1 to 3, or the name of one of them; `standard` where nothing is said.
///
/// # Errors
/// 400 for anything else.
pub fn impact(body: &Body, standard: i64) -> Result<i64> {
    let named = match body.get("impact") {
        None => return Ok(standard),
        Some(Value::String(text)) => impact_named(text),
        Some(value) => value.as_i64(),
    };
    named.filter(|impact| BAD.contains(impact)).ok_or_else(|| {
        let text = "impact must be 1, 2 or 3 (minor, major, outage)";
        refusal("impact", text.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn impacts_are_numbers_or_names() {
        for (given, wanted) in [
            (json!({}), Some(2)),
            (json!({ "impact": 3 }), Some(3)),
            (json!({ "impact": "Minor" }), Some(1)),
            (json!({ "impact": "maintenance" }), None),
            (json!({ "impact": 0 }), None),
            (json!({ "impact": 1.5 }), None),
            (json!({ "impact": [1] }), None),
        ] {
            let body = Body::inner(&given, "body").unwrap();
            assert_eq!(impact(&body, 2).ok(), wanted, "{given}");
        }
    }
}
