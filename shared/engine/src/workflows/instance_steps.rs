//! What an install or an uninstall does with one instance, while it is put together.

use super::relationships;
use super::selection::Selection;
use super::steps::{Steps, Subject};
use crate::graph::Builder;
use crate::plan::Topology;

/// One subgraph for each instance, in their order: built by `build` where the instance is selected,
/// else empty, for others to wait for.
pub fn subgraphs(
    topology: &Topology,
    selection: &Selection,
    builder: &mut Builder,
    build: impl Fn(&Topology, usize, &mut Builder) -> usize,
) -> Vec<usize> {
    (0..topology.len())
        .map(|place| {
            if selection.contains(place) {
                return build(topology, place, builder);
            }
            let id = &topology.instance(place).id;
            builder.subgraph(None, format!("stub_{id}"))
        })
        .collect()
}

/// The steps of one instance, and the subgraph that they will be in.
pub struct InstanceSteps<'a, 'b> {
    /// The instance with its node.
    pub subject: Subject<'a>,
    /// The graph so far.
    pub builder: &'a mut Builder<'b>,
    /// What was collected for the subgraph.
    pub steps: Steps,
    topology: &'a Topology,
    place: usize,
    subgraph: usize,
}

impl<'a, 'b> InstanceSteps<'a, 'b> {
    /// Adds the subgraph of an instance, inside another one or by itself, with no steps yet.
    pub fn new(
        topology: &'a Topology,
        place: usize,
        builder: &'a mut Builder<'b>,
        inside: Option<usize>,
        name: String,
    ) -> Self {
        let subgraph = builder.subgraph(inside, name);
        Self {
            subject: Subject::at(topology, place),
            builder,
            steps: Steps::default(),
            topology,
            place,
            subgraph,
        }
    }

    /// Changes the instance's state and tells of it, next to each other.
    pub fn enter(&mut self, state: &str, text: &str) {
        let subject = self.subject;
        self.steps
            .tasks([subject.state(state), subject.event(text)]);
    }

    /// Tells about the instance.
    pub fn tell(&mut self, text: &str) {
        self.steps.tasks([self.subject.event(text)]);
    }

    /// Tells that there was nothing to do.
    pub fn nothing(&mut self, what: &str) {
        self.tell(&format!("{what}: nothing to do"));
    }

    /// An operation of the node between two texts; nothing at all for a no-op. Answers whether
    /// there is one.
    pub fn around(&mut self, before: &str, operation: &str, after: &str) -> bool {
        let call = self.subject.call(self.builder, operation);
        let (before, after) = (self.subject.event(before), self.subject.event(after));
        self.steps.around([before], call, [after])
    }

    /// An operation of the instance's relationships between two texts, in the order of the
    /// template or its reverse. Answers whether there is anything to run.
    pub fn related(
        &mut self,
        operation: &str,
        [before, after]: [&str; 2],
        order: relationships::Order,
    ) -> bool {
        let inner = relationships::subgraph(
            self.topology,
            self.builder,
            self.subgraph,
            self.place,
            operation,
            order,
        );
        let Some(inner) = inner else {
            return false;
        };
        self.tell(before);
        self.steps.place(inner);
        self.tell(after);
        true
    }

    /// Puts the steps into the subgraph, and answers its place.
    pub fn finish(self) -> usize {
        self.steps.into_sequence(self.builder, self.subgraph);
        self.subgraph
    }
}
