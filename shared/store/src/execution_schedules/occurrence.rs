//! What the engine reads and writes when a schedule occurs.

use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};

use super::row::{Arguments, await_occurrence};
use crate::executions::{Execution, Status};

/// A schedule whose row came from the queue.
#[derive(Clone, Debug, Deserialize)]
pub struct Due {
    /// The row.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// Its tenant.
    pub tenant_name: String,
    /// In whose name its executions run.
    pub created_by: String,
    /// The deployment.
    pub deployment_id: String,
    /// The workflow.
    pub workflow_id: String,
    /// Parameters over the defaults of the workflow.
    pub parameters: Map<String, Value>,
    /// How executions are started.
    pub arguments: Arguments,
    /// When it occurs.
    pub rule: Value,
    /// The first moment there may be.
    pub since: Timestamp,
    /// The last one.
    pub until: Option<Timestamp>,
    /// By how many minutes an occurrence may be late.
    pub slip: i64,
    /// Whether it ends with the first execution that fails.
    pub stop_on_fail: bool,
    /// The occurrence.
    pub next_occurrence: Timestamp,
    /// The status of the execution that the occurrence before this one started.
    pub latest_status: Option<Status>,
}

/// The schedule of a row of the queue, if it is still there, enabled and to occur again.
pub async fn find_due(db: &impl Db, _scope: &Scope, key: &str) -> Result<Option<Due>> {
    let sql = "select json_object('key', t.key, 'id', t.id, 'tenant_name', t.tenant_name,
             'created_by', t.created_by, 'deployment_id', t.deployment_id,
             'workflow_id', t.workflow_id, 'parameters', json(t.parameters),
             'arguments', json(t.execution_arguments), 'rule', json(t.rule), 'since', t.since,
             'until', t.until, 'slip', t.slip,
             'stop_on_fail', json(iif(t.stop_on_fail, 'true', 'false')),
             'next_occurrence', t.next_occurrence,
             'latest_status', (select status from executions e where e.key = t.latest_execution))
         from execution_schedules t
         where t.key = ?1 and t.enabled = 1 and t.next_occurrence is not null";
    db.first_json(sql, params![key]).await
}

/// Records what an occurrence started, if it started something, and awaits the next one.
pub async fn move_on(
    tx: &impl Tx,
    due: &Due,
    started: Option<&Execution>,
    next: Option<Timestamp>,
) -> Result<()> {
    tx.execute(
        "update execution_schedules set next_occurrence = ?2,
             latest_execution = coalesce(?3, latest_execution) where key = ?1",
        params![due.key, next, started.map(|execution| execution.key)],
    )
    .await?;
    await_occurrence(tx, due.key, next).await
}

/// Ends a schedule whose latest execution failed. It keeps its next occurrence, for whoever enables it
/// again.
pub async fn disable(tx: &impl Tx, due: &Due) -> Result<()> {
    let sql = "update execution_schedules set enabled = 0 where key = ?1";
    tx.execute(sql, params![due.key]).await?;
    await_occurrence(tx, due.key, None).await
}
