//! Taking rows: who gets how much.
//!
//! Rows are of two classes, see [`Work::waits`], each with room of its own: what only computes is never
//! kept out by what waits for other servers. In each class tenants take turns, one row each, the
//! longest due first; so a tenant with thousands of rows is as far from its next one as a tenant with
//! two.
//!
//! What waits can wait for minutes, so there it is not enough to take turns in taking: all places would
//! be held by whoever waits longest. A tenant may therefore hold as many places as it leaves free. Alone
//! it gets half of them, beside one other a third; and somebody who comes later always finds some. The
//! same holds for the places of one holder, so that whoever ticks has room for everybody.

use super::{Work, give_back};
use serde::Deserialize;
use serde_json::Value;
use windlass_core::db::Db;
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
    /// How often it was leased without being given back, this time included: how many of its holders
    /// died, and one more.
    pub attempts: i64,
    /// How often it was tried and failed.
    pub failures: i64,
    /// Why it failed the last time.
    pub last_error: Option<String>,
}

/// How many rows may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Of what only computes.
    pub here: usize,
    /// Of what waits for others: places that the holder has left.
    pub waiting: usize,
    /// How many of the latter may be held by everybody together.
    pub waiting_in_all: usize,
}

impl From<usize> for Room {
    /// Room for so many of each class, whoever else holds some.
    fn from(rows: usize) -> Self {
        Self {
            here: rows,
            waiting: rows,
            waiting_in_all: 1 << 20,
        }
    }
}

/// After how many seconds a row of a kind that this version does not know is looked at again.
const UNKNOWN_AGAIN: i64 = 60;

/// Leases as many due rows as there is room for, as one statement. A row that was leased several times
/// without an end is lent for longer, so that work which kills its holder does not do so every few
/// seconds; for four times as long at most, since nobody can tell it from work whose holders were killed,
/// and that is to go on soon. What this version does not know goes back at once.
pub async fn lease(
    db: &impl Db,
    holder: &str,
    room: impl Into<Room>,
    lease_millis: i64,
    now: Timestamp,
) -> Result<Vec<Leased>> {
    let room = room.into();
    let rows = db
        .query(
            LEASE,
            params![
                holder,
                now.millis(),
                lease_millis,
                room.here,
                room.waiting,
                room.waiting_in_all
            ],
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

/// `tenants` steps from one tenant to the next by the index, so only the first rows of each are read,
/// however many there are.
pub(super) const LEASE: &str = "
    with recursive
    tenants (waits, name) as (
        select class.value, (select min(tenant_name) from queue where waits = class.value)
        from json_each('[0, 1]') as class
        union all
        select waits, (select min(tenant_name) from queue
            where waits = tenants.waits and tenant_name > tenants.name)
        from tenants where name is not null),
    held (name, places, mine) as (
        select tenant_name, count(*), sum(lease_holder = ?1) from queue
        where waits = 1 and lease_holder is not null and lease_until > ?2 group by tenant_name),
    free (places, mine) as (
        select max(?6 - coalesce(sum(places), 0), 0), ?5 from held),
    due (waits, key, due_at, turn, share) as (
        select tenants.waits, first.value ->> 0, first.value ->> 1, first.key,
            case tenants.waits when 0 then ?4 else (
                select min(free.places + 1 - coalesce(held.places, 0),
                    free.mine + 1 - coalesce(held.mine, 0)) / 2
                from free left join held on held.name = tenants.name) end
        from tenants, json_each((
            select json_group_array(json_array(key, due_at)) from (
                select key, due_at from queue
                where waits = tenants.waits and tenant_name = tenants.name and due_at <= ?2
                order by due_at, key limit max(?4, ?5)))) as first),
    turns (waits, key, place) as (
        select waits, key, row_number() over (partition by waits order by turn, due_at, key)
        from due where turn < share)
    update queue set lease_holder = ?1, attempts = attempts + 1,
        lease_until = ?2 + ?3 * (1 << min(max(attempts - 2, 0), 2))
    where key in (select key from turns where place <=
        case waits when 0 then ?4 else (select min(?5, places) from free) end)
    returning json_object('key', key, 'kind', kind, 'subject', subject, 'payload', payload,
        'attempts', attempts, 'failures', failures, 'last_error', last_error)";

/// A row as it is read, before its kind is known.
#[derive(Deserialize)]
struct LeasedRow {
    key: i64,
    kind: String,
    subject: String,
    payload: String,
    attempts: i64,
    failures: i64,
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
            failures: self.failures,
            last_error: self.last_error,
        }
    }
}

/// Perhaps a newer version, which runs beside this one, knows it.
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
