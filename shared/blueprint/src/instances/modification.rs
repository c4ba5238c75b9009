//! Scaling: which instances of a deployment have to come or go for other numbers of them.
//!
//! Who stays keeps its id and what it has written; only relationships are made anew. With an
//! instance goes all that is contained in it.

use super::containers::Containers;
use super::forest::{Forest, Settled};
use super::{CONTAINED_IN, InstanceRelationship, NodeInstance};
use crate::error::Result;
use crate::plan::{DeploymentPlan, Fields};
use std::collections::{HashMap, HashSet};

/// How many instances of a node or scaling group there are to be, in each instance of what
/// it is contained in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The number.
    pub instances: usize,
    /// Instances that go first. One that is in an instance of the group that is scaled stands
    /// for that one.
    pub removed_first: Vec<String>,
    /// Instances that go last.
    pub removed_last: Vec<String>,
}

/// What other numbers of instances change in a deployment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Modification {
    /// New instances.
    pub added: Vec<NodeInstance>,
    /// Those that are connected with new ones, with no other relationships than to them.
    pub added_related: Vec<NodeInstance>,
    /// Those of the former that have relationships to new ones.
    pub extended: Vec<NodeInstance>,
    /// Instances that go.
    pub removed: Vec<NodeInstance>,
    /// Those that stay and were connected with some that go, with no other relationships.
    pub removed_related: Vec<NodeInstance>,
    /// Those of the former that had relationships to them.
    pub reduced: Vec<NodeInstance>,
    /// All instances as they are afterwards.
    pub instances: Vec<NodeInstance>,
}

/// What changes when the nodes and scaling groups in `wanted` get other numbers of instances.
/// The plan has the current numbers of all the others; `random` gives the bits for new ids.
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
    let mut instances = forest.instances(&plan.plan.nodes)?;
    for instance in &mut instances {
        match known.get(instance.id.as_str()) {
            Some(known) => {
                let relationships = std::mem::take(&mut instance.relationships);
                *instance = (*known).clone();
                instance.relationships = relationships;
            }
            None => {
                let node = plan
                    .plan
                    .nodes
                    .iter()
                    .find(|node| node.name() == instance.node_id);
                let index = highest.entry(node.map_or("", Fields::name)).or_default();
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

/// The targets that all instances of a node are connected to together.
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

/// The instances of all elements as they were.
struct Before {
    /// By element and the instance that they lie in.
    below: HashMap<(usize, Option<String>), Vec<String>>,
    /// Group instances, and the instances of nodes in each.
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
        for instance in previous {
            for group in &instance.scaling_groups {
                let members = before.members.entry(group.id.clone()).or_default();
                members.push(instance.id.clone());
            }
            if let Some(element) = containers.node(&instance.node_id) {
                before.climb(containers, instance, element);
            }
        }
        before
    }

    /// Notes an instance below the one that it lies in, and the groups around it up to the
    /// instance of a node, which is noted by itself.
    fn climb(&mut self, containers: &Containers<'_>, instance: &NodeInstance, element: usize) {
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
            let below = self.below.entry((element, parent_id.clone())).or_default();
            if !below.contains(&id) {
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

    /// Takes away as many instances as are too many: those that shall go first, then the
    /// newest, and those that shall stay at the very end.
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
    /// The instance that an instance is contained in.
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

/// The instances that only the first list has, those of both that are connected with them, and
/// those of the latter that have relationships to them.
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
