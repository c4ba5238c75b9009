//! Functions that need only their arguments: `concat`, `merge` and those on texts.

use super::Function;
use super::arguments::index;
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};
use windlass_python as python;

/// How long a text may be that a function builds, in bytes.
const MAX_TEXT: usize = 4 * 1024 * 1024;

/// Evaluates a function whose arguments are evaluated already. The result is `None` for functions
/// that are not of this kind.
pub(super) fn evaluate(function: Function, arguments: &Value) -> Option<Result<Value>> {
    Some(match function {
        Function::Concat => concat(arguments),
        Function::Merge => merge(arguments),
        Function::StringFind => find(arguments),
        Function::StringReplace => replace(arguments),
        Function::StringSplit => split(arguments),
        Function::StringLower => {
            text_of(function, arguments).map(|text| json!(text.to_lowercase()))
        }
        Function::StringUpper => {
            text_of(function, arguments).map(|text| json!(text.to_uppercase()))
        }
        _ => return None,
    })
}

fn refuse(function: Function, why: impl std::fmt::Display) -> Error {
    Error::evaluation(format!(
        "Unable to evaluate {} function: {why}",
        function.name()
    ))
}

fn items(arguments: &Value) -> &[Value] {
    arguments.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(function: Function, arguments: &'a Value, place: usize, name: &str) -> Result<&'a str> {
    let value = items(arguments).get(place).unwrap_or(&Value::Null);
    typed(function, value, name)
}

fn typed<'a>(function: Function, value: &'a Value, name: &str) -> Result<&'a str> {
    value
        .as_str()
        .ok_or_else(|| wrong_type(function, value, name, "str"))
}

fn wrong_type(function: Function, value: &Value, name: &str, wanted: &str) -> Error {
    let (kind, value) = (python::type_name(value), python::str(value));
    refuse(
        function,
        format!(
            "argument `{name}` should be of type <class '{wanted}'> but is <class '{kind}'> ({value})"
        ),
    )
}

/// An argument that is a number and may be missing.
fn number(function: Function, arguments: &Value, place: usize, name: &str) -> Result<Option<i64>> {
    match items(arguments).get(place) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(wrong_type(function, value, name, "int")),
        },
    }
}

fn text_of(function: Function, arguments: &Value) -> Result<&str> {
    match arguments {
        Value::String(_) | Value::Object(_) => typed(function, arguments, "input"),
        _ => Err(Error::evaluation(format!(
            "Unable to validate {} function: should be called with exactly one parameter",
            function.name()
        ))),
    }
}

fn limited(function: Function, length: usize) -> Result<()> {
    match length > MAX_TEXT {
        true => Err(refuse(function, "the text becomes too long")),
        false => Ok(()),
    }
}

/// Joins all arguments as texts.
fn concat(arguments: &Value) -> Result<Value> {
    let mut joined = String::new();
    for item in items(arguments) {
        joined.push_str(&python::str(item));
        limited(Function::Concat, joined.len())?;
    }
    Ok(Value::String(joined))
}

fn merge(arguments: &Value) -> Result<Value> {
    let mut merged = Map::new();
    for item in items(arguments) {
        let Value::Object(map) = item else {
            let why = format!(
                "Encountered non-dict element for merge: {}",
                python::repr(item)
            );
            return Err(refuse(Function::Merge, why));
        };
        for (key, value) in map {
            merged.insert(key.clone(), value.clone());
        }
    }
    Ok(Value::Object(merged))
}

fn find(arguments: &Value) -> Result<Value> {
    let function = Function::StringFind;
    let haystack = text(function, arguments, 0, "haystack")?;
    let needle = text(function, arguments, 1, "needle")?;
    Ok(match haystack.split_once(needle) {
        Some((before, _)) => json!(before.chars().count()),
        None => json!(-1),
    })
}

fn replace(arguments: &Value) -> Result<Value> {
    let function = Function::StringReplace;
    let haystack = text(function, arguments, 0, "haystack")?;
    let needle = text(function, arguments, 1, "needle")?;
    let replacement = text(function, arguments, 2, "replacement")?;
    let count = number(function, arguments, 3, "count")?.unwrap_or(-1);
    let times = match usize::try_from(count) {
        Ok(count) => haystack.matches(needle).take(count).count(),
        Err(_) => haystack.matches(needle).count(),
    };
    limited(
        function,
        haystack
            .len()
            .saturating_add(times.saturating_mul(replacement.len())),
    )?;
    Ok(json!(haystack.replacen(needle, replacement, times)))
}

fn split(arguments: &Value) -> Result<Value> {
    let function = Function::StringSplit;
    let input = text(function, arguments, 0, "input")?;
    let separator = text(function, arguments, 1, "separator")?;
    if separator.is_empty() {
        return Err(Error::evaluation("empty separator"));
    }
    let parts: Vec<&str> = input.split(separator).collect();
    let Some(place) = number(function, arguments, 2, "index")? else {
        return Ok(json!(parts));
    };
    match index(parts.len(), place).and_then(|place| parts.get(place)) {
        Some(part) => Ok(json!(part)),
        None => Err(Error::evaluation("list index out of range")),
    }
}
