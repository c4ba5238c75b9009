//! install: brings instances to `started`, targets of relationships first.
//!
//! Which steps an instance still needs depends on its state, so a second install goes on where
//! the first one stopped.

use super::instance_steps::{InstanceSteps, subgraphs};
use super::relationships::{self, Direction, Order};
use super::selection::Selection;
use super::steps::Steps;
use super::{INTERFACE, host};
use crate::graph::{Builder, RetryWith};
use crate::plan::Topology;

/// Builds the graph: one subgraph for each instance. Instances that are left alone establish
/// their relationships to installed ones again.
pub fn build(topology: &Topology, selection: &Selection, builder: &mut Builder) {
    let subgraphs = subgraphs(topology, selection, builder, |topology, place, builder| {
        let subgraph = instance(topology, place, None, builder);
        let id = &topology.instance(place).id;
        builder.try_again(subgraph, id, RetryWith::Reinstall);
        subgraph
    });
    relationships::order_and_run(
        topology,
        selection,
        &subgraphs,
        Direction::TargetsFirst,
        "establish",
        builder,
    );
}

/// Adds the subgraph that installs one instance, inside another one or by itself.
pub fn instance(
    topology: &Topology,
    place: usize,
    inside: Option<usize>,
    builder: &mut Builder,
) -> usize {
    let name = format!("install_{}", topology.instance(place).id);
    let mut steps = InstanceSteps::new(topology, place, builder, inside, name);
    let initializing = steps.subject.state("initializing");
    steps.steps.tasks([initializing]);
    let mut anything = create(&mut steps);
    anything |= configure(&mut steps);
    anything |= start(&mut steps);
    if anything {
        steps.enter("started", "Node instance started");
    } else {
        steps.steps = Steps::default();
        steps.enter("started", "Node instance started (nothing to do)");
    }
    steps.finish()
}

/// An operation between two texts, where it is wanted; the text before it says so when there is
/// nothing to do. Answers whether there is.
fn optional(
    steps: &mut InstanceSteps,
    is_wanted: bool,
    operation: &str,
    [before, after]: [&str; 2],
) -> bool {
    let anything = is_wanted && steps.around(before, operation, after);
    if !anything {
        steps.nothing(before);
    }
    anything
}

fn create(steps: &mut InstanceSteps) -> bool {
    let is_new = !steps.subject.is_in(&[
        "started",
        "starting",
        "created",
        "creating",
        "configured",
        "configuring",
    ]);
    let texts = [
        "Validating node instance before creation",
        "Node instance validated before creation",
    ];
    let validation = "cloudify.interfaces.validation.create";
    let validates = optional(steps, is_new, validation, texts);
    let texts = ["Precreating node instance", "Node instance precreated"];
    let precreates = optional(steps, is_new, &format!("{INTERFACE}.precreate"), texts);
    let is_created = steps.subject.is_in(&[
        "started",
        "starting",
        "created",
        "configuring",
        "configured",
    ]);
    let call = steps
        .subject
        .call(steps.builder, &format!("{INTERFACE}.create"));
    let Some(call) = call.filter(|_| !is_created) else {
        steps.nothing("Creating node instance");
        return validates || precreates;
    };
    let subject = steps.subject;
    let steps = &mut steps.steps;
    steps.tasks([
        subject.event("Creating node instance"),
        subject.state("creating"),
    ]);
    steps.tasks([call]);
    steps.tasks([
        subject.event("Node instance created"),
        subject.state("created"),
    ]);
    true
}

fn configure(steps: &mut InstanceSteps) -> bool {
    let what = "Configuring node instance";
    if steps.subject.is_in(&["started", "starting", "configured"]) {
        steps.nothing(what);
        return false;
    }
    let texts = [
        "Pre-configuring relationships",
        "Relationships pre-configured",
    ];
    let anything = steps.related("preconfigure", texts, Order::Template);
    let call = steps
        .subject
        .call(steps.builder, &format!("{INTERFACE}.configure"));
    let Some(call) = call else {
        steps.nothing(what);
        return anything;
    };
    steps.enter("configuring", what);
    steps.steps.tasks([call]);
    steps.enter("configured", "Node instance configured");
    true
}

fn start(steps: &mut InstanceSteps) -> bool {
    if steps.subject.is_in(&["started"]) {
        steps.nothing("Starting node instance");
        steps.nothing("Poststarting node instance");
        return false;
    }
    let texts = [
        "Post-configuring relationships",
        "Relationships post-configured",
    ];
    let mut anything = steps.related("postconfigure", texts, Order::Template);
    if let Some(call) = steps
        .subject
        .call(steps.builder, &format!("{INTERFACE}.start"))
    {
        steps.enter("starting", "Starting node instance");
        steps.steps.tasks([call]);
        anything = true;
    } else {
        steps.nothing("Starting node instance");
    }
    if steps.subject.node.is_host() {
        host::after_start(&steps.subject, steps.builder, &mut steps.steps);
        // A host always has a start of its own, even one whose operations are all no-ops.
        anything = true;
    }
    let texts = ["Poststarting node instance", "Node instance poststarted"];
    anything |= optional(steps, true, &format!("{INTERFACE}.poststart"), texts);
    let monitoring = "cloudify.interfaces.monitoring.start";
    let monitors = steps.subject.call(steps.builder, monitoring);
    anything |= steps.steps.around([], monitors, []);
    let texts = ["Establishing relationships", "Relationships established"];
    anything |= steps.related("establish", texts, Order::Template);
    anything
}
