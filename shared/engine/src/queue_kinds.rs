//! The kinds of work in the queue that belong to the engine.

/// An execution has something to do: it starts, is cancelled, is resumed. Subject: its id.
pub const EXECUTION: &str = "execution";

/// A call is due: of a built-in plugin, or of a worker's after a failed try. Subject: the
/// operation's id.
pub const OPERATION: &str = "operation";

/// A call that waits for a worker, or is with one, took too long. Subject: the operation's id.
pub const OPERATION_TIMEOUT: &str = "operation-timeout";
