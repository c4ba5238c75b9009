//! Intrinsic functions: `get_attribute`, `concat` and the others of the blueprint language.
//!
//! A function is a map with exactly one key, the name of the function. Functions can be nested. The
//! data that they ask for is in databases, so the caller loads it first ([`needs`] tells what) and
//! passes it as a [`Lookup`]. The evaluation itself never waits.

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
pub use names::{
    Function, Kind, Needs, function_of, has_functions, needs, secret_names, uses_secrets,
};
pub(crate) use path::Path;
pub(crate) use scan::{Scope, scan, secrets};
pub(crate) use validate::{requirements, validate};

use crate::instances::NodeInstance;
use serde_json::{Map, Value};

/// What functions can ask about a deployment and its surroundings.
///
/// Every deployment needs the first three methods. The others answer `None` unless the caller has
/// loaded the data.
pub trait Lookup {
    /// The properties of a node. Functions in them are not evaluated.
    fn node_properties(&self, node: &str) -> Option<&Value>;
    /// All instances of a node.
    fn instances_of(&self, node: &str) -> Vec<&NodeInstance>;
    /// The instance that has this id.
    fn instance(&self, id: &str) -> Option<&NodeInstance>;
    /// The value of an input of the deployment.
    fn input(&self, _name: &str) -> Option<Value> {
        None
    }
    /// The value of a secret of the tenant.
    fn secret(&self, _name: &str) -> Option<Value> {
        None
    }
    /// Whether there is a secret of this name whose value may not be read here.
    fn is_hidden_secret(&self, _name: &str) -> bool {
        false
    }
    /// Whether there is a deployment of this id that may be asked for its capabilities.
    fn has_deployment(&self, _id: &str) -> bool {
        true
    }
    /// The evaluated value of a capability of another deployment.
    fn capability(&self, _deployment: &str, _name: &str) -> Option<Value> {
        None
    }
    /// The evaluated value of a capability of the parent deployment.
    fn environment_capability(&self, _name: &str) -> Option<Value> {
        None
    }
    /// The ids of the deployments in a deployment group.
    fn group_members(&self, _group: &str) -> Option<Vec<String>> {
        None
    }
    /// The values of a label of this deployment, oldest first.
    fn labels(&self, _key: &str) -> Vec<String> {
        Vec::new()
    }
    /// What `get_sys` returns for an entity and its property, such as `("tenant", "name")` or
    /// `("deployment", "id")`.
    fn system(&self, _entity: &str, _property: &str) -> Option<Value> {
        None
    }
    /// The deployments that depend on this one, in the form `ids`, `names` or `count`.
    fn consumers(&self, _what: &str) -> Option<Value> {
        None
    }
}

/// The node instances that `SELF`, `SOURCE` and `TARGET` mean, by their ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// The id of the instance that `SELF` means.
    pub self_instance: Option<String>,
    /// The id of the instance that `SOURCE` means.
    pub source_instance: Option<String>,
    /// The id of the instance that `TARGET` means.
    pub target_instance: Option<String>,
}

/// A lookup without any data. It is enough for functions that only work on texts.
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

/// Evaluates all outputs (or capabilities) of a plan. When one cannot be evaluated, its value is
/// the text `<ERROR: ...>`, so the others can still be read.
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
