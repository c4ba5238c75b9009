//! Node instances: what of a plan's nodes is to run, how often, and who is connected to whom.
//!
//! Nodes and scaling groups form one tree of containers: a node lies in the node that it is
//! contained in, the members of a scaling group in the group. Every container's instance gets
//! its own instances of what lies in it, so counts multiply from the top down.

use crate::error::{Error, Result};
use crate::plan::{DeploymentPlan, Fields};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

mod modification;

pub use modification::{Modification, Wanted, modify};

/// One instance of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct NodeInstance {
    /// `<node>_<six random characters>`.
    pub id: String,
    /// The node's name.
    pub node_id: String,
    /// The instance of the outermost host that it is contained in, or its own id for a host
    /// that is contained in none.
    #[serde(default)]
    pub host_id: Option<String>,
    /// 1, 2, ... among the instances of its node.
    #[serde(default)]
    pub index: u32,
    /// In the order of the template.
    #[serde(default)]
    pub relationships: Vec<InstanceRelationship>,
    /// The scaling groups that it is a member of, from the inside out.
    #[serde(default)]
    pub scaling_groups: Vec<ScalingGroupInstance>,
    /// `uninitialized` for a new one.
    #[serde(default)]
    pub state: String,
    /// What operations have written.
    #[serde(default)]
    pub runtime_properties: Map<String, Value>,
}

/// A relationship of an instance to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct InstanceRelationship {
    /// The relationship's type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The target node.
    pub target_name: String,
    /// The target instance.
    pub target_id: String,
}

/// An instance of a scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ScalingGroupInstance {
    /// The group's name.
    pub name: String,
    /// `<group>_<six random characters>`.
    pub id: String,
}

const CONTAINED_IN: &str = "cloudify.relationships.contained_in";
const CONNECTED_TO: &str = "cloudify.relationships.connected_to";
const DEPENDS_ON: &str = "cloudify.relationships.depends_on";
const COMPUTE: &str = "cloudify.nodes.Compute";
/// How many instances a deployment may have: counts of containers multiply.
const MAX_INSTANCES: usize = 50_000;
/// How many relationships they may have: all to all multiplies once more.
const MAX_RELATIONSHIPS: usize = 1_000_000;

/// Makes the instances of a deployment's nodes, in the order of the plan's nodes. `random`
/// gives the bits for their ids.
pub fn instantiate(
    plan: &DeploymentPlan,
    random: &mut dyn FnMut() -> u32,
) -> Result<Vec<NodeInstance>> {
    let containers = Containers::of(plan);
    let mut forest = Forest::new(&containers);
    for element in containers.top_down()? {
        for parent in forest.parents(element) {
            forest.add(element, parent, containers.elements[element].count, random)?;
        }
    }
    forest.instances(&plan.plan.nodes)
}

/// A node or a scaling group.
struct Element<'a> {
    name: &'a str,
    node: Option<&'a Fields>,
    count: usize,
    /// The element that it lies in.
    parent: Option<usize>,
}

/// The tree of nodes and groups; nodes have the numbers that they have in the plan.
struct Containers<'a> {
    elements: Vec<Element<'a>>,
    by_node: HashMap<&'a str, usize>,
    /// The group that lists an element among its members.
    group_of: HashMap<usize, usize>,
}

impl<'a> Containers<'a> {
    fn of(plan: &'a DeploymentPlan) -> Self {
        let plan = &plan.plan;
        let count = |properties: &Value| {
            let count = properties["current_instances"].as_u64().unwrap_or(1);
            usize::try_from(count).unwrap_or(usize::MAX)
        };
        let mut elements = Vec::new();
        let mut by_node = HashMap::new();
        for node in &plan.nodes {
            by_node.insert(node.name(), elements.len());
            elements.push(Element {
                name: node.name(),
                node: Some(node),
                count: count(&node.get("capabilities")["scalable"]["properties"]),
                parent: None,
            });
        }
        let groups = plan.section("scaling_groups").as_object();
        let mut by_group: HashMap<&str, usize> = HashMap::new();
        for (name, group) in groups.into_iter().flatten() {
            by_group.insert(name, elements.len());
            elements.push(Element {
                name,
                node: None,
                count: count(&group["properties"]),
                parent: None,
            });
        }
        let mut group_of = HashMap::new();
        for (name, group) in groups.into_iter().flatten() {
            for member in group["members"].as_array().into_iter().flatten() {
                let member = member.as_str().unwrap_or_default();
                let member = by_node.get(member).or_else(|| by_group.get(member));
                if let Some(member) = member {
                    group_of.insert(*member, by_group[name.as_str()]);
                }
            }
        }
        let mut containers = Self {
            elements,
            by_node,
            group_of,
        };
        containers.find_parents();
        containers
    }

    /// The node that a node is contained in.
    fn container(&self, element: usize) -> Option<usize> {
        let relationships = self.elements[element].node?.relationships();
        let contained = relationships
            .iter()
            .find(|one| one.derives_from(CONTAINED_IN))?;
        self.by_node.get(contained.text("target_id")).copied()
    }

    /// The groups around an element, from the inside out.
    fn groups_around(&self, element: usize) -> Vec<usize> {
        let mut groups: Vec<usize> = Vec::new();
        let mut current = element;
        while let Some(group) = self.group_of.get(&current) {
            if groups.contains(group) {
                break;
            }
            groups.push(*group);
            current = *group;
        }
        groups
    }

    fn find_parents(&mut self) {
        let nodes: Vec<usize> = (0..self.elements.len())
            .filter(|place| self.elements[*place].node.is_some())
            .collect();
        for node in nodes {
            let container = self.container(node);
            // Groups that the container lies in as well are around both of them.
            let mut shared = HashSet::new();
            let mut current = container;
            while let Some(place) = current {
                shared.extend(self.groups_around(place));
                current = self.container(place);
            }
            let mut inner = node;
            for group in self.groups_around(node) {
                if shared.contains(&group) {
                    break;
                }
                self.elements[inner].parent = Some(group);
                inner = group;
            }
            if let Some(container) = container
                && (inner == node || self.elements[inner].parent.is_none())
            {
                self.elements[inner].parent = Some(container);
            }
        }
    }

    /// All elements, containers before what lies in them.
    fn top_down(&self) -> Result<Vec<usize>> {
        let mut order = Vec::with_capacity(self.elements.len());
        let mut done = vec![false; self.elements.len()];
        for start in 0..self.elements.len() {
            let mut path = Vec::new();
            let mut current = Some(start);
            while let Some(element) = current {
                if done[element] {
                    break;
                }
                path.push(element);
                if path.len() > self.elements.len() {
                    let name = self.elements[start].name;
                    let message = format!("'{name}' is contained in itself");
                    return Err(Error::logic(message));
                }
                current = self.elements[element].parent;
            }
            for element in path.into_iter().rev() {
                done[element] = true;
                order.push(element);
            }
        }
        Ok(order)
    }
}

/// An instance of an element, in an instance of its parent.
struct Placed {
    id: String,
    element: usize,
    parent: Option<usize>,
}

/// All instances of all elements.
struct Forest<'a> {
    containers: &'a Containers<'a>,
    placed: Vec<Placed>,
    /// By element.
    of: Vec<Vec<usize>>,
    ids: HashSet<String>,
    /// The instance that all instances of a source are connected to, where that is settled
    /// already: by source node, type of relationship and target node.
    settled: HashMap<(String, String, String), String>,
}

impl<'a> Forest<'a> {
    fn new(containers: &'a Containers<'a>) -> Self {
        Self {
            containers,
            placed: Vec::new(),
            of: vec![Vec::new(); containers.elements.len()],
            ids: HashSet::new(),
            settled: HashMap::new(),
        }
    }

    /// The instances in which there are to be instances of an element; nothing stands for the
    /// deployment itself.
    fn parents(&self, element: usize) -> Vec<Option<usize>> {
        match self.containers.elements[element].parent {
            Some(parent) => self.of[parent].iter().copied().map(Some).collect(),
            None => vec![None],
        }
    }

    /// Adds new instances of an element.
    fn add(
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
            let id = self.fresh_id(self.containers.elements[element].name, random);
            self.put(element, parent, id);
        }
        Ok(())
    }

    fn put(&mut self, element: usize, parent: Option<usize>, id: String) {
        self.of[element].push(self.placed.len());
        self.placed.push(Placed {
            id,
            element,
            parent,
        });
    }

    /// The instances of all nodes, in the order of the nodes.
    fn instances(&self, nodes: &[Fields]) -> Result<Vec<NodeInstance>> {
        let mut instances = Vec::new();
        let mut relationships = 0;
        for (number, node) in nodes.iter().enumerate() {
            for (index, placed) in self.of[number].iter().enumerate() {
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
                id.push(char::from(LETTERS[random() as usize % LETTERS.len()]));
            }
            // A source that repeats itself must not keep us here for ever.
            if attempt > 100 {
                id.push_str(&format!("{:x}", self.ids.len()));
            }
            attempt += 1;
            if self.ids.insert(id.clone()) {
                return id;
            }
        }
    }

    /// The instances around an instance, from the inside out.
    fn around(&self, placed: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.placed[placed].parent, |one| self.placed[*one].parent)
    }

    fn instance(&self, node: &Fields, placed: usize, index: usize) -> Result<NodeInstance> {
        let element = self.placed[placed].element;
        let is_host = |placed: usize| {
            let node = self.containers.elements[self.placed[placed].element].node;
            node.is_some_and(|node| node.derives_from(COMPUTE))
        };
        // Of hosts in hosts the outermost counts.
        let host = std::iter::once(placed)
            .chain(self.around(placed))
            .filter(|one| is_host(*one))
            .last();
        let groups = self.containers.groups_around(element);
        let groups = groups.iter().filter_map(|group| {
            self.around(placed)
                .find(|one| self.placed[*one].element == *group)
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
            id: self.placed[placed].id.clone(),
            node_id: node.name().to_owned(),
            host_id: host.map(|host| self.placed[host].id.clone()),
            index: index as u32 + 1,
            relationships,
            scaling_groups: groups
                .map(|group| ScalingGroupInstance {
                    name: self.containers.elements[self.placed[group].element]
                        .name
                        .to_owned(),
                    id: self.placed[group].id.clone(),
                })
                .collect(),
            state: "uninitialized".to_owned(),
            runtime_properties: Map::new(),
        })
    }

    /// The ids of the instances that a relationship leads to.
    fn targets(&self, node: &Fields, relationship: &Fields, placed: usize) -> Result<Vec<&str>> {
        let target = relationship.text("target_id");
        let Some(element) = self.containers.by_node.get(target).copied() else {
            return Ok(Vec::new());
        };
        let id = |placed: usize| self.placed[placed].id.as_str();
        if relationship.derives_from(CONTAINED_IN) {
            let mut around = self.around(placed);
            let container = around.find(|one| self.placed[*one].element == element);
            return Ok(container.map(id).into_iter().collect());
        }
        if !relationship.derives_from(CONNECTED_TO) && !relationship.derives_from(DEPENDS_ON) {
            return Err(Error::logic(format!(
                "Unsupported relationship type '{}': it has to derive from {DEPENDS_ON}, {CONNECTED_TO} or {CONTAINED_IN}",
                relationship.text("type")
            )));
        }
        // In a shared scaling group only the members of one instance of it belong together.
        let is_group = |one: &usize| {
            self.containers.elements[self.placed[*one].element]
                .node
                .is_none()
        };
        let candidates = &self.of[element];
        let mut shared = None;
        for group in self.around(placed).filter(is_group) {
            let kind = self.placed[group].element;
            let lies_in = |one: usize| {
                self.around(one)
                    .any(|place| self.placed[place].element == kind)
            };
            if candidates.first().is_some_and(|first| lies_in(*first)) {
                shared = Some(group);
                break;
            }
        }
        let near =
            |one: &usize| shared.is_none_or(|group| self.around(*one).any(|place| place == group));
        match relationship.get("properties")["connection_type"]
            .as_str()
            .unwrap_or("all_to_all")
        {
            "all_to_all" => Ok(candidates
                .iter()
                .filter(|one| near(one))
                .map(|one| id(*one))
                .collect()),
            "all_to_one" if shared.is_some() => {
                let group = shared.map_or("", |group| {
                    self.containers.elements[self.placed[group].element].name
                });
                Err(Error::logic(format!(
                    "'all_to_one' connection type is not supported within groups, but the source node '{}' and target node '{target}' are both in group '{group}'",
                    node.name()
                )))
            }
            "all_to_one" => {
                let key = (
                    node.name().to_owned(),
                    relationship.text("type").to_owned(),
                    target.to_owned(),
                );
                let settled = self.settled.get(&key);
                let ids = candidates.iter().map(|one| id(*one));
                let settled = settled.and_then(|settled| ids.clone().find(|id| id == settled));
                let chosen = settled.or_else(|| ids.min());
                Ok(chosen.into_iter().collect())
            }
            other => Err(Error::logic(format!("Unknown connection type '{other}'"))),
        }
    }
}
