//! Workflows that workers run, the table `workflow_leases`: offered, leased, kept, given back, ended.
//!
//! An execution has at most one row. It is offered while nobody has it and it is not over, and it stays when it
//! has ended, so that whoever drives the execution knows that it was a worker's.

use crate::executions::{Execution, Status};
use crate::json_text;
use crate::operation_leases::{self, Asked};
use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, hashing, ids, params};

#[cfg(test)]
mod tests;

/// What the ids of leases begin with, so that they tell themselves from those of operations.
pub const LEASE_PREFIX: &str = "workflow-";

/// A workflow that a worker has just been given.
#[derive(Clone, Debug, Deserialize)]
pub struct Given {
    /// What the worker names it by.
    pub lease_id: String,
    /// With what the workflow calls back; only its hash is kept.
    #[serde(skip)]
    pub token: String,
    /// When the lease ends unless a heartbeat comes.
    pub expires_at: Timestamp,
    /// The queue that it waited in.
    pub queue: String,
    /// Its execution.
    pub execution_id: String,
    /// What the workflow is called.
    pub workflow_id: String,
    /// The execution's parameters, defaults filled in.
    pub parameters: Map<String, Value>,
    /// What the dispatcher's context says of the execution and its deployment.
    pub context: Map<String, Value>,
}

/// A lease as it is kept.
#[derive(Clone, Debug, Deserialize)]
pub struct Lease {
    /// Its row.
    pub key: i64,
    /// What the worker calls itself.
    pub worker: String,
    /// How long a heartbeat keeps it, in seconds.
    pub seconds: i64,
    /// How often a worker did not keep it.
    pub losses: i64,
    /// The result that ended it, as a hash.
    pub result_hash: Option<String>,
    /// The execution.
    pub execution_id: String,
    /// Where that stands.
    pub execution_status: Status,
}

const LEASE: &str =
    "json_object('key', l.key, 'worker', l.worker, 'seconds', l.seconds, 'losses', l.losses,
        'result_hash', l.result_hash, 'execution_id', e.id, 'execution_status', e.status) as item
    from workflow_leases l cross join executions e on e.key = l.execution_key";

/// Where the workflow of an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// With a worker.
    Held,
    /// Nobody has it, or not any more.
    Free,
}

/// What makes a row one that nobody has had yet.
const NOBODYS: &str = "is_over = 0, losses = 0, lease_id = null, worker = null, created_by = null,
    token_hash = null, seconds = null, expires_at = null, result_hash = null";

/// Offers the workflow of an execution to workers of a queue, whoever had it before.
pub async fn offer(tx: &impl Tx, execution: &Execution, queue: &str) -> Result<()> {
    let sql = format!(
        "insert into workflow_leases (execution_key, tenant_name, queue) values (?1, ?2, ?3)
         on conflict (execution_key) do update set {NOBODYS}"
    );
    let values = params![execution.key, &execution.tenant_name, queue];
    tx.execute(&sql, values).await
}

/// Offers the workflow of an execution that goes on, if it was a worker's before.
pub async fn offer_again(tx: &impl Tx, execution: &Execution) -> Result<()> {
    let sql = format!("update workflow_leases set {NOBODYS} where execution_key = ?1");
    tx.execute(&sql, params![execution.key]).await
}

/// Where the workflow of an execution is; nothing where no worker is to run it.
pub async fn place(db: &impl Db, execution: &Execution) -> Result<Option<Place>> {
    let sql = "select json_quote(iif(lease_id is not null and result_hash is null, 'held', 'free'))
         from workflow_leases where execution_key = ?1";
    db.first_json(sql, params![execution.key]).await
}

const WAITING: &str = "from workflow_leases l indexed by workflow_leases_waiting
    cross join executions e on e.key = l.execution_key
    where l.tenant_name = ?1 and l.queue in (select value from json_each(?2))
      and l.lease_id is null and l.is_over = 0 and e.status in ('pending', 'started')";

/// Whether a workflow waits for a worker of these queues: a read, so that those who wait lock nobody out.
pub async fn is_one_waiting(db: &impl Db, scope: &Scope, queues: &[String]) -> Result<bool> {
    operation_leases::is_any(db, scope, queues, WAITING).await
}

/// Leases workflows to a worker, the longest waiting first. One that has been with a worker before is resumed.
pub async fn lease(
    tx: &impl Tx,
    scope: &Scope,
    asked: &Asked,
    now: Timestamp,
) -> Result<Vec<Given>> {
    let sql = format!("select l.key {WAITING} order by l.key limit ?3");
    let values = params![scope.tenant(), json_text(&asked.queues)?, asked.most];
    let mut given = Vec::new();
    for row in tx.query(&sql, values).await? {
        let key = row.integer(0)?;
        let (id, token) = (
            format!("{LEASE_PREFIX}{}", ids::new_uuid()),
            ids::random_text(40),
        );
        let sql = "update workflow_leases set lease_id = ?2, worker = ?3, created_by = ?4, token_hash = ?5,
                 seconds = ?6, expires_at = ?7, result_hash = null where key = ?1";
        let until = now.plus_seconds(asked.seconds);
        let values = params![
            key,
            &id,
            &asked.worker,
            scope.username(),
            hashing::digest(&token),
            asked.seconds,
            until
        ];
        tx.execute(sql, values).await?;
        let found: Option<Given> = tx.first_json(GIVEN, params![key]).await?;
        given.extend(found.map(|one| Given { token, ..one }));
    }
    Ok(given)
}

const GIVEN: &str =
    "select json_object('lease_id', l.lease_id, 'expires_at', l.expires_at, 'queue', l.queue,
        'execution_id', e.id, 'workflow_id', e.workflow_id, 'parameters', json(e.parameters),
        'context', json_object('execution_id', e.id, 'workflow_id', e.workflow_id,
            'execution_creator_username', e.created_by, 'blueprint_id', d.blueprint_id,
            'deployment_id', d.id, 'deployment_display_name', d.display_name,
            'deployment_creator', d.created_by,
            'deployment_resource_tags', coalesce((select json(p.text) from plan_parts p
                where p.key = d.resource_tags_part), json('{}')),
            'runtime_only_evaluation', json(iif(d.runtime_only_evaluation, 'true', 'false')),
            'tenant', json_object('name', e.tenant_name),
            'dry_run', json(iif(e.is_dry_run, 'true', 'false')),
            'resume', json(iif(e.resume or e.status = 'started', 'true', 'false')),
            'is_system_workflow', json('false')))
    from workflow_leases l cross join executions e on e.key = l.execution_key
    left join deployments d on d.key = e.deployment_key where l.key = ?1";

/// A lease of the caller's, open or ended by a result. Nothing for one that was lost, and for those of others.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Lease>> {
    let sql = format!(
        "select {LEASE} where l.lease_id = ?1 and l.created_by = ?2 and l.tenant_name = ?3"
    );
    let values = params![id, scope.username(), scope.tenant()];
    db.first_json(&sql, values).await
}

/// Keeps a lease for as long again as it was taken for; answers until when.
pub async fn keep(tx: &impl Tx, scope: &Scope, lease: &Lease, now: Timestamp) -> Result<Timestamp> {
    let sql = "update workflow_leases set expires_at = ?2 where key = ?1";
    operation_leases::extend(
        tx,
        scope,
        sql,
        (lease.key, &lease.worker, lease.seconds),
        now,
    )
    .await
}

/// Ends a lease by its result, as the hash of what was sent: nobody takes the workflow any more.
pub async fn end(tx: &impl Tx, lease: &Lease, hash: &str) -> Result<()> {
    let sql = "update workflow_leases set result_hash = ?2, is_over = 1 where key = ?1";
    tx.execute(sql, params![lease.key, hash]).await
}

/// Makes a workflow available again: its worker gave it back, or lost it.
pub async fn release(tx: &impl Tx, lease: &Lease, was_lost: bool) -> Result<()> {
    let sql = "update workflow_leases set lease_id = null, worker = null, created_by = null, token_hash = null,
             seconds = null, expires_at = null, losses = losses + ?2 where key = ?1";
    tx.execute(sql, params![lease.key, i64::from(was_lost)])
        .await
}

/// Takes the workflow of an execution away from whoever has it, for good.
pub async fn close(tx: &impl Tx, execution: &Execution) -> Result<()> {
    let sql =
        "update workflow_leases set is_over = 1, lease_id = null, token_hash = null, expires_at = null
         where execution_key = ?1";
    tx.execute(sql, params![execution.key]).await
}

/// The ids of open leases whose time is over, some at a time.
pub async fn expired(db: &impl Db, now: Timestamp) -> Result<Vec<String>> {
    db.json_rows(EXPIRED, params![now]).await
}

const EXPIRED: &str = "select json_quote(lease_id) from workflow_leases
    where lease_id is not null and result_hash is null and expires_at <= ?1 order by expires_at limit 100";

/// A lease, if its time is still over: a heartbeat may have come.
pub async fn still_expired(tx: &impl Tx, id: &str, now: Timestamp) -> Result<Option<Lease>> {
    let sql = format!(
        "select {LEASE} where l.lease_id = ?1 and l.result_hash is null and l.expires_at <= ?2"
    );
    tx.first_json(&sql, params![id, now]).await
}

/// The execution that the token of an open lease speaks for, by its key.
pub async fn execution_of_token(db: &impl Db, token: &str) -> Result<Option<i64>> {
    let row = db.first(BY_TOKEN, params![hashing::digest(token)]).await?;
    row.map(|row| row.integer(0)).transpose()
}

const BY_TOKEN: &str = "select execution_key from workflow_leases
    where token_hash = ?1 and token_hash is not null and result_hash is null";
