//! Queued executions start by themselves when nothing is in their way any more.

use crate::start::{self, Prepared};
use windlass_core::db::Tx;
use windlass_core::{Result, Timestamp};
use windlass_store::events::{self, EngineEvent};
use windlass_store::executions::{self, Execution, Status, deployment_status};
use windlass_store::queue::{self, Work};

/// How many start at a time.
const AT_ONCE: i64 = 5;

/// How many may run in all for more to start.
const RUNNING: i64 = 20;

/// Lets waiting executions become pending: a system workflow alone, else some of the oldest, one
/// of each deployment. What ended another one, or made room in some other way, is in the same
/// transaction.
///
/// # Errors
/// Of the database.
pub async fn start_waiting(tx: &impl Tx, now: Timestamp) -> Result<()> {
    let running = executions::count_active(tx).await?;
    let system = executions::startable(tx, 1, true).await?;
    if !system.is_empty() {
        // It waits until nothing else runs, and everything else waits for it.
        if running == 0 {
            for execution in system {
                start(tx, execution, now).await?;
            }
        }
        return Ok(());
    }
    if executions::system_is_busy(tx).await? || running >= RUNNING {
        return Ok(());
    }
    let limit = AT_ONCE.min(RUNNING - running);
    // One that fails to start ends at once, and another may take its place.
    for _ in 0..10 {
        let mut failed = 0;
        for execution in executions::startable(tx, limit, false).await? {
            failed += i64::from(!start(tx, execution, now).await?);
        }
        if failed == 0 {
            break;
        }
    }
    Ok(())
}

/// Makes a queued execution pending, its parameters merged again; answers whether it will start.
async fn start(tx: &impl Tx, mut execution: Execution, now: Timestamp) -> Result<bool> {
    let was = execution.status;
    match start::prepare(tx, &execution).await? {
        Ok(Prepared { parameters }) => {
            execution.parameters = parameters;
            execution.status = Status::Pending;
            executions::save(tx, &execution, was).await?;
            let nothing = serde_json::Value::Null;
            queue::push(tx, Work::Execution, &execution.id, &nothing, now, now).await?;
            Ok(true)
        }
        Err(refusal) => {
            let error = format!("Error dequeueing execution: {}", refusal.message());
            let workflow = &execution.workflow_id;
            let text = crate::texts::workflow_failed(workflow, &error, execution.is_dry_run);
            execution.status = Status::Failed;
            execution.error = Some(error);
            execution.ended_at = Some(now);
            executions::save(tx, &execution, was).await?;
            let event = EngineEvent::of_execution("workflow_failed", text);
            events::insert_all(tx, &execution, &[event], now).await?;
            deployment_status::execution_ended(tx, &execution).await?;
            Ok(false)
        }
    }
}
