//! An execution's graph: operations that wait for each other.
//!
//! The kinds of operation, their names and the meaning of a subgraph are those of the API's
//! `operations`: a subgraph starts, its members run, it ends when the last of them has ended; who
//! depends on it waits for that. Everything but a [`Call`] is carried out by the step itself.
#![allow(
    clippy::indexing_slicing,
    reason = "a place is an index that the graph itself gave out, and nothing leaves a graph"
)]

use serde_json::{Map, Value};

pub use windlass_store::operations::OperationState;

/// The other end of a relationship operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// The instance at the other end.
    pub instance: String,
    /// Its node.
    pub node: String,
    /// Whether that other end is the target, so that the operation runs on the source.
    pub is_target: bool,
}

/// A call of a plugin: the only operation that somebody else has to carry out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// The instance it is about.
    pub instance: String,
    /// That instance's node.
    pub node: String,
    /// The host of the instance.
    pub host: Option<String>,
    /// The other end, for a relationship operation.
    pub related: Option<Related>,
    /// The operation's full name.
    pub operation: String,
    /// The plugin.
    pub plugin: String,
    /// Who runs it, as the plan says.
    pub executor: Option<String>,
    /// The queue that workers lease it from; none for what the scheduler runs itself.
    pub queue: Option<String>,
    /// The inputs, functions unevaluated. Empty in a graph that was loaded again.
    pub inputs: Map<String, Value>,
    /// Whether the inputs hold functions.
    pub has_functions: bool,
    /// How often it was tried again.
    pub retries: i64,
    /// How often it may be tried again; -1 for ever.
    pub total_retries: i64,
    /// Milliseconds until it is tried again.
    pub retry_after: i64,
    /// Seconds that a try may take.
    pub timeout: Option<f64>,
    /// Whether a try that took too long is tried again.
    pub timeout_recoverable: bool,
    /// Whether the workflow goes on when it fails.
    pub ignore_failure: bool,
}

/// How a subgraph is tried again when it fails: what is left of it is given up, and a new one takes
/// its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubgraphRetry {
    /// The instance that the subgraph installs or uninstalls.
    pub instance: String,
    /// What the new one does.
    pub with: RetryWith,
    /// How often that was done before.
    pub retries: i64,
    /// How often it may be done; -1 for ever.
    pub total_retries: i64,
}

/// What a subgraph does that takes the place of a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryWith {
    /// Uninstalls the instance and installs it again.
    Reinstall,
    /// Uninstalls it.
    Uninstall,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Holds others together, and says whether it is tried again when one of them fails.
    Subgraph(Option<Box<SubgraphRetry>>),
    /// Changes an instance's state.
    SetState {
        /// The instance.
        instance: String,
        /// Its new state.
        state: String,
    },
    /// Tells about an instance.
    SendEvent {
        /// The instance.
        instance: String,
        /// The text.
        text: String,
    },
    /// Calls a plugin.
    Call(Box<Call>),
    /// Nothing: a place for dependencies to pass through.
    Nothing,
}

impl Task {
    /// The type in the database and the API.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Subgraph(_) => "SubgraphTask",
            Self::SetState { .. } => "SetNodeInstanceStateTask",
            Self::SendEvent { .. } => "SendNodeEventTask",
            Self::Call(_) => "RemoteWorkflowTask",
            Self::Nothing => "NOPLocalWorkflowTask",
        }
    }

    /// Whether progress counts it.
    pub const fn counts(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// One operation of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its id in the database.
    pub id: String,
    /// The name that events and the API show.
    pub name: String,
    /// Where it stands.
    pub state: OperationState,
    /// The places of those that have to end first.
    pub dependencies: Vec<usize>,
    /// The place of the subgraph it belongs to.
    pub subgraph: Option<usize>,
    /// What it does.
    pub task: Task,
    /// Whether it differs from its row.
    pub changed: bool,
    /// The error of its last try, to be written to its row.
    pub error: Option<String>,
    /// Whether it was given up for a subgraph that takes the place of its own; a resume leaves it.
    pub given_up: bool,
}

impl Operation {
    /// The call, if it is one.
    pub fn call(&self) -> Option<&Call> {
        match &self.task {
            Task::Call(call) => Some(call),
            _ => None,
        }
    }

    /// Whether it holds others together.
    pub const fn is_subgraph(&self) -> bool {
        matches!(self.task, Task::Subgraph(_))
    }

    /// How often it was tried again, and how often it may be: -1 for ever.
    pub fn retries(&self) -> (i64, i64) {
        match &self.task {
            Task::Call(call) => (call.retries, call.total_retries),
            Task::Subgraph(Some(retry)) => (retry.retries, retry.total_retries),
            _ => (0, 0),
        }
    }
}

/// The operations of one graph, or those of it that have not ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// In the order they were made.
    pub operations: Vec<Operation>,
}

impl Graph {
    /// Whether an operation is a given subgraph or in it, however deep.
    pub fn is_within(&self, place: usize, subgraph: usize) -> bool {
        let outwards = std::iter::successors(Some(place), |place| self.operations[*place].subgraph);
        outwards.into_iter().any(|place| place == subgraph)
    }
}

/// How failures are tried again where an operation does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryDefaults {
    /// How often.
    pub retries: i64,
    /// After how many milliseconds.
    pub after: i64,
    /// How often an instance is installed or uninstalled again after an operation failed for good.
    pub subgraphs: i64,
}

impl Default for RetryDefaults {
    fn default() -> Self {
        Self {
            retries: 60,
            after: 15_000,
            subgraphs: 0,
        }
    }
}

/// Makes a graph.
pub struct Builder<'a> {
    graph: Graph,
    ids: &'a mut dyn FnMut() -> String,
    /// How failures are tried again.
    pub defaults: RetryDefaults,
    /// Whether the calls that are added next may fail.
    pub ignore_failure: bool,
}

impl<'a> Builder<'a> {
    /// An empty graph; `ids` gives new operation ids.
    pub fn new(defaults: RetryDefaults, ids: &'a mut dyn FnMut() -> String) -> Self {
        Self {
            graph: Graph::default(),
            ids,
            defaults,
            ignore_failure: false,
        }
    }

    /// Goes on with a graph.
    pub fn extend(
        graph: Graph,
        defaults: RetryDefaults,
        ids: &'a mut dyn FnMut() -> String,
    ) -> Self {
        Self {
            graph,
            ids,
            defaults,
            ignore_failure: false,
        }
    }

    /// The graph as it is by now.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Adds an operation to a subgraph (or to none) and answers its place.
    pub fn add(&mut self, subgraph: Option<usize>, name: String, task: Task) -> usize {
        self.graph.operations.push(Operation {
            id: (self.ids)(),
            name,
            state: OperationState::Pending,
            dependencies: Vec::new(),
            subgraph,
            task,
            changed: true,
            error: None,
            given_up: false,
        });
        self.graph.operations.len() - 1
    }

    /// Adds a subgraph.
    pub fn subgraph(&mut self, inside: Option<usize>, name: impl Into<String>) -> usize {
        self.add(inside, name.into(), Task::Subgraph(None))
    }

    /// Has the subgraph of an instance tried again when it fails, as often as the setting says.
    pub fn try_again(&mut self, subgraph: usize, instance: &str, with: RetryWith) {
        if self.defaults.subgraphs != 0 {
            self.retry_of(
                subgraph,
                SubgraphRetry {
                    instance: instance.to_owned(),
                    with,
                    retries: 0,
                    total_retries: self.defaults.subgraphs,
                },
            );
        }
    }

    /// Says how a subgraph is tried again when it fails.
    pub fn retry_of(&mut self, subgraph: usize, retry: SubgraphRetry) {
        self.graph.operations[subgraph].task = Task::Subgraph(Some(Box::new(retry)));
    }

    /// Makes `later` wait for `earlier`.
    pub fn depend(&mut self, later: usize, earlier: usize) {
        let dependencies = &mut self.graph.operations[later].dependencies;
        if later != earlier && !dependencies.contains(&earlier) {
            dependencies.push(earlier);
        }
    }

    /// The places of the operations that wait for one, in a given subgraph.
    pub fn dependents_within(&self, subgraph: usize, earlier: usize) -> Vec<usize> {
        let operations = self.graph.operations.iter().enumerate();
        operations
            .filter(|(_, operation)| {
                operation.subgraph == Some(subgraph) && operation.dependencies.contains(&earlier)
            })
            .map(|(place, _)| place)
            .collect()
    }

    /// Makes `later` wait for everything that `like` waits for.
    pub fn depend_like(&mut self, later: usize, like: usize) {
        for earlier in self.graph.operations[like].dependencies.clone() {
            self.depend(later, earlier);
        }
    }

    /// The graph as it is, with everything that was added.
    pub fn into_graph(self) -> Graph {
        self.graph
    }

    /// The finished graph. Subgraphs without members become no-ops, and no-ops that nobody waits
    /// for, or that wait for nobody, are left out.
    pub fn finish(self) -> Graph {
        let mut operations = self.graph.operations;
        let mut members = vec![0_usize; operations.len()];
        for operation in &operations {
            if let Some(place) = operation.subgraph {
                members[place] += 1;
            }
        }
        for (operation, members) in operations.iter_mut().zip(&members) {
            if operation.is_subgraph() && *members == 0 {
                operation.task = Task::Nothing;
            }
        }
        let mut waited_for = vec![0_usize; operations.len()];
        for operation in &operations {
            for place in &operation.dependencies {
                waited_for[*place] += 1;
            }
        }
        let mut waits_for: Vec<usize> = operations
            .iter()
            .map(|operation| operation.dependencies.len())
            .collect();
        let mut dependents = vec![Vec::new(); operations.len()];
        for (place, operation) in operations.iter().enumerate() {
            for earlier in &operation.dependencies {
                dependents[*earlier].push(place);
            }
        }
        let mut keep = vec![true; operations.len()];
        let mut candidates: Vec<usize> = (0..operations.len()).collect();
        while let Some(place) = candidates.pop() {
            let at_an_edge = waits_for[place] == 0 || waited_for[place] == 0;
            if !keep[place] || operations[place].task != Task::Nothing || !at_an_edge {
                continue;
            }
            keep[place] = false;
            for earlier in &operations[place].dependencies {
                waited_for[*earlier] = waited_for[*earlier].saturating_sub(1);
                candidates.push(*earlier);
            }
            for later in &dependents[place] {
                waits_for[*later] = waits_for[*later].saturating_sub(1);
                candidates.push(*later);
            }
        }
        if keep.iter().all(|keep| *keep) {
            return Graph { operations };
        }
        let mut next = 0;
        let places: Vec<Option<usize>> = keep
            .iter()
            .map(|keep| {
                keep.then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        let operations = operations
            .into_iter()
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .map(|(mut operation, _)| {
                operation.dependencies = operation
                    .dependencies
                    .iter()
                    .filter_map(|place| places[*place])
                    .collect();
                operation.subgraph = operation.subgraph.and_then(|place| places[place]);
                operation
            })
            .collect();
        Graph { operations }
    }
}

/// Operations of a subgraph that run one after the other.
#[derive(Clone, Debug)]
pub struct Sequence {
    subgraph: Option<usize>,
    last: Vec<usize>,
}

impl Sequence {
    /// An empty sequence in a subgraph.
    pub const fn new(subgraph: usize) -> Self {
        Self {
            subgraph: Some(subgraph),
            last: Vec::new(),
        }
    }

    /// Adds an operation after what was added last.
    pub fn then(&mut self, builder: &mut Builder, name: impl Into<String>, task: Task) -> usize {
        let place = builder.add(self.subgraph, name.into(), task);
        self.join(builder, vec![place]);
        place
    }

    /// Adds operations that exist already, next to each other, after what was added last.
    pub fn join(&mut self, builder: &mut Builder, places: Vec<usize>) {
        for place in &places {
            for earlier in &self.last {
                builder.depend(*place, *earlier);
            }
        }
        if !places.is_empty() {
            self.last = places;
        }
    }

    /// Adds tasks next to each other after what was added last.
    pub fn fork(&mut self, builder: &mut Builder, tasks: Vec<(String, Task)>) {
        let places = tasks
            .into_iter()
            .map(|(name, task)| builder.add(self.subgraph, name, task))
            .collect();
        self.join(builder, places);
    }
}
