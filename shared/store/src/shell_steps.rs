//! Shell steps of pipelines, the table `shell_steps`: offered to workers, leased, printed, reported.
//!
//! What comes of one is only noted here, and the step's row in the queue is made due: what follows is
//! decided by the step's next turn. So a result counts once, however it comes.

use crate::json_text;
use crate::operation_leases::{self, Asked};
use crate::queue::Work;
use serde::Deserialize;
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, ids, params};

#[cfg(test)]
mod tests;

/// The most bytes of a step's console output that are kept.
pub const CONSOLE: i64 = 4 << 20;

/// What the ids of leases begin with, so that they tell themselves from those of operations.
pub const LEASE_PREFIX: &str = "shell-";

/// How much longer than a script's time its worker has to say that it is over, in milliseconds.
const TIMEOUT_GRACE: i64 = 15_000;

/// A step as it is offered.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// The id of the step's row.
    pub step_id: &'a str,
    /// The account.
    pub tenant: &'a str,
    /// Whose workers may take it.
    pub queue: &'a str,
    /// How long its script may run, in seconds.
    pub timeout_seconds: Option<i64>,
    /// What it does, sealed.
    pub content: &'a str,
}

/// A step that a worker has just been given.
#[derive(Clone, Debug, Deserialize)]
pub struct Given {
    /// What the worker names it by.
    pub lease_id: String,
    /// When the lease ends unless a heartbeat comes.
    pub expires_at: Timestamp,
    /// How long its script may run, in seconds.
    pub timeout_seconds: Option<i64>,
    /// The queue that it waited in.
    pub queue: String,
    /// What it does, sealed.
    pub content: String,
    /// The step's name, and what else tells people which one it is.
    pub names: Value,
}

/// A lease as it is kept.
#[derive(Clone, Debug, Deserialize)]
pub struct Lease {
    /// Its row.
    pub key: i64,
    /// The id of the step's row.
    pub step_id: String,
    /// What the worker calls itself.
    pub worker: String,
    /// How long a heartbeat keeps it, in seconds.
    pub seconds: i64,
    /// Whether the worker has begun.
    pub begun: bool,
    /// Bytes of the console that came.
    pub received: i64,
    /// Bytes of it that are kept, of all tries.
    pub kept: i64,
    /// The result that ended it, as a hash.
    pub result_hash: Option<String>,
    /// Whether it is still this worker's.
    pub is_open: bool,
    /// What it does, sealed; none when it is over.
    pub content: Option<String>,
}

const LEASE: &str =
    "json_object('key', o.key, 'step_id', s.id, 'worker', o.worker, 'seconds', o.seconds,
        'begun', json(iif(o.begun, 'true', 'false')), 'received', o.received, 'kept', o.kept,
        'result_hash', o.result_hash, 'content', o.content,
        'is_open', json(iif(o.result is null and s.state = 'running', 'true', 'false'))) as item
    from shell_steps o cross join pipeline_steps s on s.key = o.step_key";

/// Where an offer stands, for the step's turn.
#[derive(Clone, Debug, Deserialize)]
pub struct Standing {
    /// Whether a worker has it.
    pub is_leased: bool,
    /// Until when it must have ended, in milliseconds.
    pub deadline: Option<i64>,
    /// What came of it.
    pub result: Option<Value>,
}

/// Offers a step, in the place of what was offered before.
pub async fn offer(tx: &impl Tx, offer: &Offer<'_>) -> Result<()> {
    let sql = "insert into shell_steps (step_key, tenant_name, queue, timeout_seconds, content)
         select key, ?2, ?3, ?4, ?5 from pipeline_steps where id = ?1
         on conflict (step_key) do update set queue = excluded.queue, content = excluded.content,
             timeout_seconds = excluded.timeout_seconds, lease_id = null, worker = null, created_by = null,
             seconds = null, expires_at = null, begun = 0, received = 0, result = null, result_hash = null";
    let values = params![
        offer.step_id,
        offer.tenant,
        offer.queue,
        offer.timeout_seconds,
        offer.content,
    ];
    tx.execute(sql, values).await
}

/// Where the offer of a step stands; nothing where there is none.
pub async fn standing(tx: &impl Tx, step_id: &str) -> Result<Option<Standing>> {
    let sql = "select json_object('is_leased', json(iif(o.lease_id is null, 'false', 'true')),
             'deadline', s.deadline, 'result', json(o.result))
         from pipeline_steps s cross join shell_steps o on o.step_key = s.key where s.id = ?1";
    tx.first_json(sql, params![step_id]).await
}

/// Nothing more is to be done: nobody takes it any more, and what it would have done is forgotten.
pub async fn close(tx: &impl Tx, step_id: &str) -> Result<()> {
    let sql = "update shell_steps set content = null, result = coalesce(result, '{}')
         where step_key = (select key from pipeline_steps where id = ?1)";
    tx.execute(sql, params![step_id]).await
}

/// Those of these steps that no worker is at: they wait for one, or for their next try.
pub async fn not_begun(tx: &impl Tx, step_ids: &[String]) -> Result<Vec<String>> {
    let sql = "select json_quote(s.id) from pipeline_steps s
         left join shell_steps o on o.step_key = s.key
         where s.id in (select value from json_each(?1))
             and (s.external is null or coalesce(o.begun, 0) = 0 and o.result is null)";
    tx.json_rows(sql, params![json_text(step_ids)?]).await
}

/// Named, because the planner would rather read all that have no lease, whatever became of them.
const WAITING: &str = "from shell_steps indexed by shell_steps_waiting where tenant_name = ?1
    and queue in (select value from json_each(?2))
    and content is not null and lease_id is null and result is null";

/// Whether a step waits for a worker of these queues: a read, so that those who wait lock nobody out.
pub async fn is_one_waiting(db: &impl Db, scope: &Scope, queues: &[String]) -> Result<bool> {
    operation_leases::is_any(db, scope, queues, WAITING).await
}

/// Leases steps to a worker, the longest waiting first. Their time begins.
pub async fn lease(
    tx: &impl Tx,
    scope: &Scope,
    asked: &Asked,
    now: Timestamp,
) -> Result<Vec<Given>> {
    let sql = format!("select key {WAITING} order by key limit ?3");
    let values = params![scope.tenant(), json_text(&asked.queues)?, asked.most];
    let mut given = Vec::new();
    for row in tx.query(&sql, values).await? {
        let (key, id) = (
            row.integer(0)?,
            format!("{LEASE_PREFIX}{}", ids::new_uuid()),
        );
        let sql =
            "update shell_steps set lease_id = ?2, worker = ?3, created_by = ?4, seconds = ?5,
                 expires_at = ?6, begun = 0, received = 0 where key = ?1";
        let until = now.plus_seconds(asked.seconds);
        let values = params![
            key,
            &id,
            &asked.worker,
            scope.username(),
            asked.seconds,
            until
        ];
        tx.execute(sql, values).await?;
        set_deadline(tx, key, TIMEOUT_GRACE, now).await?;
        let sql = "select json_object('lease_id', o.lease_id, 'expires_at', o.expires_at,
                 'timeout_seconds', o.timeout_seconds, 'queue', o.queue, 'content', o.content,
                 'names', json_object('step_id', l.plan ->> ('$[' || s.position || ']._id'),
                     'step_name', l.plan ->> ('$[' || s.position || '].name'),
                     'pipeline_id', p.id, 'pipeline_name', p.name, 'run_count', r.number,
                     'tenant_name', r.tenant_name))
             from shell_steps o join pipeline_steps s on s.key = o.step_key
                 join pipeline_runs r on r.key = s.run_key join pipelines p on p.key = r.pipeline_key
                 join pipeline_plans l on l.key = r.plan_key
             where o.key = ?1";
        given.extend(tx.first_json::<Given>(sql, params![key]).await?);
    }
    Ok(given)
}

/// A step has its whole time from now on, and its turn comes when that is over.
async fn set_deadline(tx: &impl Tx, key: i64, grace: i64, now: Timestamp) -> Result<()> {
    let sql = "update pipeline_steps set deadline = ?2 + ?3 + 1000 * (
                 select timeout_seconds from shell_steps where key = ?1)
             where key = (select step_key from shell_steps where key = ?1)";
    tx.execute(sql, params![key, now.millis(), grace]).await?;
    let sql = "update queue set not_before = s.deadline
         from shell_steps o join pipeline_steps s on s.key = o.step_key
         where o.key = ?1 and s.deadline is not null and queue.kind = ?2 and queue.subject = s.id";
    tx.execute(sql, params![key, Work::PipelineStep]).await
}

/// A lease of the caller's, open or ended. Nothing for one that was lost, and for those of others.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Lease>> {
    let sql = format!(
        "select {LEASE} where o.lease_id = ?1 and o.created_by = ?2 and o.tenant_name = ?3"
    );
    let values = params![id, scope.username(), scope.tenant()];
    db.first_json(&sql, values).await
}

/// Keeps a lease for as long again as it was taken for; answers until when. From the first time on the step
/// counts as begun.
pub async fn keep(tx: &impl Tx, scope: &Scope, lease: &Lease, now: Timestamp) -> Result<Timestamp> {
    let sql = "update shell_steps set expires_at = ?2, begun = 1 where key = ?1";
    operation_leases::extend(
        tx,
        scope,
        sql,
        (lease.key, &lease.worker, lease.seconds),
        now,
    )
    .await
}

/// Keeps what a script has printed: `text`, up to so many bytes as there is room for. The worker has sent
/// `received` bytes by now. Answers how many more are kept.
pub async fn print(
    tx: &impl Tx,
    lease: &Lease,
    text: &str,
    received: i64,
    now: Timestamp,
) -> Result<i64> {
    let room = (CONSOLE - lease.kept).max(0);
    let mut end = text.len().min(usize::try_from(room).unwrap_or(0));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (shown, rest) = text.split_at(end);
    if !shown.is_empty() {
        log(tx, lease, ("console output", true, "", Some(shown)), now).await?;
    }
    let is_cut = !rest.is_empty() && lease.kept <= CONSOLE;
    if is_cut {
        let told = format!("The script printed more than {CONSOLE} bytes: the rest is left out.");
        let action = "console output left out";
        log(tx, lease, (action, false, &told, None), now).await?;
    }
    // One byte more than there is room for: the rest was left out, and that was said.
    let kept = match is_cut {
        true => CONSOLE + 1,
        false => lease.kept + i64::try_from(shown.len()).unwrap_or(0),
    };
    let sql = "update shell_steps set received = ?2, kept = ?3 where key = ?1";
    tx.execute(sql, params![lease.key, received, kept]).await?;
    Ok((CONSOLE - kept).max(0))
}

async fn log(
    tx: &impl Tx,
    lease: &Lease,
    (action, is_console, message, response): (&str, bool, &str, Option<&str>),
    now: Timestamp,
) -> Result<()> {
    let sql =
        "insert into pipeline_logs (run_key, pipeline_key, position, action, is_console, message,
             status, response, caused_by, at)
         select r.key, r.pipeline_key, s.position, ?2, ?3, ?4, 'running', ?5, r.started_by, ?6
         from pipeline_steps s join pipeline_runs r on r.key = s.run_key where s.id = ?1";
    let values = params![
        &lease.step_id,
        action,
        is_console,
        message,
        response,
        now.millis()
    ];
    tx.execute(sql, values).await
}

/// Notes what came of a step, and makes its turn due.
pub async fn end(
    tx: &impl Tx,
    lease: &Lease,
    result: &Value,
    hash: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "update shell_steps set result = ?2, result_hash = ?3 where key = ?1";
    tx.execute(sql, params![lease.key, result, hash]).await?;
    let sql = "update queue set not_before = min(not_before, ?3) where kind = ?1 and subject = ?2";
    let values = params![Work::PipelineStep, &lease.step_id, now.millis()];
    tx.execute(sql, values).await
}

/// Takes a step that was not begun from its worker, and offers it to the others.
pub async fn release(tx: &impl Tx, lease: &Lease, now: Timestamp) -> Result<()> {
    let sql =
        "update shell_steps set lease_id = null, worker = null, created_by = null, seconds = null,
             expires_at = null where key = ?1";
    tx.execute(sql, params![lease.key]).await?;
    set_deadline(tx, lease.key, 0, now).await
}

const EXPIRED: &str = "select key from shell_steps indexed by shell_steps_open
    where lease_id is not null and result is null and expires_at <= ?1 order by expires_at limit 100";

/// Open leases whose time is over, by their keys, some at a time.
pub async fn expired(db: &impl Db, now: Timestamp) -> Result<Vec<i64>> {
    let rows = db.query(EXPIRED, params![now]).await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// A lease, if its time is still over: a heartbeat may have come.
pub async fn still_expired(tx: &impl Tx, key: i64, now: Timestamp) -> Result<Option<Lease>> {
    let sql = format!(
        "select {LEASE} where o.key = ?1 and o.lease_id is not null and o.result is null
             and o.expires_at <= ?2"
    );
    tx.first_json(&sql, params![key, now]).await
}
