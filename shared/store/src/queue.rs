//! The durable queue: everything that happens by itself, one row for each piece of work.
//!
//! A row is leased, its work is done, and the transaction that records the result deletes it. A
//! holder that dies lets its lease run out, and somebody else takes the row: work is done at
//! least once. A row is always about the present state of its subject, so pushing one that is
//! there already only makes it due.
//!
//! Tenants share the queue: see [`lease`] for who gets how much of it.

mod lease;
pub mod lent;
pub mod stranded;
mod work;

pub use lease::{Leased, Room, lease};
pub use work::Work;

use crate::json_text;
use crate::pieces::batches;
use serde::{Serialize, Serializer};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, params};

/// A piece of work to be queued with others of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// What it is about.
    pub subject: String,
    /// When it is to be done.
    #[serde(serialize_with = "as_millis")]
    pub not_before: Timestamp,
}

/// The queue compares times with `now` on every tick, so there they are numbers.
fn as_millis<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.millis())
}

/// Where to look for what a row is about: a table with the condition that its subject has to meet.
/// None for a subject that says more than a key.
pub(crate) const fn subject_of(work: Work) -> Option<&'static str> {
    Some(match work {
        Work::Execution | Work::Snapshot => "executions where id",
        Work::ExecutionSchedule => "execution_schedules where key",
        Work::Operation | Work::OperationTimeout | Work::Component => "operations where id",
        Work::BlueprintUpload => "blueprints where key",
        Work::StatusMaintenance | Work::StatusNotification => "status_incidents where id",
        Work::StatusDelivery => "status_deliveries where id",
        Work::StatusConfirmation | Work::StatusSubscriptionExpiry => {
            "status_subscriptions where id"
        }
        Work::StatusProbe => "status_probes where id",
        Work::AdjutantPreparation | Work::AdjutantDeployment => "adjutant_tasks where uuid",
        Work::AdjutantMail => "adjutant_mails where id",
        Work::PipelineStep => "pipeline_steps where id",
        Work::PipelineSchedule => "pipelines where id",
        Work::StatusRun | Work::Dequeue => return None,
    })
}

/// The tenant whose work it is, as SQL: that of what the row is about. Empty for what belongs to the
/// whole application, such as everything about its status page.
fn tenant_of(work: Work, subject: &str) -> String {
    let table = match work {
        Work::Execution
        | Work::Snapshot
        | Work::ExecutionSchedule
        | Work::Operation
        | Work::OperationTimeout
        | Work::BlueprintUpload
        | Work::Component
        | Work::PipelineSchedule => subject_of(work),
        Work::PipelineStep => {
            Some("pipeline_steps s join pipeline_runs r on r.key = s.run_key where s.id")
        }
        Work::StatusMaintenance
        | Work::StatusNotification
        | Work::StatusDelivery
        | Work::StatusConfirmation
        | Work::StatusSubscriptionExpiry
        | Work::StatusProbe
        | Work::StatusRun => return "''".into(),
        // Who asks for an account is in no tenant yet.
        Work::AdjutantPreparation | Work::AdjutantMail | Work::AdjutantDeployment => {
            return "''".into();
        }
        // Whoever waits longest is next, in whatever tenant.
        Work::Dequeue => return "''".into(),
    };
    table.map_or("''".into(), |table| {
        format!("coalesce((select tenant_name from {table} = {subject}), '')")
    })
}

/// Makes work due at `not_before`. One of the same kind and subject becomes due at the earlier of
/// both moments; a lease on it stays.
pub async fn push(
    db: &impl Db,
    work: Work,
    subject: &str,
    payload: &Value,
    not_before: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let sql = format!(
        "insert into queue (kind, subject, payload, not_before, created_at, waits, tenant_name)
         values (?1, ?2, ?3, ?4, ?5, ?6, {})
         on conflict (kind, subject) do update set
             payload = excluded.payload, not_before = min(not_before, excluded.not_before)",
        tenant_of(work, "?2")
    );
    let not_before = not_before.millis();
    let values = params![work, subject, payload, not_before, now, work.waits()];
    db.execute(&sql, values).await
}

/// Makes many pieces of work of one kind due. One that is there already starts over: its attempts
/// and its lease are forgotten.
pub async fn push_all(db: &impl Db, work: Work, items: &[Due], now: Timestamp) -> Result<()> {
    let sql = format!(
        "insert into queue (kind, subject, not_before, created_at, waits, tenant_name)
         select ?1, value ->> 'subject', value ->> 'not_before', ?3, ?4, {}
         from json_each(?2) where true
         on conflict (kind, subject) do update set not_before = excluded.not_before, attempts = 0,
             failures = 0, lease_until = null, lease_holder = null, last_error = null",
        tenant_of(work, "value ->> 'subject'")
    );
    for batch in batches(items) {
        db.execute(&sql, params![work, batch?, now, work.waits()])
            .await?;
    }
    Ok(())
}

/// Removes work of one kind, leased or not.
pub async fn remove_all(db: &impl Db, work: Work, subjects: &[&str]) -> Result<()> {
    let sql = "delete from queue where kind = ?1 and subject in (select value from json_each(?2))";
    for batch in batches(subjects) {
        db.execute(sql, params![work, batch?]).await?;
    }
    Ok(())
}

/// Whether a row is due that nobody holds: a read, so that idle ticks do not lock writers out.
pub async fn is_due(db: &impl Db, now: Timestamp) -> Result<bool> {
    Ok(db.first(IS_DUE, params![now.millis()]).await?.is_some())
}

const IS_DUE: &str = "select 1 from queue where due_at <= ?1 limit 1";

/// Holds leases for longer. Answers the keys that are still this holder's.
pub async fn renew(
    db: &impl Db,
    holder: &str,
    keys: &[i64],
    lease_millis: i64,
    now: Timestamp,
) -> Result<Vec<i64>> {
    let rows = db
        .query(
            "update queue set lease_until = max(lease_until, ?3 + ?4)
             where lease_holder = ?1 and key in (select value from json_each(?2)) returning key",
            params![holder, json_text(keys)?, now.millis(), lease_millis],
        )
        .await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// Which of these rows are still this holder's. A row that was withdrawn after it was leased, or that
/// somebody else took over, is not: its work must not begin, because its result would count for
/// nothing.
pub async fn held(tx: &impl Tx, holder: &str, keys: &[i64]) -> Result<Vec<i64>> {
    let rows = tx
        .query(
            "select key from queue where key in (select value from json_each(?2))
             and lease_holder = ?1",
            params![holder, json_text(keys)?],
        )
        .await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// Removes finished work. Answers the keys that were this holder's: the result of any other
/// counts for nothing. What the result changes belongs into the same transaction.
pub async fn finish(db: &impl Db, holder: &str, keys: &[i64]) -> Result<Vec<i64>> {
    let rows = db
        .query(
            "delete from queue where lease_holder = ?1
             and key in (select value from json_each(?2)) returning key",
            params![holder, json_text(keys)?],
        )
        .await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// Does something in the transaction that finishes a row, if the row is still this holder's.
///
/// # Errors
/// Of the work and of the database; the row stays then.
pub async fn finishing<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    work: impl AsyncFnOnce(&D::Tx) -> Result<()>,
) -> Result<()> {
    db.transaction(async |tx| {
        if finish(tx, holder, &[row.key]).await?.is_empty() {
            return Ok(());
        }
        work(tx).await
    })
    .await
}

/// Gives a row back, to be taken again at `not_before`. With `failed` it counts as a failure. Whoever
/// gives it back lives, so the lease does not count as one whose holder died.
pub async fn give_back(
    db: &impl Db,
    holder: &str,
    key: i64,
    not_before: Timestamp,
    error: Option<&str>,
    failed: bool,
) -> Result<()> {
    db.execute(
        "update queue set lease_holder = null, lease_until = null, not_before = ?3,
             last_error = ?4, attempts = max(attempts - 1, 0), failures = failures + ?5
         where lease_holder = ?1 and key = ?2",
        params![holder, key, not_before.millis(), error, failed],
    )
    .await
}

/// When the next row can be taken, in milliseconds since 1970.
pub async fn next_due(db: &impl Db) -> Result<Option<i64>> {
    db.first(NEXT_DUE, &[])
        .await?
        .map_or(Ok(None), |row| row.optional_integer(0))
}

const NEXT_DUE: &str = "select min(due_at) from queue";

#[cfg(test)]
mod tests;
