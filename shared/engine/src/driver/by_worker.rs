//! Executions whose workflow a worker runs: the worker says how they stand, here is only what nobody else does.
//!
//! They stay pending until the worker says that it begins. A wish to cancel is the workflow's to fulfil; where no
//! worker has it, or nobody wants to wait, it ends here. What comes of operations that the workflow sent is kept
//! for it: what follows is the workflow's to say.

use super::Drive;
use crate::graph::OperationState;
use crate::step::{CallError, End, Outcome, Report};
use serde_json::{Map, Value, json};
use windlass_core::db::Tx;
use windlass_core::{Result, Scope, Timestamp};
use windlass_store::executions::{Execution, Status};
use windlass_store::node_instances::{self, InstanceChange};
use windlass_store::operations;
use windlass_store::sent_operations;
use windlass_store::workflow_leases::{self, Place};

/// Whose workers run workflows: those of the control plane, as the original has it.
pub const QUEUE: &str = "central_deployment_agent";

/// Takes such an execution as far as it goes without its worker. Answers its status afterwards.
pub async fn drive(
    tx: &impl Tx,
    execution: Execution,
    place: Place,
    reports: Vec<Report>,
    now: Timestamp,
) -> Result<Option<Status>> {
    for report in reports {
        keep(tx, &execution, report, now).await?;
    }
    let status = execution.status;
    let is_to_end = match status {
        Status::ForceCancelling | Status::KillCancelling => true,
        Status::Cancelling => place == Place::Free,
        _ => false,
    };
    if !is_to_end {
        return Ok(Some(status));
    }
    end(tx, execution, End::Cancelled, now).await.map(Some)
}

/// Ends such an execution, whatever its worker does. Answers its status afterwards.
pub async fn end(tx: &impl Tx, execution: Execution, end: End, now: Timestamp) -> Result<Status> {
    workflow_leases::close(tx, &execution).await?;
    let newest = windlass_store::events::newest(tx, &execution).await?;
    let withdrawn = sent_operations::withdraw(tx, &execution, now).await?;
    let mut drive = Drive::new(tx, execution, newest.map_or(now, |newest| newest.max(now)));
    drive.effects.withdraw(withdrawn);
    drive.end(end);
    let status = drive.execution.status;
    drive.save().await?;
    Ok(status)
}

/// Keeps what came of an operation for the workflow that sent it, and its runtime properties.
async fn keep(tx: &impl Tx, execution: &Execution, report: Report, now: Timestamp) -> Result<()> {
    let id = report.operation.as_str();
    let (state, told, properties) = match report.outcome {
        Outcome::Succeeded {
            result,
            runtime_properties,
        } => {
            let told = json!({ "status": "succeeded", "result": result });
            (OperationState::Succeeded, told, runtime_properties)
        }
        Outcome::Failed(error) => {
            let told = json!({ "status": "failed", "error": as_told(error) });
            (OperationState::Failed, told, Map::new())
        }
        Outcome::Rescheduled(error) => {
            let told = json!({ "status": "rescheduled", "error": as_told(error) });
            (OperationState::Rescheduled, told, Map::new())
        }
    };
    if !sent_operations::keep(tx, id, (&told, state)).await? || properties.is_empty() {
        return Ok(());
    }
    let operation = operations::find(tx, &Scope::engine(), id).await?;
    let parameters = Value::Object(operation.parameters);
    let instance = parameters.pointer("/task_kwargs/kwargs/__cloudify_context/node_id");
    let Some(instance) = instance.and_then(Value::as_str) else {
        return Ok(());
    };
    let mut known = node_instances::runtime_properties(tx, execution, &[instance]).await?;
    let mut merged = known.remove(instance).unwrap_or_default();
    merged.extend(properties);
    let change = InstanceChange {
        id: instance.to_owned(),
        times: 1,
        runtime_properties: Some(merged),
        ..InstanceChange::default()
    };
    node_instances::update_all(tx, execution, &[change], now).await
}

/// An error in the words of a worker's result.
#[allow(clippy::cast_precision_loss, reason = "milliseconds of a pause")]
fn as_told(error: CallError) -> Value {
    json!({
        "type": error.kind,
        "message": error.message,
        "traceback": error.traceback,
        "recoverable": error.recoverable,
        "retry_after": error.retry_after.map(|millis| millis as f64 / 1000.0),
    })
}
