//! What intrinsic functions may ask about a deployment while it runs.
//!
//! Evaluation itself never waits, so everything is loaded before: nodes, instances, inputs, and
//! labels where they are asked for. Secrets and capabilities of other deployments are unknown
//! here; a function that asks for one fails with a text that says so.

use serde_json::Value;
use std::collections::HashMap;
use windlass_blueprint::NodeInstance;
use windlass_blueprint::functions::{Lookup, Needs};
use windlass_core::Result;
use windlass_core::db::Db;
use windlass_store::{deployments, executions, node_instances};

/// A deployment as functions see it.
#[derive(Debug, Default)]
pub struct DeploymentLookup {
    properties: HashMap<String, Value>,
    instances: Vec<NodeInstance>,
    by_id: HashMap<String, usize>,
    by_node: HashMap<String, Vec<usize>>,
    inputs: serde_json::Map<String, Value>,
    labels: HashMap<String, Vec<String>>,
    system: HashMap<(&'static str, &'static str), String>,
    unknown: Vec<String>,
}

impl DeploymentLookup {
    /// Loads a deployment, and what `needs` says beyond the ordinary.
    ///
    /// # Errors
    /// Of the database, and for rows that cannot be read.
    pub async fn load(db: &impl Db, deployment_key: i64, needs: &Needs) -> Result<Self> {
        let mut lookup = Self {
            properties: node_instances::node_properties(db, deployment_key).await?,
            instances: node_instances::for_evaluation(db, deployment_key).await?,
            unknown: needs
                .secrets
                .iter()
                .map(|name| format!("the secret `{name}`"))
                .chain(needs.capabilities.iter().map(|(deployment, name)| {
                    format!("the capability `{name}` of the deployment `{deployment}`")
                }))
                .collect(),
            ..Self::default()
        };
        for (place, instance) in lookup.instances.iter().enumerate() {
            lookup.by_id.insert(instance.id.clone(), place);
            lookup
                .by_node
                .entry(instance.node_id.clone())
                .or_default()
                .push(place);
        }
        if let Some(facts) = executions::deployment_facts(db, deployment_key).await? {
            lookup.inputs = facts.inputs;
            lookup.system = HashMap::from([
                (("deployment", "id"), facts.id),
                (("deployment", "name"), facts.display_name),
                (("deployment", "blueprint"), facts.blueprint_id),
                (("deployment", "owner"), facts.created_by),
                (("tenant", "name"), facts.tenant_name),
            ]);
        }
        if !needs.labels.is_empty() || needs.unknown {
            for (name, value) in deployments::label_values(db, deployment_key).await? {
                lookup.labels.entry(name).or_default().push(value);
            }
        }
        Ok(lookup)
    }

    /// The text of a failed evaluation, with what could not be known here.
    pub fn explain(&self, message: &str) -> String {
        if self.unknown.is_empty() {
            return message.to_owned();
        }
        format!(
            "{message} ({} cannot be read here)",
            self.unknown.join(" and ")
        )
    }
}

impl Lookup for DeploymentLookup {
    fn node_properties(&self, node: &str) -> Option<&Value> {
        self.properties.get(node)
    }

    fn instances_of(&self, node: &str) -> Vec<&NodeInstance> {
        let places = self.by_node.get(node).into_iter().flatten();
        places
            .filter_map(|place| self.instances.get(*place))
            .collect()
    }

    fn instance(&self, id: &str) -> Option<&NodeInstance> {
        self.instances.get(*self.by_id.get(id)?)
    }

    fn input(&self, name: &str) -> Option<Value> {
        self.inputs.get(name).cloned()
    }

    fn labels(&self, key: &str) -> Vec<String> {
        self.labels.get(key).cloned().unwrap_or_default()
    }

    fn system(&self, entity: &str, property: &str) -> Option<Value> {
        let found = self
            .system
            .iter()
            .find(|((e, p), _)| *e == entity && *p == property);
        found.map(|(_, value)| Value::from(value.as_str()))
    }
}
