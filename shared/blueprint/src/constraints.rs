//! Types of inputs and parameters, and constraints on their values.
//!
//! Constraints hold for the defaults in a blueprint, for a deployment's inputs and for a
//! workflow's parameters alike. Those about objects (`filter_id`, `labels`, ...) are searches
//! and are left to who can search.

use crate::error::{Error, ErrorKind, Result};
use crate::python_text::{display, represent};
use serde_json::Value;
use std::cmp::Ordering;

/// Types whose values are whatever was given, checked against objects elsewhere if at all.
pub(crate) const OPEN_TYPES: [&str; 11] = [
    "string",
    "textarea",
    "blueprint_id",
    "deployment_id",
    "secret_key",
    "node_id",
    "node_type",
    "node_instance",
    "capability_value",
    "scaling_group",
    "operation_name",
];
/// Types whose values are checked here.
pub(crate) const CHECKED_TYPES: [&str; 6] =
    ["integer", "float", "boolean", "list", "dict", "regex"];
/// Constraints that are searches, for the types that name objects.
const SEARCHES: [&str; 8] = [
    "filter_id",
    "labels",
    "tenants",
    "name_pattern",
    "deployment_id",
    "blueprint_id",
    "deployment_group_id",
    "type",
];
/// Constraints that a value alone can keep or break.
const OPERATORS: [&str; 11] = [
    "equal",
    "greater_than",
    "greater_or_equal",
    "less_than",
    "less_or_equal",
    "in_range",
    "valid_values",
    "length",
    "min_length",
    "max_length",
    "pattern",
];

/// Whether this is a type of the language itself.
pub(crate) fn is_primitive(name: &str) -> bool {
    OPEN_TYPES.contains(&name) || CHECKED_TYPES.contains(&name)
}

/// Whether a value fits a primitive type.
pub(crate) fn fits(type_name: &str, value: &Value) -> bool {
    match type_name {
        "integer" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        "boolean" => value.is_boolean(),
        "list" => value.is_array(),
        "dict" => value.is_object(),
        "regex" => value.as_str().is_some_and(|text| compile(text).is_ok()),
        _ => true,
    }
}

/// Compiles a pattern that has to match from a text's start. Patterns come from strangers:
/// their size is limited, and the engine takes linear time.
pub(crate) fn compile(pattern: &str) -> std::result::Result<regex_lite::Regex, String> {
    if pattern.len() > 4096 {
        return Err("the pattern is longer than 4096 characters".to_owned());
    }
    regex_lite::RegexBuilder::new(&format!("^(?:{pattern})"))
        .size_limit(1 << 20)
        .build()
        .map_err(|error| error.to_string())
}

/// Whether a constraint is well formed; `Err` has the language's code and the text.
pub(crate) fn check_definition(constraint: &Value, input: &str) -> Result<()> {
    let (name, argument) = parts(constraint);
    if SEARCHES.contains(&name) {
        return Ok(());
    }
    if !OPERATORS.contains(&name) {
        return Err(Error::parser(
            103,
            format!(
                "No such constraint operator '{name}'. Allowed operators: {}",
                crate::python_text::list(OPERATORS.iter().chain(&SEARCHES))
            ),
        ));
    }
    if crate::functions::has_functions(argument) || argument_fits(name, argument) {
        return Ok(());
    }
    Err(Error::parser(
        212,
        format!(
            "Invalid constraint operator argument \"{}\", for constraint operator \"{name}\" in \"{input}\".",
            display(argument)
        ),
    ))
}

fn argument_fits(name: &str, argument: &Value) -> bool {
    match name {
        "equal" => true,
        "in_range" => argument
            .as_array()
            .is_some_and(|ends| ends.len() == 2 && ends.iter().all(Value::is_number)),
        "valid_values" => argument.is_array(),
        "pattern" => argument.as_str().is_some_and(|text| compile(text).is_ok()),
        _ => argument.is_number(),
    }
}

fn parts(constraint: &Value) -> (&str, &Value) {
    let entries = constraint.as_object().into_iter().flatten();
    let mut operators = entries.filter(|(name, _)| *name != "error_message");
    operators
        .next()
        .map_or(("", &Value::Null), |(name, argument)| {
            (name.as_str(), argument)
        })
}

/// Checks a value against an input's or parameter's constraints. `what` is `input` or
/// `parameter`. A list with an `item_type` is checked item by item.
pub(crate) fn check(schema: &Value, what: &str, name: &str, value: &Value) -> Result<()> {
    let constraints = schema["constraints"].as_array();
    for constraint in constraints.into_iter().flatten() {
        match (schema.get("item_type"), value) {
            (Some(_), Value::Array(items)) => {
                for item in items {
                    check_one(constraint, what, name, item)?;
                }
            }
            _ => check_one(constraint, what, name, value)?,
        }
    }
    Ok(())
}

fn check_one(constraint: &Value, what: &str, input: &str, value: &Value) -> Result<()> {
    let (name, argument) = parts(constraint);
    if SEARCHES.contains(&name) || crate::functions::has_functions(argument) {
        return Ok(());
    }
    let kept = keeps(name, argument, value);
    if kept == Some(true) {
        return Ok(());
    }
    let message = match (kept, constraint["error_message"].as_str()) {
        (_, Some(message)) => message.to_owned(),
        (None, _) => format!(
            "Value's type {} of {what} {input} cannot be used with the {name} constraint.",
            represent(value)
        ),
        _ => {
            let arguments = match argument {
                Value::Array(items) if name == "in_range" => {
                    let ends: Vec<String> = items.iter().map(display).collect();
                    ends.join(", ")
                }
                argument => display(argument),
            };
            format!(
                "Value {} of {what} {input} violates constraint {name}({arguments}) operator.",
                display(value)
            )
        }
    };
    Err(Error::new(ErrorKind::Constraint, message))
}

/// Whether the value keeps the constraint; `None` when they do not go together.
fn keeps(name: &str, argument: &Value, value: &Value) -> Option<bool> {
    let ordering = || compare(value, argument);
    let length = || {
        let length = match value {
            Value::String(text) => text.chars().count(),
            Value::Array(items) => items.len(),
            Value::Object(map) => map.len(),
            _ => return None,
        };
        (length as f64).partial_cmp(&argument.as_f64()?)
    };
    match name {
        "equal" => Some(equal(value, argument)),
        "greater_than" => ordering().map(Ordering::is_gt),
        "greater_or_equal" => ordering().map(Ordering::is_ge),
        "less_than" => ordering().map(Ordering::is_lt),
        "less_or_equal" => ordering().map(Ordering::is_le),
        "in_range" => {
            let low = compare(value, argument.get(0)?)?;
            let high = compare(value, argument.get(1)?)?;
            Some(low.is_ge() && high.is_le())
        }
        "valid_values" => argument
            .as_array()
            .map(|allowed| allowed.iter().any(|one| equal(one, value))),
        "length" => length().map(Ordering::is_eq),
        "min_length" => length().map(Ordering::is_ge),
        "max_length" => length().map(Ordering::is_le),
        "pattern" => Some(compile(argument.as_str()?).ok()?.is_match(value.as_str()?)),
        _ => Some(true),
    }
}

fn compare(value: &Value, argument: &Value) -> Option<Ordering> {
    value.as_f64()?.partial_cmp(&argument.as_f64()?)
}

/// Numbers are equal by value: 1 and 1.0 are.
fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn constraints_hold_or_say_why_not() {
        for (constraint, value, kept) in [
            (json!({"equal": 1}), json!(1.0), true),
            (json!({"equal": "a"}), json!("b"), false),
            (json!({"greater_than": 1}), json!(1), false),
            (json!({"greater_or_equal": 1}), json!(1), true),
            (json!({"less_than": 2}), json!(1.5), true),
            (json!({"less_or_equal": 2}), json!(3), false),
            (json!({"in_range": [1, 3]}), json!(3), true),
            (json!({"in_range": [1, 3]}), json!(4), false),
            (json!({"in_range": [1, 3]}), json!("2"), false),
            (json!({"valid_values": ["a", "b"]}), json!("b"), true),
            (json!({"valid_values": ["a", "b"]}), json!("c"), false),
            (json!({"length": 2}), json!("ab"), true),
            (json!({"min_length": 3}), json!([1, 2]), false),
            (json!({"max_length": 3}), json!({"a": 1}), true),
            (json!({"pattern": "ab+"}), json!("abbc"), true),
            (json!({"pattern": "b+"}), json!("abb"), false),
            (json!({"pattern": "b+"}), json!(3), false),
            (json!({"name_pattern": {"contains": "x"}}), json!("y"), true),
        ] {
            let schema = json!({ "constraints": [constraint] });
            let result = check(&schema, "input", "i", &value);
            assert_eq!(result.is_ok(), kept, "{constraint} {value}");
        }
    }

    #[test]
    fn a_violation_reads_as_clients_know_it() {
        let schema = json!({ "constraints": [{ "in_range": [1, 65535] }] });
        let error = check(&schema, "input", "port", &json!(70000)).unwrap_err();
        let expected = "Value 70000 of input port violates constraint in_range(1, 65535) operator.";
        assert_eq!(error.message, expected);
        let schema = json!({ "constraints": [{ "equal": 1, "error_message": "only one" }] });
        let error = check(&schema, "input", "port", &json!(2)).unwrap_err();
        assert_eq!(error.message, "only one");
    }

    #[test]
    fn definitions_are_checked() {
        for (constraint, code) in [
            (json!({"in_range": [1, 2]}), None),
            (json!({"in_range": {"get_input": "x"}}), None),
            (json!({"in_rangee": [1, 2]}), Some(103)),
            (json!({"in_range": [1]}), Some(212)),
            (json!({"pattern": "("}), Some(212)),
            (json!({"length": "a"}), Some(212)),
        ] {
            let result = check_definition(&constraint, "i");
            assert_eq!(
                result.err().and_then(|error| error.code()),
                code,
                "{constraint}"
            );
        }
    }
}
