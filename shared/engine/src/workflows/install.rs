//! install: brings instances to `started`, targets of relationships first.
//!
//! Which steps an instance still needs depends on its state, so a second install goes on where
//! the first one stopped.

use super::relationships::{self, Direction};
use super::steps::{Selection, Steps, Subject};
use super::{INTERFACE, host};
use crate::graph::Builder;
use crate::plan::Topology;

/// Builds the graph: one subgraph for each instance. Instances that are left alone establish
/// their relationships to installed ones again.
pub fn build(topology: &Topology, selection: &Selection, builder: &mut Builder) {
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
    relationships::order_and_run(
        topology,
        selection,
        &subgraphs,
        Direction::TargetsFirst,
        "establish",
        builder,
    );
}

fn instance(topology: &Topology, place: usize, builder: &mut Builder) -> usize {
    let subject = Subject::at(topology, place);
    let subgraph = builder.subgraph(None, format!("install_{}", subject.instance.id));
    let mut steps = Steps::default();
    steps.tasks([subject.state("initializing")]);
    let mut anything = create(&subject, builder, &mut steps);
    anything |= configure(topology, place, subgraph, builder, &mut steps);
    anything |= start(topology, place, subgraph, builder, &mut steps);
    if anything {
        steps.tasks([
            subject.state("started"),
            subject.event("Node instance started"),
        ]);
    } else {
        steps = Steps::default();
        steps.tasks([
            subject.state("started"),
            subject.event("Node instance started (nothing to do)"),
        ]);
    }
    steps.into_sequence(builder, subgraph);
    subgraph
}

fn nothing(steps: &mut Steps, subject: &Subject, what: &str) {
    steps.tasks([subject.event(&format!("{what}: nothing to do"))]);
}

fn create(subject: &Subject, builder: &Builder, steps: &mut Steps) -> bool {
    let is_new = !subject.is_in(&[
        "started",
        "starting",
        "created",
        "creating",
        "configured",
        "configuring",
    ]);
    let call =
        |wanted: bool, operation: &str| wanted.then(|| subject.call(builder, operation)).flatten();
    let validates = steps.around(
        [subject.event("Validating node instance before creation")],
        call(is_new, "cloudify.interfaces.validation.create"),
        [subject.event("Node instance validated before creation")],
    );
    if !validates {
        nothing(steps, subject, "Validating node instance before creation");
    }
    let precreates = steps.around(
        [subject.event("Precreating node instance")],
        call(is_new, &format!("{INTERFACE}.precreate")),
        [subject.event("Node instance precreated")],
    );
    if !precreates {
        nothing(steps, subject, "Precreating node instance");
    }
    let is_created = subject.is_in(&[
        "started",
        "starting",
        "created",
        "configuring",
        "configured",
    ]);
    let creating = call(!is_created, &format!("{INTERFACE}.create"));
    let creates = creating.is_some();
    if let Some(creating) = creating {
        steps.tasks([
            subject.event("Creating node instance"),
            subject.state("creating"),
        ]);
        steps.tasks([creating]);
        steps.tasks([
            subject.event("Node instance created"),
            subject.state("created"),
        ]);
    } else {
        nothing(steps, subject, "Creating node instance");
    }
    validates || precreates || creates
}

fn configure(
    topology: &Topology,
    place: usize,
    subgraph: usize,
    builder: &mut Builder,
    steps: &mut Steps,
) -> bool {
    let subject = Subject::at(topology, place);
    let is_configured = subject.is_in(&["started", "starting", "configured"]);
    let mut anything = false;
    if !is_configured {
        let texts = [
            "Pre-configuring relationships",
            "Relationships pre-configured",
        ];
        anything |= related(
            topology,
            place,
            subgraph,
            "preconfigure",
            texts,
            false,
            builder,
            steps,
        );
    }
    let call = if is_configured {
        None
    } else {
        subject.call(builder, &format!("{INTERFACE}.configure"))
    };
    if let Some(call) = call {
        steps.tasks([
            subject.state("configuring"),
            subject.event("Configuring node instance"),
        ]);
        steps.tasks([call]);
        steps.tasks([
            subject.state("configured"),
            subject.event("Node instance configured"),
        ]);
        anything = true;
    } else {
        nothing(steps, &subject, "Configuring node instance");
    }
    anything
}

fn start(
    topology: &Topology,
    place: usize,
    subgraph: usize,
    builder: &mut Builder,
    steps: &mut Steps,
) -> bool {
    let subject = Subject::at(topology, place);
    if subject.is_in(&["started"]) {
        nothing(steps, &subject, "Starting node instance");
        nothing(steps, &subject, "Poststarting node instance");
        return false;
    }
    let texts = [
        "Post-configuring relationships",
        "Relationships post-configured",
    ];
    let mut anything = related(
        topology,
        place,
        subgraph,
        "postconfigure",
        texts,
        false,
        builder,
        steps,
    );
    if let Some(call) = subject.call(builder, &format!("{INTERFACE}.start")) {
        steps.tasks([
            subject.state("starting"),
            subject.event("Starting node instance"),
        ]);
        steps.tasks([call]);
        anything = true;
    } else {
        nothing(steps, &subject, "Starting node instance");
    }
    if subject.node.is_host() {
        host::after_start(&subject, builder, steps);
        // A host always has a start of its own, even one whose operations are all no-ops.
        anything = true;
    }
    let poststarts = steps.around(
        [subject.event("Poststarting node instance")],
        subject.call(builder, &format!("{INTERFACE}.poststart")),
        [subject.event("Node instance poststarted")],
    );
    if !poststarts {
        nothing(steps, &subject, "Poststarting node instance");
    }
    anything |= poststarts;
    anything |= steps.around(
        [],
        subject.call(builder, "cloudify.interfaces.monitoring.start"),
        [],
    );
    let texts = ["Establishing relationships", "Relationships established"];
    anything |= related(
        topology,
        place,
        subgraph,
        "establish",
        texts,
        false,
        builder,
        steps,
    );
    anything
}

/// A relationship operation with its two texts; answers whether there is anything to run.
#[allow(
    clippy::too_many_arguments,
    reason = "all of them name different things of one step"
)]
pub fn related(
    topology: &Topology,
    place: usize,
    subgraph: usize,
    operation: &str,
    [before, after]: [&str; 2],
    reverse: bool,
    builder: &mut Builder,
    steps: &mut Steps,
) -> bool {
    let subject = Subject::at(topology, place);
    let inner = relationships::subgraph(topology, builder, subgraph, place, operation, reverse);
    let Some(inner) = inner else {
        return false;
    };
    steps.tasks([subject.event(before)]);
    steps.place(inner);
    steps.tasks([subject.event(after)]);
    true
}
