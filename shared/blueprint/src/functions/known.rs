//! Evaluation when a deployment is made. Inputs and properties of nodes are known then; other
//! functions stay as they are.

use super::arguments::enter;
use super::evaluate::{Call, Walk, World, input_at, name_and_path, refuse};
use super::names::any_item_is_function;
use super::path::Path;
use super::validate::no_property;
use super::{Context, Function, Kind, function_of, has_functions, text};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Fields, Plan};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use windlass_python as python;

/// How much all evaluations for one new deployment may copy together.
const MAX_WEIGHT: usize = 2_000_000;

/// A property: the name of the node, and the keys as JSON.
type Property = (String, String);

/// What is known when a deployment is made. There are no instances yet, so contexts hold the names
/// of nodes.
pub(crate) struct Known<'a> {
    inputs: &'a Map<String, Value>,
    nodes: HashMap<&'a str, &'a Fields>,
    left: Cell<usize>,
    /// The values of properties that were asked for. While a property is being evaluated its entry
    /// is empty, so a property that leads back to itself is noticed.
    properties: RefCell<HashMap<Property, Option<Rc<Value>>>>,
    /// The inputs that are being evaluated.
    open_inputs: RefCell<Vec<String>>,
}

impl<'a> Known<'a> {
    pub fn new(inputs: &'a Map<String, Value>, plan: Option<&'a Plan>) -> Self {
        let nodes = plan.map_or(&[][..], |plan| &plan.nodes);
        Self {
            inputs,
            nodes: nodes.iter().map(|node| (node.name(), node)).collect(),
            left: Cell::new(MAX_WEIGHT),
            properties: RefCell::default(),
            open_inputs: RefCell::default(),
        }
    }

    /// Evaluates the functions whose values are known. Other functions stay as they are.
    pub fn evaluate(&self, value: &Value, context: &Context, path: &Path<'_>) -> Result<Value> {
        let mut walk = Walk {
            world: self,
            left: &self.left,
        };
        walk.value(value, context, path, 0)
    }

    /// Evaluates the values of a map or list, which is not a function itself, whatever its keys
    /// are. With a larger `depth`, this is also true for the maps inside.
    pub fn evaluate_inside(
        &self,
        value: &Value,
        depth: usize,
        context: &Context,
        path: &Path<'_>,
    ) -> Result<Value> {
        match value {
            _ if depth == 0 => self.evaluate(value, context, path),
            Value::Object(map) => {
                let mut evaluated = Map::new();
                for (key, item) in map {
                    let item = self.evaluate_inside(item, depth - 1, context, &path.key(key))?;
                    evaluated.insert(key.clone(), item);
                }
                Ok(Value::Object(evaluated))
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(place, item)| {
                    self.evaluate_inside(item, depth - 1, context, &path.place(place))
                })
                .collect(),
            scalar => Ok(scalar.clone()),
        }
    }

    fn input(&self, walk: &mut Walk<'_>, call: &Call<'_>) -> Result<Value> {
        let (name, _) = name_and_path(call.arguments);
        let name = python::str(name);
        let Some(value) = self.inputs.get(&name) else {
            return Err(Error::new(
                ErrorKind::UnknownInput,
                format!("get_input function references an unknown input '{name}'."),
            ));
        };
        let value = input_at(value, call)?;
        if !has_functions(&value) {
            return Ok(value);
        }
        // An input's value may be a function itself.
        let asked = call.arguments.to_string();
        if self.open_inputs.borrow().contains(&asked) {
            let why = format!("the value of the input '{name}' leads back to itself");
            return Err(refuse(Function::GetInput, why));
        }
        self.open_inputs.borrow_mut().push(asked);
        let value = walk.value(&value, call.context, call.path, call.depth + 1);
        self.open_inputs.borrow_mut().pop();
        value
    }

    /// The value of a property. It may be just the name of another property, and such a chain may
    /// be as long as there are nodes.
    fn property(&self, walk: &mut Walk<'_>, call: &Call<'_>) -> Result<Option<Value>> {
        let (name, keys) = name_and_path(call.arguments);
        let name = match name.as_str().unwrap_or_default() {
            "SELF" => call.context.self_instance.as_deref(),
            "SOURCE" => call.context.source_instance.as_deref(),
            "TARGET" => call.context.target_instance.as_deref(),
            name => Some(name),
        };
        let Some(name) = name else {
            return Ok(None);
        };
        let mut node = self.node(name)?;
        let mut keys = keys.to_vec();
        let mut way: Vec<Property> = Vec::new();
        let value = loop {
            let property = (
                node.name().to_owned(),
                Value::Array(keys.clone()).to_string(),
            );
            match self.properties.borrow().get(&property) {
                Some(Some(value)) => break value.clone(),
                Some(None) => {
                    let keys: Vec<String> = keys.iter().map(python::str).collect();
                    let why = format!(
                        "the property '{}.properties.{}' leads back to itself",
                        node.name(),
                        keys.join(".")
                    );
                    return Err(refuse(Function::GetProperty, why));
                }
                None => {}
            }
            self.properties.borrow_mut().insert(property.clone(), None);
            way.push(property);
            let mut here = node.get("properties");
            let mut rest = keys.as_slice();
            let mut outside = true;
            while let Some((key, further)) = rest.split_first() {
                if !outside && function_of(here).is_some() {
                    break;
                }
                here = enter(here, key)
                    .ok_or_else(|| no_property(node.name(), &keys, here, key, call.path))?;
                rest = further;
                outside = false;
            }
            if rest.is_empty()
                && let Some((next, next_keys)) = self.leads_on(node, here)?
            {
                node = next;
                keys = next_keys;
                continue;
            }
            let context = Context {
                self_instance: Some(node.name().to_owned()),
                ..call.context.clone()
            };
            let value = walk.value(here, &context, call.path, call.depth + 1)?;
            if !rest.is_empty() && function_of(&value).is_some() {
                // What lies at the path is not known before the deployment runs.
                for property in way {
                    self.properties.borrow_mut().remove(&property);
                }
                return Ok(None);
            }
            let mut here = &value;
            for key in rest {
                here = enter(here, key)
                    .ok_or_else(|| no_property(node.name(), &keys, here, key, call.path))?;
            }
            break Rc::new(here.clone());
        };
        let mut known = self.properties.borrow_mut();
        for property in way {
            known.insert(property, Some(value.clone()));
        }
        Ok(Some((*value).clone()))
    }

    fn node(&self, name: &str) -> Result<&'a Fields> {
        let node = self.nodes.get(name).copied();
        node.ok_or_else(|| Error::logic(format!("Node {name} does not exist")))
    }

    /// The property that a value refers to, if the value is a `get_property` and nothing else.
    fn leads_on(
        &self,
        node: &'a Fields,
        value: &Value,
    ) -> Result<Option<(&'a Fields, Vec<Value>)>> {
        let Some((Function::GetProperty, Value::Array(items))) = function_of(value) else {
            return Ok(None);
        };
        match items.split_first() {
            Some((Value::String(name), keys)) if !keys.iter().any(has_functions) => {
                let node = match name.as_str() {
                    "SELF" => node,
                    "SOURCE" | "TARGET" => return Ok(None),
                    name => self.node(name)?,
                };
                Ok(Some((node, keys.to_vec())))
            }
            _ => Ok(None),
        }
    }
}

impl World for Known<'_> {
    fn call(&self, walk: &mut Walk<'_>, call: &Call<'_>) -> Result<Option<Value>> {
        let (function, arguments) = (call.function, call.arguments);
        let open = match function {
            // `merge` works on maps even if their values are functions.
            Function::Merge => any_item_is_function(arguments),
            _ => has_functions(arguments),
        };
        if function.kind() == Kind::Runtime || open {
            return Ok(None);
        }
        match function {
            Function::GetInput => self.input(walk, call).map(Some),
            Function::GetProperty => self.property(walk, call),
            function => text::evaluate(function, arguments).transpose(),
        }
    }
}
