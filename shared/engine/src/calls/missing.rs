//! Values that a request cannot do without.
//!
//! The language joins what has no value as the text `None`, and Python's users know that. In a URL or
//! a header it is never what was meant: after a create that failed, `concat` of an address and the
//! attribute that the create should have set would call somebody else's `/None`.

use crate::step::CallError;
use serde_json::{Map, Value};
use windlass_blueprint::functions::{Function, function_of};

/// Refuses inputs whose `url` or `headers` join something that has no value. `evaluate` answers the
/// value of a function by itself.
///
/// # Errors
/// Not recoverable: which function has no value. Functions that fail are told by their evaluation.
pub fn demand_joined_values(
    inputs: &Map<String, Value>,
    evaluate: &dyn Fn(&Value) -> Option<Value>,
) -> Result<(), CallError> {
    for name in ["url", "headers"] {
        if let Some(what) = inputs.get(name).and_then(|value| first(value, evaluate)) {
            return Err(CallError::fatal(format!(
                "The input `{name}` needs `{what}`, which has no value"
            )));
        }
    }
    Ok(())
}

/// The first function without a value whose value would be joined to a text.
fn first(value: &Value, evaluate: &dyn Fn(&Value) -> Option<Value>) -> Option<String> {
    match (function_of(value), value) {
        (Some((Function::Concat, Value::Array(parts))), _) => parts.iter().find_map(|part| {
            let (function, arguments) = function_of(part)?;
            match function {
                Function::Concat => first(part, evaluate),
                _ => (evaluate(part) == Some(Value::Null))
                    .then(|| format!("{}: {arguments}", function.name())),
            }
        }),
        (Some((_, arguments)), _) => first(arguments, evaluate),
        (None, Value::Array(items)) => items.iter().find_map(|item| first(item, evaluate)),
        (None, Value::Object(map)) => map.values().find_map(|item| first(item, evaluate)),
        _ => None,
    }
}
