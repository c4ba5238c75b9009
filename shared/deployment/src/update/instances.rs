//! Which instances an update adds, removes and connects otherwise.
//!
//! Instances stay what they are wherever they can: with their ids, states and runtime properties. Those
//! of nodes that are replaced, and all that is contained in them, are removed and added anew.

use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use windlass_blueprint::{
    DeploymentPlan, InstanceRelationship, NodeInstance, Result, Wanted, modify,
};
use windlass_store::deployment_updates::work::{Item, Role};

use super::Difference;
use super::steps::EntityType;

/// What becomes of the instances of a deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct InstanceChanges {
    /// The new ones.
    pub added: Vec<NodeInstance>,
    /// The relationships of those that stay and get others or lose some: both, until those that they lose
    /// are unlinked.
    pub relationships: HashMap<String, Vec<InstanceRelationship>>,
    /// All that is to be done.
    pub work: Vec<Item>,
}

/// What the instances are and were to be.
pub(super) struct Before<'a> {
    /// The instances that are there.
    pub instances: Vec<NodeInstance>,
    /// What the last update left undone, if it failed.
    pub left: &'a [Item],
    /// The nodes and groups with another number of instances than before, and that number.
    pub counts: HashMap<String, Wanted>,
}

/// Finds out what becomes of the instances under a new plan.
///
/// # Errors
/// Of the plan, such as containers in a circle.
pub(super) fn changes(
    plan: &DeploymentPlan,
    before: &Before<'_>,
    difference: &Difference,
    random: &mut dyn FnMut() -> u32,
) -> Result<InstanceChanges> {
    let replaced = difference.replaced();
    let doomed = doomed(before);
    let staying: Vec<NodeInstance> = before
        .instances
        .iter()
        .filter(|one| !replaced.contains(one.node_id.as_str()) && !doomed.contains(one.id.as_str()))
        .cloned()
        .collect();
    let after = modify(plan, &staying, &before.counts, random)?;
    let mut changes = InstanceChanges::default();
    let kept: HashSet<&str> = staying.iter().map(|one| one.id.as_str()).collect();
    let known: HashMap<&str, &NodeInstance> = before
        .instances
        .iter()
        .map(|one| (one.id.as_str(), one))
        .collect();
    let mut there = HashSet::new();
    for instance in &after.instances {
        there.insert(instance.id.as_str());
        match known
            .get(instance.id.as_str())
            .filter(|one| kept.contains(one.id.as_str()))
        {
            Some(known) => changes.reconnect(known, instance),
            None => {
                changes.work.push(Item::of(Role::Added, &instance.id));
                changes.added.push(instance.clone());
            }
        }
    }
    let gone = before
        .instances
        .iter()
        .filter(|one| !there.contains(one.id.as_str()));
    changes
        .work
        .extend(gone.map(|one| Item::of(Role::Removed, &one.id)));
    let changed = changed_nodes(difference);
    let present = after
        .instances
        .iter()
        .filter(|one| kept.contains(one.id.as_str()));
    for instance in present
        .clone()
        .filter(|one| changed.contains(one.node_id.as_str()))
    {
        changes.work.push(Item::of(Role::Changed, &instance.id));
    }
    changes.take_over(before.left, &present.collect::<Vec<_>>());
    changes.work.sort();
    changes.work.dedup();
    Ok(changes)
}

/// The instances that a failed update was to remove and that are not whole any more, or too many. One
/// that still runs alone stays, should the new plan have its node.
fn doomed<'a>(before: &'a Before<'_>) -> HashSet<&'a str> {
    let removed: HashSet<&str> = items(before.left, Role::Removed).collect();
    let mut number: HashMap<&str, usize> = HashMap::new();
    for instance in &before.instances {
        if !removed.contains(instance.id.as_str()) {
            *number.entry(&instance.node_id).or_default() += 1;
        }
    }
    let doomed = before.instances.iter().filter(|one| {
        let alone = !number.contains_key(one.node_id.as_str());
        removed.contains(one.id.as_str()) && !(alone && one.state == "started")
    });
    doomed.map(|one| one.id.as_str()).collect()
}

fn items(items: &[Item], role: Role) -> impl Iterator<Item = &str> {
    let items = items.iter().filter(move |item| item.role == role);
    items.map(|item| item.instance_id.as_str())
}

/// The nodes whose instances have to follow a change: of properties or operations, their own or those of
/// their relationships.
fn changed_nodes(difference: &Difference) -> BTreeSet<&str> {
    let steps = difference.steps.iter().filter(|step| {
        let is_inside = matches!(
            step.entity_type,
            EntityType::Property | EntityType::Operation
        );
        is_inside
            || step
                .entity_id
                .get(2)
                .is_some_and(|part| part == "type_hierarchy")
    });
    steps.filter_map(super::Step::node).collect()
}

impl InstanceChanges {
    /// Notes the relationships that an instance gets and loses.
    fn reconnect(&mut self, known: &NodeInstance, instance: &NodeInstance) {
        let (old, new) = (&known.relationships, &instance.relationships);
        if old == new {
            return;
        }
        let item = |role, one: &InstanceRelationship| Item {
            role,
            instance_id: instance.id.clone(),
            target_id: one.target_id.clone(),
            type_name: one.type_name.clone(),
        };
        let come = new.iter().filter(|one| !old.contains(one));
        self.work.extend(come.map(|one| item(Role::Extended, one)));
        let gone: Vec<&InstanceRelationship> =
            old.iter().filter(|one| !new.contains(one)).collect();
        self.work
            .extend(gone.iter().map(|one| item(Role::Reduced, one)));
        let all = new.iter().chain(gone).cloned().collect();
        self.relationships.insert(instance.id.clone(), all);
    }

    /// Adds what a failed update left undone and is still wanted.
    fn take_over(&mut self, left: &[Item], present: &[&NodeInstance]) {
        let by_id: HashMap<&str, &&NodeInstance> =
            present.iter().map(|one| (one.id.as_str(), one)).collect();
        for item in left {
            let Some(instance) = by_id.get(item.instance_id.as_str()) else {
                continue;
            };
            let is_wanted = match item.role {
                Role::Added => instance.state != "started",
                Role::Changed => true,
                Role::Extended => instance
                    .relationships
                    .iter()
                    .any(|one| one.target_id == item.target_id && one.type_name == item.type_name),
                // Found again, because they are still there.
                Role::Removed | Role::Reduced => false,
            };
            if is_wanted {
                self.work.push(item.clone());
            }
        }
    }
}

/// Relationships as they are stored.
pub(super) fn stored(relationships: &[InstanceRelationship]) -> Value {
    serde_json::to_value(relationships).unwrap_or_default()
}
