//! Operations that workflows on workers send: handed to other workers, or run by the control plane itself.
//!
//! A workflow may send an operation again that it has sent, since it does not know whether that arrived: it is
//! run once, and what came of it is told as often as the workflow asks.

use crate::calls::at;
use crate::components;
use crate::driver::by_worker::QUEUE;
use crate::workflows::milliseconds;
use serde_json::{Value, json};
use windlass_blueprint::operations::HTTP_PLUGIN;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result};
use windlass_store::executions::{Execution, Status};
use windlass_store::operations::NewOperation;
use windlass_store::queue::{self, Due, Work};
use windlass_store::sent_operations;
use windlass_store::workflow_leases::{self, Place};

/// Sends an operation of an execution that a worker runs. `queue` says whose workers may take it.
///
/// # Errors
/// 409 for an execution that no worker runs, and for an id that another execution has; 400 for operations of
/// components, which only the control plane's own workflows can wait for.
pub async fn send(
    tx: &impl Tx,
    execution: &Execution,
    operation: &NewOperation,
    queue: Option<&str>,
) -> Result<()> {
    let place = workflow_leases::place(tx, execution).await?;
    if place != Some(Place::Held) || execution.status != Status::Started {
        let id = &execution.id;
        let text = format!("No worker runs the workflow of the execution `{id}`");
        return Err(Error::conflict(text));
    }
    let parameters = Value::Object(operation.parameters.clone());
    let context = at(&parameters, "/task_kwargs/kwargs/__cloudify_context");
    let plugin = at(context, "/plugin/name").as_str().unwrap_or_default();
    if components::is_one(plugin, &operation.name) {
        let text = format!(
            "Workflows in Python cannot send `{}`: operations of components are run by built-in workflows alone",
            operation.name
        );
        return Err(Error::bad_parameters(text));
    }
    let queue = (plugin != HTTP_PLUGIN).then(|| queue.unwrap_or(QUEUE));
    if !sent_operations::send(tx, execution, operation, queue).await? {
        return Ok(());
    }
    let now = operation.created_at;
    let due = |not_before| {
        [Due {
            subject: operation.id.clone(),
            not_before,
        }]
    };
    if queue.is_none() {
        return queue::push_all(tx, Work::Operation, &due(now), now).await;
    }
    let seconds = at(context, "/timeout").as_f64();
    if let Some(seconds) = seconds.filter(|seconds| *seconds > 0.0) {
        let over = due(now.plus_millis(milliseconds(seconds)));
        queue::push_all(tx, Work::OperationTimeout, &over, now).await?;
    }
    Ok(())
}

/// What came of operations that an execution sent, as its workflow is told: those that ended after the first `after`.
///
/// # Errors
/// Of the database.
pub async fn ended(db: &impl Db, execution: &Execution, after: i64) -> Result<Vec<Value>> {
    let ended = sent_operations::ended(db, execution.key, after).await?;
    let told = ended.into_iter().map(|one| {
        let mut told = json!({ "operation_id": one.id, "number": one.number });
        if let (Some(told), Value::Object(outcome)) = (told.as_object_mut(), one.outcome) {
            told.extend(outcome);
        }
        told
    });
    Ok(told.collect())
}
