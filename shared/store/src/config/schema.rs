//! What a setting's value must be like: the part of JSON schema that our settings use.
//!
//! Keywords: `type` (one or several), `enum`, `minimum`, `maximum`, `minLength`, `maxLength`. The
//! schemas are our own data, so others need not be known.

use serde_json::{Number, Value};

/// The value as it is to be stored, when the schema allows it. Where a number is wanted, a text
/// that is one is taken for it: command lines know only texts.
///
/// # Errors
/// What the value should have been.
pub fn accept(schema: &Value, value: Value) -> Result<Value, String> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let value = normalised(&types, value);
    if !types.is_empty() && !types.iter().any(|kind| is_of(kind, &value)) {
        return Err(format!("it must be of type {}", types.join(" or ")));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(&value)
    {
        return Err(format!("it must be one of {}", schema["enum"]));
    }
    let measure = match &value {
        Value::Number(number) => number.as_f64().map(|size| (size, "minimum", "maximum")),
        Value::String(text) => Some((text.chars().count() as f64, "minLength", "maxLength")),
        _ => None,
    };
    if let Some((size, least, most)) = measure {
        let limit = |keyword: &str| schema[keyword].as_f64();
        if limit(least).is_some_and(|limit| size < limit) {
            return Err(format!("its {least} is {}", schema[least]));
        }
        if limit(most).is_some_and(|limit| size > limit) {
            return Err(format!("its {most} is {}", schema[most]));
        }
    }
    Ok(value)
}

/// Texts that are numbers become numbers where only those are wanted, and `5.0` becomes 5.
fn normalised(types: &[&str], value: Value) -> Value {
    let wants_number = types
        .iter()
        .any(|kind| matches!(*kind, "number" | "integer"));
    if !wants_number {
        return value;
    }
    let value = match &value {
        Value::String(text) if !types.contains(&"string") => {
            number(text.trim()).map_or(value, Value::Number)
        }
        _ => value,
    };
    match value.as_f64() {
        // Beyond 2^53 a float no longer says which whole number was meant.
        Some(real) if value.is_f64() && real.fract() == 0.0 && real.abs() < 9e15 => {
            Value::from(real as i64)
        }
        _ => value,
    }
}

fn number(text: &str) -> Option<Number> {
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text.parse::<f64>().ok().and_then(Number::from_f64),
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_taken_when_the_schema_allows_it() {
        let whole = json!({ "type": "integer", "minimum": 1, "maximum": 10 });
        let text = json!({ "type": "string", "maxLength": 3 });
        let level = json!({ "type": "string", "enum": ["info", "debug"] });
        let either = json!({ "type": ["string", "number"] });
        for (schema, given, want) in [
            (&whole, json!(5), Ok(json!(5))),
            (&whole, json!("7"), Ok(json!(7))),
            (&whole, json!(5.0), Ok(json!(5))),
            (&whole, json!("5.0"), Ok(json!(5))),
            (&whole, json!(5.5), Err("it must be of type integer")),
            (&whole, json!(true), Err("it must be of type integer")),
            (&whole, json!("many"), Err("it must be of type integer")),
            (&whole, json!("nan"), Err("it must be of type integer")),
            (&whole, json!(0), Err("its minimum is 1")),
            (&whole, json!(1e300), Err("it must be of type integer")),
            (&whole, json!(11), Err("its maximum is 10")),
            (&json!({ "type": "number" }), json!("0.5"), Ok(json!(0.5))),
            (&text, json!("äöü"), Ok(json!("äöü"))),
            (&text, json!("four"), Err("its maxLength is 3")),
            (
                &level,
                json!("loud"),
                Err("it must be one of [\"info\",\"debug\"]"),
            ),
            (&either, json!("5"), Ok(json!("5"))),
            (
                &either,
                json!([]),
                Err("it must be of type string or number"),
            ),
            (
                &Value::Null,
                json!({ "any": [1] }),
                Ok(json!({ "any": [1] })),
            ),
        ] {
            let got = accept(schema, given.clone());
            assert_eq!(got, want.map_err(str::to_owned), "{given} for {schema}");
        }
    }
}
