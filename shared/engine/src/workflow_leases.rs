//! Workflows that workers run: leased, kept and ended as operations are.
//!
//! The dispatcher of `cloudify-common` says itself how the execution stands, with the lease's token. What the worker
//! reports at the end only matters where it did not: the process died, or never began. A workflow whose
//! worker was lost is handed out again, and goes on if its function can be resumed.

use crate::driver::{self, by_worker};
use crate::lease_kinds::{is_told_again, lost, take_away};
use crate::leases::Reported;
use crate::start;
use crate::step::{CallError, End, Outcome};
use serde_json::{Map, Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, log};
use windlass_store::executions::{self, Execution, Status};
use windlass_store::operation_leases::Asked;
use windlass_store::workflow_leases::{self, Given, Lease};
use windlass_store::{blueprints, config};

/// How many workers may lose a workflow before it is the workflow's fault.
const LOSSES: i64 = 5;

/// Leases workflows to a worker: what it is told of each. None, where nothing waits.
///
/// # Errors
/// Of the database.
pub async fn lease(
    db: &impl Db,
    scope: &Scope,
    asked: &Asked,
    now: Timestamp,
) -> Result<Vec<Value>> {
    if !workflow_leases::is_one_waiting(db, scope, &asked.queues).await? {
        return Ok(Vec::new());
    }
    let given = db
        .transaction(async |tx| workflow_leases::lease(tx, scope, asked, now).await)
        .await?;
    let mut told = Vec::with_capacity(given.len());
    for one in given {
        match tell(db, &one).await {
            Ok(item) => told.extend(item),
            // It is another worker's when its lease has run out.
            Err(error) => log::error("a leased workflow could not be told", &error),
        }
    }
    Ok(told)
}

/// What a worker is told of a workflow; none whose execution is gone.
async fn tell(db: &impl Db, given: &Given) -> Result<Option<Value>> {
    let engine = Scope::engine();
    let Some(execution) = executions::find_if_any(db, &engine, &given.execution_id).await? else {
        return Ok(None);
    };
    let definition = start::definition(db, &execution).await?.unwrap_or_default();
    let text = |key: &str| definition.get(key).and_then(Value::as_str);
    let name = text("operation").unwrap_or_default();
    let context = context(
        db,
        given,
        &execution,
        (name, text("plugin").unwrap_or_default()),
    );
    Ok(Some(json!({
        "kind": "workflow",
        "lease_id": given.lease_id,
        "expires_at": given.expires_at,
        "execution_id": given.execution_id,
        "tenant_name": execution.tenant_name,
        "queue": given.queue,
        "name": name,
        "workflow_id": given.workflow_id,
        "execution_token": given.token,
        "kwargs": given.parameters,
        "context": context.await?,
    })))
}

/// What the dispatcher of `cloudify-common` takes as the context of a workflow.
async fn context(
    db: &impl Db,
    given: &Given,
    execution: &Execution,
    (name, plugin): (&str, &str),
) -> Result<Value> {
    let mut about = match execution.deployment_key {
        Some(key) => blueprints::workflow_plugin(db, key, plugin).await?,
        None => None,
    }
    .unwrap_or_default();
    if let Value::Object(about) = &mut about {
        about.insert("tenant_name".into(), execution.tenant_name.as_str().into());
        about.insert("visibility".into(), json!(execution.visibility));
    } else {
        about = json!({ "name": plugin });
    }
    let mut context = given.context.clone();
    let own = json!({
        "type": "workflow",
        "task_name": name,
        "task_id": given.lease_id,
        "task_target": given.queue,
        "local": false,
        "plugin": about,
        "execution_token": given.token,
        "rest_token": null,
        "workflow_parameters": given.parameters,
    });
    let standards = standards(db).await?;
    for more in [own, Value::Object(standards)] {
        if let Value::Object(more) = more {
            context.extend(more);
        }
    }
    Ok(Value::Object(context))
}

/// How often and when tasks are tried again that say nothing else.
async fn standards(db: &impl Db) -> Result<Map<String, Value>> {
    let mut standards = Map::new();
    for name in ["task_retries", "subgraph_retries"] {
        let value = config::integer(db, name).await?;
        standards.extend(value.map(|value| (name.to_owned(), value.into())));
    }
    let interval = config::number(db, "task_retry_interval").await?;
    standards.extend(interval.map(|value| ("task_retry_interval".to_owned(), value.into())));
    Ok(standards)
}

/// Keeps a lease; answers until when. Whether the workflow is to end it asks itself.
///
/// # Errors
/// 409 for one that is not the caller's any more.
pub async fn keep(db: &impl Db, scope: &Scope, id: &str, now: Timestamp) -> Result<Timestamp> {
    db.transaction(async |tx| {
        let lease = workflow_leases::find(tx, scope, id).await?;
        let lease = lease.filter(|lease| lease.result_hash.is_none());
        workflow_leases::keep(tx, scope, &lease.ok_or_else(|| lost(id))?, now).await
    })
    .await
}

/// Ends a lease with what came of its workflow. The same result once more changes nothing.
///
/// # Errors
/// 409 for a lease that is not the caller's any more, which one that was given back is, or that another result
/// has ended.
pub async fn conclude(
    db: &impl Db,
    scope: &Scope,
    reported: &Reported,
    now: Timestamp,
) -> Result<()> {
    let (id, hash) = (reported.lease_id.as_str(), &reported.hash);
    db.transaction(async |tx| {
        let lease = workflow_leases::find(tx, scope, id).await?;
        let lease = lease.ok_or_else(|| lost(id))?;
        if is_told_again(id, (lease.result_hash.as_deref(), true), hash)? {
            return Ok(());
        }
        if matches!(reported.outcome, Outcome::Rescheduled(_))
            && !lease.execution_status.has_ended()
        {
            return hand_on(tx, &lease, false, now).await;
        }
        workflow_leases::end(tx, &lease, hash).await?;
        end_unless_it_has(tx, &lease, &reported.outcome, now).await
    })
    .await
}

/// Makes a workflow available again, or ends its execution where that was cancelled meanwhile.
async fn hand_on(tx: &impl Tx, lease: &Lease, was_lost: bool, now: Timestamp) -> Result<()> {
    workflow_leases::release(tx, lease, was_lost).await?;
    driver::drive(tx, &lease.execution_id, Vec::new(), now)
        .await
        .map(drop)
}

/// Ends the execution of a workflow that did not say itself how it ended.
async fn end_unless_it_has(
    tx: &impl Tx,
    lease: &Lease,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<()> {
    let engine = Scope::engine();
    let found = executions::find_if_any(tx, &engine, &lease.execution_id).await?;
    let Some(execution) = found.filter(|execution| !execution.status.has_ended()) else {
        return Ok(());
    };
    let end = match outcome {
        _ if execution.status == Status::Cancelling => End::Cancelled,
        Outcome::Succeeded { .. } => End::Succeeded,
        Outcome::Failed(error) | Outcome::Rescheduled(error) => End::Failed(error.message.clone()),
    };
    by_worker::end(tx, execution, end, now).await.map(drop)
}

/// Makes workflows available again whose workers have not kept their leases; answers how many. One that too many
/// workers have lost has failed. Reads only, where there is nothing.
///
/// # Errors
/// Of the database.
pub async fn expire(db: &impl Db, now: Timestamp) -> Result<usize> {
    let expired = workflow_leases::expired(db, now).await?;
    let taken = take_away(db, expired, async |tx, id| {
        let Some(lease) = workflow_leases::still_expired(tx, id, now).await? else {
            return Ok(false);
        };
        if lease.losses + 1 < LOSSES {
            return hand_on(tx, &lease, true, now).await.map(|()| true);
        }
        let text = format!(
            "{LOSSES} workers have lost the workflow, the last of them `{}`",
            lease.worker
        );
        let outcome = Outcome::Failed(CallError::fatal(text));
        workflow_leases::end(tx, &lease, "").await?;
        end_unless_it_has(tx, &lease, &outcome, now).await?;
        Ok(true)
    });
    Ok(taken.await)
}
