//! The instances of nodes and scaling groups, each in an instance of its container.

use super::containers::{Containers, Element};
use super::{CONTAINED_IN, InstanceRelationship, NodeInstance, ScalingGroupInstance};
use crate::error::{Error, Result};
use crate::plan::Fields;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

const CONNECTED_TO: &str = "cloudify.relationships.connected_to";
const DEPENDS_ON: &str = "cloudify.relationships.depends_on";
const COMPUTE: &str = "cloudify.nodes.Compute";
/// How many instances a deployment may have. The numbers of containers multiply.
const MAX_INSTANCES: usize = 50_000;
/// How many relationships its instances may have. Connecting all to all multiplies the numbers
/// again.
const MAX_RELATIONSHIPS: usize = 1_000_000;

/// An instance of an element, in an instance of its parent.
pub(super) struct Placed {
    pub id: String,
    element: usize,
    parent: Option<usize>,
}

/// Targets of relationships, by source node, type of relationship and target node.
pub(super) type Settled = HashMap<(String, String, String), String>;

/// All instances of all elements. An instance's number is its place in the list.
pub(super) struct Forest<'a> {
    containers: &'a Containers<'a>,
    placed: Vec<Placed>,
    /// The numbers of the instances of each element.
    of: Vec<Vec<usize>>,
    /// Ids that are taken.
    ids: HashSet<String>,
    /// The instances that all instances of a source are connected to, where there were some
    /// before.
    settled: Settled,
}

impl<'a> Forest<'a> {
    /// An empty forest for a new deployment.
    pub fn new(containers: &'a Containers<'a>) -> Self {
        Self::after(containers, HashSet::new(), Settled::new())
    }

    /// An empty forest for a deployment that had instances before. Their ids are taken, and some of
    /// their relationships are settled.
    pub fn after(containers: &'a Containers<'a>, ids: HashSet<String>, settled: Settled) -> Self {
        Self {
            containers,
            placed: Vec::new(),
            of: vec![Vec::new(); containers.len()],
            ids,
            settled,
        }
    }

    #[allow(
        clippy::indexing_slicing,
        reason = "numbers of instances are places in this list, and nothing is ever taken from it"
    )]
    pub fn placed(&self, number: usize) -> &Placed {
        &self.placed[number]
    }

    /// The numbers of an element's instances.
    fn of(&self, element: usize) -> &[usize] {
        self.of.get(element).map_or(&[], Vec::as_slice)
    }

    /// The element that an instance is one of.
    fn element_of(&self, placed: usize) -> &Element<'a> {
        self.containers.element(self.placed(placed).element)
    }

    /// The instances that need instances of this element inside of them. `None` means the
    /// deployment itself.
    pub fn parents(&self, element: usize) -> Vec<Option<usize>> {
        match self.containers.element(element).parent {
            Some(parent) => self.of(parent).iter().copied().map(Some).collect(),
            None => vec![None],
        }
    }

    /// Adds new instances of an element.
    pub fn add(
        &mut self,
        element: usize,
        parent: Option<usize>,
        count: usize,
        random: &mut dyn FnMut() -> u32,
    ) -> Result<()> {
        if count.saturating_add(self.placed.len()) > MAX_INSTANCES {
            let message = format!("A deployment can have {MAX_INSTANCES} node instances at most");
            return Err(Error::logic(message));
        }
        for _ in 0..count {
            let id = self.fresh_id(self.containers.element(element).name, random);
            self.put(element, parent, id);
        }
        Ok(())
    }

    /// Adds an instance of an element that has an id already.
    pub fn put(&mut self, element: usize, parent: Option<usize>, id: String) {
        if let Some(numbers) = self.of.get_mut(element) {
            numbers.push(self.placed.len());
        }
        self.placed.push(Placed {
            id,
            element,
            parent,
        });
    }

    /// The instances of all nodes, in the order of the nodes.
    pub fn instances(&self, nodes: &[Fields]) -> Result<Vec<NodeInstance>> {
        let mut instances = Vec::new();
        let mut relationships = 0;
        for (number, node) in nodes.iter().enumerate() {
            for (index, placed) in self.of(number).iter().enumerate() {
                let instance = self.instance(node, *placed, index)?;
                relationships += instance.relationships.len();
                if relationships > MAX_RELATIONSHIPS {
                    let message = format!(
                        "A deployment can have {MAX_RELATIONSHIPS} relationships of node instances at most"
                    );
                    return Err(Error::logic(message));
                }
                instances.push(instance);
            }
        }
        Ok(instances)
    }

    fn fresh_id(&mut self, name: &str, random: &mut dyn FnMut() -> u32) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut attempt = 0;
        loop {
            let mut id = format!("{name}_");
            for _ in 0..6 {
                let letter = LETTERS.get(random() as usize % LETTERS.len());
                id.push(char::from(*letter.unwrap_or(&b'a')));
            }
            // If the random source repeats itself, this must still come to an end.
            if attempt > 100 {
                id.push_str(&format!("{:x}", self.ids.len()));
            }
            attempt += 1;
            if self.ids.insert(id.clone()) {
                return id;
            }
        }
    }

    /// The instances around an instance, the innermost first.
    fn around(&self, placed: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.placed(placed).parent, |one| self.placed(*one).parent)
    }

    fn instance(&self, node: &Fields, placed: usize, index: usize) -> Result<NodeInstance> {
        let is_host = |placed: usize| {
            let node = self.element_of(placed).node;
            node.is_some_and(|node| node.derives_from(COMPUTE))
        };
        // If hosts are inside hosts, the outermost one counts.
        let host = std::iter::once(placed)
            .chain(self.around(placed))
            .filter(|one| is_host(*one))
            .last();
        let groups = self.containers.groups_around(self.placed(placed).element);
        let groups = groups.iter().filter_map(|group| {
            self.around(placed)
                .find(|one| self.placed(*one).element == *group)
        });
        let mut relationships = Vec::new();
        for relationship in node.relationships() {
            let target = relationship.text("target_id");
            for id in self.targets(node, relationship, placed)? {
                relationships.push(InstanceRelationship {
                    type_name: relationship.text("type").to_owned(),
                    target_name: target.to_owned(),
                    target_id: id.to_owned(),
                });
            }
        }
        Ok(NodeInstance {
            id: self.placed(placed).id.clone(),
            node_id: node.name().to_owned(),
            host_id: host.map(|host| self.placed(host).id.clone()),
            index: index as u32 + 1,
            relationships,
            scaling_groups: groups
                .map(|group| ScalingGroupInstance {
                    name: self.element_of(group).name.to_owned(),
                    id: self.placed(group).id.clone(),
                })
                .collect(),
            state: "uninitialized".to_owned(),
            runtime_properties: Map::new(),
        })
    }

    /// The ids of the instances that a relationship leads to.
    fn targets(&self, node: &Fields, relationship: &Fields, placed: usize) -> Result<Vec<&str>> {
        let target = relationship.text("target_id");
        let Some(element) = self.containers.node(target) else {
            return Ok(Vec::new());
        };
        let id = |placed: usize| self.placed(placed).id.as_str();
        if relationship.derives_from(CONTAINED_IN) {
            let mut around = self.around(placed);
            let container = around.find(|one| self.placed(*one).element == element);
            return Ok(container.map(id).into_iter().collect());
        }
        if !relationship.derives_from(CONNECTED_TO) && !relationship.derives_from(DEPENDS_ON) {
            return Err(Error::logic(format!(
                "Unsupported relationship type '{}': it has to derive from {DEPENDS_ON}, {CONNECTED_TO} or {CONTAINED_IN}",
                relationship.text("type")
            )));
        }
        let candidates = self.of(element);
        let shared = self.shared_group(placed, candidates);
        let connection = relationship.get("properties").get("connection_type");
        match (
            connection.and_then(Value::as_str).unwrap_or("all_to_all"),
            shared,
        ) {
            // In a shared scaling group only the members of one instance of it belong together.
            ("all_to_all", Some(group)) => {
                let is_near = |one: &usize| self.around(*one).any(|place| place == group);
                let near = candidates.iter().copied().filter(is_near);
                Ok(near.map(id).collect())
            }
            ("all_to_all", None) => Ok(candidates.iter().copied().map(id).collect()),
            ("all_to_one", Some(group)) => Err(Error::logic(format!(
                "'all_to_one' connection type is not supported within groups, but the source node '{}' and target node '{target}' are both in group '{}'",
                node.name(),
                self.element_of(group).name
            ))),
            ("all_to_one", None) => {
                let key = (
                    node.name().to_owned(),
                    relationship.text("type").to_owned(),
                    target.to_owned(),
                );
                let settled = self.settled.get(&key);
                let ids = candidates.iter().copied().map(id);
                let settled = settled.and_then(|settled| ids.clone().find(|id| id == settled));
                let chosen = settled.or_else(|| ids.min());
                Ok(chosen.into_iter().collect())
            }
            (other, _) => Err(Error::logic(format!("Unknown connection type '{other}'"))),
        }
    }

    /// The innermost instance of a scaling group around an instance, if the candidates are in the
    /// same group.
    fn shared_group(&self, placed: usize, candidates: &[usize]) -> Option<usize> {
        let first = *candidates.first()?;
        let is_group = |one: &usize| self.element_of(*one).node.is_none();
        self.around(placed).filter(is_group).find(|group| {
            let element = self.placed(*group).element;
            self.around(first)
                .any(|one| self.placed(one).element == element)
        })
    }
}
