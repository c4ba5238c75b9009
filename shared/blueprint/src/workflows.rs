//! Workflows: when they are available, and the parameters of a run.

use crate::constraints;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::has_functions;
use serde_json::{Map, Value};
use windlass_python as python;

/// An availability rule that the language does not have, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownRule(pub String);

/// Whether a workflow can be started: all of its rules must be fulfilled. `states` are the states
/// of all node instances. `types` are the types of all nodes, and the types that they derive from.
pub fn is_available<'a>(
    rules: &Value,
    states: impl IntoIterator<Item = &'a str>,
    types: impl IntoIterator<Item = &'a str>,
) -> std::result::Result<bool, UnknownRule> {
    let Value::Object(rules) = rules else {
        return match rules {
            Value::Null => Ok(true),
            other => Err(UnknownRule(other.to_string())),
        };
    };
    let activity = Activity::of(states);
    let types: Vec<&str> = types.into_iter().collect();
    let mut available = true;
    for (rule, wanted) in rules {
        available &= match rule.as_str() {
            "available" => wanted
                .as_bool()
                .ok_or_else(|| UnknownRule(wanted.to_string()))?,
            // A rule without any value is as good as none.
            "node_instances_active" | "node_types_required" if is_empty(wanted) => true,
            "node_instances_active" => {
                let mut fits = false;
                for word in words(wanted)? {
                    fits |= activity
                        .is(word)
                        .ok_or_else(|| UnknownRule(word.to_owned()))?;
                }
                fits
            }
            "node_types_required" => words(wanted)?.iter().any(|wanted| types.contains(wanted)),
            other => return Err(UnknownRule(other.to_owned())),
        };
    }
    Ok(available)
}

fn is_empty(list: &Value) -> bool {
    list.is_null() || list.as_array().is_some_and(Vec::is_empty)
}

fn words(list: &Value) -> std::result::Result<Vec<&str>, UnknownRule> {
    let unknown = || UnknownRule(list.to_string());
    let items = list.as_array().ok_or_else(unknown)?;
    items
        .iter()
        .map(|item| item.as_str().ok_or_else(unknown))
        .collect()
}

/// How many instances of a deployment are running.
struct Activity {
    all: usize,
    started: usize,
    /// How many are neither new nor deleted.
    present: usize,
}

impl Activity {
    fn of<'a>(states: impl IntoIterator<Item = &'a str>) -> Self {
        let mut activity = Self {
            all: 0,
            started: 0,
            present: 0,
        };
        for state in states {
            activity.all += 1;
            activity.started += usize::from(state == "started");
            activity.present += usize::from(!matches!(state, "uninitialized" | "deleted"));
        }
        activity
    }

    fn is(&self, word: &str) -> Option<bool> {
        match word {
            "all" => Some(self.started == self.all),
            "partial" => Some(self.started < self.all && self.present > 0),
            "none" => Some(self.started == 0),
            _ => None,
        }
    }
}

/// Makes the parameters of a run: given values are converted and checked, and defaults are filled
/// in. The texts of errors are for the client.
pub fn merge_parameters(
    workflow: &str,
    declared: &Value,
    given: &Map<String, Value>,
    allow_custom: bool,
) -> Result<Map<String, Value>> {
    let refuse = |message: String| Err(Error::new(ErrorKind::Parameters, message));
    let undeclared: Vec<(&String, &Value)> = given
        .iter()
        .filter(|(name, _)| declared.get(name.as_str()).is_none())
        .collect();
    if !allow_custom && !undeclared.is_empty() {
        let names: Vec<&str> = undeclared.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(",");
        return refuse(format!(
            "Workflow \"{workflow}\" does not have the following parameters declared: {names}. Remove these parameters or use the flag for allowing custom parameters"
        ));
    }
    let mut merged = Map::new();
    let mut missing = Vec::new();
    for (name, schema) in declared.as_object().into_iter().flatten() {
        let required = schema
            .get("required")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        match (given.get(name), schema.get("default")) {
            (Some(value), _) => {
                let Some(value) = converted(schema, value) else {
                    let type_name = schema["type"].as_str().unwrap_or_default();
                    return refuse(format!("Parameter \"{name}\" must be of type {type_name}"));
                };
                merged.insert(name.clone(), value);
            }
            (None, Some(default)) => {
                merged.insert(name.clone(), default.clone());
            }
            (None, None) if required => missing.push(name.as_str()),
            (None, None) => {}
        }
    }
    for (name, value) in &merged {
        if !value.is_null() && !has_functions(value) {
            constraints::check(&declared[name], name, value)
                .map_err(|error| breaks_constraints(name, &error.message))?;
        }
    }
    if !missing.is_empty() {
        let names = missing.join(",");
        return refuse(format!(
            "Workflow \"{workflow}\" must be provided with the following parameters to execute: {names}"
        ));
    }
    for (name, value) in undeclared {
        merged.insert(name.clone(), value.clone());
    }
    Ok(merged)
}

/// The refusal of a parameter that breaks its constraints, for this reason.
pub fn breaks_constraints(parameter: &str, reason: &str) -> Error {
    Error::new(
        ErrorKind::Parameters,
        format!("Parameter \"{parameter}\" does not meet its constraints: {reason}"),
    )
}

/// Converts a value to the type of its parameter. Numbers and booleans may be texts, because they
/// often come from a command line.
fn converted(schema: &Value, value: &Value) -> Option<Value> {
    let type_name = schema.get("type").and_then(Value::as_str);
    let Some(type_name) = type_name else {
        return Some(value.clone());
    };
    if value.is_null() || crate::functions::function_of(value).is_some() {
        return Some(value.clone());
    }
    match (type_name, value) {
        ("list", Value::Array(items)) => match schema.get("item_type") {
            Some(item_type) => {
                let schema = serde_json::json!({ "type": item_type });
                items.iter().map(|item| converted(&schema, item)).collect()
            }
            None => Some(value.clone()),
        },
        ("string" | "textarea", value) => value.is_string().then(|| value.clone()),
        ("integer", Value::String(text)) => {
            let text = text.trim();
            let small = text.parse::<i64>().ok().map(Value::from);
            let number = || text.parse().ok().map(Value::Number);
            small.or_else(number).filter(python::is_int)
        }
        ("float", Value::String(text)) => {
            let number: f64 = text.trim().parse().ok()?;
            serde_json::Number::from_f64(number).map(Value::Number)
        }
        ("boolean", Value::String(text)) => match text.to_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        (type_name, value) => constraints::fits(type_name, value).then(|| value.clone()),
    }
}

#[cfg(test)]
mod tests;
