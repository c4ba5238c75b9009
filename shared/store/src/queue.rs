//! The durable queue: everything that happens by itself, one row for each piece of work.
//!
//! A row is leased, its work is done, and the transaction that records the result deletes it. A
//! holder that dies lets its lease run out, and somebody else takes the row: work is done at
//! least once. A row is always about the present state of its subject, so pushing one that is
//! there already only makes it due.

use serde_json::Value;
use windlass_core::db::{Db, Row};
use windlass_core::{Result, Timestamp, params};

/// A row that somebody holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Leased {
    /// Its key.
    pub key: i64,
    /// What kind of work it is.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What else its handler wants to know.
    pub payload: Value,
    /// How often it was leased, this time included.
    pub attempts: i64,
    /// Why it failed the last time.
    pub last_error: Option<String>,
}

/// Makes work due at `not_before`. One of the same kind and subject becomes due at the earlier of
/// both moments; a lease on it stays.
pub async fn push(
    db: &impl Db,
    kind: &str,
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
        params![kind, subject, payload, not_before.millis(), now],
    )
    .await
}

/// Makes many pieces of work of one kind due. Each is a list: subject, milliseconds since 1970.
/// One that is there already starts over: its attempts and its lease are forgotten.
pub async fn push_all(db: &impl Db, kind: &str, items: &[Value], now: Timestamp) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    db.execute(
        "insert into queue (kind, subject, not_before, created_at)
         select ?1, value ->> 0, value ->> 1, ?3 from json_each(?2) where true
         on conflict (kind, subject) do update set not_before = excluded.not_before, attempts = 0,
             lease_until = null, lease_holder = null, last_error = null",
        params![kind, &Value::from(items), now],
    )
    .await
}

/// Removes work of one kind, leased or not.
pub async fn remove_all(db: &impl Db, kind: &str, subjects: &[&str]) -> Result<()> {
    if subjects.is_empty() {
        return Ok(());
    }
    db.execute(
        "delete from queue where kind = ?1 and subject in (select value from json_each(?2))",
        params![kind, &Value::from(subjects)],
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
/// does not do so every few seconds.
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
             returning key, kind, subject, payload, attempts, last_error",
            params![holder, now.millis(), lease_millis, limit],
        )
        .await?;
    let mut leased = rows.iter().map(leased).collect::<Result<Vec<_>>>()?;
    leased.sort_by_key(|row| row.key);
    Ok(leased)
}

fn leased(row: &Row) -> Result<Leased> {
    Ok(Leased {
        key: row.integer(0)?,
        kind: row.text(1)?.to_owned(),
        subject: row.text(2)?.to_owned(),
        // Only its handler can tell what a broken payload means.
        payload: row.json(3).unwrap_or_default(),
        attempts: row.integer(4)?,
        last_error: row.optional_text(5)?.map(str::to_owned),
    })
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
            params![holder, &Value::from(keys), now.millis(), lease_millis],
        )
        .await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// Removes finished work. Answers the keys that were this holder's: the result of any other
/// counts for nothing. To be called in the transaction that records the result.
pub async fn finish(db: &impl Db, holder: &str, keys: &[i64]) -> Result<Vec<i64>> {
    let rows = db
        .query(
            "delete from queue where lease_holder = ?1
             and key in (select value from json_each(?2)) returning key",
            params![holder, &Value::from(keys)],
        )
        .await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// Gives a row back, to be tried again at `not_before`. With `counts`, this attempt counts.
pub async fn give_back(
    db: &impl Db,
    holder: &str,
    key: i64,
    not_before: Timestamp,
    error: &str,
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
