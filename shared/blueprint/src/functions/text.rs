//! The functions that need nothing but their arguments: `concat`, `merge` and the texts.

use super::Function;
use crate::error::{Error, Result};
use crate::python_text::{display, represent};
use serde_json::{Map, Value, json};

/// The longest text that functions may build.
const MAX_TEXT: usize = 4 * 1024 * 1024;

/// Evaluates a function whose arguments are values. `None` for functions of other kinds.
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
    value.as_str().ok_or_else(|| {
        let kind = match value {
            Value::Null => "NoneType",
            Value::Bool(_) => "bool",
            Value::Number(number) if number.is_f64() => "float",
            Value::Number(_) => "int",
            Value::String(_) => "str",
            Value::Array(_) => "list",
            Value::Object(_) => "dict",
        };
        let value = display(value);
        refuse(
            function,
            format!("argument `{name}` should be of type <class 'str'> but is <class '{kind}'> ({value})"),
        )
    })
}

fn text_of(function: Function, arguments: &Value) -> Result<&str> {
    match arguments {
        Value::Array(items) if items.len() == 1 => typed(function, &items[0], "input"),
        single => typed(function, single, "input"),
    }
}

fn limited(function: Function, length: usize) -> Result<()> {
    match length > MAX_TEXT {
        true => Err(refuse(function, "the text becomes too long")),
        false => Ok(()),
    }
}

/// Everything as text, one after the other.
fn concat(arguments: &Value) -> Result<Value> {
    let mut joined = String::new();
    for item in items(arguments) {
        joined.push_str(&display(item));
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
                represent(item)
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
    Ok(match haystack.find(needle) {
        Some(place) => json!(haystack[..place].chars().count()),
        None => json!(-1),
    })
}

fn replace(arguments: &Value) -> Result<Value> {
    let function = Function::StringReplace;
    let haystack = text(function, arguments, 0, "haystack")?;
    let needle = text(function, arguments, 1, "needle")?;
    let replacement = text(function, arguments, 2, "replacement")?;
    let count = items(arguments)
        .get(3)
        .and_then(Value::as_i64)
        .unwrap_or(-1);
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
        return Err(refuse(function, "empty separator"));
    }
    let parts: Vec<&str> = input.split(separator).collect();
    let Some(index) = items(arguments).get(2) else {
        return Ok(json!(parts));
    };
    let index = index.as_i64().or_else(|| index.as_str()?.parse().ok());
    let place = index.and_then(|index| match index {
        0.. => usize::try_from(index).ok(),
        _ => parts
            .len()
            .checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    });
    match place.and_then(|place| parts.get(place)) {
        Some(part) => Ok(json!(part)),
        None => Err(refuse(function, "list index out of range")),
    }
}
