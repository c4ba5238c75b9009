//! Intrinsic functions: `get_attribute`, `concat` and the others of the blueprint language.
//!
//! A function is a map with exactly one key, the function's name. Functions nest. What they
//! ask for lies in databases, so the caller collects it first ([`needs`]) and lends it as a
//! [`Lookup`]: evaluation itself never waits.

mod arguments;
mod evaluate;
mod known;
mod names;
mod path;
mod running;
mod scan;
mod text;
mod validate;

pub use evaluate::evaluate;
pub(crate) use known::Known;
pub(crate) use names::uses;
pub use names::{Function, Kind, Needs, function_of, has_functions, needs, secret_names};
pub(crate) use path::Path;
pub(crate) use scan::{Scope, scan, secrets};
pub(crate) use validate::{requirements, validate};

use crate::instances::NodeInstance;
use serde_json::{Map, Value};

/// What evaluation may ask about a deployment and its surroundings.
///
/// Only the first three are needed by every deployment; the others answer `None` unless
/// the caller has loaded them.
pub trait Lookup {
    /// A node's properties, with functions still in them.
    fn node_properties(&self, node: &str) -> Option<&Value>;
    /// All instances of a node.
    fn instances_of(&self, node: &str) -> Vec<&NodeInstance>;
    /// One instance by its id.
    fn instance(&self, id: &str) -> Option<&NodeInstance>;
    /// A deployment input's value.
    fn input(&self, _name: &str) -> Option<Value> {
        None
    }
    /// A secret's value.
    fn secret(&self, _name: &str) -> Option<Value> {
        None
    }
    /// The value of a capability of another deployment, evaluated.
    fn capability(&self, _deployment: &str, _name: &str) -> Option<Value> {
        None
    }
    /// The value of a capability of the parent deployment, evaluated.
    fn environment_capability(&self, _name: &str) -> Option<Value> {
        None
    }
    /// The ids of a deployment group's members.
    fn group_members(&self, _group: &str) -> Option<Vec<String>> {
        None
    }
    /// The values of a label of this deployment, oldest first.
    fn labels(&self, _key: &str) -> Vec<String> {
        Vec::new()
    }
    /// What `get_sys` knows: `("tenant", "name")`, `("deployment", "id")`, ...
    fn system(&self, _entity: &str, _property: &str) -> Option<Value> {
        None
    }
    /// The deployments that depend on this one: `ids`, `names` or `count`.
    fn consumers(&self, _what: &str) -> Option<Value> {
        None
    }
}

/// Whose `SELF`, `SOURCE` and `TARGET` are meant: ids of node instances.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// The instance that `SELF` means.
    pub self_instance: Option<String>,
    /// The instance that `SOURCE` means.
    pub source_instance: Option<String>,
    /// The instance that `TARGET` means.
    pub target_instance: Option<String>,
}

/// A lookup that knows nothing: for values with functions of text alone.
#[derive(Debug, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {
    fn node_properties(&self, _node: &str) -> Option<&Value> {
        None
    }
    fn instances_of(&self, _node: &str) -> Vec<&NodeInstance> {
        Vec::new()
    }
    fn instance(&self, _id: &str) -> Option<&NodeInstance> {
        None
    }
}

/// Evaluates every output (or capability) of a plan. One that cannot be evaluated becomes
/// the text `<ERROR: ...>`, so that the others can still be read.
pub fn evaluate_outputs(outputs: &Value, lookup: &dyn Lookup) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, output) in outputs.as_object().into_iter().flatten() {
        let value = output.get("value").unwrap_or(&Value::Null);
        let value = evaluate(value, &Context::default(), lookup)
            .unwrap_or_else(|error| Value::String(format!("<ERROR: {}>", error.message)));
        values.insert(name.clone(), value);
    }
    values
}
