//! What a workflow knows of its deployment: nodes with the operations that have an
//! implementation, and node instances with their states and relationships.
//!
//! The store picks these parts out of the stored nodes, so that the no-ops, which are most of
//! a plan, never reach the engine. An operation that is absent here has nothing to run.

use crate::components::WorkflowRun;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use windlass_store::deployments::Service;

/// The type that makes a node a host.
const COMPUTE: &str = "cloudify.nodes.Compute";

/// An operation that has an implementation.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Implementation {
    /// The plugin; never empty for something to run.
    #[serde(default)]
    pub plugin: Option<String>,
    /// The plugin's function; empty for a no-op.
    #[serde(default)]
    pub operation: Option<String>,
    /// `central_deployment_agent`, `host_agent` or `auto`.
    #[serde(default)]
    pub executor: Option<String>,
    /// The inputs, functions unevaluated.
    #[serde(default)]
    pub inputs: Option<Map<String, Value>>,
    /// Whether the inputs hold intrinsic functions.
    #[serde(default)]
    pub has_intrinsic_functions: Option<bool>,
    /// How often a failure is tried again; -1 for ever, absent for the system's setting.
    #[serde(default)]
    pub max_retries: Option<i64>,
    /// Seconds between tries.
    #[serde(default)]
    pub retry_interval: Option<f64>,
    /// Seconds that one try may take.
    #[serde(default)]
    pub timeout: Option<f64>,
    /// Whether a try that took too long is tried again.
    #[serde(default)]
    pub timeout_recoverable: Option<bool>,
}

impl Implementation {
    /// Whether there is nothing to run.
    pub fn is_noop(&self) -> bool {
        self.operation.as_deref().unwrap_or_default().is_empty()
    }
}

/// A relationship of a node, as its template says.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct NodeRelationship {
    /// The target node.
    pub target_id: String,
    /// The relationship's type, to tell several to the same target apart.
    #[serde(rename = "type", default)]
    pub type_name: Option<String>,
    /// Whether the source is contained in the target.
    #[serde(default)]
    pub is_containment: bool,
    /// For `depends_on_lifecycle_operation`: wait for this operation of the target only.
    #[serde(default)]
    pub operation: Option<String>,
    /// What runs on the source, by full name.
    #[serde(default)]
    pub source_operations: HashMap<String, Implementation>,
    /// What runs on the target, by full name.
    #[serde(default)]
    pub target_operations: HashMap<String, Implementation>,
}

/// A node of the deployment.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Node {
    /// Its name.
    pub id: String,
    /// Its type and all types that one derives from.
    #[serde(default)]
    pub types: Vec<String>,
    /// Its operations by full name; of the no-ops only those that the workflow asked for.
    #[serde(default)]
    pub operations: HashMap<String, Implementation>,
    /// In the order of the template.
    #[serde(default)]
    pub relationships: Vec<NodeRelationship>,
    /// `install_agent` of a host: an older way to say whether it gets an agent.
    #[serde(default)]
    pub install_agent: Option<Value>,
    /// `agent_config.install_method` of a host.
    #[serde(default)]
    pub install_method: Option<Value>,
}

impl Node {
    /// Whether it is a host.
    pub fn is_host(&self) -> bool {
        self.is_of_type(COMPUTE)
    }

    /// Whether it is of this type or derives from it.
    pub fn is_of_type(&self, type_name: &str) -> bool {
        self.types.iter().any(|known| known == type_name)
    }

    /// How a host gets its agent; `none` for one without.
    pub fn agent_install_method(&self) -> &str {
        match &self.install_agent {
            Some(Value::Bool(false)) => "none",
            Some(Value::Bool(true)) => "remote",
            _ => self
                .install_method
                .as_ref()
                .and_then(Value::as_str)
                .unwrap_or("none"),
        }
    }
}

/// A relationship of an instance to an instance.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct InstanceRelationship {
    /// The relationship's type.
    #[serde(rename = "type", default)]
    pub type_name: Option<String>,
    /// The target node.
    pub target_name: String,
    /// The target instance.
    pub target_id: String,
}

/// A node instance.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Its node.
    pub node_id: String,
    /// The instance of its host, if it has one.
    #[serde(default)]
    pub host_id: Option<String>,
    /// Its state when the workflow, or the part of it that begins now, began.
    pub state: String,
    /// In the order of the template.
    #[serde(default)]
    pub relationships: Vec<InstanceRelationship>,
}

/// The deployment that a workflow runs on.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    nodes: Vec<Node>,
    instances: Vec<Instance>,
    node_of: Vec<usize>,
    places: HashMap<String, usize>,
    /// The deployments that use this one as their environment; none where no part asks for them.
    pub services: Vec<Service>,
    /// The workflow that runs beside this one, where a part asks for it.
    pub(crate) beside: Option<WorkflowRun>,
}

impl Topology {
    /// Puts nodes and instances together. Instances of unknown nodes are left out: there is
    /// nothing that could be run on them.
    pub fn new(nodes: Vec<Node>, instances: Vec<Instance>) -> Self {
        let known: HashMap<&str, usize> = nodes
            .iter()
            .enumerate()
            .map(|(place, node)| (node.id.as_str(), place))
            .collect();
        let mut node_of = Vec::with_capacity(instances.len());
        let instances: Vec<Instance> = instances
            .into_iter()
            .filter(|instance| match known.get(instance.node_id.as_str()) {
                Some(place) => {
                    node_of.push(*place);
                    true
                }
                None => false,
            })
            .collect();
        let places = instances
            .iter()
            .enumerate()
            .map(|(place, instance)| (instance.id.clone(), place))
            .collect();
        Self {
            nodes,
            instances,
            node_of,
            places,
            services: Vec::new(),
            beside: None,
        }
    }

    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// An instance by its place, which is below [`Self::len`].
    #[allow(clippy::indexing_slicing, reason = "so says the contract")]
    pub fn instance(&self, place: usize) -> &Instance {
        &self.instances[place]
    }

    /// The node of the instance at a place, which is below [`Self::len`].
    #[allow(clippy::indexing_slicing, reason = "so says the contract")]
    pub fn node(&self, place: usize) -> &Node {
        &self.nodes[self.node_of[place]]
    }

    /// The place of an instance.
    pub fn place(&self, instance_id: &str) -> Option<usize> {
        self.places.get(instance_id).copied()
    }

    /// Follows a change of state, for the part of a workflow that begins after it.
    pub fn set_state(&mut self, instance_id: &str, state: &str) {
        if let Some(place) = self.place(instance_id)
            && let Some(instance) = self.instances.get_mut(place)
        {
            state.clone_into(&mut instance.state);
        }
    }

    /// Instances with all that they contain, however deep, in the order of their places.
    pub fn with_contained(&self, places: Vec<usize>) -> Vec<usize> {
        if places.is_empty() {
            return places;
        }
        let mut contained: HashMap<usize, Vec<usize>> = HashMap::new();
        for place in 0..self.len() {
            for (relationship, target) in self.relationships(place) {
                if relationship.is_containment {
                    contained.entry(target).or_default().push(place);
                }
            }
        }
        let mut found: BTreeSet<usize> = BTreeSet::new();
        let mut left = places;
        while let Some(place) = left.pop() {
            if found.insert(place) {
                left.extend(contained.get(&place).into_iter().flatten());
            }
        }
        found.into_iter().collect()
    }

    /// The relationships of an instance whose targets exist: the template's relationship, the
    /// target's place.
    pub fn relationships(&self, place: usize) -> Vec<(&NodeRelationship, usize)> {
        let node = self.node(place);
        let of_instance = self.instance(place).relationships.iter();
        of_instance
            .filter_map(|relationship| {
                let target = self.place(&relationship.target_id)?;
                let to_target = || {
                    node.relationships
                        .iter()
                        .filter(|known| known.target_id == relationship.target_name)
                };
                let template = to_target()
                    .find(|known| known.type_name == relationship.type_name)
                    .or_else(|| to_target().next())?;
                Some((template, target))
            })
            .collect()
    }
}
