//! The workflows that the engine runs, each as parts that follow each other.
//!
//! A workflow is recognised by what it maps to, not by its name: a blueprint may give the
//! built-in ones other names. One that is not built here is refused, never pretended.

mod agents;
mod catalogue;
mod checks;
mod execute_operation;
mod heal;
mod host;
mod install;
mod instance_steps;
mod parameters;
mod part;
mod relationships;
mod resume;
mod retry;
mod rollback;
mod scale;
mod selection;
mod services;
mod steps;
mod uninstall;
mod update;

pub use agents::Agents;
pub use checks::Checks;
pub use heal::{
    OPERATION as HEAL, Remedies, SUBGRAPH as HEAL_SUBGRAPH, reinstall_disallowed, remedies,
};
pub use part::{Act, Memory, On, Part, PartKind, UpdateAct};
pub use resume::clean_up_before;
pub use retry::retry_subgraphs;
pub use scale::Scaling;
pub use selection::{Filter, Selection};
pub use steps::milliseconds;
pub use update::{UpdateOptions, can_follow, can_tell_drift, has_operation};

use crate::graph::{Builder, Graph, RetryDefaults};
use crate::plan::Topology;
use parameters::Parameters;
use serde_json::{Map, Value};

/// Why a workflow cannot be run: a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// A workflow with its parameters understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workflow {
    /// What it does, in order.
    pub parts: Vec<Part>,
    /// The instances that people selected.
    pub filter: Filter,
}

const INTERFACE: &str = "cloudify.interfaces.lifecycle";

/// The mapping that stands for a built-in workflow, with the plugin that carries it.
const MAPPING: &str = "cloudify.plugins.workflows.";
const PLUGIN: &str = "default_workflows";

/// Whether a workflow is a function of a plugin, for a worker to run: `definition` is its part of the deployment.
pub fn is_a_workers(definition: &Value) -> bool {
    let text = |key: &str| definition.get(key).and_then(Value::as_str);
    text("plugin").is_some_and(|plugin| !plugin.is_empty() && plugin != PLUGIN)
        && text("operation").is_some_and(|mapping| !mapping.is_empty())
}

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
            Some(workflow) => catalogue::parts(workflow, &parameters)?,
            None => None,
        };
        let Some(parts) = parts else {
            return Err(Refusal(format!(
                "The workflow `{name}` ({plugin}: {mapping}) cannot be run: this control plane runs \
                 install, uninstall, reinstall, start, stop, restart, pull, execute_operation, \
                 check_status, check_drift, heal, rollback, \
                 scale, validate_agents and install_new_agents"
            )));
        };
        let filter = Filter::of(&parameters)?;
        Ok(Self { parts, filter })
    }

    /// The operations that must be known even where they are no-ops.
    pub fn named_operations(&self) -> Vec<&str> {
        let kinds = self.parts.iter().map(|part| &part.kind);
        kinds
            .filter_map(|kind| match kind {
                PartKind::Operation { operation, .. } => Some(operation.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The instances that a part is about.
    pub fn selection(&self, part: &Part, memory: &Memory, topology: &Topology) -> Selection {
        match (part.on, &memory.chosen) {
            (On::Filtered, _) => {
                Selection::new(topology, |place| self.filter.selects(topology, place))
            }
            (On::All, _) | (On::Chosen, None) => Selection::new(topology, |_| true),
            (On::Chosen, Some(ids)) => Selection::of_ids(topology, ids.iter().map(String::as_str))
                .with_relationships(memory.relationships.clone()),
        }
    }
}

/// Builds the graph of a part on a selection of instances; an act has none.
///
/// # Errors
/// What the part refuses, such as inputs that would replace declared ones.
pub fn build(
    kind: &PartKind,
    topology: &Topology,
    selection: &Selection,
    defaults: RetryDefaults,
    ids: &mut dyn FnMut() -> String,
) -> Result<Graph, Refusal> {
    let mut builder = Builder::new(defaults, ids);
    match kind {
        PartKind::Install => install::build(topology, selection, &mut builder),
        PartKind::Uninstall { ignore_failure } => {
            uninstall::build(topology, selection, *ignore_failure, &mut builder);
        }
        PartKind::UninstallServices { parameters } => {
            services::uninstall(topology, parameters, &mut builder);
        }
        PartKind::RunBeside => services::beside(topology, &mut builder),
        PartKind::Operation {
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
            execute_operation::build(topology, selection, &order, &mut builder)?;
        }
        PartKind::Check(checks) => checks::build(topology, selection, checks, &mut builder),
        PartKind::Heal => heal::build(topology, selection, &mut builder),
        PartKind::Rollback { ignore_failure } => {
            rollback::build(topology, selection, *ignore_failure, &mut builder);
        }
        PartKind::Follow => update::build(topology, selection, &mut builder),
        PartKind::Agents(agents) => agents::build(topology, selection, agents, &mut builder)?,
        PartKind::Act(_) => {}
    }
    Ok(builder.finish())
}
