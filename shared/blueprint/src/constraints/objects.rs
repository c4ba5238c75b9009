//! Inputs and parameters whose values name objects, such as a deployment or a node.
//!
//! Whether such an object exists is known outside of the language. This module says which values
//! have to be looked for and where, and whether what was found fulfils the constraints.

use super::{OWNERS, PARTS, SEARCHES, names_object, parts};
use crate::error::{Error, ErrorKind, Result};
use serde_json::{Map, Value};
use windlass_python as python;

/// An input or parameter whose values are to name objects.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectReference {
    /// The name of the input or parameter.
    pub name: String,
    /// The type of its values: `node_id`, `deployment_id`, ...
    pub kind: String,
    /// Its value, or the items if it is a list.
    pub values: Vec<Value>,
    /// The constraints that the objects have to fulfil, each a name and an argument.
    constraints: Vec<(String, Value)>,
}

/// An object that was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Candidate {
    /// What a value must be equal to in order to name it.
    pub value: Value,
    /// What `name_pattern` is compared with.
    pub name: String,
    /// What `valid_values` may list in order to allow it. For a type these are also the types that
    /// it derives from.
    pub listed_as: Vec<Value>,
    /// The labels of a blueprint or deployment: keys and values.
    pub labels: Vec<(String, String)>,
    /// The tenant of a blueprint or deployment.
    pub tenant: Option<String>,
}

/// Where the objects that a value names are to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// They belong to nothing else: blueprints, deployments, secrets.
    Anywhere,
    /// In what the value itself is for.
    Here,
    /// In the deployment of this id.
    Deployment(&'a str),
    /// In the plan of the blueprint of this id.
    Blueprint(&'a str),
}

/// What values of inputs and parameters are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// A deployment that is being made of a blueprint.
    Blueprint,
    /// A deployment that is there.
    Deployment,
}

/// The inputs or parameters of these schemas that name objects, and their values. One that need
/// not be given, and is not, names none.
pub fn object_references(schemas: &Value, values: &Map<String, Value>) -> Vec<ObjectReference> {
    let schemas = schemas.as_object().into_iter().flatten();
    schemas
        .filter_map(|(name, schema)| reference(name, schema, values.get(name)?))
        .collect()
}

fn reference(name: &str, schema: &Value, value: &Value) -> Option<ObjectReference> {
    let (kind, values) = match (schema["item_type"].as_str(), value) {
        (Some(item_type), Value::Array(items)) => (item_type, items.clone()),
        _ => (schema["type"].as_str()?, vec![value.clone()]),
    };
    let is_absent = value.is_null() && schema["required"] == Value::Bool(false);
    if is_absent || !names_object(kind) {
        return None;
    }
    let constraints = schema["constraints"].as_array().into_iter().flatten();
    let constraints = constraints
        .filter_map(parts)
        .filter(|(constraint, _)| is_of_object(kind, constraint));
    Some(ObjectReference {
        name: name.to_owned(),
        kind: kind.to_owned(),
        values,
        constraints: constraints
            .map(|(constraint, argument)| (constraint.to_owned(), argument.clone()))
            .collect(),
    })
}

/// Whether the constraint is one on the object that a value of this type names. Other constraints
/// are on the value itself.
pub(super) fn is_of_object(kind: &str, constraint: &str) -> bool {
    SEARCHES.contains(&constraint) || constraint == "valid_values" && PARTS.contains(&kind)
}

impl ObjectReference {
    /// The argument of a constraint.
    pub fn constraint(&self, name: &str) -> Option<&Value> {
        let mut constraints = self.constraints.iter();
        constraints
            .find(|(constraint, _)| constraint == name)
            .map(|(_, argument)| argument)
    }

    /// Where the objects are to be looked for.
    ///
    /// # Errors
    /// If only a deployment has such objects, and no constraint names one.
    pub fn place(&self, within: Within) -> Result<Place<'_>> {
        let kind = self.kind.as_str();
        if kind == "secret_key" || OWNERS.contains(&kind) {
            return Ok(Place::Anywhere);
        }
        if let Some(id) = self.constraint("deployment_id") {
            return Ok(Place::Deployment(id.as_str().unwrap_or_default()));
        }
        let only_deployments = matches!(kind, "capability_value" | "node_instance");
        match (self.constraint("blueprint_id"), within) {
            (Some(id), _) if !only_deployments => {
                Ok(Place::Blueprint(id.as_str().unwrap_or_default()))
            }
            (_, Within::Blueprint) if only_deployments => Err(refusal(format!(
                "Input '{}' of type '{kind}' lacks 'deployment_id' constraint.",
                self.name
            ))),
            _ => Ok(Place::Here),
        }
    }

    /// Whether an object fulfils the constraints.
    ///
    /// # Errors
    /// If `name_pattern` compares in a way that the language does not have.
    pub fn allows(&self, candidate: &Candidate) -> Result<bool> {
        for (name, argument) in &self.constraints {
            let fulfilled = match name.as_str() {
                "name_pattern" => fits_pattern(argument, &candidate.name)?,
                "valid_values" => has_any(argument, &candidate.listed_as),
                "labels" => has_labels(argument, &candidate.labels),
                "tenants" => {
                    let tenant = candidate.tenant.as_deref().map(Value::from);
                    has_any(argument, tenant.as_slice())
                }
                // These say where to look.
                _ => true,
            };
            if !fulfilled {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A refusal of the values, in these words.
    pub fn refusal(&self, message: &str) -> Error {
        refusal(message.to_owned())
    }

    /// The refusal of a value that names nothing. Where constraints say what to look for, it
    /// names them.
    pub fn names_nothing(&self, value: &Value, within: Within) -> Error {
        let is_bound = match within {
            Within::Blueprint => !self.constraints.is_empty(),
            Within::Deployment => self.constraint("deployment_id").is_some(),
        };
        if PARTS.contains(&self.kind.as_str()) && is_bound {
            return self.breaks_constraints(value);
        }
        refusal(format!(
            "Value '{}' of '{}' is not a valid value for data type '{}'.",
            python::str(value),
            self.name,
            self.kind
        ))
    }

    /// The refusal of a value that names an object which the constraints do not allow.
    pub fn breaks_constraints(&self, value: &Value) -> Error {
        let constraints = self.constraints.iter();
        let constraints: Vec<String> = constraints
            .map(|(name, argument)| super::shown(name, argument))
            .collect();
        refusal(format!(
            "Value '{}' of input '{}' does not match any relevant entity or violates at least one of the constraints: {}.",
            python::str(value),
            self.name,
            constraints.join(", ")
        ))
    }
}

fn refusal(message: String) -> Error {
    Error::new(ErrorKind::Constraint, message)
}

fn fits_pattern(pattern: &Value, name: &str) -> Result<bool> {
    for (operator, argument) in pattern.as_object().into_iter().flatten() {
        let argument = python::str(argument);
        let fits = match operator.as_str() {
            "contains" => name.contains(&argument),
            "starts_with" => name.starts_with(&argument),
            "ends_with" => name.ends_with(&argument),
            "equals_to" => name == argument,
            unknown => {
                return Err(refusal(format!("Unknown name pattern operator: {unknown}")));
            }
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a list has one of these. An empty list allows everything.
fn has_any(list: &Value, values: &[Value]) -> bool {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let is_listed = |value: &Value| list.iter().any(|one| python::equal(one, value));
    list.is_empty() || values.iter().any(is_listed)
}

/// Whether all labels of a list of maps are there. Keys are stored in lower case.
fn has_labels(wanted: &Value, labels: &[(String, String)]) -> bool {
    let wanted = wanted.as_array().into_iter().flatten();
    let mut wanted = wanted.filter_map(Value::as_object).flatten();
    wanted.all(|(key, value)| {
        let (key, value) = (key.to_lowercase(), python::str(value));
        labels
            .iter()
            .any(|(has_key, has_value)| *has_key == key && *has_value == value)
    })
}

#[cfg(test)]
mod tests;
