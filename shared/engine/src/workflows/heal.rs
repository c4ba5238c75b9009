//! heal: instances that are not well are healed by their own operations where they have some, and
//! reinstalled where they have none or those failed.

use super::INTERFACE;
use super::instance_steps::{InstanceSteps, subgraphs};
use super::relationships::{self, Direction};
use super::selection::Selection;
use crate::graph::{Builder, RetryWith, SubgraphRetry};
use crate::plan::Topology;
use std::collections::HashSet;

/// The operation that makes an instance one that can be healed.
pub const OPERATION: &str = "cloudify.interfaces.lifecycle.heal";

/// What the subgraph that heals an instance is called, before the instance's id.
pub const SUBGRAPH: &str = "heal_";

/// How many instances a refusal names.
const NAMED: usize = 5;

/// Builds the graph: one subgraph for each instance. One that fails does not keep the others from
/// being healed.
pub fn build(topology: &Topology, selection: &Selection, builder: &mut Builder) {
    let subgraphs = subgraphs(topology, selection, builder, |topology, place, builder| {
        let id = &topology.instance(place).id;
        let name = format!("{SUBGRAPH}{id}");
        let mut steps = InstanceSteps::new(topology, place, builder, None, name);
        steps.tell("Healing node instance");
        for operation in ["preheal", "heal", "postheal"] {
            let operation = format!("{INTERFACE}.{operation}");
            let call = steps.subject.call(steps.builder, &operation);
            steps.steps.around([], call, []);
        }
        steps.tell("Node instance healed");
        let subgraph = steps.finish();
        let handler = SubgraphRetry {
            instance: id.clone(),
            with: RetryWith::Heal,
            retries: 0,
            total_retries: 0,
        };
        builder.retry_of(subgraph, handler);
        subgraph
    });
    let direction = Direction::TargetsFirst;
    relationships::order(topology, selection, &subgraphs, direction, builder);
}

/// What is to be done about which instances, by their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedies {
    /// Those that are healed by their own operations.
    pub heal: Vec<usize>,
    /// Those that are reinstalled, with all that they contain.
    pub reinstall: Vec<usize>,
}

/// Decides about instances; `is_healthy` is asked for each.
pub fn remedies(
    topology: &Topology,
    among: &Selection,
    is_healthy: impl Fn(usize) -> bool,
) -> Remedies {
    let ill: Vec<usize> = among.places().filter(|place| !is_healthy(*place)).collect();
    let has_heal = |place: &usize| {
        let operation = topology.node(*place).operations.get(OPERATION);
        operation.is_some_and(|operation| !operation.is_noop())
    };
    let (heal, without): (Vec<usize>, Vec<usize>) = ill.into_iter().partition(has_heal);
    let reinstall = topology.with_contained(without);
    let doomed: HashSet<usize> = reinstall.iter().copied().collect();
    Remedies {
        heal: heal
            .into_iter()
            .filter(|place| !doomed.contains(place))
            .collect(),
        reinstall,
    }
}

/// Why instances are not reinstalled although they would have to be.
pub fn reinstall_disallowed(ids: &[String]) -> String {
    let named: Vec<&str> = ids.iter().take(NAMED).map(String::as_str).collect();
    let more = match ids.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    format!(
        "allow_reinstall is false, but would need to reinstall instances: {}{more}",
        named.join(", ")
    )
}
