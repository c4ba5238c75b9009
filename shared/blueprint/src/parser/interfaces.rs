//! Interfaces: the operations of a type or template, and the plugin that runs each of them.

mod operations;

use super::Blueprint;
use super::data_types::type_of;
use super::schema::{self, Key, key, since};
use super::version::Version;
use crate::error::{Error, Result, Under};
use crate::functions::function_of;
use crate::json::set;
use crate::plan::Operations;
use crate::yaml::Node;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::sync::{Arc, OnceLock};
use windlass_python as python;

pub(super) use operations::{Site, operations};

const KEYS: [Key; 7] = [
    key("implementation"),
    key("inputs"),
    key("executor"),
    since("max_retries", 1),
    since("retry_interval", 1),
    key("timeout"),
    key("timeout_recoverable"),
];

/// Operations by interface and name.
pub(super) type Interfaces = IndexMap<String, IndexMap<String, Arc<Definition>>>;

/// An operation as it is written in a type or template.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Definition {
    pub implementation: String,
    /// Schemas if the operation belongs to a type, values if it belongs to a template.
    pub inputs: Map<String, Value>,
    pub executor: Option<String>,
    pub max_retries: Value,
    pub retry_interval: Value,
    pub timeout: Value,
    pub timeout_recoverable: Value,
    /// The forms of the operation in a plan. They are made once, because many nodes share a
    /// definition.
    ready: Ready,
}

/// The two forms of an operation in a plan. They do not count when definitions are compared.
#[derive(Clone, Default)]
struct Ready {
    declared: OnceLock<Arc<Value>>,
    resolved: OnceLock<Arc<Value>>,
}

impl PartialEq for Ready {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Definition {
    fn read(
        node: &Node,
        name: &str,
        version: Version,
        of_type: Option<&Blueprint<'_>>,
    ) -> Result<Self> {
        if let Some(implementation) = node.as_str() {
            return Ok(Self {
                implementation: implementation.to_owned(),
                ..Self::default()
            });
        }
        schema::check_keys(node, &KEYS, version)?;
        let executor = schema::text_at(node, "executor")?;
        if let Some(executor) = executor
            && !matches!(executor, "central_deployment_agent" | "host_agent")
        {
            let message = format!(
                "Operation '{name}' has an illegal executor value '{executor}'. valid values are [central_deployment_agent,host_agent]"
            );
            let at = node.get("executor").unwrap_or(node);
            return Err(Error::parser(28, message).at(at).under("executor"));
        }
        let mut inputs = Map::new();
        for (input, value) in schema::map_at(node, "inputs")? {
            let value = match of_type {
                Some(blueprint) => blueprint.input(input, value).under(input).under("inputs")?,
                None => value.to_value(),
            };
            inputs.insert(input.clone(), value);
        }
        let max_retries = node.get("max_retries").map(schema::integer).transpose();
        let max_retries = max_retries
            .under("max_retries")?
            .cloned()
            .unwrap_or_default();
        if max_retries.as_f64().is_some_and(|retries| retries < -1.0) {
            return Err(Error::logic(format!(
                "'max_retries' value must be either -1 to specify unlimited retries or a non negative number but got {max_retries}."
            )));
        }
        let seconds = |name: &str| {
            let value = schema::number_at(node, name)?.cloned().unwrap_or_default();
            match value.as_f64() {
                Some(number) if number < 0.0 => Err(Error::logic(format!(
                    "'{name}' value must be a non-negative number but got {}.",
                    python::str(&value)
                ))),
                _ => Ok(value),
            }
        };
        Ok(Self {
            ready: Ready::default(),
            implementation: schema::text_at(node, "implementation")?
                .unwrap_or_default()
                .to_owned(),
            inputs,
            executor: executor.map(str::to_owned),
            max_retries,
            retry_interval: seconds("retry_interval")?,
            timeout: seconds("timeout")?,
            timeout_recoverable: schema::bool_at(node, "timeout_recoverable")?
                .map_or(Value::Null, Value::Bool),
        })
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The operation in the form of the section `interfaces`.
    pub fn declared(&self) -> Arc<Value> {
        self.ready
            .declared
            .get_or_init(|| Arc::new(self.to_value()))
            .clone()
    }

    fn to_value(&self) -> Value {
        json!({
            "implementation": self.implementation,
            "inputs": self.inputs,
            "executor": self.executor,
            "max_retries": self.max_retries,
            "retry_interval": self.retry_interval,
            "timeout": self.timeout,
            "timeout_recoverable": self.timeout_recoverable,
        })
    }
}

/// Reads the interfaces of a template, whose operations have values as inputs.
pub(super) fn read(node: Option<&Node>, version: Version) -> Result<Interfaces> {
    read_all(node, version, None)
}

/// Reads the interfaces of a type, whose operations have schemas as inputs.
pub(super) fn read_type(
    blueprint: &Blueprint<'_>,
    node: Option<&Node>,
    version: Version,
) -> Result<Interfaces> {
    read_all(node, version, Some(blueprint))
}

fn read_all(
    node: Option<&Node>,
    version: Version,
    of_type: Option<&Blueprint<'_>>,
) -> Result<Interfaces> {
    let mut interfaces = Interfaces::new();
    let Some(node) = node else {
        return Ok(interfaces);
    };
    for (interface, operations) in schema::map(node)? {
        let mut definitions = IndexMap::new();
        for (name, operation) in schema::map(operations).under(interface)? {
            let full_name = format!("{interface}.{name}");
            let definition = Definition::read(operation, &full_name, version, of_type)
                .under(name)
                .under(interface)?;
            definitions.insert(name.clone(), Arc::new(definition));
        }
        interfaces.insert(interface.clone(), definitions);
    }
    Ok(interfaces)
}

/// Adds the interfaces of the parent to those of a type. An operation that the type defines
/// replaces the whole operation of the parent.
pub(super) fn derive(parent: &Arc<Interfaces>, own: Interfaces) -> Arc<Interfaces> {
    if own.is_empty() {
        return parent.clone();
    }
    let mut interfaces = own;
    for (interface, operations) in &**parent {
        let here = interfaces.entry(interface.clone()).or_default();
        for (name, definition) in operations {
            if !here.contains_key(name) {
                here.insert(name.clone(), definition.clone());
            }
        }
    }
    Arc::new(interfaces)
}

/// The interfaces of a template: the operations of its type with default inputs, and the changes
/// that the template makes.
pub(super) fn instantiate(
    blueprint: &Blueprint<'_>,
    of_type: &Interfaces,
    own: &Interfaces,
) -> Result<Interfaces> {
    let mut interfaces = Interfaces::new();
    for (interface, operations) in of_type {
        let changed = own.get(interface);
        let mut here = IndexMap::new();
        for (name, definition) in operations {
            let own = changed.and_then(|operations| operations.get(name));
            let definition = match own {
                Some(own) if own.is_empty() => own.clone(),
                Some(own) if definition.is_empty() => own.clone(),
                Some(own)
                    if !own.implementation.is_empty()
                        && own.implementation != definition.implementation =>
                {
                    own.clone()
                }
                Some(own) => Arc::new(Definition {
                    ready: Ready::default(),
                    implementation: definition.implementation.clone(),
                    inputs: inputs(blueprint, &definition.inputs, &own.inputs)?,
                    executor: own.executor.clone().or_else(|| definition.executor.clone()),
                    max_retries: first(&own.max_retries, &definition.max_retries),
                    retry_interval: first(&own.retry_interval, &definition.retry_interval),
                    timeout: first(&own.timeout, &definition.timeout),
                    timeout_recoverable: first(
                        &own.timeout_recoverable,
                        &definition.timeout_recoverable,
                    ),
                }),
                None if definition.inputs.is_empty() => definition.clone(),
                None => Arc::new(Definition {
                    ready: Ready::default(),
                    inputs: inputs(blueprint, &definition.inputs, &Map::new())?,
                    ..(**definition).clone()
                }),
            };
            here.insert(name.clone(), definition);
        }
        interfaces.insert(interface.clone(), here);
    }
    for (interface, operations) in own {
        let here = interfaces.entry(interface.clone()).or_default();
        for (name, definition) in operations {
            here.entry(name.clone())
                .or_insert_with(|| definition.clone());
        }
    }
    Ok(interfaces)
}

fn first(one: &Value, other: &Value) -> Value {
    if one.is_null() {
        other.clone()
    } else {
        one.clone()
    }
}

/// The inputs of an operation: the given values, and defaults for the rest. Every input of the type
/// must have a value.
fn inputs(
    blueprint: &Blueprint<'_>,
    schemas: &Map<String, Value>,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>> {
    let mut values = Map::new();
    let mut missing = Vec::new();
    for (name, schema) in schemas {
        let Some(value) = given.get(name).or_else(|| schema.get("default")) else {
            missing.push(format!("'{name}'"));
            continue;
        };
        let mut value = value.clone();
        // The value of a function is not known yet, so its type is kept beside it.
        if let (Some(type_name), true) = (type_of(schema), function_of(&value).is_some()) {
            set(&mut value, "type", type_name);
        }
        blueprint.data_types.count(crate::weight::of(&value))?;
        values.insert(name.clone(), value);
    }
    match missing.as_slice() {
        [] => {}
        [one] => {
            let message = format!("Input {one} is missing a value");
            return Err(Error::parser(107, message));
        }
        several => {
            let message = format!("Inputs {} are missing a value", several.join(", "));
            return Err(Error::parser(107, message));
        }
    }
    for (name, value) in given {
        values.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Ok(values)
}

/// Makes the section `interfaces` of a plan.
pub(super) fn declared(interfaces: &Interfaces) -> IndexMap<String, Operations> {
    let mut all = IndexMap::with_capacity(interfaces.len());
    for (interface, definitions) in interfaces {
        let operations = definitions.iter();
        let operations = operations
            .map(|(name, one)| (name.clone(), one.declared()))
            .collect();
        all.insert(interface.clone(), operations);
    }
    all
}
