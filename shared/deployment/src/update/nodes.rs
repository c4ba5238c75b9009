//! What is different between the nodes of two shapes.
//!
//! Most nodes are the same text in both, which is all that is looked at then. Only the others are read.

use serde_json::{Map, Value};
use std::collections::HashMap;
use windlass_store::nodes::NewNode;

use super::difference::action;
use super::steps::{Action, EntityType, Step};

const CONTAINED_IN: &str = "cloudify.relationships.contained_in";

/// Adds the steps between two lists of nodes.
pub(super) fn compare(old: &[NewNode], new: &[NewNode], steps: &mut Vec<Step>) {
    let before: HashMap<&str, &NewNode> = by_id(old);
    let after: HashMap<&str, &NewNode> = by_id(new);
    for node in old {
        if !after.contains_key(node.id.as_str()) {
            steps.push(whole(Action::Remove, &node.id));
        }
    }
    let mut added = Vec::new();
    for node in new {
        match before.get(node.id.as_str()) {
            None => added.push(node),
            Some(known) if is_replaced(known, node) => {
                steps.push(whole(Action::Remove, &node.id));
                added.push(node);
            }
            Some(known) => inside(known, node, steps),
        }
    }
    steps.extend(additions(&added));
}

fn by_id(nodes: &[NewNode]) -> HashMap<&str, &NewNode> {
    nodes.iter().map(|node| (node.id.as_str(), node)).collect()
}

fn whole(action: Action, id: &str) -> Step {
    Step::new(action, EntityType::Node, &["nodes", id])
}

fn list(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_default()
}

fn map(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Whether a node is so different that its instances cannot stay: of another type, or contained in
/// something else.
fn is_replaced(old: &NewNode, new: &NewNode) -> bool {
    old.type_name != new.type_name
        || (old.relationships != new.relationships && container(old) != container(new))
}

/// What a node is contained in: the type of that relationship, and the target.
fn container(node: &NewNode) -> Option<(Value, Value)> {
    let relationships = list(&node.relationships);
    let mut contained = relationships.into_iter().filter(|relationship| {
        let hierarchy = relationship["type_hierarchy"].as_array();
        hierarchy.is_some_and(|types| types.iter().any(|name| name == CONTAINED_IN))
    });
    let first = contained.next()?;
    let part = |name: &str| first.get(name).cloned().unwrap_or_default();
    Some((part("type"), part("target_id")))
}

/// The steps of new nodes. What others depend on has a higher number.
fn additions(added: &[&NewNode]) -> Vec<Step> {
    let places: HashMap<&str, usize> = (0..)
        .zip(added)
        .map(|(place, node)| (node.id.as_str(), place))
        .collect();
    let targets: Vec<Vec<usize>> = added
        .iter()
        .map(|node| {
            let relationships = list(&node.relationships);
            let names = relationships
                .iter()
                .filter_map(|one| one["target_id"].as_str());
            names.filter_map(|name| places.get(name).copied()).collect()
        })
        .collect();
    let orders = topology_orders(&targets);
    let steps = added.iter().zip(orders).map(|(node, topology_order)| Step {
        topology_order,
        ..whole(Action::Add, &node.id)
    });
    steps.collect()
}

/// A number for each node, higher than those of all that have it as a target. Nodes in a circle, which
/// no parser lets through, get some number.
fn topology_orders(targets: &[Vec<usize>]) -> Vec<usize> {
    let mut waits_for = vec![0_usize; targets.len()];
    for target in targets.iter().flatten() {
        if let Some(count) = waits_for.get_mut(*target) {
            *count += 1;
        }
    }
    let is_free = |count: &usize| *count == 0;
    let mut ready: Vec<usize> = (0..targets.len())
        .rev()
        .filter(|place| waits_for.get(*place).is_some_and(is_free))
        .collect();
    let mut orders = vec![0; targets.len()];
    let mut next = 0;
    while let Some(place) = ready.pop() {
        if let Some(order) = orders.get_mut(place) {
            *order = next;
            next += 1;
        }
        for target in targets.get(place).into_iter().flatten() {
            if let Some(count) = waits_for.get_mut(*target) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    ready.push(*target);
                }
            }
        }
    }
    orders
}

/// The steps inside of a node that stays.
fn inside(old: &NewNode, new: &NewNode, steps: &mut Vec<Step>) {
    let id = new.id.as_str();
    if old.properties != new.properties {
        let (old, new) = (map(&old.properties), map(&new.properties));
        let path = ["nodes", id, "properties"];
        entries(&path, EntityType::Property, &old, &new, steps);
    }
    if old.operations != new.operations {
        let (old, new) = (map(&old.operations), map(&new.operations));
        let path = ["nodes", id, "operations"];
        entries(&path, EntityType::Operation, &old, &new, steps);
    }
    if old.relationships != new.relationships {
        relationships(
            id,
            &list(&old.relationships),
            &list(&new.relationships),
            steps,
        );
    }
    let hierarchies = [&old.type_hierarchy, &new.type_hierarchy];
    for (what, differs) in [
        (
            "type_hierarchy",
            list(hierarchies[0]) != list(hierarchies[1]),
        ),
        ("capabilities", old.counts != new.counts),
    ] {
        if differs {
            let path = ["nodes", id, what];
            steps.push(Step::new(Action::Modify, EntityType::Node, &path));
        }
    }
}

/// Adds a step for each name under which two maps differ.
fn entries(
    path: &[&str],
    entity_type: EntityType,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    steps: &mut Vec<Step>,
) {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    for name in new.keys().chain(gone) {
        if let Some(action) = action(old.get(name), new.get(name)) {
            let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
            steps.push(Step::new(action, entity_type, &path));
        }
    }
}

/// The steps between the relationships of a node. One is known by its type and its target; of several
/// such ones the first is the first.
fn relationships(id: &str, old: &[Value], new: &[Value], steps: &mut Vec<Step>) {
    let mut left: Vec<Option<&Value>> = old.iter().map(Some).collect();
    for (place, relationship) in new.iter().enumerate() {
        let is_same = |known: &Option<&Value>| {
            known.is_some_and(|known| {
                known["type"] == relationship["type"]
                    && known["target_id"] == relationship["target_id"]
            })
        };
        let here = format!("[{place}]");
        let Some(was) = left.iter().position(is_same) else {
            let path = ["nodes", id, "relationships", &here];
            steps.push(Step::new(Action::Add, EntityType::Relationship, &path));
            continue;
        };
        let known = left.get_mut(was).and_then(Option::take);
        if was != place {
            let path = ["nodes", id, "relationships", &format!("[{was}]"), &here];
            steps.push(Step::new(Action::Modify, EntityType::Relationship, &path));
        }
        if let Some(known) = known {
            inside_relationship(
                &["nodes", id, "relationships", &here],
                known,
                relationship,
                steps,
            );
        }
    }
    for (place, _) in left.iter().enumerate().filter(|(_, left)| left.is_some()) {
        let path = ["nodes", id, "relationships", &format!("[{place}]")];
        steps.push(Step::new(Action::Remove, EntityType::Relationship, &path));
    }
}

fn inside_relationship(path: &[&str], old: &Value, new: &Value, steps: &mut Vec<Step>) {
    let nothing = Map::new();
    for (name, entity_type) in [
        ("properties", EntityType::Property),
        ("source_operations", EntityType::Operation),
        ("target_operations", EntityType::Operation),
    ] {
        let [old, new] = [old, new].map(|one| one[name].as_object().unwrap_or(&nothing));
        let path: Vec<&str> = path.iter().copied().chain([name]).collect();
        entries(&path, entity_type, old, new, steps);
    }
    if old["type_hierarchy"] != new["type_hierarchy"] {
        let path: Vec<&str> = path.iter().copied().chain(["type_hierarchy"]).collect();
        steps.push(Step::new(Action::Modify, EntityType::Relationship, &path));
    }
}
