//! How Python prints, names and compares values.
//!
//! The original of this application is written in Python. Its messages hold values as Python
//! prints them, its `concat` joins them in this form, and clients compare both. So the rules
//! stand here once, and exactly: `it's` is printed as `"it's"`, `1e16` as `1e+16`.

mod float;
mod number;
mod quote;
#[cfg(test)]
mod tests;

pub use number::{float, integer};

use serde_json::Value;

/// The result of `str(value)`: a text stays as it is, everything else is as in [`repr`].
pub fn str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// The result of `repr(value)`, such as `{'a': [1, True, None]}`.
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// The result of `repr` for a list of texts, such as `['a', 'b']`.
pub fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let mut out = String::from("[");
    for (place, item) in items.into_iter().enumerate() {
        separate(place, &mut out);
        quote::write(item.as_ref(), &mut out);
    }
    out.push(']');
    out
}

/// The name of the value's type, such as `dict`: the result of `type(value).__name__`.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// The result of `type(value) is int`. Integers have no limit.
pub fn is_int(value: &Value) -> bool {
    matches!(value, Value::Number(number) if !number.is_f64())
}

/// The result of `bool(value)`: zero and everything empty are false.
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// The result of `one == other`: numbers are compared by value, and `True` is 1.
pub fn equal(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    };
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|other| equal(value, other)))
        }
        // Floats would not tell large integers apart.
        (Value::Number(one), Value::Number(other)) if !one.is_f64() && !other.is_f64() => {
            one == other
        }
        _ => match (number(one), number(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        },
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) if number.is_f64() => float::write(number, out),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => quote::write(text, out),
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                separate(place, out);
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (place, (key, item)) in map.iter().enumerate() {
                separate(place, out);
                quote::write(key, out);
                out.push_str(": ");
                write(item, out);
            }
            out.push('}');
        }
    }
}

/// Writes the comma in front of every item but the first.
fn separate(place: usize, out: &mut String) {
    if place > 0 {
        out.push_str(", ");
    }
}
