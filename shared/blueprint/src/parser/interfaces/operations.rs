//! Operations in the form of a plan: each with the plugin that runs it.

use super::{Definition, Interfaces};
use crate::error::{Error, Result};
use crate::json::set;
use crate::parser::Blueprint;
use crate::parser::implementation::Target;
use crate::plan::Operations;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The function of the script plugin that runs scripts.
const RUN_SCRIPT: &str = "script_runner.tasks.run";

/// The place of an operation, for the words of a refusal.
#[derive(Clone, Copy)]
pub(in crate::parser) struct Site<'a> {
    /// The code of the refusal: 10 for nodes, 19 for relationships.
    pub code: i32,
    /// Who has the operation, such as `node 'a' of type 't'`.
    pub owner: &'a str,
    /// The operation belongs to a relationship type. Those are checked even if no node uses them.
    pub of_type: bool,
}

/// Makes the `operations` of a plan. Also returns the plugins that they need, each with its
/// executor.
pub(in crate::parser) fn operations(
    blueprint: &Blueprint<'_>,
    interfaces: &Interfaces,
    site: Site<'_>,
) -> Result<(Operations, Vec<(String, String)>)> {
    let mut times: IndexMap<&str, usize> = IndexMap::new();
    for name in interfaces.values().flat_map(IndexMap::keys) {
        *times.entry(name).or_default() += 1;
    }
    let mut operations = Operations::new();
    let mut plugins: Vec<(String, String)> = Vec::new();
    for (interface, definitions) in interfaces {
        for (name, definition) in definitions {
            let resolved = &definition.ready.resolved;
            let operation = match resolved.get() {
                Some(operation) => operation.clone(),
                None => {
                    let operation = resolve(blueprint, interface, name, definition, site)?;
                    resolved.get_or_init(|| Arc::new(operation)).clone()
                }
            };
            let text = |key: &str| operation.get(key).and_then(Value::as_str);
            if let (Some(plugin), Some(executor)) = (text("plugin"), text("executor")) {
                let plugin = (plugin.to_owned(), executor.to_owned());
                if !plugins.contains(&plugin) {
                    plugins.push(plugin);
                }
            }
            if times.get(name.as_str()) == Some(&1) {
                operations.insert(name.clone(), operation.clone());
            }
            operations.insert(format!("{interface}.{name}"), operation);
        }
    }
    Ok((operations, plugins))
}

/// Who runs an operation. All fields are empty for an operation that does nothing.
#[derive(Default)]
struct Runner {
    plugin: String,
    function: String,
    executor: Option<String>,
}

fn resolve(
    blueprint: &Blueprint<'_>,
    interface: &str,
    name: &str,
    definition: &Definition,
    site: Site<'_>,
) -> Result<Value> {
    let target = target(blueprint, interface, name, definition, site)?;
    let mut inputs = definition.inputs.clone();
    let types = input_types(&inputs);
    let does_nothing = matches!(target, Target::Nothing);
    let runner = match target {
        Target::Nothing => {
            inputs.clear();
            Runner::default()
        }
        Target::Plugin { plugin, operation } => {
            let executor = definition.executor.clone();
            Runner {
                executor: executor.or_else(|| blueprint.executor_of(&plugin)),
                plugin,
                function: operation,
            }
        }
        Target::Script {
            plugin,
            input,
            value,
        } => {
            let runner = script(name, definition, plugin, &value)?;
            inputs.insert(input.to_owned(), json!(value));
            runner
        }
    };
    let setting = |value: &Value| match does_nothing {
        true => Value::Null,
        false => value.clone(),
    };
    let mut operation = json!({
        "plugin": runner.plugin,
        "operation": runner.function,
        "executor": runner.executor,
        "inputs": inputs,
        "has_intrinsic_functions": false,
        "max_retries": setting(&definition.max_retries),
        "retry_interval": setting(&definition.retry_interval),
        "timeout": setting(&definition.timeout),
        "timeout_recoverable": setting(&definition.timeout_recoverable),
    });
    if !does_nothing && !types.is_empty() {
        set(&mut operation, "inputs_types", Value::Object(types));
    }
    Ok(operation)
}

fn target(
    blueprint: &Blueprint<'_>,
    interface: &str,
    name: &str,
    definition: &Definition,
    site: Site<'_>,
) -> Result<Target> {
    let found = blueprint.implementation(&definition.implementation);
    found.map_err(|unclear| {
        unclear.refuse(name, |implementation| {
            let place = match site.of_type {
                true => site.owner.to_owned(),
                false => format!("In interface '{interface}' in {}", site.owner),
            };
            Error::parser(
                site.code,
                format!(
                    "Could not extract plugin or a script resource is not found from operation mapping/script-path '{implementation}', which is declared for operation '{name}'.{place}"
                ),
            )
        })
    })
}

/// Who runs an operation that is a script. The script takes up an input, so the operation must not
/// have it.
fn script(
    name: &str,
    definition: &Definition,
    plugin: Option<String>,
    value: &str,
) -> Result<Runner> {
    for taken in ["script_path", "script_source"] {
        if definition.inputs.contains_key(taken) {
            let message =
                format!("Cannot define '{taken}' property in '{value}' for operation '{name}'");
            return Err(Error::parser(60, message));
        }
    }
    let Some(plugin) = plugin else {
        let message = format!(
            "Script plugin is not defined but it is required for mapping '{RUN_SCRIPT}' of operation '{name}'"
        );
        return Err(Error::parser(61, message));
    };
    let executor = definition.executor.clone();
    Ok(Runner {
        plugin,
        function: RUN_SCRIPT.to_owned(),
        executor: Some(executor.unwrap_or_else(|| "auto".to_owned())),
    })
}

/// The types of the inputs whose values state a type.
fn input_types(inputs: &Map<String, Value>) -> Map<String, Value> {
    let types = inputs
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_object()?.get("type")?.clone())));
    types.collect()
}
