//! Relationship operations, and the order that relationships impose on instances.

use super::selection::Selection;
use super::steps::Subject;
use crate::graph::{Builder, Related, Sequence, Task};
use crate::plan::{NodeRelationship, Topology};

const INTERFACE: &str = "cloudify.interfaces.relationship_lifecycle";

/// The calls of one relationship: the source's, then the target's.
fn calls(
    topology: &Topology,
    builder: &Builder,
    source: usize,
    (relationship, target): (&NodeRelationship, usize),
    operation: &str,
) -> Vec<(String, Task)> {
    let operation = format!("{INTERFACE}.{operation}");
    let (source, target) = (Subject::at(topology, source), Subject::at(topology, target));
    let related = |subject: &Subject, is_target| Related {
        instance: subject.instance.id.clone(),
        node: subject.node.id.clone(),
        is_target,
    };
    let on_source = relationship
        .source_operations
        .get(&operation)
        .and_then(|found| source.call_of(builder, &operation, found, Some(related(&target, true))));
    let on_target = relationship
        .target_operations
        .get(&operation)
        .and_then(|found| {
            target.call_of(builder, &operation, found, Some(related(&source, false)))
        });
    on_source.into_iter().chain(on_target).collect()
}

/// The calls of a relationship operation of an instance, for all its targets.
pub fn calls_of(
    topology: &Topology,
    builder: &Builder,
    source: usize,
    operation: &str,
) -> Vec<(String, Task)> {
    let relationships = topology.relationships(source).into_iter();
    relationships
        .flat_map(|relationship| calls(topology, builder, source, relationship, operation))
        .collect()
}

/// Adds the subgraph of a relationship operation of an instance: for each target node in the order
/// of the template (or its reverse), source and target operations next to each other.
/// Nothing when all of them are no-ops.
pub fn subgraph(
    topology: &Topology,
    builder: &mut Builder,
    inside: usize,
    place: usize,
    operation: &str,
    order: Order,
) -> Option<usize> {
    let mut groups: Vec<(&str, Vec<(String, Task)>)> = Vec::new();
    for (relationship, target) in topology.relationships(place) {
        let calls = calls(topology, builder, place, (relationship, target), operation);
        match groups.last_mut() {
            Some((node, group)) if *node == relationship.target_id => group.extend(calls),
            _ => groups.push((&relationship.target_id, calls)),
        }
    }
    groups.retain(|(_, group)| !group.is_empty());
    if groups.is_empty() {
        return None;
    }
    if order == Order::Reverse {
        groups.reverse();
    }
    let name = format!("{INTERFACE}.{operation}_subgraph");
    let subgraph = builder.subgraph(Some(inside), name);
    let mut sequence = Sequence::new(subgraph);
    for (_, group) in groups {
        sequence.fork(builder, group);
    }
    Some(subgraph)
}

/// In which order the relationships of one instance are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the template lists them.
    Template,
    /// The last one first.
    Reverse,
}

/// Which way instances wait for each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Dependents wait for their targets.
    TargetsFirst,
    /// Targets wait for their dependents.
    DependentsFirst,
}

/// Makes the subgraphs of all instances wait for each other as their relationships say.
/// `subgraphs` has one for each instance.
pub fn order(
    topology: &Topology,
    selection: &Selection,
    subgraphs: &[usize],
    direction: Direction,
    builder: &mut Builder,
) {
    for place in selection.places().chain(selection.others()) {
        wait(topology, subgraphs, place, direction, builder);
    }
}

/// The same, and runs an operation of those relationships that lead from an instance that is left
/// alone to one that is not.
pub fn order_and_run(
    topology: &Topology,
    selection: &Selection,
    subgraphs: &[usize],
    direction: Direction,
    operation: &str,
    builder: &mut Builder,
) {
    order(topology, selection, subgraphs, direction, builder);
    for place in selection.others() {
        let mut relationships = topology.relationships(place);
        if direction == Direction::DependentsFirst {
            relationships.reverse();
        }
        let Some(subgraph) = subgraphs.get(place) else {
            continue;
        };
        let mut sequence = Sequence::new(*subgraph);
        for (relationship, target) in relationships {
            if !selection.touches(topology, place, target) {
                continue;
            }
            for (name, task) in calls(topology, builder, place, (relationship, target), operation) {
                sequence.then(builder, name, task);
            }
        }
    }
}

fn wait(
    topology: &Topology,
    subgraphs: &[usize],
    place: usize,
    direction: Direction,
    builder: &mut Builder,
) {
    for (relationship, target) in topology.relationships(place) {
        let (after, about) = match direction {
            Direction::TargetsFirst => (place, target),
            Direction::DependentsFirst => (target, place),
        };
        let (Some(&later), Some(&earlier)) = (subgraphs.get(after), subgraphs.get(about)) else {
            continue;
        };
        let Some(operation) = &relationship.operation else {
            builder.depend(later, earlier);
            continue;
        };
        // Only that operation is waited for, with what follows directly on it.
        let wanted = format!("cloudify.interfaces.lifecycle.{operation}");
        let about = &topology.instance(about).id;
        for dependent in builder.after_call(earlier, &wanted, about) {
            builder.depend(later, dependent);
        }
    }
}
