//! A deployment's inputs: which are missing or unknown, and the values they have in the end.

use crate::constraints;
use crate::deployment::Knowledge;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::{self, Context, evaluate_known, has_functions};
use crate::plan::Plan;
use crate::python_text;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Why given inputs do not fit a blueprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputProblem {
    /// Required inputs that were not given.
    Missing(Vec<String>),
    /// Inputs that the blueprint does not have.
    Unknown(Vec<String>),
}

/// Whether all required inputs are given, and no others than the blueprint's.
pub fn check_inputs(
    plan: &Plan,
    given: &Map<String, Value>,
) -> std::result::Result<(), InputProblem> {
    let schemas = plan.section("inputs").as_object();
    let mut missing = Vec::new();
    for (name, schema) in schemas.into_iter().flatten() {
        let required = schema
            .get("required")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        let default = schema.get("default").unwrap_or(&Value::Null);
        if required && default.is_null() && !given.contains_key(name) {
            missing.push(name.clone());
        }
    }
    if !missing.is_empty() {
        return Err(InputProblem::Missing(missing));
    }
    let known = |name: &String| schemas.is_some_and(|schemas| schemas.contains_key(name));
    let unknown: Vec<String> = given.keys().filter(|name| !known(name)).cloned().collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(InputProblem::Unknown(unknown)),
    }
}

/// Values for all inputs: the given ones checked, defaults for the others.
pub(crate) fn input_values(plan: &Plan, given: &Map<String, Value>) -> Result<Map<String, Value>> {
    let schemas = plan
        .section("inputs")
        .as_object()
        .cloned()
        .unwrap_or_default();
    let expected = || python_text::list(schemas.keys());
    check_inputs(plan, given).map_err(|problem| match problem {
        InputProblem::Missing(names) => Error::new(
            ErrorKind::MissingInput,
            format!(
                "Required inputs {} were not specified - expected inputs: {}",
                python_text::list(names),
                expected()
            ),
        ),
        InputProblem::Unknown(names) => Error::new(
            ErrorKind::UnknownInput,
            format!(
                "Unknown inputs {} specified - expected inputs: {}",
                python_text::list(names),
                expected()
            ),
        ),
    })?;
    let types = plan.section("data_types");
    let mut values = Map::new();
    for (name, schema) in &schemas {
        let value = match given.get(name) {
            Some(value) => checked(name, schema, value, types)?,
            None => checked(
                name,
                schema,
                schema.get("default").unwrap_or(&Value::Null),
                types,
            )?,
        };
        values.insert(name.clone(), value);
    }
    // Constraints may be functions of other inputs, so all values have to be there first.
    let known = Knowledge {
        inputs: &values,
        nodes: HashMap::new(),
        left: functions::allowance(),
    };
    for (name, schema) in &schemas {
        let value = &values[name];
        let Some(constraints) = schema.get("constraints") else {
            continue;
        };
        if value.is_null() && !given.contains_key(name) {
            continue;
        }
        let mut evaluated = json!({
            "constraints": evaluate_known(constraints, &Context::default(), &known)?,
        });
        if let Some(item_type) = schema.get("item_type") {
            evaluated["item_type"] = item_type.clone();
        }
        if given.contains_key(name) || !has_functions(value) {
            constraints::check(&evaluated, "input", name, value)?;
        }
    }
    Ok(values)
}

/// A value: of its input's type, and completed if that is a data type.
fn checked(name: &str, schema: &Value, value: &Value, types: &Value) -> Result<Value> {
    let mismatch = |path: &str, type_name: &str, value: &Value| {
        let subject = match path {
            "" => "the defined type".to_owned(),
            path => format!("property '{path}' type"),
        };
        let value = python_text::display(value);
        Error::parser(
            214,
            format!(
                "Property type validation failed in '{name}': {subject} is '{type_name}', yet it was assigned with the value '{value}'"
            ),
        )
    };
    let Some(type_name) = schema.get("type").and_then(Value::as_str) else {
        return Ok(value.clone());
    };
    if let (Some(item_type), Value::Array(items)) =
        (schema.get("item_type").and_then(Value::as_str), value)
    {
        let wrong = |item: &&Value| !has_functions(item) && !constraints::fits(item_type, item);
        if let Some(item) = items.iter().find(wrong) {
            return Err(mismatch("", item_type, item));
        }
    }
    let mut budget = 10_000;
    complete(name, type_name, value, types, "", &mut budget, &mismatch)
}

fn complete(
    input: &str,
    type_name: &str,
    value: &Value,
    types: &Value,
    path: &str,
    budget: &mut usize,
    mismatch: &dyn Fn(&str, &str, &Value) -> Error,
) -> Result<Value> {
    *budget = budget
        .checked_sub(1)
        .ok_or_else(|| Error::parser(214, "The value is too large"))?;
    if functions::function_of(value).is_some() || value.is_null() {
        return Ok(value.clone());
    }
    let Some(schemas) = types.get(type_name).map(|kind| &kind["properties"]) else {
        return match constraints::fits(type_name, value) {
            true => Ok(value.clone()),
            false => Err(mismatch(path, type_name, value)),
        };
    };
    let Value::Object(given) = value else {
        return Err(mismatch(path, type_name, value));
    };
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    if let Some(name) = given
        .keys()
        .find(|name| schemas.get(name.as_str()).is_none())
    {
        let path = below(name);
        return Err(Error::parser(
            106,
            format!("Undefined property {path} in value of input {input}"),
        ));
    }
    let mut values = Map::new();
    for (name, schema) in schemas.as_object().into_iter().flatten() {
        let required = schema
            .get("required")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        let value = match (given.get(name), schema.get("default")) {
            (Some(value), _) => value,
            (None, Some(default)) => default,
            (None, None) if required => {
                let path = below(name);
                return Err(Error::parser(
                    107,
                    format!("Value of input {input} is missing property {path}"),
                ));
            }
            (None, None) => continue,
        };
        let value = match schema.get("type").and_then(Value::as_str) {
            Some(type_name) => complete(
                input,
                type_name,
                value,
                types,
                &below(name),
                budget,
                mismatch,
            )?,
            None => value.clone(),
        };
        values.insert(name.clone(), value);
    }
    Ok(Value::Object(values))
}
