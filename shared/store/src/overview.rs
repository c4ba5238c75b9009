//! How the application is doing, over all tables: for `/status` and `/metrics`.

mod measures;

pub use measures::{Measure, Measures, QueueOf, measures};

use crate::executions::Status;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Timestamp, log, params, platform};

/// What waits in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Queue {
    /// All work that is left, also what is for later or under way.
    pub depth: i64,
    /// How much could start now and has not.
    pub due: i64,
    /// How long the oldest of that has waited, in milliseconds.
    pub oldest_due_millis: i64,
}

/// How much there is of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blueprints of all tenants.
    pub blueprints: i64,
    /// Deployments of all tenants.
    pub deployments: i64,
    /// Plugins of all tenants.
    pub plugins: i64,
    /// Executions of all tenants, by status.
    pub executions: Vec<(String, i64)>,
}

/// The state of the queue at this moment. Work whose lease has run out is due again since then.
pub async fn queue(db: &impl Db, _scope: &Scope, now: Timestamp) -> Result<Queue> {
    let queue = db
        .first_json(
            "select json_object('depth', (select count(*) from queue), 'due', count(*),
                 'oldest_due_millis', coalesce(?1 - min(due_at), 0))
             from queue where due_at <= ?1",
            params![now.millis()],
        )
        .await?;
    Ok(queue.unwrap_or_default())
}

/// Notes that a tick of the queue begins. Ticks come every second: once in a while is enough, and an idle
/// one should not write.
pub async fn note_tick(db: &impl Db, now: Timestamp) -> Result<()> {
    let at = last_tick(db).await?;
    if at.abs_diff(now.millis()) < NOTED_EVERY {
        return Ok(());
    }
    let sql = "update scheduler_ticks set at = ?2 where at = ?1";
    db.execute(sql, params![at, now.millis()]).await
}

/// When a tick began last, in milliseconds; 0 when none ever did.
pub async fn last_tick(db: &impl Db) -> Result<i64> {
    let row = db.first("select at from scheduler_ticks", &[]).await?;
    row.map_or(Ok(0), |row| row.integer(0))
}

/// How often a tick is noted, in milliseconds.
const NOTED_EVERY: u64 = 10_000;

/// How many blueprints, deployments and executions there are.
pub async fn counts(db: &impl Db, _scope: &Scope) -> Result<Counts> {
    #[derive(Default, Deserialize)]
    struct Row {
        blueprints: i64,
        deployments: i64,
        plugins: i64,
        executions: BTreeMap<String, i64>,
    }
    let row: Option<Row> = db
        .first_json(
            "select json_object(
                 'blueprints', (select coalesce(sum(rows), 0) from row_counts where counts = 'blueprints'),
                 'deployments', (select coalesce(sum(rows), 0) from row_counts where counts = 'deployments'),
                 'plugins', (select coalesce(sum(rows), 0) from row_counts where counts = 'plugins'),
                 'executions', (select json_group_object(status, amount) from (
                     select second as status, sum(rows) as amount from row_counts
                     where counts = 'executions' group by second)))",
            &[],
        )
        .await?;
    let Row {
        blueprints,
        deployments,
        plugins,
        executions: mut found,
    } = row.unwrap_or_default();
    // Also those that no execution has, so that a metric exists before its first event.
    let known = Status::ALL.into_iter().map(|status| {
        let name = status.name();
        (name.to_owned(), found.remove(name).unwrap_or(0))
    });
    let mut executions: Vec<(String, i64)> = known.collect();
    executions.extend(found);
    Ok(Counts {
        blueprints,
        deployments,
        plugins,
        executions,
    })
}

/// Whether the database can be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can be read and written.
    Ready,
    /// It can be read, and there is no room for more.
    Full,
    /// It does not answer, or not in the shape that this build expects.
    Failing,
}

/// So many bytes must fit for the database to count as having room.
const ROOM: i64 = 512 << 10;
/// How long what was found out about room is believed, in milliseconds.
const BELIEVED: u64 = 3_000;

/// Whether the database can be worked with now. That costs a read; once in three seconds, whoever asks
/// first finds out whether there is still room, for everybody.
pub async fn readiness(db: &impl Db, now: Timestamp) -> Readiness {
    // Read by everybody who looks whether this works, so by columns.
    let sql =
        "select (select max(version) from schema_versions), looked_at, has_room from disk_room";
    let row = db.first(sql, &[]).await;
    let known = row.and_then(|row| {
        let row = row.ok_or_else(|| Error::internal("there is a row about room"))?;
        Ok([row.integer(0)?, row.integer(1)?, row.integer(2)?])
    });
    let (looked_at, mut has_room) = match known {
        Ok([version, looked_at, has_room]) if version >= crate::migrations::latest() => {
            (looked_at, has_room == 1)
        }
        Ok(_) | Err(_) => return Readiness::Failing,
    };
    if looked_at.abs_diff(now.millis()) >= BELIEVED {
        let looking = look(db, looked_at, now, has_room);
        // One that is busy or does not answer in time is as it was, as far as this can tell.
        let found = platform::in_time(Duration::from_secs(2), looking).await;
        has_room = found.unwrap_or(has_room);
    }
    if has_room {
        Readiness::Ready
    } else {
        Readiness::Full
    }
}

/// Whether the database can take more. The first one to come writes the time over the old one, which
/// notices a disk that is full; then a row that is taken back, which notices a limit of the database.
async fn look(db: &impl Db, looked_at: i64, now: Timestamp, known: bool) -> bool {
    let claim = "update disk_room set looked_at = ?2 where looked_at = ?1 returning 1";
    match db.first(claim, params![looked_at, now.millis()]).await {
        Ok(Some(_)) => {}
        Ok(None) => return known,
        Err(error) => return known && !error.is_out_of_room(),
    }
    let growing = db.transaction(async |tx| {
        let row =
            "insert into loose_blobs (id, chunks, touched_at) values (hex(zeroblob(?1)), 0, 0)";
        tx.execute(row, params![ROOM / 2]).await?;
        Err::<(), _>(Error::internal("taken back"))
    });
    let has_room = !growing.await.is_err_and(|error| error.is_out_of_room());
    if has_room != known {
        let update = "update disk_room set has_room = ?1";
        if let Err(error) = db.execute(update, params![i64::from(has_room)]).await {
            log::error("what was found out about room is not kept", &error);
        }
    }
    has_room
}

#[cfg(test)]
mod tests;
