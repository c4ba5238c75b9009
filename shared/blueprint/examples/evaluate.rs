//! Reads running deployments and values as JSON, one case a line, and prints what the functions
//! in the values are, one line for each.
//!
//! For comparing with another implementation: `tests/oracle` runs it. A case has `payload`, and
//! as needed `context` (`self`, `source`, `target`), `properties` (by node), `node_instances`,
//! `inputs`, `secrets`, `capabilities` (by deployment) and `labels`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it is a tool for tests and may stop at once"
)]

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use windlass_blueprint::NodeInstance;
use windlass_blueprint::functions::{Context, Lookup, evaluate};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Case {
    payload: Value,
    context: HashMap<String, String>,
    properties: HashMap<String, Value>,
    node_instances: Vec<NodeInstance>,
    inputs: Map<String, Value>,
    secrets: Map<String, Value>,
    capabilities: HashMap<String, Map<String, Value>>,
    labels: HashMap<String, Vec<String>>,
}

impl Lookup for Case {
    fn node_properties(&self, node: &str) -> Option<&Value> {
        self.properties.get(node)
    }

    fn instances_of(&self, node: &str) -> Vec<&NodeInstance> {
        let all = self.node_instances.iter();
        all.filter(|one| one.node_id == node).collect()
    }

    fn instance(&self, id: &str) -> Option<&NodeInstance> {
        self.node_instances.iter().find(|one| one.id == id)
    }

    fn input(&self, name: &str) -> Option<Value> {
        self.inputs.get(name).cloned()
    }

    fn secret(&self, name: &str) -> Option<Value> {
        self.secrets.get(name).cloned()
    }

    fn capability(&self, deployment: &str, name: &str) -> Option<Value> {
        self.capabilities.get(deployment)?.get(name).cloned()
    }

    fn labels(&self, key: &str) -> Vec<String> {
        self.labels.get(key).cloned().unwrap_or_default()
    }
}

fn answer(case: &Case) -> Value {
    let instance = |role: &str| case.context.get(role).cloned();
    let context = Context {
        self_instance: instance("self"),
        source_instance: instance("source"),
        target_instance: instance("target"),
    };
    match evaluate(&case.payload, &context, case) {
        Ok(value) => json!({ "value": value }),
        Err(error) => json!({ "refused": error.message }),
    }
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        writeln!(out, "{}", answer(&serde_json::from_str(&line?)?))?;
    }
    Ok(())
}
