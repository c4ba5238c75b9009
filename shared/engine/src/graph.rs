//! An execution's graph: operations that wait for each other.
//!
//! The kinds of operation, their names and the meaning of a subgraph are those of the API's
//! `operations`: a subgraph starts, its members run, it ends when the last of them has ended; who
//! depends on it waits for that. Everything but a [`Call`] is carried out by the step itself.
#![allow(
    clippy::indexing_slicing,
    reason = "a place is an index that the graph itself gave out, and nothing leaves a graph"
)]

mod builder;

pub use builder::{Builder, Sequence};

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

/// What a call finds out about its instance, or about one of its relationships. Others go on when it
/// fails; the workflow fails when all are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Whether it is there and well.
    Status,
    /// Whether it differs from what its blueprint says: any result but null says so.
    Drift,
}

/// A call of a plugin: the only operation that somebody else has to carry out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// The instance it is about; empty for an operation of the workflow itself.
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
    /// What its end says about the instance, if it is a check.
    pub check: Option<Check>,
    /// Milliseconds to wait before the first try.
    pub pause: i64,
    /// Whether its subgraph was given up while it ran: its end is kept and counts for nothing.
    pub given_up: bool,
    /// Whether a resume has put it back although it had been sent before.
    pub sent_before: bool,
}

/// What becomes of a subgraph that fails: what is left of it is given up, and a new one takes its
/// place as long as there are tries left.
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
    /// Nothing takes its place: the heal of an instance has failed, and others go on.
    Heal,
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
