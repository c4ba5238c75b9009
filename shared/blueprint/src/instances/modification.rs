//! Scaling: which instances of a deployment are added or removed when their numbers change.
//!
//! An instance that stays keeps its id and its runtime properties; only its relationships are made
//! again. When an instance is removed, everything that is contained in it is removed too.

use super::containers::Containers;
use super::forest::{Forest, Settled};
use super::{CONTAINED_IN, InstanceRelationship, NodeInstance};
use crate::error::Result;
use crate::plan::{DeploymentPlan, Fields};
use std::collections::{HashMap, HashSet};

/// The new number of instances of a node or scaling group, in each instance of its container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The number of instances.
    pub instances: usize,
    /// The instances to remove first. If a scaling group is scaled, an instance stands for the
    /// instance of the group that it is in.
    pub removed_first: Vec<String>,
    /// The instances to remove last.
    pub removed_last: Vec<String>,
}

/// What changes in a deployment when the numbers of instances change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Modification {
    /// The new instances.
    pub added: Vec<NodeInstance>,
    /// The old instances that are connected with new ones. Only the relationships to new ones are
    /// listed.
    pub added_related: Vec<NodeInstance>,
    /// Those of `added_related` that have relationships to new instances.
    pub extended: Vec<NodeInstance>,
    /// The removed instances.
    pub removed: Vec<NodeInstance>,
    /// The instances that stay and were connected with removed ones. Only the relationships to
    /// removed ones are listed.
    pub removed_related: Vec<NodeInstance>,
    /// Those of `removed_related` that had relationships to removed instances.
    pub reduced: Vec<NodeInstance>,
    /// All instances after the change.
    pub instances: Vec<NodeInstance>,
}

/// Computes what changes when the nodes and scaling groups in `wanted` get other numbers of
/// instances. The others keep the numbers of the plan. `random` returns random bits for new ids.
pub fn modify(
    plan: &DeploymentPlan,
    previous: &[NodeInstance],
    wanted: &HashMap<String, Wanted>,
    random: &mut dyn FnMut() -> u32,
) -> Result<Modification> {
    let containers = Containers::of(plan);
    let before = Before::of(&containers, previous);
    let mut ids: HashSet<String> = previous.iter().map(|one| one.id.clone()).collect();
    ids.extend(before.groups.iter().cloned());
    let settled = settled(&plan.plan.nodes, previous);
    let mut forest = Forest::after(&containers, ids, settled);
    for element in containers.top_down()? {
        let name = containers.element(element).name;
        for parent in forest.parents(element) {
            let key = (
                element,
                parent.map(|parent| forest.placed(parent).id.clone()),
            );
            let mut there = before.below.get(&key).cloned().unwrap_or_default();
            let count = match wanted.get(name) {
                Some(wanted) => {
                    before.remove(&mut there, wanted);
                    wanted.instances
                }
                None => containers.element(element).count,
            };
            let missing = count.saturating_sub(there.len());
            for id in there {
                forest.put(element, parent, id);
            }
            forest.add(element, parent, missing, random)?;
        }
    }
    let known: HashMap<&str, &NodeInstance> =
        previous.iter().map(|one| (one.id.as_str(), one)).collect();
    let mut highest: HashMap<&str, u32> = HashMap::new();
    for one in previous {
        let index = highest.entry(&one.node_id).or_default();
        *index = one.index.max(*index);
    }
    let names: HashSet<&str> = plan.plan.nodes.iter().map(Fields::name).collect();
    let mut instances = forest.instances(&plan.plan.nodes)?;
    for instance in &mut instances {
        match known.get(instance.id.as_str()) {
            Some(known) => {
                let relationships = std::mem::take(&mut instance.relationships);
                *instance = (*known).clone();
                instance.relationships = relationships;
            }
            None => {
                let name = names.get(instance.node_id.as_str()).copied();
                let index = highest.entry(name.unwrap_or_default()).or_default();
                *index += 1;
                instance.index = *index;
            }
        }
    }
    let (added, added_related, extended) = difference(&instances, previous);
    let (removed, removed_related, reduced) = difference(previous, &instances);
    Ok(Modification {
        added,
        added_related,
        extended,
        removed,
        removed_related,
        reduced,
        instances,
    })
}

/// The targets of relationships in which all instances of a node are connected to the same
/// instance.
fn settled(nodes: &[Fields], previous: &[NodeInstance]) -> Settled {
    let mut together = HashSet::new();
    for node in nodes {
        for relationship in node.relationships() {
            if relationship.get("properties")["connection_type"] == "all_to_one" {
                together.insert((
                    node.name(),
                    relationship.text("type"),
                    relationship.text("target_id"),
                ));
            }
        }
    }
    let mut settled = HashMap::new();
    for instance in previous {
        for one in &instance.relationships {
            let key = (
                instance.node_id.as_str(),
                one.type_name.as_str(),
                one.target_name.as_str(),
            );
            if together.contains(&key) {
                let key = (key.0.to_owned(), key.1.to_owned(), key.2.to_owned());
                settled.entry(key).or_insert_with(|| one.target_id.clone());
            }
        }
    }
    settled
}

/// The instances before the change.
struct Before {
    /// The ids of instances, by their element and the instance that they are inside of.
    below: HashMap<(usize, Option<String>), Vec<String>>,
    /// The instances of nodes in each instance of a group.
    members: HashMap<String, Vec<String>>,
    groups: HashSet<String>,
}

impl Before {
    fn of(containers: &Containers<'_>, previous: &[NodeInstance]) -> Self {
        let mut before = Self {
            below: HashMap::new(),
            members: HashMap::new(),
            groups: HashSet::new(),
        };
        let mut seen = HashSet::new();
        for instance in previous {
            for group in &instance.scaling_groups {
                let members = before.members.entry(group.id.clone()).or_default();
                members.push(instance.id.clone());
            }
            if let Some(element) = containers.node(&instance.node_id) {
                before.climb(containers, instance, element, &mut seen);
            }
        }
        before
    }

    /// Adds an instance below the one around it, and then the groups around it, which several lead to
    /// and which are added once. This ends at the instance of a node, which is added on its own.
    fn climb(
        &mut self,
        containers: &Containers<'_>,
        instance: &NodeInstance,
        element: usize,
        seen: &mut HashSet<(usize, String)>,
    ) {
        let mut element = element;
        let mut id = instance.id.clone();
        loop {
            let parent = containers.element(element).parent;
            let parent_id = parent.and_then(|parent| {
                let parent = containers.element(parent);
                match parent.node {
                    None => instance
                        .scaling_groups
                        .iter()
                        .find(|group| group.name == parent.name)
                        .map(|group| group.id.clone()),
                    Some(_) => containers.container_of(instance),
                }
            });
            if seen.insert((element, id.clone())) {
                let below = self.below.entry((element, parent_id.clone())).or_default();
                below.push(id);
            }
            match (parent, parent_id) {
                (Some(parent), Some(parent_id)) if containers.element(parent).node.is_none() => {
                    self.groups.insert(parent_id.clone());
                    (element, id) = (parent, parent_id);
                }
                _ => return,
            }
        }
    }

    /// Removes the surplus instances: first those that are wanted to go first, then the newest, and
    /// last those that are wanted to stay.
    fn remove(&self, there: &mut Vec<String>, wanted: &Wanted) {
        let meant = |hints: &[String]| -> HashSet<String> {
            let mut meant = HashSet::new();
            for hint in hints {
                for id in there.iter() {
                    let inside = self.members.get(id);
                    if id == hint || inside.is_some_and(|members| members.contains(hint)) {
                        meant.insert(id.clone());
                    }
                }
            }
            meant
        };
        let (first, last) = (meant(&wanted.removed_first), meant(&wanted.removed_last));
        let mut order: Vec<String> = Vec::with_capacity(there.len());
        let newest = || there.iter().rev();
        order.extend(newest().filter(|id| first.contains(*id)).cloned());
        let others = newest().filter(|id| !first.contains(*id));
        let (late, early): (Vec<&String>, Vec<&String>) = others.partition(|id| last.contains(*id));
        order.extend(early.into_iter().chain(late).cloned());
        order.truncate(there.len().saturating_sub(wanted.instances));
        let gone: HashSet<String> = order.into_iter().collect();
        there.retain(|id| !gone.contains(id));
    }
}

impl Containers<'_> {
    /// The id of the instance that contains an instance.
    fn container_of(&self, instance: &NodeInstance) -> Option<String> {
        let node = self.element(self.node(&instance.node_id)?).node?;
        let contained = node
            .relationships()
            .iter()
            .find(|one| one.derives_from(CONTAINED_IN))?;
        let (type_name, target) = (contained.text("type"), contained.text("target_id"));
        let found = instance
            .relationships
            .iter()
            .find(|one| one.type_name == type_name && one.target_name == target)?;
        Some(found.target_id.clone())
    }
}

type Three = (Vec<NodeInstance>, Vec<NodeInstance>, Vec<NodeInstance>);

/// The instances that are only in the first list, those in both lists that are connected with them,
/// and those of the second kind that have relationships to them.
fn difference(these: &[NodeInstance], others: &[NodeInstance]) -> Three {
    let known: HashSet<&str> = others.iter().map(|one| one.id.as_str()).collect();
    let only: Vec<NodeInstance> = these
        .iter()
        .filter(|one| !known.contains(one.id.as_str()))
        .cloned()
        .collect();
    let ids: HashSet<&str> = only.iter().map(|one| one.id.as_str()).collect();
    let targets: HashSet<&str> = only
        .iter()
        .flat_map(|one| &one.relationships)
        .map(|one| one.target_id.as_str())
        .collect();
    let (mut related, mut sources) = (Vec::new(), Vec::new());
    for one in these.iter().filter(|one| known.contains(one.id.as_str())) {
        let to_them: Vec<InstanceRelationship> = one
            .relationships
            .iter()
            .filter(|relationship| ids.contains(relationship.target_id.as_str()))
            .cloned()
            .collect();
        if to_them.is_empty() && !targets.contains(one.id.as_str()) {
            continue;
        }
        let is_source = !to_them.is_empty();
        let one = NodeInstance {
            relationships: to_them,
            ..one.clone()
        };
        if is_source {
            sources.push(one.clone());
        }
        related.push(one);
    }
    (only, related, sources)
}
