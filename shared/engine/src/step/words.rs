//! What goes into a step and what comes out of it.

use crate::graph::{Graph, Related};
use crate::texts::TaskEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Whether a run starts more work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Yes.
    Running,
    /// No: it ends. Calls that run are not waited for, see [`Mode::Over`].
    Cancelling,
    /// It has ended. What comes of calls that ran then is kept with them, and nothing follows.
    Over,
}

/// A run of one graph.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The operations.
    pub graph: Graph,
    /// Whether more work is started.
    pub mode: Mode,
    /// Whether calls are passed over.
    pub dry_run: bool,
    /// What failed for good. Once there is something here nothing more is started.
    pub failures: Vec<String>,
    /// What failed without stopping anything.
    pub late: LateFailures,
    /// The places of subgraphs that failed and are to be tried again: the run goes on with a step
    /// on the graph that [`crate::workflows::retry_subgraphs`] makes of this one.
    pub to_retry: Vec<usize>,
    /// Whether calls run that are not among the operations: those that are left cannot be the last.
    pub others_run: bool,
}

/// Why a call failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallError {
    /// The kind, such as `RecoverableError`.
    pub kind: String,
    /// The text for people.
    pub message: String,
    /// Where it was raised, if a plugin told.
    pub traceback: Option<String>,
    /// Whether trying again may help.
    pub recoverable: bool,
    /// Milliseconds until it is tried again, if the plugin wants it different.
    pub retry_after: Option<i64>,
}

impl CallError {
    /// A failure that may pass.
    pub fn recoverable(message: impl Into<String>) -> Self {
        Self {
            kind: "RecoverableError".into(),
            message: message.into(),
            recoverable: true,
            ..Self::default()
        }
    }

    /// A failure that no further try helps against.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self {
            kind: "NonRecoverableError".into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// As `error_causes` of an event.
    pub fn causes(&self) -> Value {
        serde_json::json!([{
            "type": self.kind,
            "message": self.message,
            "traceback": self.traceback,
        }])
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Well.
    Succeeded {
        /// What it answered.
        result: Value,
        /// What becomes runtime properties of its instance.
        runtime_properties: Map<String, Value>,
    },
    /// Badly.
    Failed(CallError),
    /// It asks to be called again; that counts as a try.
    Rescheduled(CallError),
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The operation's id.
    pub operation: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The run begins, or goes on.
    Begin,
    /// A call ended. One for an operation that does not run changes nothing.
    Reported(Report),
    /// The run is to end.
    Cancel,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Everything is done.
    Succeeded,
    /// Something failed for good: the text for people.
    Failed(String),
    /// It was cancelled.
    Cancelled,
}

/// What was found out about an instance, as its system properties keep it.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// How its status check ended.
    Status(Checked),
    /// How a check for drift ended.
    Drift {
        /// Of which relationship: the instance at its other end. None: of the instance itself.
        related: Option<Related>,
        /// How.
        checked: Checked,
    },
    /// It was healed, so it counts as well until its next check.
    Healed,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Whether it ended well.
    pub ok: bool,
    /// The name of the task.
    pub task: String,
    /// What it answered, or why it failed.
    pub result: Value,
}

/// Failures that stop nothing and fail the run when everything is done. There can be one for each
/// instance, so only the first are kept in full.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LateFailures {
    /// How many there are.
    pub count: usize,
    /// The texts of the first.
    pub texts: Vec<String>,
}

impl LateFailures {
    /// How many are kept in full.
    const KEPT: usize = 50;

    /// Adds one.
    pub fn add(&mut self, text: String) {
        self.count += 1;
        if self.texts.len() < Self::KEPT {
            self.texts.push(text);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Something to do. Operations are named by their place in the graph.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Tell about a task.
    Tell {
        /// The operation.
        operation: usize,
        /// What happened to it.
        event: TaskEvent,
        /// The text.
        text: String,
        /// Why, for failures.
        causes: Option<Value>,
    },
    /// Tell about an instance.
    TellInstance {
        /// The instance.
        instance: String,
        /// The text.
        text: String,
    },
    /// Change an instance's state.
    SetState {
        /// The instance.
        instance: String,
        /// Its new state.
        state: String,
    },
    /// Set runtime properties of an instance.
    SetProperties {
        /// The instance.
        instance: String,
        /// Names and values.
        properties: Map<String, Value>,
    },
    /// Keep what was found out about an instance.
    Found {
        /// The instance.
        instance: String,
        /// What.
        finding: Finding,
    },
    /// Have a call carried out.
    Call {
        /// The operation.
        operation: usize,
        /// In how many milliseconds.
        after: i64,
    },
    /// A call that was asked for is not wanted any more.
    Withdraw {
        /// The operation.
        operation: usize,
    },
    /// The run is over.
    End(End),
}
