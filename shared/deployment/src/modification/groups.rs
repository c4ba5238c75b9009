//! The numbers of instances that a deployment's nodes and scaling groups have and are to have.

use serde_json::{Map, Value};
use std::collections::HashMap;
use windlass_core::Result;
use windlass_core::db::Db;
use windlass_store::deployments::{self, Owner};
use windlass_store::nodes::{self, NewNumbers};

use crate::environment::ScalingGroups;

/// Nodes and scaling groups with their numbers.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    section: Map<String, Value>,
    is_changed: bool,
    nodes: Vec<NodeNumbers>,
    places: HashMap<String, usize>,
}

/// The numbers of one node, in each instance of what contains it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeNumbers {
    /// Its name.
    pub name: String,
    /// The host that it is on, which is a node.
    pub host: Option<String>,
    /// The present number.
    pub number: i64,
    /// The planned number.
    pub planned: i64,
    is_changed: bool,
}

impl Groups {
    /// Reads the numbers of a deployment.
    pub async fn load(db: &impl Db, owner: &Owner) -> Result<Self> {
        let nodes = nodes::for_scaling(db, owner).await?;
        let section = deployments::named::scaling_groups_of(db, owner).await?;
        Ok(Self::new(section, &nodes))
    }

    /// From the section of scaling groups and the nodes in the form of a plan.
    pub fn new(section: Map<String, Value>, nodes: &[Value]) -> Self {
        let nodes: Vec<NodeNumbers> = nodes
            .iter()
            .map(|node| {
                let properties = node.pointer("/capabilities/scalable/properties");
                let number = |name: &str| {
                    let number = properties.and_then(|properties| properties[name].as_i64());
                    number.unwrap_or(1)
                };
                NodeNumbers {
                    name: node["name"].as_str().unwrap_or_default().to_owned(),
                    host: node["host_id"].as_str().map(str::to_owned),
                    number: number("current_instances"),
                    planned: number("planned_instances"),
                    is_changed: false,
                }
            })
            .collect();
        let places = nodes.iter().enumerate();
        Self {
            places: places
                .map(|(place, node)| (node.name.clone(), place))
                .collect(),
            section,
            is_changed: false,
            nodes,
        }
    }

    /// The scaling groups as a plan has them.
    pub fn section(&self) -> &Map<String, Value> {
        &self.section
    }

    /// The scaling groups, if a number of one of them was changed.
    pub fn changed_section(&self) -> Option<&Map<String, Value>> {
        self.is_changed.then_some(&self.section)
    }

    /// Whether a name is that of a node or a scaling group.
    pub fn knows(&self, name: &str) -> bool {
        self.section.contains_key(name) || self.places.contains_key(name)
    }

    /// How many instances of a scaling group there are in each of its containers.
    pub fn number_of_group(&self, name: &str) -> Option<i64> {
        let properties = self.section.get(name)?.get("properties");
        let number = properties.and_then(|properties| properties["current_instances"].as_i64());
        Some(number.unwrap_or(1))
    }

    /// The numbers of a node.
    pub fn node(&self, name: &str) -> Option<&NodeNumbers> {
        self.nodes.get(*self.places.get(name)?)
    }

    /// Plans another number for a node or a scaling group; a group's name goes first.
    pub fn plan(&mut self, name: &str, number: i64) {
        if self.section.contains_key(name) {
            self.set(name, "planned_instances", number);
        } else if let Some(node) = self.node_mut(name) {
            node.planned = number;
        }
    }

    /// Makes a number the present one.
    pub fn settle(&mut self, name: &str, number: i64) {
        self.plan(name, number);
        if self.section.contains_key(name) {
            self.set(name, "current_instances", number);
        } else if let Some(node) = self.node_mut(name) {
            node.number = number;
        }
    }

    /// Plans the present number again.
    pub fn unplan(&mut self, name: &str) {
        let present = self.number_of_group(name);
        let present = present.or_else(|| self.node(name).map(|node| node.number));
        if let Some(present) = present {
            self.plan(name, present);
        }
    }

    fn set(&mut self, group: &str, property: &str, number: i64) {
        let properties = self
            .section
            .get_mut(group)
            .and_then(|group| group.get_mut("properties"))
            .and_then(Value::as_object_mut);
        if let Some(properties) = properties {
            properties.insert(property.to_owned(), number.into());
            self.is_changed = true;
        }
    }

    fn node_mut(&mut self, name: &str) -> Option<&mut NodeNumbers> {
        let node = self.nodes.get_mut(*self.places.get(name)?)?;
        node.is_changed = true;
        Some(node)
    }

    /// The numbers to be written: of changed nodes, and of all when a group around them changed.
    pub fn new_numbers(&self) -> Vec<NewNumbers<'_>> {
        let groups = Value::Object(self.section.clone());
        let around = ScalingGroups::of(&groups);
        let changed = self.nodes.iter();
        changed
            .filter(|node| node.is_changed || self.is_changed)
            .map(|node| NewNumbers {
                id: &node.name,
                number: Some(node.number),
                planned: Some(node.planned),
                actual_planned: Some(around.multiply(
                    node.planned,
                    &node.name,
                    node.host.as_deref(),
                )),
            })
            .collect()
    }
}
