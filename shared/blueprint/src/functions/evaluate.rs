//! Evaluating functions, innermost first.
//!
//! The same walk serves two moments: making a deployment, when only inputs and properties
//! are known and everything else stays written as it is, and answering for a running one.

use super::arguments::enter;
use super::running::Running;
use super::{Context, Function, Kind, Lookup, function_of, text};
use crate::error::{Error, Result};
use crate::python_text::display;
use crate::weight;
use serde_json::{Map, Value, json};
use std::cell::Cell;

/// How far functions may lead to other functions.
const MAX_DEPTH: usize = 50;
/// What one evaluation may copy: properties that name each other grow fast.
const MAX_WEIGHT: usize = 200_000;
/// The same for all evaluations of one deployment that is made.
const MAX_KNOWN_WEIGHT: usize = 2_000_000;

/// Evaluates all functions in a value.
pub fn evaluate(value: &Value, context: &Context, lookup: &dyn Lookup) -> Result<Value> {
    let world = Running { lookup };
    let left = Cell::new(MAX_WEIGHT);
    Walk {
        world: &world,
        left: &left,
    }
    .value(value, context, 0)
}

/// Evaluates what is known before a deployment runs; other functions stay.
pub(crate) fn evaluate_known(
    value: &Value,
    context: &Context,
    known: &dyn Hybrid,
) -> Result<Value> {
    let world = Known { known };
    let left = known.left();
    Walk {
        world: &world,
        left,
    }
    .value(value, context, 0)
}

/// What is known when a deployment is made. Contexts hold names of nodes here.
pub(crate) trait Hybrid {
    fn input(&self, name: &str) -> Option<Value>;
    fn properties(&self, node: &str) -> Option<&Value>;
    /// How much may still be copied.
    fn left(&self) -> &Cell<usize>;
}

/// How much may be copied while one deployment is made.
pub(crate) fn allowance() -> Cell<usize> {
    Cell::new(MAX_KNOWN_WEIGHT)
}

/// A moment of evaluation.
pub(super) trait World {
    /// `None` leaves the function as it is.
    fn call(
        &self,
        walk: &mut Walk<'_>,
        function: Function,
        arguments: &Value,
        context: &Context,
        depth: usize,
    ) -> Result<Option<Value>>;
}

pub(super) struct Walk<'a> {
    world: &'a dyn World,
    left: &'a Cell<usize>,
}

impl Walk<'_> {
    fn count(&self, weight: usize) -> Result<()> {
        match self.left.get().checked_sub(weight) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Error::evaluation("Functions lead to too many values")),
        }
    }

    fn value(&mut self, value: &Value, context: &Context, depth: usize) -> Result<Value> {
        self.count(1)?;
        if let Some((function, arguments)) = function_of(value) {
            if depth >= MAX_DEPTH {
                return Err(Error::evaluation(
                    "Limit was reached with the following functions evaluation: \
                     maximum recursion depth exceeded; the functions probably form a circle",
                ));
            }
            let arguments = self.value(arguments, context, depth + 1)?;
            let world = self.world;
            return Ok(
                match world.call(self, function, &arguments, context, depth)? {
                    Some(value) => {
                        self.count(weight::of(&value))?;
                        value
                    }
                    None => json!({ function.name(): arguments }),
                },
            );
        }
        match value {
            Value::Array(items) => items
                .iter()
                .map(|item| self.value(item, context, depth))
                .collect(),
            Value::Object(map) => {
                let mut evaluated = Map::new();
                for (key, item) in map {
                    evaluated.insert(key.clone(), self.value(item, context, depth)?);
                }
                Ok(Value::Object(evaluated))
            }
            scalar => Ok(scalar.clone()),
        }
    }

    /// Follows a path, evaluating the functions that lie on it.
    pub(super) fn follow(
        &mut self,
        value: &Value,
        path: &[Value],
        context: &Context,
        depth: usize,
    ) -> Result<Option<Value>> {
        let mut place = 0;
        let mut here = value;
        let evaluated;
        while place < path.len() {
            if function_of(here).is_some() {
                evaluated = self.value(here, context, depth + 1)?;
                let rest = path[place..].iter();
                let mut inner = &evaluated;
                for step in rest {
                    match enter(inner, step) {
                        Some(next) => inner = next,
                        None => return Ok(None),
                    }
                }
                return Ok(Some(inner.clone()));
            }
            match enter(here, &path[place]) {
                Some(next) => here = next,
                None => return Ok(None),
            }
            place += 1;
        }
        self.value(here, context, depth + 1).map(Some)
    }
}

pub(super) fn refuse(function: Function, why: impl std::fmt::Display) -> Error {
    Error::evaluation(format!(
        "Unable to evaluate {} function: {why}",
        function.name()
    ))
}

/// A single argument, or a list of a name and a path.
pub(super) fn name_and_path(arguments: &Value) -> (&Value, &[Value]) {
    match arguments {
        Value::Array(items) => match items.split_first() {
            Some((name, path)) => (name, path),
            None => (&Value::Null, &[]),
        },
        single => (single, &[]),
    }
}

pub(super) fn dotted(path: &[Value]) -> String {
    path.iter().map(display).collect::<Vec<_>>().join(".")
}

/// When the deployment is made.
struct Known<'a> {
    known: &'a dyn Hybrid,
}

impl World for Known<'_> {
    fn call(
        &self,
        walk: &mut Walk<'_>,
        function: Function,
        arguments: &Value,
        context: &Context,
        depth: usize,
    ) -> Result<Option<Value>> {
        if function.kind() == Kind::Runtime || super::has_functions(arguments) {
            return Ok(None);
        }
        let (name, path) = name_and_path(arguments);
        match function {
            Function::GetInput => {
                let name = name.as_str().unwrap_or_default();
                let value = self.known.input(name).unwrap_or_default();
                input_at(function, &value, name, path).map(Some)
            }
            Function::GetProperty => {
                let node = match name.as_str().unwrap_or_default() {
                    "SELF" => context.self_instance.as_deref(),
                    "SOURCE" => context.source_instance.as_deref(),
                    "TARGET" => context.target_instance.as_deref(),
                    name => Some(name),
                };
                let Some(properties) = node.and_then(|node| self.known.properties(node)) else {
                    return Ok(None);
                };
                let inner = Context {
                    self_instance: node.map(str::to_owned),
                    ..context.clone()
                };
                match walk.follow(properties, path, &inner, depth)? {
                    Some(value) => Ok(Some(value)),
                    None => Err(missing_property(node.unwrap_or_default(), path)),
                }
            }
            function => text::evaluate(function, arguments).transpose(),
        }
    }
}

pub(super) fn missing_property(node: &str, path: &[Value]) -> Error {
    let path = dotted(path);
    refuse(
        Function::GetProperty,
        format!("Node template property '{node}.properties.{path}' doesn't exist."),
    )
}

pub(super) fn input_at(
    function: Function,
    value: &Value,
    name: &str,
    path: &[Value],
) -> Result<Value> {
    let mut here = value;
    for step in path {
        here = enter(here, step).ok_or_else(|| {
            let step = display(step);
            refuse(
                function,
                format!("Input attribute '{step}' of '{name}', doesn't exist."),
            )
        })?;
    }
    Ok(here.clone())
}
