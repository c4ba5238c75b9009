//! The second try of an instance that could not be installed or uninstalled.
//!
//! It is uninstalled from the state in which it was left, and where it was being installed,
//! installed again from the beginning. The original builds both from the state that the instance
//! had when the workflow began, and so takes nothing down of what a first install has made.

use super::{install, uninstall};
use crate::graph::{
    Builder, Graph, OperationState, RetryDefaults, RetryWith, Sequence, SubgraphRetry, Task,
};
use crate::plan::Topology;
use crate::step::least_pause;

/// Adds a subgraph in place of each of those that failed and are tried again. Whoever waits for one
/// of them, or for something in it, waits for the new one. `topology` has the states as they are.
pub fn retry_subgraphs(
    graph: Graph,
    failed: &[usize],
    topology: &mut Topology,
    defaults: RetryDefaults,
    ids: &mut dyn FnMut() -> String,
) -> Graph {
    let mut builder = Builder::extend(graph, defaults, ids);
    for subgraph in failed {
        let failed = builder.graph().operations.get(*subgraph);
        let Some(Task::Subgraph(Some(retry))) = failed.map(|failed| &failed.task) else {
            continue;
        };
        let retry = SubgraphRetry {
            retries: retry.retries + 1,
            ..SubgraphRetry::clone(retry)
        };
        let waiting = waiting_for(builder.graph(), *subgraph);
        let running = running_in(builder.graph(), *subgraph);
        let new = add(&retry, topology, &mut builder);
        builder.pause_before(new, least_pause(retry.retries, retry.total_retries));
        builder.retry_of(new, retry);
        for call in running {
            builder.depend(new, call);
        }
        for later in waiting {
            builder.depend(later, new);
        }
    }
    builder.into_graph()
}

/// The open operations outside of a subgraph that wait for it or for what did not end well in it.
fn waiting_for(graph: &Graph, subgraph: usize) -> Vec<usize> {
    let is_given_up = |place: &usize| {
        let operation = graph.operations.get(*place);
        operation.is_some_and(|operation| operation.state == OperationState::Failed)
            && graph.is_within(*place, subgraph)
    };
    let operations = graph.operations.iter().enumerate();
    operations
        .filter(|(_, operation)| {
            !operation.state.has_ended() && operation.dependencies.iter().any(is_given_up)
        })
        .map(|(place, _)| place)
        .collect()
}

/// The calls in a subgraph that go on although it was given up. What takes its place must not meet
/// them: an unlink would overtake an establish.
fn running_in(graph: &Graph, subgraph: usize) -> Vec<usize> {
    let operations = graph.operations.iter().enumerate();
    operations
        .filter(|(place, operation)| {
            operation.state == OperationState::Started
                && operation.call().is_some()
                && graph.is_within(*place, subgraph)
        })
        .map(|(place, _)| place)
        .collect()
}

fn add(retry: &SubgraphRetry, topology: &mut Topology, builder: &mut Builder) -> usize {
    let id = retry.instance.as_str();
    let place = topology.place(id);
    match (retry.with, place) {
        // A heal is never tried again.
        (RetryWith::Heal, Some(_)) => builder.subgraph(None, id),
        (RetryWith::Uninstall, Some(place)) => uninstall::instance(topology, place, None, builder),
        // Nothing can be run on an instance whose node is gone, so nothing is left to do.
        (RetryWith::Uninstall | RetryWith::Heal, None) => builder.subgraph(None, id),
        (RetryWith::Reinstall, place) => {
            let subgraph = builder.subgraph(None, format!("reinstall_{id}"));
            let mut sequence = Sequence::new(subgraph);
            let told = Task::SendEvent {
                instance: id.to_owned(),
                text: "Node lifecycle failed. Attempting to re-run node lifecycle".into(),
            };
            sequence.then(builder, "SendNodeEventTask", told);
            if let Some(place) = place {
                let down = uninstall::instance(topology, place, Some(subgraph), builder);
                sequence.join(builder, vec![down]);
                topology.set_state(id, "deleted");
                let up = install::instance(topology, place, Some(subgraph), builder);
                sequence.join(builder, vec![up]);
            }
            subgraph
        }
    }
}
