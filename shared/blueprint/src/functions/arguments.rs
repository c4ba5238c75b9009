//! The arguments that functions take, and paths into values.

use super::{Function, function_of};
use crate::error::{Error, Result};
use serde_json::Value;
use windlass_python as python;

/// Follows one step of a path: a key of a map, or an index of a list. Negative indexes count from
/// the end.
pub(super) fn enter<'a>(value: &'a Value, step: &Value) -> Option<&'a Value> {
    match value {
        Value::Object(map) => match step {
            Value::String(key) => map.get(key),
            other => map.get(&other.to_string()),
        },
        Value::Array(items) => items.get(index(items.len(), step.as_i64()?)?),
        _ => None,
    }
}

/// The place in a list of this length that an index means, as in Python.
pub(super) fn index(length: usize, index: i64) -> Option<usize> {
    let place = match index {
        0.. => usize::try_from(index).ok()?,
        _ => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
    };
    (place < length).then_some(place)
}

/// A path in Python's form: `a.b[2].c`.
pub(super) fn python_path(path: &[Value]) -> String {
    let mut text = String::new();
    for (place, step) in path.iter().enumerate() {
        match step {
            step if place == 0 => text.push_str(&python::str(step)),
            Value::Number(index) if index.is_i64() || index.is_u64() => {
                text.push_str(&format!("[{index}]"));
            }
            step => {
                text.push('.');
                text.push_str(&python::str(step));
            }
        }
    }
    text
}

/// Whether a value can be a step of a path: a name, a number or a function.
fn is_step(value: &Value) -> bool {
    value.is_string() || is_index(value) || value.is_boolean() || function_of(value).is_some()
}

fn is_index(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

/// A refusal that names the function.
fn invalid(name: &str, why: impl std::fmt::Display) -> Error {
    Error::logic(format!("Unable to validate {name} function: {why}"))
}

/// A refusal that does not name the function. The original has the words in this order too.
fn unnamed(why: impl std::fmt::Display) -> Error {
    Error::logic(format!("Unable to validate {why} function"))
}

/// Refuses arguments of the wrong form. What they refer to is checked elsewhere.
pub(super) fn check_arguments(function: Function, arguments: &Value) -> Result<()> {
    let name = function.name();
    let items = arguments.as_array().map(Vec::as_slice);
    let steps = |at_least: usize| {
        items.is_some_and(|items| items.len() >= at_least && items.iter().all(is_step))
    };
    let single = arguments.is_string() || function_of(arguments).is_some();
    let got = || python::str(arguments);
    match function {
        Function::GetInput if !single && !steps(1) => Err(Error::logic(format!(
            "Illegal argument(s) passed to get_input function. Expected either a string, or a function, or a list [input_name\\function [, key1\\index1\\function [,...]]] but got {}",
            got()
        ))),
        Function::GetProperty if !steps(2) => Err(Error::logic(format!(
            "Illegal arguments passed to get_property function. Expected: [ node_name\\function, property_name\\function [, nested-property-1\\function, ... ] but got: {}.",
            got()
        ))),
        Function::GetAttribute | Function::GetAttributesList if !steps(2) => {
            Err(Error::logic(format!(
                "Illegal arguments passed to {name} function. Expected: [ node_name\\function, attribute_name\\function [, nested-attribute-1\\function, ... ] but got: {}.",
                got()
            )))
        }
        Function::GetAttributesDict => attributes_dict(arguments, items),
        Function::GetSecret if !single && items.is_none_or(|items| items.len() < 2) => {
            Err(unnamed(format!(
                "`get_secret` function argument should be a list with at least 2 elements, a string, or a dict (a function). Instead it is a <class '{}'> with the value: {}.",
                python::type_name(arguments),
                got()
            )))
        }
        Function::GetCapability => capability(arguments, items, "deployment", false),
        Function::GetGroupCapability => capability(arguments, items, "group", true),
        Function::GetEnvironmentCapability => environment_capability(arguments, items),
        Function::GetLabel => label(arguments, items),
        Function::GetSys => system(arguments, items.filter(|_| steps(2))),
        Function::GetConsumers
            if !["ids", "names", "count"]
                .iter()
                .any(|known| arguments == known) =>
        {
            Err(Error::logic(format!(
                "Illegal argument passed to get_consumers function. Expected a property string (one of: ids, names, count), but got {}",
                got()
            )))
        }
        Function::Concat | Function::Merge => {
            let Some(items) = items else {
                return Err(Error::logic(format!(
                    "Illegal arguments passed to {name} function. Expected: [arg1\\function1, arg2\\function2, ...]but got: {}.",
                    got()
                )));
            };
            match items.iter().find(|item| !item.is_object()) {
                Some(item) if function == Function::Merge => Err(unnamed(format!(
                    "Encountered non-dict element for merge: {}",
                    python::str(item)
                ))),
                _ => Ok(()),
            }
        }
        Function::StringFind | Function::StringReplace | Function::StringSplit => {
            texts(function, items.unwrap_or_default())
        }
        Function::StringLower | Function::StringUpper => {
            let one = arguments.as_object().is_some_and(|map| map.len() == 1);
            if !arguments.is_string() && !one {
                return Err(invalid(name, "should be called with exactly one parameter"));
            }
            check_type(name, "input", arguments, "str")
        }
        _ => Ok(()),
    }
}

fn attributes_dict(arguments: &Value, items: Option<&[Value]>) -> Result<()> {
    let refuse = || {
        Err(Error::logic(format!(
            "Illegal arguments passed to get_attributes_dict function. Expected: [ node_name\\function, list of attribute_name\\function or [attribute_name\\function, nested-attribute-1\\function], ... ] but got: {}.",
            python::repr(arguments)
        )))
    };
    let Some((node, attributes)) = items.and_then(<[Value]>::split_first) else {
        return refuse();
    };
    let mut known: Vec<String> = Vec::new();
    for attribute in attributes {
        let path = match attribute {
            Value::Array(path) => path.as_slice(),
            single => std::slice::from_ref(single),
        };
        if path.is_empty() || !is_step(node) || !path.iter().all(is_step) {
            return refuse();
        }
        let name = path.iter().map(python::str).collect::<Vec<_>>().join(".");
        if known.contains(&name) {
            return Err(Error::logic(format!(
                "Unable to evaluate One or more duplicated or ambiguous attribute paths found: {name} function"
            )));
        }
        known.push(name);
    }
    Ok(())
}

fn capability(
    arguments: &Value,
    items: Option<&[Value]>,
    owner: &str,
    several: bool,
) -> Result<()> {
    let name = if several {
        "get_group_capability"
    } else {
        "get_capability"
    };
    let Some(items) = items else {
        return Err(Error::logic(format!(
            "`{name}` function argument should be a list. Instead it is a <class '{}'> with the value: {}.",
            python::type_name(arguments),
            python::str(arguments)
        )));
    };
    if items.len() < 2 {
        let got: Vec<String> = items.iter().map(python::str).collect();
        return Err(Error::logic(format!(
            "`{name}` function argument should be a list with 2 elements at least - [ {owner} ID, capability ID [, key/index[, key/index [...]]] ]. Instead it is: [{}]",
            got.join(",")
        )));
    }
    let allowed =
        |place: usize, item: &Value| is_step(item) || (several && place == 1 && item.is_array());
    simple_items(name, items, allowed)
}

fn simple_items(
    name: &str,
    items: &[Value],
    allowed: impl Fn(usize, &Value) -> bool,
) -> Result<()> {
    let wrong = items
        .iter()
        .enumerate()
        .find(|(place, item)| !allowed(*place, item));
    match wrong {
        None => Ok(()),
        Some((place, item)) => Err(Error::logic(format!(
            "`{name}` function arguments can't be complex values; only strings/ints/functions are accepted. Instead, the item with index {place} is {} of type <class '{}'>",
            python::str(item),
            python::type_name(item)
        ))),
    }
}

fn environment_capability(arguments: &Value, items: Option<&[Value]>) -> Result<()> {
    let name = "`get_environment_capability`";
    let (class, got) = (python::type_name(arguments), python::str(arguments));
    match items {
        None if arguments.is_string() => Ok(()),
        None => Err(invalid(
            name,
            format!(
                "{name} function argument should be a string or list with more than one item are accepted. Instead, it is a <class '{class}'> with the value: {got}."
            ),
        )),
        Some(items) if items.len() < 2 => Err(invalid(
            name,
            format!(
                "{name} function arguments can't be list with only one item; only string or list with more than one item are accepted. Instead, it is a <class '{class}'> with the value: {got}."
            ),
        )),
        Some(items) => simple_items("get_environment_capability", items, |_, item| is_step(item)),
    }
}

fn label(arguments: &Value, items: Option<&[Value]>) -> Result<()> {
    let name = "`get_label`";
    let refuse = |what: &str, value: &Value| {
        Err(invalid(
            name,
            format!(
                "{what}. Instead, it is a <class '{}'> with the value: {}.",
                python::type_name(value),
                python::str(value)
            ),
        ))
    };
    match items {
        Some([key, index]) => {
            if !key.is_string() && function_of(key).is_none() {
                return refuse(
                    "the <label-key> should be a string or a dict (a function)",
                    key,
                );
            }
            let is_number = is_index(index)
                || index.as_str().is_some_and(|text| {
                    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
                });
            match is_number {
                true => Ok(()),
                false => refuse(
                    "the <label-values list index> should be a number (in string or int form)",
                    index,
                ),
            }
        }
        None if arguments.is_string() || function_of(arguments).is_some() => Ok(()),
        _ => refuse(
            "`get_label` function argument should be a list of 2 elements ([<label-key>, <label-values list index>]), a string (<label-key>), or a dict (a function)",
            arguments,
        ),
    }
}

fn system(arguments: &Value, items: Option<&[Value]>) -> Result<()> {
    let Some([entity, property, ..]) = items else {
        return Err(Error::logic(format!(
            "Illegal argument(s) passed to get_sys function. Expected a 2-element list identifying an entity and its requested property (e.g. [tenant, name] or [deployment, id]) but got {}",
            python::str(arguments)
        )));
    };
    if function_of(entity).is_some() {
        return Ok(());
    }
    let known: &[&str] = match entity.as_str() {
        Some("tenant") => &["name"],
        Some("deployment") => &["id", "name", "blueprint", "owner"],
        _ => {
            return Err(Error::logic(format!(
                "get_sys function unable to determine entity: {}",
                python::str(entity)
            )));
        }
    };
    if function_of(property).is_some() || known.iter().any(|known| property == known) {
        return Ok(());
    }
    Err(Error::logic(format!(
        "get_sys function unable to determine property: {} {}",
        python::str(entity),
        python::str(property)
    )))
}

fn texts(function: Function, items: &[Value]) -> Result<()> {
    let (names, count): (&[&str], _) = match function {
        Function::StringFind => (&["haystack", "needle"], "exactly two"),
        Function::StringReplace => (&["haystack", "needle", "replacement"], "three or four"),
        _ => (&["input", "separator"], "two or three"),
    };
    let number = match function {
        Function::StringFind => None,
        Function::StringReplace => Some("count"),
        _ => Some("index"),
    };
    let most = names.len() + usize::from(number.is_some());
    if !(names.len()..=most).contains(&items.len()) {
        let why = format!("should be called with {count} parameters");
        return Err(invalid(function.name(), why));
    }
    for (name, value) in names.iter().zip(items) {
        check_type(function.name(), name, value, "str")?;
    }
    match (number, items.get(names.len())) {
        (Some(name), Some(value)) if !value.is_null() => {
            check_type(function.name(), name, value, "int")
        }
        _ => Ok(()),
    }
}

/// Checks the type of an argument, unless it is a function.
fn check_type(function: &str, name: &str, value: &Value, wanted: &str) -> Result<()> {
    let fits = match wanted {
        "str" => value.is_string(),
        _ => is_index(value) || value.is_boolean(),
    };
    if fits || function_of(value).is_some() {
        return Ok(());
    }
    Err(invalid(
        function,
        format!(
            "argument `{name}` should be of type <class '{wanted}'> but is <class '{}'> ({})",
            python::type_name(value),
            python::str(value)
        ),
    ))
}
