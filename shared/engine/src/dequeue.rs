//! Queued executions start by themselves when nothing is in their way any more.

use crate::control;
use crate::ending;
use crate::start::{self, Prepared};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp};
use windlass_store::events::{self, EngineEvent};
use windlass_store::executions::{self, Execution, Status};
use windlass_store::maintenance;
use windlass_store::queue::{self, Leased, Work};

/// How many start at a time.
const AT_ONCE: usize = 5;

/// How many of a tenant may run for more of it to start.
const RUNNING: i64 = 20;

/// How many that cannot start are ended at a time.
const REFUSED: usize = 50;

/// Lets waiting executions become pending: a system workflow alone, else some of the oldest, one
/// of each deployment, of tenants that have few of them running. While the application is being maintained none does. What ended another one, or
/// made room in some other way, is in the same transaction.
///
/// # Errors
/// Of the database.
pub async fn start_waiting(tx: &impl Tx, now: Timestamp) -> Result<()> {
    start_up_to(tx, AT_ONCE, now).await
}

/// The same for as many at once as somebody has just made room for.
///
/// # Errors
/// Of the database.
pub async fn start_up_to(tx: &impl Tx, most: usize, now: Timestamp) -> Result<()> {
    if maintenance::is_under_way(tx).await? {
        return Ok(());
    }
    if let Some(system) = executions::next_system(tx).await? {
        // It waits until nothing else runs, and everything else waits for it.
        if executions::count_active(tx).await? == 0 {
            start(tx, system, now).await?;
        }
        return Ok(());
    }
    if executions::system_is_busy(tx).await? {
        return Ok(());
    }
    let (mut started, mut refused) = (0, 0);
    while started < most {
        let Some(execution) = executions::next_startable(tx, RUNNING).await? else {
            return Ok(());
        };
        if start(tx, execution, now).await? {
            started += 1;
            continue;
        }
        // One that fails to start ends at once, and another may take its place.
        refused += 1;
        if refused == REFUSED {
            return queue::push(tx, Work::Dequeue, "", &Value::Null, now, now).await;
        }
    }
    Ok(())
}

/// Looks for those that may start, for whoever queued them without being able to.
///
/// # Errors
/// Of the database.
pub async fn start_queued<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| start_waiting(tx, now).await).await
}

/// Makes a queued execution pending, its parameters merged again; answers whether it will start.
async fn start(tx: &impl Tx, mut execution: Execution, now: Timestamp) -> Result<bool> {
    let was = execution.status;
    if execution.deployment_key.is_none() && execution.is_system_workflow {
        return start_system(tx, execution, now).await.map(|()| true);
    }
    match start::prepare(tx, &execution).await? {
        Ok(Prepared { parameters }) => {
            execution.parameters = parameters;
            if execution.resume {
                // What failed while it waited is tried again as well.
                let again = control::wait_no_longer(tx, &execution, false, now).await?;
                execution.finished_operations = (execution.finished_operations - again).max(0);
            }
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
            ending::follow(tx, &execution).await?;
            Ok(false)
        }
    }
}

/// Begins a workflow of the application itself that has waited. Only making a snapshot waits.
async fn start_system(tx: &impl Tx, mut execution: Execution, now: Timestamp) -> Result<()> {
    let was = execution.status;
    execution.status = Status::Started;
    execution.started_at = Some(now);
    executions::save(tx, &execution, was).await?;
    let text = crate::texts::workflow_started(&execution.workflow_id, false, false);
    let event = EngineEvent::of_execution("workflow_started", text);
    events::insert_all(tx, &execution, &[event], now).await?;
    queue::push(tx, Work::Snapshot, &execution.id, &Value::Null, now, now).await
}
