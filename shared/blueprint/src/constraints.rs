//! Types of inputs and parameters, and constraints on their values.
//!
//! The same constraints are used for defaults in a blueprint, for inputs of a deployment and for
//! parameters of a workflow. Constraints on objects (`filter_id`, `labels`, ...) need a search in
//! the database: see [`objects`].

pub(crate) mod objects;

use crate::error::{Error, ErrorKind, Result};
use crate::functions::function_of;
use serde_json::Value;
use std::cmp::Ordering;
use windlass_pattern::Pattern;
use windlass_python as python;

/// Types that take every value here. Some of their values are compared with objects elsewhere.
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
/// The types whose values are ids of blueprints and deployments.
const OWNERS: [&str; 2] = ["deployment_id", "blueprint_id"];
/// The types whose values belong to a deployment.
const PARTS: [&str; 6] = [
    "capability_value",
    "scaling_group",
    "node_id",
    "node_type",
    "node_instance",
    "operation_name",
];
/// Whether values of this type name an object, such as a deployment or a node.
pub(crate) fn names_object(kind: &str) -> bool {
    kind == "secret_key" || OWNERS.contains(&kind) || PARTS.contains(&kind)
}

/// Constraints that need a search. They are for types that name objects.
const SEARCHES: [&str; 6] = [
    "filter_id",
    "labels",
    "tenants",
    "name_pattern",
    "deployment_id",
    "blueprint_id",
];
/// Constraints that can be checked with the value alone.
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

/// Whether the language itself has a type of this name.
pub(crate) fn is_primitive(name: &str) -> bool {
    OPEN_TYPES.contains(&name) || CHECKED_TYPES.contains(&name)
}

/// The version 1.x of the language that brought a primitive type.
pub(crate) fn minor_version_of(name: &str) -> u32 {
    match name {
        "operation_name" => 5,
        "blueprint_id" | "secret_key" => 4,
        name if OWNERS.contains(&name) || PARTS.contains(&name) => 4,
        _ => 0,
    }
}

/// Whether a value fits a primitive type.
pub(crate) fn fits(type_name: &str, value: &Value) -> bool {
    match type_name {
        "integer" => python::is_int(value),
        "float" => value.is_number(),
        "boolean" => value.is_boolean(),
        "list" => value.is_array(),
        "dict" => value.is_object(),
        "regex" => value
            .as_str()
            .is_some_and(|text| Pattern::new(text).is_ok()),
        _ => true,
    }
}

/// Checks the form of a constraint. The error has the code of the language.
pub(crate) fn check_definition(constraint: &Value, input: &str) -> Result<()> {
    let Some((name, argument)) = parts(constraint) else {
        return Err(Error::parser(
            103,
            format!(
                "Empty constraint operator name given. Allowed operators: {}",
                allowed()
            ),
        ));
    };
    if !OPERATORS.contains(&name) && !SEARCHES.contains(&name) {
        return Err(Error::parser(
            103,
            format!(
                "No such constraint operator '{name}'. Allowed operators: {}",
                allowed()
            ),
        ));
    }
    if function_of(argument).is_some() || argument_fits(name, argument) {
        return Ok(());
    }
    Err(Error::parser(
        212,
        format!(
            "Invalid constraint operator argument \"{}\", for constraint operator \"{name}\" in \"{input}\".",
            python::str(argument)
        ),
    ))
}

fn allowed() -> String {
    python::list(OPERATORS.iter().chain(&SEARCHES))
}

fn argument_fits(name: &str, argument: &Value) -> bool {
    match name {
        "equal" => true,
        "in_range" => argument
            .as_array()
            .is_some_and(|ends| ends.len() == 2 && ends.iter().all(Value::is_number)),
        "valid_values" | "labels" | "tenants" => argument.is_array(),
        "pattern" => argument
            .as_str()
            .is_some_and(|text| Pattern::new(text).is_ok()),
        "filter_id" | "deployment_id" | "blueprint_id" => argument.is_string(),
        "name_pattern" => argument.is_object(),
        _ => argument.is_number(),
    }
}

/// Splits a constraint into its name and its argument.
fn parts(constraint: &Value) -> Option<(&str, &Value)> {
    let entries = constraint.as_object().into_iter().flatten();
    let mut operators = entries.filter(|(name, _)| *name != "error_message");
    let (name, argument) = operators.next()?;
    Some((name, argument))
}

/// Checks a value against the constraints of an input or parameter, which refusals call an input.
/// If the list has an `item_type`, its items are checked instead.
pub(crate) fn check(schema: &Value, name: &str, value: &Value) -> Result<()> {
    let type_name = schema["type"].as_str();
    let constraints = schema["constraints"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let item_type = schema["item_type"].as_str();
    if let (Some(item_type), Value::Array(items)) = (item_type, value) {
        for item in items {
            if !fits(item_type, item) {
                return Err(Error::parser(
                    105,
                    format!(
                        "Property type validation failed in '{name}': the defined type is '{item_type}', yet it was assigned with the value '{}'",
                        python::str(item)
                    ),
                ));
            }
            check_value(constraints, Some(item_type), name, item)?;
        }
        return Ok(());
    }
    check_value(constraints, type_name, name, value)
}

fn check_value(
    constraints: &[Value],
    type_name: Option<&str>,
    input: &str,
    value: &Value,
) -> Result<()> {
    if !constraints.is_empty() && function_of(value).is_some() {
        return Err(Error::parser(
            213,
            format!(
                "Input value {}, of input {input}, cannot contain an intrinsic function and also have constraints.",
                python::str(value)
            ),
        ));
    }
    let kind = type_name.unwrap_or("None");
    for constraint in constraints {
        check_one(constraint, kind, input, value)?;
    }
    let named = constraints.iter().filter_map(parts);
    for (name, _) in named.filter(|(name, _)| SEARCHES.contains(name)) {
        let fits = match name {
            "filter_id" | "labels" | "tenants" => OWNERS.contains(&kind),
            "name_pattern" => {
                OWNERS.contains(&kind) || PARTS.contains(&kind) || kind == "secret_key"
            }
            _ => PARTS.contains(&kind),
        };
        if !fits {
            return Err(Error::new(
                ErrorKind::Constraint,
                format!("'{name}' constraint is not defined for '{kind}' data types"),
            ));
        }
    }
    Ok(())
}

fn check_one(constraint: &Value, kind: &str, input: &str, value: &Value) -> Result<()> {
    let Some((name, argument)) = parts(constraint) else {
        return Ok(());
    };
    // Functions among the arguments are evaluated before a deployment's inputs are checked.
    if objects::is_of_object(kind, name) || function_of(argument).is_some() {
        return Ok(());
    }
    let message = match keeps(name, argument, value) {
        Some(true) => return Ok(()),
        Some(false) => {
            let why = match constraint["error_message"].as_str() {
                Some(message) => format!("is invalid. {message}"),
                None => format!("violates constraint {}.", shown(name, argument)),
            };
            format!("Value {} of input {input} {why}", python::str(value))
        }
        None => mismatch(name, argument, value),
    };
    Err(Error::new(ErrorKind::Constraint, message))
}

/// A constraint as refusals name it.
fn shown(name: &str, argument: &Value) -> String {
    let argument = match argument {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python::str).collect();
            items.join(", ")
        }
        argument => python::str(argument),
    };
    format!("{name}({argument}) operator")
}

/// The refusal of a value that a constraint cannot be applied to.
fn mismatch(name: &str, argument: &Value, value: &Value) -> String {
    let found = python::type_name(value);
    match name {
        "length" | "min_length" | "max_length" => {
            format!("Value's length could not be computed. Value type is '{found}'.")
        }
        "pattern" => format!("Value must be of type string, got type '{found}'"),
        _ => format!(
            "Value is not comparable, the Constraint argument type  is '{}' but value type is '{found}'.",
            python::type_name(argument)
        ),
    }
}

/// Whether a value fulfils a constraint. The result is `None` if the constraint cannot be applied
/// to it.
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
        "equal" => Some(python::equal(value, argument)),
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
            .map(|allowed| allowed.iter().any(|one| python::equal(one, value))),
        "length" => length().map(Ordering::is_eq),
        "min_length" => length().map(Ordering::is_ge),
        "max_length" => length().map(Ordering::is_le),
        "pattern" => {
            let text = value.as_str()?;
            Some(Pattern::new(argument.as_str()?).ok()?.matches(text))
        }
        _ => Some(true),
    }
}

/// Compares numbers by their value, as Python does. `True` is 1.
fn compare(value: &Value, argument: &Value) -> Option<Ordering> {
    let number = |value: &Value| match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    };
    number(value)?.partial_cmp(&number(argument)?)
}

#[cfg(test)]
mod tests;
