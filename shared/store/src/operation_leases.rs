//! Leases of operations: which worker has which, and until when.
//!
//! A lease is open until a result ends it, it is taken away, or its operation is leased again. One whose time
//! is over stays open until somebody notices, since a worker that comes back by then has lost nothing.

use crate::json_text;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, hashing, ids, params};

#[cfg(test)]
mod tests;

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What it calls itself.
    pub worker: String,
    /// Whose operations it runs.
    pub queues: Vec<String>,
    /// How many it takes at most.
    pub most: usize,
    /// How long a heartbeat keeps a lease, in seconds.
    pub seconds: i64,
}

/// A lease that was just given.
#[derive(Clone, Debug)]
pub struct NewLease {
    /// What the worker names it by.
    pub id: String,
    /// With what the operation calls back; only its hash is kept.
    pub token: String,
    /// When it ends unless a heartbeat comes.
    pub expires_at: Timestamp,
}

/// A lease as it is kept.
#[derive(Clone, Debug, Deserialize)]
pub struct Lease {
    /// Its row.
    pub key: i64,
    /// What the worker names it by.
    pub id: String,
    /// What the worker calls itself.
    pub worker: String,
    /// How long a heartbeat keeps it, in seconds.
    pub seconds: i64,
    /// The result that ended it, as a hash; none while it is open.
    pub result_hash: Option<String>,
    /// The operation.
    pub operation_id: String,
    /// Where that stands; any text.
    pub operation_state: String,
    /// The execution.
    pub execution_id: String,
    /// Where that stands.
    pub execution_status: crate::executions::Status,
}

const LEASE: &str =
    "json_object('key', l.key, 'id', l.id, 'worker', l.worker, 'seconds', l.seconds,
        'result_hash', l.result_hash, 'operation_id', o.id, 'operation_state', o.state,
        'execution_id', e.id, 'execution_status', e.status) as item
    from operation_leases l
    cross join operations o on o.key = l.operation_key
    cross join executions e on e.key = o.execution_key";

/// Operations of a tenant that wait for a worker of these queues, of executions that run. One with a row
/// in the queue is not due yet.
const WAITING: &str = "from operations o cross join executions e on e.key = o.execution_key
    where o.tenant_name = ?1 and o.queue in (select value from json_each(?2))
      and o.state = 'sent' and o.queue is not null and e.status = 'started'
      and not exists (select 1 from queue q where q.kind = 'operation' and q.subject = o.id)";

/// Whether anything waits for a worker of these queues: a read, so that those who wait lock nobody out.
pub async fn is_one_waiting(db: &impl Db, scope: &Scope, queues: &[String]) -> Result<bool> {
    is_any(db, scope, queues, WAITING).await
}

/// Whether there is a row of those that wait in a tenant for a worker of these queues. `waiting` is the statement
/// from its `from` on, whose parameters are the tenant and the queues.
pub(crate) async fn is_any(
    db: &impl Db,
    scope: &Scope,
    queues: &[String],
    waiting: &str,
) -> Result<bool> {
    let sql = format!("select 1 {waiting} limit 1");
    let values = params![scope.tenant(), json_text(queues)?];
    Ok(db.first(&sql, values).await?.is_some())
}

/// The ids of operations that a worker of these queues may take, the longest waiting first.
pub async fn waiting(
    db: &impl Db,
    scope: &Scope,
    queues: &[String],
    most: usize,
) -> Result<Vec<String>> {
    let sql = format!("select json_quote(o.id) {WAITING} order by o.key limit ?3");
    let values = params![scope.tenant(), json_text(queues)?, most];
    db.json_rows(&sql, values).await
}

/// Leases operations, in the place of any leases that they had, in their order.
pub async fn insert_all(
    tx: &impl Tx,
    scope: &Scope,
    operation_ids: &[&str],
    asked: &Asked,
    now: Timestamp,
) -> Result<Vec<NewLease>> {
    let expires_at = now.plus_seconds(asked.seconds);
    let new = || NewLease {
        id: ids::new_uuid(),
        token: ids::random_text(40),
        expires_at,
    };
    let leases: Vec<NewLease> = operation_ids.iter().map(|_| new()).collect();
    let row = |(operation, lease): (&&str, &NewLease)| {
        let token_hash = hashing::digest(&lease.token);
        serde_json::json!({ "id": lease.id, "operation": operation, "token_hash": token_hash })
    };
    let rows: Vec<Value> = operation_ids.iter().zip(&leases).map(row).collect();
    let sql = "insert into operation_leases (id, operation_key, worker, created_by, token_hash, seconds, expires_at)
               select value ->> 'id', o.key, ?2, ?3, value ->> 'token_hash', ?4, ?5
               from json_each(?1) cross join operations o on o.id = value ->> 'operation' where true
               on conflict (operation_key) do update set id = excluded.id, worker = excluded.worker,
                   created_by = excluded.created_by, token_hash = excluded.token_hash,
                   seconds = excluded.seconds, expires_at = excluded.expires_at, result_hash = null";
    let values = params![
        json_text(&rows)?,
        &asked.worker,
        scope.username(),
        asked.seconds,
        expires_at,
    ];
    tx.execute(sql, values).await?;
    Ok(leases)
}

/// A lease of the caller's, open or ended by a result. Nothing for one that was lost, and for those of others.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Lease>> {
    let sql =
        format!("select {LEASE} where l.id = ?1 and l.created_by = ?2 and o.tenant_name = ?3");
    let values = params![id, scope.username(), scope.tenant()];
    db.first_json(&sql, values).await
}

/// Those of the caller's leases that have these ids.
pub async fn find_all(db: &impl Db, scope: &Scope, ids: &[&str]) -> Result<Vec<Lease>> {
    let sql = format!(
        "select {LEASE} where l.id in (select value from json_each(?1)) and l.created_by = ?2
             and o.tenant_name = ?3"
    );
    let values = params![json_text(ids)?, scope.username(), scope.tenant()];
    db.json_rows(&sql, values).await
}

/// Keeps a lease for as long again as it was taken for; answers until when.
pub async fn keep(tx: &impl Tx, scope: &Scope, lease: &Lease, now: Timestamp) -> Result<Timestamp> {
    let sql = "update operation_leases set expires_at = ?2 where key = ?1";
    extend(
        tx,
        scope,
        sql,
        (lease.key, &lease.worker, lease.seconds),
        now,
    )
    .await
}

/// Keeps a lease, by the statement that writes until when, and notes that its worker is there: one that has no room
/// asks for nothing.
pub(crate) async fn extend(
    tx: &impl Tx,
    scope: &Scope,
    sql: &str,
    (key, worker, seconds): (i64, &str, i64),
    now: Timestamp,
) -> Result<Timestamp> {
    let until = now.plus_seconds(seconds);
    tx.execute(sql, params![key, until]).await?;
    crate::agents::see_busy_worker(tx, scope, worker, now).await?;
    Ok(until)
}

/// Ends leases by their results: each by the hash of what was sent.
pub async fn end_all(tx: &impl Tx, ended: &[(i64, &str)]) -> Result<()> {
    let sql = "update operation_leases set result_hash = ended.value ->> 1
               from json_each(?1) as ended where operation_leases.key = ended.value ->> 0";
    tx.execute(sql, params![json_text(ended)?]).await
}

/// Takes a lease away.
pub async fn take_away(tx: &impl Tx, lease: &Lease) -> Result<()> {
    let sql = "delete from operation_leases where key = ?1";
    tx.execute(sql, params![lease.key]).await
}

/// Takes the leases of operations away: what comes of them does not matter any more.
pub async fn take_all_away(tx: &impl Tx, operations: &[&str]) -> Result<()> {
    let sql = "delete from operation_leases where operation_key in (
                   select key from operations where id in (select value from json_each(?1)))";
    for batch in crate::pieces::batches(operations) {
        tx.execute(sql, params![batch?]).await?;
    }
    Ok(())
}

/// The ids of open leases whose time is over, some at a time.
pub async fn expired(db: &impl Db, now: Timestamp) -> Result<Vec<String>> {
    db.json_rows(EXPIRED, params![now]).await
}

const EXPIRED: &str = "select json_quote(id) from operation_leases
    where result_hash is null and expires_at <= ?1 order by expires_at limit 100";

/// A lease, if its time is still over: a heartbeat may have come.
pub async fn still_expired(tx: &impl Tx, id: &str, now: Timestamp) -> Result<Option<Lease>> {
    let sql =
        format!("select {LEASE} where l.id = ?1 and l.result_hash is null and l.expires_at <= ?2");
    tx.first_json(&sql, params![id, now]).await
}

/// The execution that the token of an open lease speaks for, by its key, while its operation runs.
pub async fn execution_of_token(db: &impl Db, token: &str) -> Result<Option<i64>> {
    let row = db.first(BY_TOKEN, params![hashing::digest(token)]).await?;
    row.map(|row| row.integer(0)).transpose()
}

const BY_TOKEN: &str = "select o.execution_key from operation_leases l
    cross join operations o on o.key = l.operation_key
    where l.token_hash = ?1 and l.result_hash is null and o.state = 'started'";

/// What the contexts of operations say besides what the engine wrote into them, by their ids: names of the
/// deployment and who made it, and all there is about the plugin, which is named with each. Of a plugin that
/// the node does not use, its name.
pub async fn about_all(
    db: &impl Db,
    calls: &[(&str, &str)],
) -> Result<HashMap<String, Map<String, Value>>> {
    let context = "$.task_kwargs.kwargs.__cloudify_context";
    let sql = format!(
        "select json_array(o.id, json_object('execution_creator_username', e.created_by,
             'deployment_display_name', d.display_name, 'deployment_creator', d.created_by,
             'deployment_resource_tags', coalesce((select json(p.text) from plan_parts p
                 where p.key = d.resource_tags_part), json('{{}}')),
             'runtime_only_evaluation',
                 json(iif(d.runtime_only_evaluation, 'true', 'false')),
             'plugin', coalesce((select json_patch(used.value, json_object('tenant_name', o.tenant_name,
                     'visibility', o.visibility))
                 from nodes n cross join plan_parts p on p.key = n.plugins_part, json_each(p.text) as used
                 where n.deployment_key = e.deployment_key
                   and n.id = o.parameters ->> '{context}.node_name'
                   and used.value ->> 'name' = call.value ->> 1 limit 1),
                 json_object('name', call.value ->> 1))))
         from json_each(?1) as call cross join operations o on o.id = call.value ->> 0
         cross join executions e on e.key = o.execution_key
         left join deployments d on d.key = e.deployment_key"
    );
    let found: Vec<(String, Map<String, Value>)> =
        db.json_rows(&sql, params![json_text(calls)?]).await?;
    Ok(found.into_iter().collect())
}
