//! The workflow that somebody wants of an update instead of its own, and what that one is told.

use super::super::Drive;
use crate::components::WorkflowRun;
use crate::plan::Topology;
use crate::workflows::{Refusal, UpdateOptions};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use windlass_core::Result;
use windlass_core::db::Tx;
use windlass_store::deployment_updates::work::{self, Item, Role};
use windlass_store::deployment_updates::{self, Running};

/// The most bytes of what it is told.
const MOST: usize = 256 << 10;

impl<T: Tx> Drive<'_, T> {
    /// The workflow with its parameters, or why there is none.
    pub(in crate::driver) async fn run_beside(
        &self,
        topology: &Topology,
    ) -> Result<Result<WorkflowRun, Refusal>> {
        let refuse = |text: &str| Ok(Err(Refusal(text.to_owned())));
        let Some(update) = deployment_updates::of_execution(self.tx, &self.execution).await? else {
            return refuse("An update is started as an update of the deployment only");
        };
        let options = match UpdateOptions::of(&self.execution.parameters) {
            Ok(options) => options,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let items = work::find(self.tx, update.key).await?;
        let steps = deployment_updates::steps(self.tx, update.key).await?;
        let parameters = parameters(&update, &options, topology, (&items, &steps));
        if Value::Object(parameters.clone()).to_string().len() > MOST {
            return refuse("The update is too large for a workflow that is told what it changes");
        }
        Ok(Ok(WorkflowRun {
            deployment_id: self.execution.deployment_id.clone().unwrap_or_default(),
            workflow_id: options.workflow.unwrap_or_default(),
            parameters,
            is_beside: true,
        }))
    }
}

/// What the original tells such a workflow, by its names.
fn parameters(
    update: &Running,
    options: &UpdateOptions,
    topology: &Topology,
    (items, steps): (&[Item], &[Value]),
) -> Map<String, Value> {
    let mut all = json!({
        "update_id": update.id,
        "modified_entity_ids": modified(steps),
        "skip_install": options.skip_install,
        "skip_uninstall": options.skip_uninstall,
        "ignore_failure": options.ignore_failure,
        "install_first": options.install_first,
        "node_instances_to_reinstall": options.reinstall,
        "central_plugins_to_install": null,
        "central_plugins_to_uninstall": null,
        "update_plugins": !options.keep_plugins,
    });
    for (role, ids, related) in [
        (
            Role::Added,
            "added_instance_ids",
            "added_target_instances_ids",
        ),
        (
            Role::Removed,
            "removed_instance_ids",
            "remove_target_instance_ids",
        ),
        (
            Role::Extended,
            "extended_instance_ids",
            "extend_target_instance_ids",
        ),
        (
            Role::Reduced,
            "reduced_instance_ids",
            "reduce_target_instance_ids",
        ),
    ] {
        let of_role = || items.iter().filter(|item| item.role == role);
        let own: BTreeSet<&str> = of_role().map(|item| item.instance_id.as_str()).collect();
        let mut targets: BTreeSet<&str> = of_role().map(|item| item.target_id.as_str()).collect();
        if matches!(role, Role::Added | Role::Removed) {
            let places = own.iter().filter_map(|id| topology.place(id));
            let relationships = places.flat_map(|place| &topology.instance(place).relationships);
            targets = relationships.map(|one| one.target_id.as_str()).collect();
        }
        targets.retain(|id| !own.contains(id));
        if let Some(all) = all.as_object_mut() {
            all.insert(ids.to_owned(), json!(own));
            all.insert(related.to_owned(), json!(targets));
        }
    }
    all.as_object().cloned().unwrap_or_default()
}

/// What is different, by its kind: the names of nodes, workflows and outputs, and of relationships their
/// places by the node.
fn modified(steps: &[Value]) -> Value {
    let mut all = json!({
        "node": [], "relationship": {}, "property": [], "operation": [], "workflow": [],
        "output": [], "description": [], "group": [], "policy_type": [], "policy_trigger": [],
        "plugin": [], "rel_mappings": {},
    });
    for step in steps {
        let kind = step["entity_type"].as_str().unwrap_or_default();
        let part = |place: usize| step["entity_id"].get(place).cloned();
        let Some(name) = part(1) else { continue };
        let list = match (kind, name.as_str(), part(3)) {
            ("relationship", Some(node), Some(_)) => {
                let nodes = all.get_mut(kind).and_then(Value::as_object_mut);
                nodes.map(|nodes| nodes.entry(node).or_insert_with(|| json!([])))
            }
            _ => all.get_mut(kind),
        };
        let value = match kind {
            "relationship" => part(3).unwrap_or_default(),
            _ => name,
        };
        if let Some(list) = list.and_then(Value::as_array_mut) {
            list.push(value);
        }
    }
    all
}
