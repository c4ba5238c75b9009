//! The workflows that the engine runs, each as one graph or several in a row.
//!
//! A workflow is recognised by what it maps to, not by its name: a blueprint may give the
//! built-in ones other names. One that is not built here is refused, never pretended.

mod execute_operation;
mod host;
mod install;
mod instance_steps;
mod parameters;
mod relationships;
mod resume;
mod retry;
mod steps;
mod uninstall;

pub use resume::clean_up_before;
pub use retry::retry_subgraphs;
pub use steps::milliseconds;

use crate::graph::{Builder, Graph, RetryDefaults};
use crate::plan::Topology;
use parameters::Parameters;
use serde_json::{Map, Value};
use std::collections::HashSet;
use steps::Selection;

/// Why a workflow cannot be run: a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// What a graph of a workflow does.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Installs the selected instances.
    Install,
    /// Uninstalls them.
    Uninstall {
        /// Whether failed operations are passed over.
        ignore_failure: bool,
    },
    /// Runs one operation on them.
    Operation {
        /// Its full or short name.
        operation: String,
        /// Inputs over those of the blueprint.
        inputs: Map<String, Value>,
        /// Whether those may replace declared ones.
        allow_override: bool,
        /// Whether targets go before their dependents.
        by_dependency: bool,
    },
}

/// A workflow with its parameters understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// The graphs, in order: name, content.
    pub parts: Vec<(String, Part)>,
    type_names: Vec<String>,
    node_ids: HashSet<String>,
    node_instance_ids: HashSet<String>,
}

const INTERFACE: &str = "cloudify.interfaces.lifecycle";

/// The mapping that stands for a built-in workflow, with the plugin that carries it.
const MAPPING: &str = "cloudify.plugins.workflows.";
const PLUGIN: &str = "default_workflows";

impl Workflow {
    /// Understands a workflow: `definition` is its part of the deployment (plugin, operation),
    /// `parameters` those of the execution, defaults filled in.
    ///
    /// # Errors
    /// A workflow that is not built into the engine, or parameters it cannot use.
    pub fn new(
        name: &str,
        definition: &Value,
        parameters: &Map<String, Value>,
    ) -> Result<Self, Refusal> {
        let text = |key: &str| definition.get(key).and_then(Value::as_str);
        let plugin = text("plugin").unwrap_or_default();
        let mapping = text("operation").unwrap_or_default();
        let parameters = Parameters(parameters);
        let known = mapping.strip_prefix(MAPPING).filter(|_| plugin == PLUGIN);
        let parts = match known {
            Some(workflow) => parts(workflow, &parameters)?,
            None => None,
        };
        let Some(parts) = parts else {
            return Err(Refusal(format!(
                "The workflow `{name}` ({plugin}: {mapping}) cannot be run: this control plane runs \
                 install, uninstall, reinstall, start, stop, restart, pull and execute_operation"
            )));
        };
        Ok(Self {
            parts,
            type_names: parameters.texts("type_names")?,
            node_ids: parameters.texts("node_ids")?.into_iter().collect(),
            node_instance_ids: parameters.texts("node_instance_ids")?.into_iter().collect(),
        })
    }

    /// The operations that must be known even where they are no-ops.
    pub fn named_operations(&self) -> Vec<&str> {
        let parts = self.parts.iter();
        parts
            .filter_map(|(_, part)| match part {
                Part::Operation { operation, .. } => Some(operation.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Builds the graph of one part.
    ///
    /// # Errors
    /// What the part refuses, such as inputs that would replace declared ones.
    pub fn build(
        &self,
        part: usize,
        topology: &Topology,
        defaults: RetryDefaults,
        ids: &mut dyn FnMut() -> String,
    ) -> Result<Graph, Refusal> {
        let Some((_, part)) = self.parts.get(part) else {
            return Ok(Graph::default());
        };
        let selection = Selection::new(topology, |place| self.selects(topology, place));
        let mut builder = Builder::new(defaults, ids);
        match part {
            Part::Install => install::build(topology, &selection, &mut builder),
            Part::Uninstall { ignore_failure } => {
                uninstall::build(topology, &selection, *ignore_failure, &mut builder);
            }
            Part::Operation {
                operation,
                inputs,
                allow_override,
                by_dependency,
            } => {
                let order = execute_operation::Order {
                    operation,
                    inputs,
                    allow_override: *allow_override,
                    by_dependency: *by_dependency,
                };
                execute_operation::build(topology, &selection, &order, &mut builder)?;
            }
        }
        Ok(builder.finish())
    }

    fn selects(&self, topology: &Topology, place: usize) -> bool {
        let node = topology.node(place);
        (self.node_ids.is_empty() || self.node_ids.contains(&node.id))
            && (self.type_names.is_empty()
                || self.type_names.iter().any(|name| node.is_of_type(name)))
            && (self.node_instance_ids.is_empty()
                || self
                    .node_instance_ids
                    .contains(&topology.instance(place).id))
    }
}

/// The graphs of a built-in workflow; nothing for one that is none.
fn parts(workflow: &str, parameters: &Parameters) -> Result<Option<Vec<(String, Part)>>, Refusal> {
    let uninstall = || Part::Uninstall {
        ignore_failure: parameters.flag("ignore_failure"),
    };
    Ok(Some(match workflow {
        "install" => vec![("install".to_owned(), Part::Install)],
        "uninstall" if parameters.flag("recursive") => {
            return Err(Refusal(
                "The parameter `recursive` of uninstall is not supported yet: uninstall the \
                 service deployments first"
                    .into(),
            ));
        }
        "uninstall" => vec![("uninstall".to_owned(), uninstall())],
        "reinstall" => vec![
            ("reinstall-uninstall".to_owned(), uninstall()),
            ("reinstall-install".to_owned(), Part::Install),
        ],
        operation @ ("start" | "stop" | "pull") => {
            vec![lifecycle(operation, "operation_parms", parameters)?]
        }
        "restart" => vec![
            lifecycle("stop", "stop_parms", parameters)?,
            lifecycle("start", "start_parms", parameters)?,
        ],
        "execute_operation" => {
            let operation = parameters
                .text("operation")
                .ok_or_else(|| Refusal("The parameter `operation` must be a text".into()))?;
            let part = Part::Operation {
                operation: operation.to_owned(),
                inputs: parameters.inputs("operation_kwargs")?,
                allow_override: parameters.flag("allow_kwargs_override"),
                by_dependency: parameters.flag("run_by_dependency_order"),
            };
            vec![(format!("execute_operation_{operation}"), part)]
        }
        _ => return Ok(None),
    }))
}

/// The graph that runs one lifecycle operation, with its inputs in a parameter of this name.
fn lifecycle(
    operation: &str,
    inputs: &str,
    parameters: &Parameters,
) -> Result<(String, Part), Refusal> {
    let operation = format!("{INTERFACE}.{operation}");
    let name = format!("execute_operation_{operation}");
    let part = Part::Operation {
        operation,
        inputs: parameters.inputs(inputs)?,
        allow_override: true,
        by_dependency: parameters.flag("run_by_dependency_order"),
    };
    Ok((name, part))
}
