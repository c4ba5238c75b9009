//! uninstall: takes instances down to `deleted`, dependents before their targets.
//!
//! The rows stay, so a later install starts from them.

use super::install::related;
use super::relationships::{self, Direction};
use super::steps::{Selection, Steps, Subject};
use super::{INTERFACE, host};
use crate::graph::Builder;
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
    let subgraphs: Vec<usize> = (0..topology.len())
        .map(|place| {
            if selection.contains(place) {
                instance(topology, place, builder)
            } else {
                let id = &topology.instance(place).id;
                builder.subgraph(None, format!("stub_{id}"))
            }
        })
        .collect();
    builder.ignore_failure = true;
    relationships::order_and_run(
        topology,
        selection,
        &subgraphs,
        Direction::DependentsFirst,
        "unlink",
        builder,
    );
    builder.ignore_failure = ignore_failure;
}

fn instance(topology: &Topology, place: usize, builder: &mut Builder) -> usize {
    let subject = Subject::at(topology, place);
    let subgraph = builder.subgraph(None, subject.instance.id.clone());
    let mut steps = Steps::default();
    stop(&subject, builder, &mut steps);
    delete(topology, place, subgraph, builder, &mut steps);
    steps.into_sequence(builder, subgraph);
    subgraph
}

fn stop(subject: &Subject, builder: &Builder, steps: &mut Steps) {
    let state = &subject.instance.state;
    let runs = !subject.is_in(&[
        "stopped",
        "deleting",
        "deleted",
        "uninitialized",
        "configured",
    ]);
    let call = |operation: &str| runs.then(|| subject.call(builder, operation)).flatten();
    if runs {
        steps.tasks([
            subject.state("stopping"),
            subject.event("Stopping node instance"),
        ]);
    }
    let validates = steps.around(
        [subject.event("Validating node instance before deletion")],
        call("cloudify.interfaces.validation.delete"),
        [subject.event("Node instance validated before deletion")],
    );
    if !validates {
        // "after" is what the original says here.
        steps.tasks([subject.event("Validating node instance after deletion: nothing to do")]);
    }
    steps.around([], call("cloudify.interfaces.monitoring.stop"), []);
    steps.around(
        [subject.event("Prestopping node instance")],
        call(&format!("{INTERFACE}.prestop")),
        [subject.event("Node instance prestopped")],
    );
    if runs && subject.node.is_host() {
        host::before_stop(subject, builder, steps);
    }
    let stops = steps.around(
        [],
        call(&format!("{INTERFACE}.stop")),
        [subject.event("Stopped node instance")],
    );
    if !runs {
        steps.tasks([subject.event(&format!("Stop: instance already {state}"))]);
    } else if !stops {
        steps.tasks([subject.event("Stopped node instance: nothing to do")]);
    }
    if !subject.is_in(&["stopped", "deleting", "deleted"]) {
        steps.tasks([subject.state("stopped")]);
    }
}

fn delete(
    topology: &Topology,
    place: usize,
    subgraph: usize,
    builder: &mut Builder,
    steps: &mut Steps,
) {
    let subject = Subject::at(topology, place);
    let state = &subject.instance.state;
    if subject.is_in(&["deleted", "uninitialized"]) {
        steps.tasks([subject.event(&format!("Delete: instance already {state}"))]);
    } else {
        let texts = ["Unlinking relationships", "Relationships unlinked"];
        related(
            topology, place, subgraph, "unlink", texts, true, builder, steps,
        );
        if let Some(call) = subject.call(builder, &format!("{INTERFACE}.delete")) {
            steps.tasks([
                subject.state("deleting"),
                subject.event("Deleting node instance"),
            ]);
            steps.tasks([call]);
        } else {
            steps.tasks([subject.event("Deleting node instance: nothing to do")]);
        }
        steps.around(
            [subject.event("Postdeleting node instance")],
            subject.call(builder, &format!("{INTERFACE}.postdelete")),
            [subject.event("Node instance postdeleted")],
        );
    }
    if !subject.is_in(&["deleted"]) {
        steps.tasks([
            subject.state("deleted"),
            subject.event("Deleted node instance"),
        ]);
    }
}
