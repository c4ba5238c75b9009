//! The inputs of a deployment: which of them are missing or unknown, and their final values.

use crate::constraints;
use crate::constraints::objects::{ObjectReference, object_references};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::{Context, Known, Path, function_of, has_functions};
use crate::plan::Plan;
use serde_json::{Map, Value, json};
use windlass_python as python;

/// Why inputs do not fit a blueprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputProblem {
    /// The names of required inputs that were not given.
    Missing(Vec<String>),
    /// The names of given inputs that the blueprint does not have.
    Unknown(Vec<String>),
}

/// Checks that all required inputs are given, and no unknown ones.
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

/// Has the texts among inputs be what the blueprint wants, where they say a number or a truth value. What
/// does not stays as it is, to be refused like any other value of the wrong type.
pub fn correct_types(plan: &Plan, inputs: &mut Map<String, Value>) {
    for (name, value) in inputs {
        let kind = plan.section("inputs").get(name);
        let kind = kind.and_then(|schema| schema.get("type")?.as_str());
        if let (Some(kind), Value::String(text)) = (kind, &*value)
            && let Some(meant) = meant(kind, text)
        {
            *value = meant;
        }
    }
}

/// What a text says as a value of a type, if it does.
fn meant(kind: &str, text: &str) -> Option<Value> {
    match (kind, text) {
        ("boolean", "true") => Some(Value::Bool(true)),
        ("boolean", "false") => Some(Value::Bool(false)),
        ("integer", _) => python::integer(text),
        ("float", _) => python::float(text),
        _ => None,
    }
}

/// Makes the values of all inputs: the given ones, and defaults for the rest. All of them are
/// checked.
pub(crate) fn input_values(plan: &Plan, given: &Map<String, Value>) -> Result<Map<String, Value>> {
    let none = Map::new();
    let schemas = plan.section("inputs").as_object().unwrap_or(&none);
    let types = plan.section("data_types");
    let mut values = Map::new();
    let mut missing = Vec::new();
    let mut open = Vec::new();
    for (name, schema) in schemas {
        let default = schema.get("default").filter(|default| !default.is_null());
        let value = match given.get(name).or(default) {
            Some(value) => value.clone(),
            None => match from_type(name, schema, types) {
                Some(value) => value,
                None if schema["required"] == json!(false) => {
                    values.insert(name.clone(), Value::Null);
                    continue;
                }
                None => {
                    missing.push(name.as_str());
                    continue;
                }
            },
        };
        // Constraints may be functions of other inputs, so all values have to be there first.
        match has_functions(&schema["constraints"]) {
            true => open.push((name, schema)),
            false => constraints::check(schema, name, &value)?,
        }
        let value = checked(name, schema, &value, types)?;
        values.insert(name.clone(), value);
    }
    let expected = || python::list(schemas.keys());
    if !missing.is_empty() {
        return Err(Error::new(
            ErrorKind::MissingInput,
            format!(
                "Required inputs {} were not specified - expected inputs: {}",
                python::list(missing),
                expected()
            ),
        ));
    }
    let mut unknown = given
        .keys()
        .filter(|name| !schemas.contains_key(*name))
        .peekable();
    if unknown.peek().is_some() {
        return Err(Error::new(
            ErrorKind::UnknownInput,
            format!(
                "Unknown inputs {} specified - expected inputs: {}",
                python::list(unknown),
                expected()
            ),
        ));
    }
    let known = Known::new(&values, None);
    for (name, schema) in open {
        let schema = with_constraints(name, schema, &known)?;
        let value = values.get(name).unwrap_or(&Value::Null);
        constraints::check(&schema, name, value)?;
    }
    Ok(values)
}

/// The inputs that name objects, such as a deployment or a node. `values` are the values of all
/// inputs, as [`prepare_deployment`](crate::prepare_deployment) makes them.
///
/// # Errors
/// What could not be evaluated among the arguments of constraints.
pub fn objects_of_inputs(plan: &Plan, values: &Map<String, Value>) -> Result<Vec<ObjectReference>> {
    let known = Known::new(values, None);
    let mut schemas = Map::new();
    for (name, schema) in plan.section("inputs").as_object().into_iter().flatten() {
        schemas.insert(name.clone(), with_constraints(name, schema, &known)?);
    }
    Ok(object_references(&Value::Object(schemas), values))
}

/// The schema of an input, the functions in its constraints evaluated.
fn with_constraints(name: &str, schema: &Value, known: &Known<'_>) -> Result<Value> {
    let mut schema = schema.clone();
    let path = ["inputs", name];
    if let Some(constraints) = schema.get_mut("constraints")
        && has_functions(constraints)
    {
        *constraints = known.evaluate(constraints, &Context::default(), &Path::start(&path))?;
    }
    Ok(schema)
}

/// The value of an input that was not given, if its data type has defaults for all properties.
fn from_type(name: &str, schema: &Value, types: &Value) -> Option<Value> {
    types.get(schema["type"].as_str()?)?;
    let value = checked(name, schema, &json!({}), types).ok()?;
    value
        .as_object()
        .is_some_and(|map| !map.is_empty())
        .then_some(value)
}

/// Checks the type of a value. If the type is a data type, its defaults are filled in.
fn checked(name: &str, schema: &Value, value: &Value, types: &Value) -> Result<Value> {
    let mismatch = |path: &str, type_name: &str, value: &Value| {
        let value = python::str(value);
        let subject = match path {
            "" => format!("the defined type is '{type_name}'"),
            path => format!("property '{path}' type is '{type_name}'"),
        };
        Error::parser(
            214,
            format!(
                "Property type validation failed in '{name}': {subject}, yet it was assigned with the value '{value}'"
            ),
        )
    };
    let Some(type_name) = schema.get("type").and_then(Value::as_str) else {
        return Ok(value.clone());
    };
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
    if function_of(value).is_some() {
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
            214,
            format!("Undefined property {path} in value of input {input}."),
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
                    214,
                    format!("Value of input {input} is missing property {path}."),
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
