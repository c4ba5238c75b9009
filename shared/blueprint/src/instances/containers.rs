//! The tree of nodes and scaling groups.

use super::CONTAINED_IN;
use crate::error::{Error, Result};
use crate::plan::{DeploymentPlan, Fields};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// A node or a scaling group.
pub(super) struct Element<'a> {
    pub name: &'a str,
    /// The node; none for a scaling group.
    pub node: Option<&'a Fields>,
    /// How many instances of it there are to be in each instance of its parent.
    pub count: usize,
    /// The number of the element that it lies in.
    pub parent: Option<usize>,
}

/// The tree of nodes and groups. An element's number is its place in the list: nodes come first,
/// in the order of the plan, then groups.
pub(super) struct Containers<'a> {
    elements: Vec<Element<'a>>,
    by_node: HashMap<&'a str, usize>,
    /// The group that lists an element among its members.
    group_of: HashMap<usize, usize>,
}

impl<'a> Containers<'a> {
    pub fn of(plan: &'a DeploymentPlan) -> Self {
        let plan = &plan.plan;
        let count = |properties: Option<&Value>| {
            let count = properties.and_then(|properties| properties.get("current_instances"));
            let count = count.and_then(Value::as_u64).unwrap_or(1);
            usize::try_from(count).unwrap_or(usize::MAX)
        };
        let mut elements = Vec::new();
        let mut by_node = HashMap::new();
        for node in &plan.nodes {
            by_node.insert(node.name(), elements.len());
            elements.push(Element {
                name: node.name(),
                node: Some(node),
                count: count(node.get("capabilities").pointer("/scalable/properties")),
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
                count: count(group.get("properties")),
                parent: None,
            });
        }
        let mut group_of = HashMap::new();
        for (name, group) in groups.into_iter().flatten() {
            let number = by_group.get(name.as_str());
            let members = group.get("members").and_then(Value::as_array);
            for member in members.into_iter().flatten().filter_map(Value::as_str) {
                let member = by_node.get(member).or_else(|| by_group.get(member));
                if let (Some(member), Some(number)) = (member, number) {
                    group_of.insert(*member, *number);
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

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    #[allow(
        clippy::indexing_slicing,
        reason = "numbers of elements are places in this list, and nothing is ever taken from it"
    )]
    pub fn element(&self, number: usize) -> &Element<'a> {
        &self.elements[number]
    }

    /// The number of the node of this name.
    pub fn node(&self, name: &str) -> Option<usize> {
        self.by_node.get(name).copied()
    }

    /// The node that a node is contained in.
    fn container(&self, element: usize) -> Option<usize> {
        let relationships = self.element(element).node?.relationships();
        let contained = relationships
            .iter()
            .find(|one| one.derives_from(CONTAINED_IN))?;
        self.node(contained.text("target_id"))
    }

    /// The groups around an element, the innermost first.
    pub fn groups_around(&self, element: usize) -> Vec<usize> {
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
        let nodes = self.elements.iter().filter(|one| one.node.is_some());
        for node in 0..nodes.count() {
            let container = self.container(node);
            // Groups around the container are around both.
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
                self.put_in(inner, group);
                inner = group;
            }
            if let Some(container) = container
                && (inner == node || self.element(inner).parent.is_none())
            {
                self.put_in(inner, container);
            }
        }
    }

    fn put_in(&mut self, inner: usize, parent: usize) {
        if let Some(element) = self.elements.get_mut(inner) {
            element.parent = Some(parent);
        }
    }

    /// The numbers of all elements. A container comes before what is inside of it.
    pub fn top_down(&self) -> Result<Vec<usize>> {
        let mut order = Vec::with_capacity(self.elements.len());
        let mut done = HashSet::with_capacity(self.elements.len());
        for start in 0..self.elements.len() {
            let mut path = Vec::new();
            let mut current = Some(start);
            while let Some(element) = current {
                if done.contains(&element) {
                    break;
                }
                path.push(element);
                if path.len() > self.elements.len() {
                    let name = self.element(start).name;
                    let message = format!("'{name}' is contained in itself");
                    return Err(Error::logic(message));
                }
                current = self.element(element).parent;
            }
            for element in path.into_iter().rev() {
                done.insert(element);
                order.push(element);
            }
        }
        Ok(order)
    }
}
