//! The texts of events, which clients compare word for word.

use crate::graph::Operation;
use crate::step::LateFailures;
use serde_json::Value;
use windlass_store::executions::Status;

/// The type of an event about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// It goes to whoever runs it.
    Sending,
    /// It runs.
    Started,
    /// It ended well.
    Succeeded,
    /// It ended badly; it may be tried again.
    Failed,
    /// Whoever ran it asks for another try.
    Rescheduled,
}

impl TaskEvent {
    /// The word in `event_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending_task",
            Self::Started => "task_started",
            Self::Succeeded => "task_succeeded",
            Self::Failed => "task_failed",
            Self::Rescheduled => "task_rescheduled",
        }
    }
}

/// The text about a task. `detail` is the result or the error; `retries` of how many `total`
/// (-1: unlimited) count the tries before this one.
pub fn task(
    event: TaskEvent,
    name: &str,
    is_subgraph: bool,
    detail: Option<&str>,
    retries: i64,
    total: i64,
    dry_run: bool,
) -> String {
    let what = if is_subgraph { "Subgraph" } else { "Task" };
    let mut text = match event {
        TaskEvent::Sending => format!("Sending task '{name}'"),
        TaskEvent::Started => format!("{what} started '{name}'"),
        TaskEvent::Succeeded => format!("{what} succeeded '{name}'"),
        TaskEvent::Failed => format!("{what} failed '{name}'"),
        TaskEvent::Rescheduled => format!("{what} rescheduled '{name}'"),
    };
    match (event, detail) {
        (TaskEvent::Succeeded, Some(result)) => text.push_str(&format!(" - {result}")),
        (TaskEvent::Failed | TaskEvent::Rescheduled, Some(error)) if !error.is_empty() => {
            text.push_str(&format!(" -> {error}"));
        }
        _ => {}
    }
    if dry_run {
        text.push_str(" (dry run)");
    }
    if retries > 0 {
        let limit = if total >= 0 {
            format!("/{total}")
        } else {
            String::new()
        };
        text.push_str(&format!(" [retry {retries}{limit}]"));
    }
    text
}

/// The text about an operation of a graph.
pub fn of_operation(
    event: TaskEvent,
    operation: &Operation,
    detail: Option<&str>,
    dry_run: bool,
) -> String {
    let (retries, total) = operation.retries();
    let is_subgraph = operation.call().is_none();
    task(
        event,
        &operation.name,
        is_subgraph,
        detail,
        retries,
        total,
        dry_run,
    )
}

/// A result as it stands in an event: texts as they are, nothing for null.
pub fn result(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn suffix(dry_run: bool) -> &'static str {
    if dry_run { " (dry run)" } else { "" }
}

/// `workflow_started`.
pub fn workflow_started(workflow: &str, resumed: bool, dry_run: bool) -> String {
    let verb = if resumed { "Resuming" } else { "Starting" };
    format!("{verb} '{workflow}' workflow execution{}", suffix(dry_run))
}

/// `workflow_succeeded`.
pub fn workflow_succeeded(workflow: &str, dry_run: bool) -> String {
    format!(
        "'{workflow}' workflow execution succeeded{}",
        suffix(dry_run)
    )
}

/// `workflow_failed`.
pub fn workflow_failed(workflow: &str, error: &str, dry_run: bool) -> String {
    format!(
        "'{workflow}' workflow execution failed: {error}{}",
        suffix(dry_run)
    )
}

/// `workflow_cancelled`.
pub fn workflow_cancelled(workflow: &str) -> String {
    format!("'{workflow}' workflow execution cancelled")
}

/// `workflow_queued`.
pub fn workflow_queued(workflow: &str) -> String {
    format!("'{workflow}' workflow execution queued")
}

/// What is told of an update of plugins when it comes to a deployment.
pub fn updating_deployment(deployment: &str) -> String {
    format!("Executing deployment update for deployment {deployment}...")
}

/// What is told when the update of a deployment, of an update of plugins, has ended.
pub fn deployment_updated(
    (deployment, update): (&str, &str),
    status: Status,
    execution: &str,
) -> String {
    let status = status.name();
    format!(
        "Deployment update of deployment {deployment} {status}. Plugins update ID {update}. \
         Execution ID {execution}."
    )
}

/// The same for one that could not begin.
pub fn deployment_not_updated((deployment, update): (&str, &str), why: &str) -> String {
    format!(
        "Deployment update of deployment {deployment} failed. Plugins update ID {update}. {why}"
    )
}

/// The error of an update of plugins: some of the deployments that were not updated, and how many there are.
pub fn left_behind(update: &str, named: &[String], count: i64) -> String {
    let more = usize::try_from(count)
        .unwrap_or(0)
        .saturating_sub(named.len());
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "These deployments were not updated during plugins update ID {update}: {}{more}",
        named.join(", ")
    )
}

/// The error of an execution from the failures of its operations.
pub fn execution_error(failures: &[String]) -> String {
    match failures {
        [] => String::new(),
        [one] => format!("Task failed: {one}"),
        several => format!(
            "{} operation errors:\n{}",
            several.len(),
            several.join("\n")
        ),
    }
}

/// The error of an execution from failures that stopped nothing.
pub fn late_failures(late: &LateFailures) -> String {
    let mut text = match late.count {
        1 => return execution_error(&late.texts),
        count => format!("{count} operation errors:\n{}", late.texts.join("\n")),
    };
    let left_out = late.count.saturating_sub(late.texts.len());
    if left_out > 0 {
        text.push_str(&format!("\n(and {left_out} more)"));
    }
    text
}

/// One failed operation, as the execution's error names it.
pub fn failure(operation: &Operation, kind: &str, message: &str) -> String {
    match operation.call() {
        Some(call) => {
            format!(
                "{} ({}:{}): {kind} `{message}`",
                operation.name, call.instance, call.operation
            )
        }
        None => format!("{}: {kind} `{message}`", operation.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_tasks() {
        use TaskEvent::*;
        for (event, detail, retries, total, dry_run, want) in [
            (Sending, None, 0, 60, false, "Sending task 'x'"),
            (Started, None, 1, 60, false, "Task started 'x' [retry 1/60]"),
            (
                Succeeded,
                Some("ok"),
                2,
                -1,
                false,
                "Task succeeded 'x' - ok [retry 2]",
            ),
            (
                Failed,
                Some("boom"),
                0,
                60,
                false,
                "Task failed 'x' -> boom",
            ),
            (
                Rescheduled,
                Some("later"),
                1,
                2,
                false,
                "Task rescheduled 'x' -> later [retry 1/2]",
            ),
            (Succeeded, None, 0, 60, true, "Task succeeded 'x' (dry run)"),
        ] {
            assert_eq!(
                task(event, "x", false, detail, retries, total, dry_run),
                want
            );
        }
        assert_eq!(
            task(Started, "s", true, None, 0, 0, false),
            "Subgraph started 's'"
        );
    }
}
