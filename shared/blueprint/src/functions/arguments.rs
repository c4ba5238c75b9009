//! The shape of functions' arguments, and paths into values.

use super::{Function, has_functions};
use crate::error::{Error, Result};
use crate::python_text::{display, represent};
use serde_json::Value;

/// What lies at a path in a value.
pub(crate) enum Place {
    /// A value.
    Found,
    /// A function on the way: only evaluating it tells.
    Function,
    /// Nothing.
    Missing,
}

/// Follows keys and indexes.
pub(crate) fn walk(value: &Value, path: &[Value]) -> Place {
    let mut here = value;
    for (place, step) in path.iter().enumerate() {
        if super::function_of(here).is_some() && place > 0 {
            return Place::Function;
        }
        match enter(here, step) {
            Some(next) => here = next,
            None => return Place::Missing,
        }
    }
    Place::Found
}

/// One step: a key of a map, an index of a list. Negative indexes count from the end.
pub(super) fn enter<'a>(value: &'a Value, step: &Value) -> Option<&'a Value> {
    match value {
        Value::Object(map) => match step {
            Value::String(key) => map.get(key),
            other => map.get(&other.to_string()),
        },
        Value::Array(items) => {
            let index = step.as_i64().or_else(|| step.as_str()?.parse().ok())?;
            let index = match index {
                0.. => usize::try_from(index).ok()?,
                _ => items
                    .len()
                    .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
            };
            items.get(index)
        }
        _ => None,
    }
}

/// Refuses arguments that the function cannot be called with, wherever they lead.
pub(crate) fn check_arguments(function: Function, arguments: &Value, site: &str) -> Result<()> {
    let items = arguments.as_array();
    let count = items.map_or(0, Vec::len);
    let is_name = |value: &Value| value.is_string() || value.is_number() || has_functions(value);
    let path = |value: &Value| match value {
        Value::Array(items) => !items.is_empty() && items.iter().all(is_name),
        single => is_name(single),
    };
    let (fits, expected) = match function {
        Function::GetInput => {
            if !path(arguments) || arguments.is_number() {
                return Err(Error::logic(format!(
                    "Illegal argument(s) passed to get_input function. Expected either a string, or a function, or a list [input_name\\function [, key1\\index1\\function [,...]]] but got {}",
                    represent(arguments)
                )));
            }
            return Ok(());
        }
        Function::GetProperty => (
            count >= 2 && path(arguments),
            "[ node_name\\function, property_name\\function [, nested-property-1\\function, ... ]",
        ),
        Function::GetAttribute | Function::GetAttributesList => (
            count >= 2 && path(arguments),
            "[ node_name\\function, attribute_name\\function [, nested-attribute-1\\function, ... ]",
        ),
        Function::GetAttributesDict => (
            count >= 2,
            "[ node_name, attribute_name\\[attribute_name, nested-attribute ...], ... ]",
        ),
        Function::GetSecret | Function::GetEnvironmentCapability => (
            path(arguments),
            "name\\function or [ name\\function, key\\function, ... ]",
        ),
        Function::GetCapability => (
            count >= 2 && path(arguments),
            "[ deployment_id\\function, capability_id\\function [, key/index\\function, ... ]",
        ),
        Function::GetGroupCapability => (
            count >= 2,
            "[ deployment_group, capability or [capabilities], keys... ]",
        ),
        Function::GetLabel => (
            path(arguments) && count <= 2,
            "key\\function or [ key\\function, index\\function ]",
        ),
        Function::GetSys => {
            let known = match (arguments.get(0).and_then(Value::as_str), arguments.get(1)) {
                (_, Some(property)) if has_functions(property) => true,
                (Some("tenant"), Some(property)) => property == "name",
                (Some("deployment"), Some(property)) => ["id", "name", "blueprint", "owner"]
                    .iter()
                    .any(|one| property == one),
                _ => has_functions(arguments),
            };
            (
                count == 2 && known,
                "[ tenant, name ] or [ deployment, id\\name\\blueprint\\owner ]",
            )
        }
        Function::GetConsumers => (
            has_functions(arguments)
                || ["ids", "names", "count"].iter().any(|one| arguments == one),
            "ids, names or count",
        ),
        Function::Concat => {
            if items.is_none() {
                return Err(Error::logic(format!(
                    "Illegal arguments passed to concat function. Expected: [arg1\\function1, arg2\\function2, ...]but got: {}.",
                    display(arguments)
                )));
            }
            return Ok(());
        }
        Function::Merge => {
            let wrong = items
                .into_iter()
                .flatten()
                .find(|item| !item.is_object())
                .or(items
                    .is_none()
                    .then_some(arguments)
                    .filter(|value| !has_functions(value)));
            if let Some(wrong) = wrong {
                return Err(Error::logic(format!(
                    "Unable to validate Encountered non-dict element for merge: {} function",
                    represent(wrong)
                )));
            }
            return Ok(());
        }
        Function::StringFind => (count == 2, "[ haystack, needle ]"),
        Function::StringReplace => (
            matches!(count, 3 | 4),
            "[ haystack, needle, replacement [, count] ]",
        ),
        Function::StringSplit => (matches!(count, 2 | 3), "[ input, separator [, index] ]"),
        Function::StringLower | Function::StringUpper => {
            (items.is_none() || count == 1, "text\\function")
        }
    };
    if fits {
        return Ok(());
    }
    let (name, got) = (function.name(), represent(arguments));
    let _ = site;
    Err(Error::logic(format!(
        "Illegal arguments passed to {name} function. Expected: {expected} but got: {got}."
    )))
}
