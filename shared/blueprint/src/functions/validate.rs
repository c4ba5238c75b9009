//! Checks of functions before anything runs: their arguments have the right form, the inputs, nodes
//! and properties that they name exist, and they may be used at their place.

use super::arguments::{check_arguments, enter};
use super::path::Path;
use super::scan::{Scope, scan};
use super::{Function, function_of};
use crate::error::{Error, Result};
use crate::plan::{Fields, Plan};
use serde_json::{Value, json};
use std::collections::HashMap;
use windlass_python as python;

/// Checks all functions of a plan that is written in version 1.`minor` of the language.
pub(crate) fn validate(plan: &Plan, minor: u32) -> Result<()> {
    let validator = Validator {
        plan,
        nodes: plan.nodes.iter().map(|node| (node.name(), node)).collect(),
        minor,
    };
    scan(plan, &mut |value, scope, path| {
        validator.value(value, scope, path)
    })
}

/// The secrets and the capabilities of the parent deployment that a plan uses. Names that are
/// functions themselves are listed as they are, and repetitions are kept.
pub(crate) fn requirements(plan: &Plan) -> Result<Value> {
    let (mut secrets, mut parents) = (Vec::new(), Vec::new());
    scan(plan, &mut |value, _, _| {
        super::names::any_function(value, &mut |function, arguments| {
            match function {
                Function::GetSecret => secrets.push(arguments.clone()),
                Function::GetEnvironmentCapability => parents.push(match arguments {
                    Value::Array(_) => arguments.clone(),
                    single => json!([single]),
                }),
                _ => {}
            }
            false
        });
        Ok(())
    })?;
    Ok(json!({ "parent_capabilities": parents, "secrets": secrets }))
}

struct Validator<'a> {
    plan: &'a Plan,
    nodes: HashMap<&'a str, &'a Fields>,
    minor: u32,
}

impl<'a> Validator<'a> {
    fn value(&self, value: &Value, scope: Scope<'a>, path: &Path<'_>) -> Result<()> {
        if let Some((function, arguments)) = function_of(value) {
            check_arguments(function, arguments)
                .and_then(|()| self.function(function, arguments, scope, path))
                .map_err(|error| error.at_path(path))?;
        }
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(place, item)| self.value(item, scope, &path.place(place))),
            Value::Object(map) => map
                .iter()
                .try_for_each(|(key, item)| self.value(item, scope, &path.key(key))),
            _ => Ok(()),
        }
    }

    fn function(
        &self,
        function: Function,
        arguments: &Value,
        scope: Scope<'a>,
        path: &Path<'_>,
    ) -> Result<()> {
        let since = match function {
            Function::Concat => 1,
            Function::Merge => 3,
            _ => 0,
        };
        if self.minor < since {
            return Err(Error::logic(format!(
                "Unable to validate Using {} requires using dsl version 1_{since} or greater, but found: cloudify_dsl_1_{} in {path}. function",
                function.name(),
                self.minor,
            )));
        }
        match function {
            Function::GetInput => {
                let name = arguments.get(0).unwrap_or(arguments);
                let known = name
                    .as_str()
                    .is_some_and(|name| self.plan.section("inputs").get(name).is_some());
                match known || function_of(name).is_some() {
                    true => Ok(()),
                    false => Err(Error::new(
                        crate::error::ErrorKind::UnknownInput,
                        format!(
                            "get_input function references an unknown input '{}'.",
                            python::str(name)
                        ),
                    )),
                }
            }
            Function::GetProperty => self.property(arguments, scope, path),
            Function::GetAttribute | Function::GetAttributesList | Function::GetAttributesDict => {
                self.attribute(function, arguments, scope, path)
            }
            _ => Ok(()),
        }
    }

    fn attribute(
        &self,
        function: Function,
        arguments: &Value,
        scope: Scope<'a>,
        path: &Path<'_>,
    ) -> Result<()> {
        let items = arguments.as_array().map_or(&[][..], Vec::as_slice);
        if items.iter().any(|item| function_of(item).is_some()) {
            return Ok(());
        }
        let name = items.first().map(python::str).unwrap_or_default();
        let legal = match name.as_str() {
            "SELF" => matches!(scope, Scope::Node(_)),
            "SOURCE" | "TARGET" => matches!(scope, Scope::Relationship(..)),
            name if self.nodes.contains_key(name) => true,
            name => {
                return Err(Error::logic(format!(
                    "{} function node reference '{name}' does not exist.",
                    function.name()
                )));
            }
        };
        match legal {
            true => Ok(()),
            false => Err(Error::logic(format!(
                "{name} cannot be used with {} function in {path}",
                function.name()
            ))),
        }
    }

    fn property(&self, arguments: &Value, scope: Scope<'a>, path: &Path<'_>) -> Result<()> {
        let items = arguments.as_array().map_or(&[][..], Vec::as_slice);
        let Some((name, keys)) = items.split_first() else {
            return Ok(());
        };
        if items.iter().any(|item| function_of(item).is_some()) {
            return Ok(());
        }
        let name = python::str(name);
        let node = match (name.as_str(), scope) {
            ("SELF", Scope::Node(node)) => Some(node),
            ("SELF", scope) => {
                return Err(Error::logic(format!(
                    "SELF can only be used in a context of node template but appears in {}.",
                    scope.name()
                )));
            }
            ("SOURCE", Scope::Relationship(source, _)) => Some(source),
            ("TARGET", Scope::Relationship(_, relationship)) => {
                self.nodes.get(relationship.text("target_id")).copied()
            }
            ("SOURCE" | "TARGET", _) => {
                return Err(Error::logic(format!(
                    "{name} can only be used within a relationship but is used in {path}"
                )));
            }
            (name, _) => self.nodes.get(name).copied(),
        };
        let node = node.ok_or_else(|| Error::logic(format!("Node {name} does not exist")))?;
        check_way(node, keys, path)
    }
}

/// Checks that a node has the property at these keys. Behind a function this cannot be known.
fn check_way(node: &Fields, keys: &[Value], path: &Path<'_>) -> Result<()> {
    let mut here = node.get("properties");
    for (place, key) in keys.iter().enumerate() {
        if place > 0 && function_of(here).is_some() {
            return Ok(());
        }
        here = match enter(here, key) {
            Some(next) => next,
            None => return Err(no_property(node.name(), keys, here, key, &path)),
        };
    }
    Ok(())
}

/// The refusal of a path into properties. `here` and `key` tell where it ends.
pub(super) fn no_property(
    node: &str,
    keys: &[Value],
    here: &Value,
    key: &Value,
    path: &dyn std::fmt::Display,
) -> Error {
    let keys: Vec<String> = keys.iter().map(python::str).collect();
    let start = format!(
        "Unable to evaluate get_property function: Node template property '{node}.properties.{}' referenced from '{path}'",
        keys.join(".")
    );
    let key_text = python::str(key);
    Error::evaluation(match here {
        Value::Array(items) if key.is_i64() || key.is_u64() => format!(
            "{start} index is out of range. Got {key_text} but list size is {}.",
            items.len()
        ),
        Value::Array(_) => format!(
            "{start} is expected {key_text} to be an int but it is a {}.",
            python::type_name(key)
        ),
        _ => format!("{start} doesn't exist."),
    })
}
