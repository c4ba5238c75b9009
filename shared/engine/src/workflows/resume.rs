//! What a resumed install does first: an instance that was left half created is deleted, one that
//! was left half started is stopped, because its create or start will be sent again. One whose create or
//! start never reached anybody has nothing to clean up, nor has one that something else takes down.

use super::steps::{Steps, Subject};
use super::{INTERFACE, host};
use crate::graph::{Builder, Graph, OperationState, RetryDefaults, Task};
use crate::plan::Topology;
use std::collections::{HashMap, HashSet};

/// What the subgraph that cleans up after an instance is called, before the instance's id.
const CLEAN_UP: &str = "resume_cleanup_";

/// Adds clean-up subgraphs to the graph of an install that is resumed, each before the
/// install of its instance. A failed clean-up does not keep the install from going on.
pub fn clean_up_before(
    graph: Graph,
    topology: &Topology,
    defaults: RetryDefaults,
    ids: &mut dyn FnMut() -> String,
) -> Graph {
    let mut subgraphs: HashMap<&str, usize> = HashMap::new();
    // What is cleaned up already, or is about to be taken down before it is installed again.
    let mut taken_down: HashSet<&str> = HashSet::new();
    let mut resent: HashSet<(usize, &str)> = HashSet::new();
    for (place, operation) in graph.operations.iter().enumerate() {
        let name = operation.name.as_str();
        if let (Some(call), Some(subgraph)) = (operation.call(), operation.subgraph) {
            if operation.state == OperationState::Pending && call.sent_before {
                resent.insert((subgraph, &call.operation));
            }
        } else if !operation.is_subgraph() || operation.state.has_ended() {
            continue;
        } else if let Some(instance) = name.strip_prefix("install_") {
            subgraphs.insert(instance, place);
        } else {
            taken_down.insert(name.strip_prefix(CLEAN_UP).unwrap_or(name));
        }
    }
    let mut wanted = Vec::new();
    for place in 0..topology.len() {
        let instance = topology.instance(place);
        let Some(subgraph) = subgraphs.get(instance.id.as_str()) else {
            continue;
        };
        let halfway = match instance.state.as_str() {
            "creating" => "create",
            "starting" => "start",
            _ => continue,
        };
        let operation = format!("{INTERFACE}.{halfway}");
        let is_resent = resent.contains(&(*subgraph, operation.as_str()));
        if is_resent && !taken_down.contains(instance.id.as_str()) {
            wanted.push((place, *subgraph, halfway == "start"));
        }
    }
    let mut builder = Builder::extend(graph, defaults, ids);
    builder.ignore_failure = true;
    for (place, install, stop) in wanted {
        let subject = Subject::at(topology, place);
        let mut steps = Steps::default();
        let begin = subject.event("Rolling back prior to resuming install");
        let anything = if stop {
            before_start(&subject, &builder, begin, &mut steps)
        } else {
            before_create(&subject, &builder, begin, &mut steps)
        };
        if !anything {
            continue;
        }
        steps.tasks([subject.event("Finished rolling back, now resuming install")]);
        let name = format!("{CLEAN_UP}{}", subject.instance.id);
        let subgraph = builder.subgraph(None, name);
        steps.into_sequence(&mut builder, subgraph);
        // The install's subgraph may be open already, so its waiting members wait themselves.
        builder.depend_like(subgraph, install);
        builder.depend(install, subgraph);
        let operations = builder.graph().operations.iter().take(subgraph);
        let members: Vec<usize> = operations
            .enumerate()
            .filter(|(_, member)| member.subgraph == Some(install))
            .map(|(place, _)| place)
            .collect();
        for member in members {
            builder.depend(member, subgraph);
        }
    }
    builder.into_graph()
}

fn before_create(
    subject: &Subject,
    builder: &Builder,
    begin: (String, Task),
    steps: &mut Steps,
) -> bool {
    let delete = subject.call(builder, &format!("{INTERFACE}.delete"));
    let postdelete = subject.call(builder, &format!("{INTERFACE}.postdelete"));
    if delete.is_none() && postdelete.is_none() {
        return false;
    }
    steps.tasks([begin]);
    steps.around(
        [subject.event("Deleting node instance")],
        delete,
        [subject.event("Deleted node instance")],
    );
    steps.around(
        [subject.event("Postdeleting node instance")],
        postdelete,
        [subject.event("Node instance postdeleted")],
    );
    true
}

fn before_start(
    subject: &Subject,
    builder: &Builder,
    begin: (String, Task),
    steps: &mut Steps,
) -> bool {
    let prestop = subject.call(builder, &format!("{INTERFACE}.prestop"));
    let stop = subject.call(builder, &format!("{INTERFACE}.stop"));
    if prestop.is_none() && stop.is_none() && !subject.node.is_host() {
        return false;
    }
    steps.tasks([begin]);
    steps.around(
        [subject.event("Prestopping node instance")],
        prestop,
        [subject.event("Node instance prestopped")],
    );
    if subject.node.is_host() {
        host::before_stop(subject, builder, steps);
    }
    steps.around([], stop, [subject.event("Stopped node instance")]);
    true
}
