//! Queued executions start by themselves when nothing is in their way any more.

use crate::start::{self, Prepared};
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp};
use windlass_store::events;
use windlass_store::executions::{self, Execution, Status, deployment_status};
use windlass_store::queue::{self, Work};

/// How many start at a time.
const AT_ONCE: i64 = 5;

/// How many may run in all for more to start.
const RUNNING: i64 = 20;

/// Lets waiting executions become pending: a system workflow alone, else some of the oldest, one
/// of each deployment. To be called in the transaction that ended another one, or that made
/// room in some other way.
///
/// # Errors
/// Of the database.
pub async fn start_waiting(db: &impl Db, now: Timestamp) -> Result<()> {
    let running = executions::count_active(db).await?;
    let system = executions::startable(db, 1, true).await?;
    if !system.is_empty() {
        // It waits until nothing else runs, and everything else waits for it.
        if running == 0 {
            for execution in system {
                start(db, execution, now).await?;
            }
        }
        return Ok(());
    }
    if executions::system_is_busy(db).await? || running >= RUNNING {
        return Ok(());
    }
    let limit = AT_ONCE.min(RUNNING - running);
    // One that fails to start ends at once, and another may take its place.
    for _ in 0..10 {
        let mut failed = 0;
        for execution in executions::startable(db, limit, false).await? {
            failed += i64::from(!start(db, execution, now).await?);
        }
        if failed == 0 {
            break;
        }
    }
    Ok(())
}

/// Makes a queued execution pending, its parameters merged again; answers whether it will start.
async fn start(db: &impl Db, mut execution: Execution, now: Timestamp) -> Result<bool> {
    let was = execution.status.clone();
    let refused = match start::prepare(db, &execution).await? {
        Ok(Prepared { parameters }) => {
            execution.parameters = parameters;
            None
        }
        Err(error) => Some(error.message().to_owned()),
    };
    match refused {
        None => {
            Status::Pending.name().clone_into(&mut execution.status);
            executions::save(db, &execution, &was).await?;
            let nothing = serde_json::Value::Null;
            queue::push(db, Work::Execution, &execution.id, &nothing, now, now).await?;
            Ok(true)
        }
        Some(text) => {
            let error = format!("Error dequeueing execution: {text}");
            let event = serde_json::json!([
                "workflow_failed",
                crate::texts::workflow_failed(&execution.workflow_id, &error, execution.is_dry_run),
                null,
                null,
                null,
                null,
                null
            ]);
            Status::Failed.name().clone_into(&mut execution.status);
            execution.error = Some(error);
            execution.ended_at = Some(now.to_string());
            executions::save(db, &execution, &was).await?;
            events::insert_all(db, &execution, &[event], now).await?;
            if let Some(deployment) = execution.deployment_key {
                deployment_status::recompute(db, deployment).await?;
            }
            Ok(false)
        }
    }
}
