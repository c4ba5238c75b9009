//! The durable queue: everything that happens by itself, one row for each piece of work.
//!
//! A row is leased, its work is done, and the transaction that records the result deletes it. A
//! holder that dies lets its lease run out, and somebody else takes the row: work is done at
//! least once. A row is always about the present state of its subject, so pushing one that is
//! there already only makes it due.

pub mod stranded;
mod work;

pub use work::Work;

use crate::json_text;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Timestamp, log, params};

/// A row that somebody holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Leased {
    /// The row, for renewing, finishing and giving it back.
    pub key: i64,
    /// What is to be done.
    pub work: Work,
    /// What it is about.
    pub subject: String,
    /// What else its handler wants to know.
    pub payload: Value,
    /// How often it was leased, this time included.
    pub attempts: i64,
    /// Why it failed the last time.
    pub last_error: Option<String>,
}

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

/// After how many seconds a row of a kind that this version does not know is looked at again.
const UNKNOWN_AGAIN: i64 = 60;

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
    db.execute(
        "insert into queue (kind, subject, payload, not_before, created_at)
         values (?1, ?2, ?3, ?4, ?5)
         on conflict (kind, subject) do update set
             payload = excluded.payload, not_before = min(not_before, excluded.not_before)",
        params![work, subject, payload, not_before.millis(), now],
    )
    .await
}

/// Makes many pieces of work of one kind due. One that is there already starts over: its attempts
/// and its lease are forgotten.
pub async fn push_all(db: &impl Db, work: Work, items: &[Due], now: Timestamp) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    db.execute(
        "insert into queue (kind, subject, not_before, created_at)
         select ?1, value ->> 'subject', value ->> 'not_before', ?3
         from json_each(?2) where true
         on conflict (kind, subject) do update set not_before = excluded.not_before, attempts = 0,
             lease_until = null, lease_holder = null, last_error = null",
        params![work, json_text(items)?, now],
    )
    .await
}

/// Removes work of one kind, leased or not.
pub async fn remove_all(db: &impl Db, work: Work, subjects: &[&str]) -> Result<()> {
    if subjects.is_empty() {
        return Ok(());
    }
    db.execute(
        "delete from queue where kind = ?1 and subject in (select value from json_each(?2))",
        params![work, json_text(subjects)?],
    )
    .await
}

/// Whether a row is due that nobody holds: a read, so that idle ticks do not lock writers out.
pub async fn is_due(db: &impl Db, now: Timestamp) -> Result<bool> {
    let sql = "select 1 from queue
               where not_before <= ?1 and (lease_until is null or lease_until <= ?1) limit 1";
    Ok(db.first(sql, params![now.millis()]).await?.is_some())
}

/// Leases at most `limit` due rows, the longest due first, as one statement. A row that was
/// leased several times without an end is lent for longer, so that work which kills its holder
/// does not do so every few seconds. What this version does not know goes back at once.
pub async fn lease(
    db: &impl Db,
    holder: &str,
    limit: usize,
    lease_millis: i64,
    now: Timestamp,
) -> Result<Vec<Leased>> {
    let rows = db
        .query(
            "update queue set lease_holder = ?1, attempts = attempts + 1,
                 lease_until = ?2 + ?3 * (1 << min(max(attempts - 2, 0), 5))
             where key in (
                 select key from queue
                 where not_before <= ?2 and (lease_until is null or lease_until <= ?2)
                 order by not_before, key limit ?4)
             returning json_object('key', key, 'kind', kind, 'subject', subject,
                 'payload', payload, 'attempts', attempts, 'last_error', last_error)",
            params![holder, now.millis(), lease_millis, limit],
        )
        .await?;
    let mut leased = Vec::with_capacity(rows.len());
    for row in &rows {
        let row: LeasedRow = row.json(0)?;
        match Work::named(&row.kind) {
            Some(work) => leased.push(row.into_leased(work)),
            None => give_unknown_back(db, holder, &row, now).await?,
        }
    }
    leased.sort_by_key(|row| row.key);
    Ok(leased)
}

/// A row as it is read, before its kind is known.
#[derive(Deserialize)]
struct LeasedRow {
    key: i64,
    kind: String,
    subject: String,
    payload: String,
    attempts: i64,
    last_error: Option<String>,
}

impl LeasedRow {
    fn into_leased(self, work: Work) -> Leased {
        Leased {
            key: self.key,
            work,
            subject: self.subject,
            // Only its handler can tell what a broken payload means.
            payload: serde_json::from_str(&self.payload).unwrap_or_default(),
            attempts: self.attempts,
            last_error: self.last_error,
        }
    }
}

/// Perhaps a newer version, which runs beside this one, knows it. The attempt does not count.
async fn give_unknown_back(
    db: &impl Db,
    holder: &str,
    row: &LeasedRow,
    now: Timestamp,
) -> Result<()> {
    let (kind, subject) = (&row.kind, &row.subject);
    let why = format!("this version does not know the work `{kind}` of {subject}");
    log::error("queue", &Error::internal(&why));
    let later = now.plus_seconds(UNKNOWN_AGAIN);
    give_back(db, holder, row.key, later, Some(&why), false).await
}

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

/// Gives a row back, to be tried again at `not_before`. With `counts`, this attempt counts.
pub async fn give_back(
    db: &impl Db,
    holder: &str,
    key: i64,
    not_before: Timestamp,
    error: Option<&str>,
    counts: bool,
) -> Result<()> {
    db.execute(
        "update queue set lease_holder = null, lease_until = null, not_before = ?3,
             last_error = ?4, attempts = attempts - ?5
         where lease_holder = ?1 and key = ?2",
        params![holder, key, not_before.millis(), error, !counts],
    )
    .await
}

/// When the next row becomes due, in milliseconds since 1970.
pub async fn next_due(db: &impl Db) -> Result<Option<i64>> {
    let sql = "select min(max(not_before, coalesce(lease_until, 0))) from queue";
    db.first(sql, &[])
        .await?
        .map_or(Ok(None), |row| row.optional_integer(0))
}
