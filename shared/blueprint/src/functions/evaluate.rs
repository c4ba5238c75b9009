//! Evaluating functions, the innermost first.
//!
//! The same code works at two times. When a deployment is made, only inputs and properties are
//! known and other functions stay as they are. When a deployment exists, everything is known.

use super::arguments::{enter, python_path};
use super::names::TYPE;
use super::path::Path;
use super::running::Running;
use super::{Context, Function, Lookup, function_of};
use crate::constraints;
use crate::error::{Error, Result};
use crate::weight;
use serde_json::{Map, Value};
use std::cell::Cell;
use windlass_python as python;

/// How many functions may lead to each other in a row.
const MAX_DEPTH: usize = 50;
/// How much one evaluation may copy. Properties that refer to each other grow fast.
const MAX_WEIGHT: usize = 200_000;

/// Evaluates all functions in a value for a deployment that exists.
pub fn evaluate(value: &Value, context: &Context, lookup: &dyn Lookup) -> Result<Value> {
    let world = Running { lookup };
    let left = Cell::new(MAX_WEIGHT);
    let mut walk = Walk {
        world: &world,
        left: &left,
    };
    walk.value(value, context, &Path::start(&["payload"]), 0)
}

/// A function whose arguments are evaluated.
pub(super) struct Call<'a> {
    pub function: Function,
    pub arguments: &'a Value,
    /// The type that the value must have, if the function states one.
    pub of_type: Option<&'a str>,
    pub context: &'a Context,
    pub path: &'a Path<'a>,
    pub depth: usize,
}

/// What is known at the time of the evaluation.
pub(super) trait World {
    /// Evaluates a function. With `None` the function stays as it is.
    fn call(&self, walk: &mut Walk<'_>, call: &Call<'_>) -> Result<Option<Value>>;
}

pub(super) struct Walk<'a> {
    pub world: &'a dyn World,
    pub left: &'a Cell<usize>,
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

    pub fn value(
        &mut self,
        value: &Value,
        context: &Context,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Value> {
        self.count(1)?;
        if let Some((function, arguments)) = function_of(value) {
            return self.function(value, function, arguments, (context, path, depth));
        }
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(place, item)| self.value(item, context, &path.place(place), depth))
                .collect(),
            Value::Object(map) => {
                let mut evaluated = Map::new();
                for (key, item) in map {
                    let item = self.value(item, context, &path.key(key), depth)?;
                    evaluated.insert(key.clone(), item);
                }
                Ok(Value::Object(evaluated))
            }
            scalar => Ok(scalar.clone()),
        }
    }

    fn function(
        &mut self,
        value: &Value,
        function: Function,
        arguments: &Value,
        (context, path, depth): (&Context, &Path<'_>, usize),
    ) -> Result<Value> {
        if depth >= MAX_DEPTH {
            return Err(Error::evaluation(format!(
                "The recursion limit ({MAX_DEPTH}) has been reached while evaluating the deployment. Limit was reached with the following path - {path}"
            )));
        }
        let inner = path.key(function.name());
        let arguments = self.value(arguments, context, &inner, depth + 1)?;
        let world = self.world;
        let call = Call {
            function,
            arguments: &arguments,
            of_type: value.get(TYPE).and_then(Value::as_str),
            context,
            path,
            depth,
        };
        if let Some(value) = world.call(self, &call)? {
            self.count(weight::of(&value))?;
            return Ok(value);
        }
        let mut open = value.as_object().cloned().unwrap_or_default();
        open.insert(function.name().to_owned(), arguments);
        Ok(Value::Object(open))
    }

    /// Follows a path into a value, and evaluates the functions on the way.
    pub fn follow(
        &mut self,
        value: &Value,
        keys: &[Value],
        context: &Context,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Option<Value>> {
        let mut here = value;
        for (place, key) in keys.iter().enumerate() {
            if function_of(here).is_some() {
                let evaluated = self.value(here, context, path, depth + 1)?;
                let mut rest = keys.iter().skip(place);
                let found = rest.try_fold(&evaluated, enter);
                return Ok(found.cloned());
            }
            match enter(here, key) {
                Some(next) => here = next,
                None => return Ok(None),
            }
        }
        self.value(here, context, path, depth + 1).map(Some)
    }
}

pub(super) fn refuse(function: Function, why: impl std::fmt::Display) -> Error {
    Error::evaluation(format!(
        "Unable to evaluate {} function: {why}",
        function.name()
    ))
}

/// Splits arguments into a name and a path. A single argument is a name.
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
    path.iter().map(python::str).collect::<Vec<_>>().join(".")
}

/// The part of an input's value that the call asks for. It must have the type that the call states.
pub(super) fn input_at(value: &Value, call: &Call<'_>) -> Result<Value> {
    let (_, keys) = name_and_path(call.arguments);
    let mut here = value;
    for (place, key) in keys.iter().enumerate() {
        here = match enter(here, key) {
            Some(next) => next,
            None => return Err(no_input(here, call.arguments, place, key)),
        };
    }
    match call.of_type {
        Some(of_type)
            if !constraints::is_primitive(of_type) || !constraints::fits(of_type, here) =>
        {
            Err(Error::evaluation(format!(
                "Value '{}' of input '{}' does not match data type declared for '{}': '{of_type}'.",
                python::str(here),
                python::str(call.arguments),
                call.path
            )))
        }
        _ => Ok(here.clone()),
    }
}

/// The refusal of a path into an input. `place` and `key` tell where it ends.
fn no_input(here: &Value, arguments: &Value, place: usize, key: &Value) -> Error {
    let (name, keys) = name_and_path(arguments);
    let mut way = vec![name.clone()];
    way.extend(keys.iter().take(place).cloned());
    let (way, text) = (python_path(&way), python::str(key));
    Error::evaluation(match here {
        Value::Object(_) => format!("Input attribute '{text}' of '{way}', doesn't exist."),
        Value::Array(items) if key.is_i64() || key.is_u64() => format!(
            "List size of '{way}' is {} but index {text} is retrieved.",
            items.len()
        ),
        Value::Array(_) => {
            let all: Vec<String> = arguments
                .as_array()
                .into_iter()
                .flatten()
                .map(python::str)
                .collect();
            format!(
                "Item in index {place} in the get_input arguments list [{}] is expected to be an int but got {}.",
                all.join(", "),
                python::type_name(key)
            )
        }
        _ => format!("Unable to evaluate get_input function: Object {way} has no attribute {text}"),
    })
}
