//! rollback: takes instances that were left on their way back to where they can be installed again.
//!
//! Half created or configured ones are deleted and `uninitialized` then; half started ones are
//! stopped and `configured`.

use super::instance_steps::{InstanceSteps, subgraphs};
use super::selection::Selection;
use super::uninstall;
use crate::graph::Builder;
use crate::plan::Topology;

/// The states in which an instance is on its way.
pub const UNRESOLVED: [&str; 3] = ["creating", "configuring", "starting"];

/// Builds the graph: one subgraph for each selected instance that is on its way. The others unlink
/// from those; a failure of that is always passed over.
pub fn build(
    topology: &Topology,
    selection: &Selection,
    ignore_failure: bool,
    builder: &mut Builder,
) {
    let unresolved = Selection::new(topology, |place| {
        let state = topology.instance(place).state.as_str();
        selection.contains(place) && UNRESOLVED.contains(&state)
    });
    builder.ignore_failure = ignore_failure;
    let subgraphs = subgraphs(topology, &unresolved, builder, instance);
    uninstall::unlink_others(topology, &unresolved, &subgraphs, builder);
    builder.ignore_failure = false;
}

fn instance(topology: &Topology, place: usize, builder: &mut Builder) -> usize {
    let name = topology.instance(place).id.clone();
    let mut steps = InstanceSteps::new(topology, place, builder, None, name);
    stop(&mut steps);
    delete(&mut steps);
    steps.tell("Rollbacked node instance");
    steps.finish()
}

fn stop(steps: &mut InstanceSteps) {
    if steps.subject.is_in(&["starting"]) {
        uninstall::stop_running(steps);
        let configured = steps.subject.state("configured");
        steps.steps.tasks([configured]);
        return;
    }
    // "after" is what the original says here.
    steps.nothing("Validating node instance after deletion");
    let state = &steps.subject.instance.state;
    steps.tell(&format!(
        "Rollback Stop: nothing to do, instance state is {state}"
    ));
}

fn delete(steps: &mut InstanceSteps) {
    if steps.subject.is_in(&["starting"]) {
        let state = &steps.subject.instance.state;
        steps.tell(&format!(
            "Rollback Delete: nothing to do, instance state is {state}"
        ));
        return;
    }
    uninstall::delete_there(steps);
    let uninitialized = steps.subject.state("uninitialized");
    steps.steps.tasks([uninitialized]);
}
