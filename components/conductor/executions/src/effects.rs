//! What an operation's new state means, when the execution it belongs to reports it: the same
//! rows and events that the engine makes of the operations it runs itself.

use serde_json::Value;
use windlass_core::Body;
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Timestamp};
use windlass_engine::texts::{self, TaskEvent};
use windlass_store::events::{self, NewEvent};
use windlass_store::executions::Execution;
use windlass_store::node_instances::{self, InstanceChange};
use windlass_store::operations::{ClientOperation, StateReport};

/// What is reported about an operation.
#[derive(Clone, Debug)]
pub struct Outcome<'b> {
    /// Its new state, and who ran it.
    pub reported: StateReport<'b>,
    result: &'b Value,
    exception: &'b Value,
    causes: Value,
}

impl<'b> Outcome<'b> {
    /// The outcome in a body.
    ///
    /// # Errors
    /// 400 for a missing state and for values of the wrong type.
    pub fn of(body: &'b Body) -> Result<Self> {
        Ok(Self {
            reported: StateReport {
                state: body.required_text("state")?,
                manager_name: body.text("manager_name")?,
                agent_name: body.text("agent_name")?,
            },
            result: body.get("result").unwrap_or(&Value::Null),
            exception: body.get("exception").unwrap_or(&Value::Null),
            causes: body
                .list("exception_causes")?
                .map_or(Value::Null, |list| list.clone().into()),
        })
    }

    fn row(&self, event: &str, text: String) -> NewEvent {
        let mut row = NewEvent::event(event, text.replace('\0', "<NUL>"));
        row.manager_name = self.reported.manager_name.map(str::to_owned);
        row.agent_name = self.reported.agent_name.map(str::to_owned);
        row
    }
}

/// Does what the operation stands for, and tells about it.
pub async fn apply(
    tx: &impl Tx,
    execution: &Execution,
    operation: &ClientOperation,
    outcome: &Outcome<'_>,
) -> Result<()> {
    let kwargs = operation
        .parameters
        .get("task_kwargs")
        .unwrap_or(&Value::Null);
    let text = |name: &str| kwargs.get(name).and_then(Value::as_str);
    let row = match (operation.kind.as_str(), outcome.reported.state) {
        ("SetNodeInstanceStateTask", "succeeded") => {
            let (Some(id), Some(state)) = (text("node_instance_id"), text("state")) else {
                return Ok(());
            };
            return set_instance_state(tx, execution, id, state).await;
        }
        ("SendNodeEventTask", "succeeded") => {
            let Some(message) = text("event") else {
                return Ok(());
            };
            let mut row = outcome.row("workflow_node_event", message.to_owned());
            row.node_instance_id = text("node_instance_id").map(str::to_owned);
            row
        }
        ("RemoteWorkflowTask" | "SubgraphTask", _) => {
            match task_event(execution, operation, outcome) {
                Some(row) => row,
                None => return Ok(()),
            }
        }
        _ => return Ok(()),
    };
    events::insert(tx, execution, &[row]).await
}

/// Moves an instance of the execution's deployment to a state; a dry run leaves it as it is.
async fn set_instance_state(
    tx: &impl Tx,
    execution: &Execution,
    id: &str,
    state: &str,
) -> Result<()> {
    if !node_instances::owns_instance(tx, execution, id).await? {
        return Err(Error::not_found("NodeInstance", id));
    }
    if execution.is_dry_run {
        return Ok(());
    }
    let change = InstanceChange {
        id: id.to_owned(),
        state: Some(state.to_owned()),
        times: 1,
        was_started: state == "started",
        was_configured: state == "configured",
        ..InstanceChange::default()
    };
    node_instances::update_all(tx, execution, &[change], Timestamp::now()).await
}

/// The event about a task's new state, for the states that have one.
fn task_event(
    execution: &Execution,
    operation: &ClientOperation,
    outcome: &Outcome,
) -> Option<NewEvent> {
    let (event, detail) = match outcome.reported.state {
        "sending" => (TaskEvent::Sending, None),
        "started" => (TaskEvent::Started, None),
        "succeeded" => (TaskEvent::Succeeded, texts::result(outcome.result)),
        "failed" => (TaskEvent::Failed, texts::result(outcome.exception)),
        "rescheduled" => (TaskEvent::Rescheduled, texts::result(outcome.exception)),
        _ => return None,
    };
    let number = |name: &str| {
        operation
            .parameters
            .get(name)
            .and_then(Value::as_i64)
            .unwrap_or(0)
    };
    let text = texts::task(
        event,
        &operation.name,
        operation.kind == "SubgraphTask",
        detail.as_deref(),
        number("current_retries"),
        number("total_retries"),
        execution.is_dry_run,
    );
    let mut row = outcome.row(event.name(), text);
    let parameters = Value::Object(operation.parameters.clone());
    let at = |path: &str| {
        let path = format!("/task_kwargs/kwargs/__cloudify_context/{path}");
        parameters
            .pointer(&path)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    row.operation = at("operation/name");
    row.node_instance_id = at("node_id");
    row.source_id = at("source_id");
    row.target_id = at("target_id");
    row.error_causes = outcome.causes.clone();
    Some(row)
}
