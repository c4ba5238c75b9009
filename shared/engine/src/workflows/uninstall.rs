//! uninstall: takes instances down to `deleted`, dependents before their targets.
//!
//! The rows stay, so a later install starts from them.

use super::instance_steps::{InstanceSteps, subgraphs};
use super::relationships::{self, Direction, Order};
use super::selection::Selection;
use super::{INTERFACE, host};
use crate::graph::{Builder, RetryWith};
use crate::plan::Topology;

/// Builds the graph: one subgraph for each instance. Instances that are left alone unlink from
/// uninstalled ones; a failure of that is always passed over.
pub fn build(
    topology: &Topology,
    selection: &Selection,
    ignore_failure: bool,
    builder: &mut Builder,
) {
    builder.ignore_failure = ignore_failure;
    let subgraphs = subgraphs(topology, selection, builder, |topology, place, builder| {
        let subgraph = instance(topology, place, None, builder);
        if !ignore_failure {
            let id = &topology.instance(place).id;
            builder.try_again(subgraph, id, RetryWith::Uninstall);
        }
        subgraph
    });
    unlink_others(topology, selection, &subgraphs, builder);
    builder.ignore_failure = ignore_failure;
}

/// Puts dependents before their targets, and has instances that are left alone unlink from selected
/// ones. A failure of that is passed over.
pub fn unlink_others(
    topology: &Topology,
    selection: &Selection,
    subgraphs: &[usize],
    builder: &mut Builder,
) {
    builder.ignore_failure = true;
    relationships::order_and_run(
        topology,
        selection,
        subgraphs,
        Direction::DependentsFirst,
        "unlink",
        builder,
    );
}

/// Adds the subgraph that uninstalls one instance, inside another one or by itself.
pub fn instance(
    topology: &Topology,
    place: usize,
    inside: Option<usize>,
    builder: &mut Builder,
) -> usize {
    let name = topology.instance(place).id.clone();
    let mut steps = InstanceSteps::new(topology, place, builder, inside, name);
    stop(&mut steps);
    delete(&mut steps);
    steps.finish()
}

fn stop(steps: &mut InstanceSteps) {
    let runs = !steps.subject.is_in(&[
        "stopped",
        "deleting",
        "deleted",
        "uninitialized",
        "configured",
    ]);
    if runs {
        stop_running(steps);
    } else {
        // "after" is what the original says here.
        steps.nothing("Validating node instance after deletion");
        let state = &steps.subject.instance.state;
        steps.tell(&format!("Stop: instance already {state}"));
    }
    if !steps.subject.is_in(&["stopped", "deleting", "deleted"]) {
        let stopped = steps.subject.state("stopped");
        steps.steps.tasks([stopped]);
    }
}

/// Stops an instance that runs, or is about to.
pub fn stop_running(steps: &mut InstanceSteps) {
    steps.enter("stopping", "Stopping node instance");
    let validates = steps.around(
        "Validating node instance before deletion",
        "cloudify.interfaces.validation.delete",
        "Node instance validated before deletion",
    );
    if !validates {
        steps.nothing("Validating node instance after deletion");
    }
    let monitoring = "cloudify.interfaces.monitoring.stop";
    let monitors = steps.subject.call(steps.builder, monitoring);
    steps.steps.around([], monitors, []);
    steps.around(
        "Prestopping node instance",
        &format!("{INTERFACE}.prestop"),
        "Node instance prestopped",
    );
    if steps.subject.node.is_host() {
        host::before_stop(&steps.subject, steps.builder, &mut steps.steps);
    }
    let stop = steps
        .subject
        .call(steps.builder, &format!("{INTERFACE}.stop"));
    let stopped = steps.subject.event("Stopped node instance");
    if !steps.steps.around([], stop, [stopped]) {
        steps.nothing("Stopped node instance");
    }
}

fn delete(steps: &mut InstanceSteps) {
    if steps.subject.is_in(&["deleted", "uninitialized"]) {
        let state = &steps.subject.instance.state;
        steps.tell(&format!("Delete: instance already {state}"));
    } else {
        delete_there(steps);
    }
    if !steps.subject.is_in(&["deleted"]) {
        steps.enter("deleted", "Deleted node instance");
    }
}

/// Unlinks and deletes an instance of which something may be there.
pub fn delete_there(steps: &mut InstanceSteps) {
    let texts = ["Unlinking relationships", "Relationships unlinked"];
    steps.related("unlink", texts, Order::Reverse);
    let call = steps
        .subject
        .call(steps.builder, &format!("{INTERFACE}.delete"));
    if let Some(call) = call {
        steps.enter("deleting", "Deleting node instance");
        steps.steps.tasks([call]);
    } else {
        steps.nothing("Deleting node instance");
    }
    steps.around(
        "Postdeleting node instance",
        &format!("{INTERFACE}.postdelete"),
        "Node instance postdeleted",
    );
}
