//! How the application is doing, over all tables: for `/status` and `/metrics`.

use crate::executions::Status;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Timestamp, params, platform};

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

/// How many blueprints, deployments and executions there are.
pub async fn counts(db: &impl Db, _scope: &Scope) -> Result<Counts> {
    #[derive(Default, Deserialize)]
    struct Row {
        blueprints: i64,
        deployments: i64,
        executions: BTreeMap<String, i64>,
    }
    let row: Option<Row> = db
        .first_json(
            "select json_object(
                 'blueprints', (select coalesce(sum(rows), 0) from row_counts where counts = 'blueprints'),
                 'deployments', (select coalesce(sum(rows), 0) from row_counts where counts = 'deployments'),
                 'executions', (select json_group_object(status, amount) from (
                     select second as status, sum(rows) as amount from row_counts
                     where counts = 'executions' group by second)))",
            &[],
        )
        .await?;
    let Row {
        blueprints,
        deployments,
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
        executions,
    })
}

/// Whether the database answers, and in the shape that this build expects.
pub async fn database_answers(db: &impl Db) -> bool {
    let row = db
        .first("select coalesce(max(version), 0) from schema_versions", &[])
        .await;
    matches!(row, Ok(Some(row)) if row.integer(0).is_ok_and(|version| version >= crate::migrations::latest()))
}

/// So many bytes must fit for the database to count as having room.
const ROOM: i64 = 512 << 10;

/// Whether the database can take more. It writes and takes back a row, then writes one as it is: the first
/// notices a limit of the database, the second a disk that is full. A database that is busy or does
/// not answer in time has room, as far as this can tell.
pub async fn has_room(db: &impl Db) -> bool {
    let growing = db.transaction(async |tx| {
        let row =
            "insert into loose_blobs (id, chunks, touched_at) values (hex(zeroblob(?1)), 0, 0)";
        tx.execute(row, params![ROOM / 2]).await?;
        Err::<(), _>(Error::internal("taken back"))
    });
    let trying = async {
        if growing.await.is_err_and(|error| error.is_out_of_room()) {
            return false;
        }
        let same = "update schema_versions set version = version where version = ?1";
        let written = db.execute(same, params![crate::migrations::latest()]).await;
        !written.is_err_and(|error| error.is_out_of_room())
    };
    platform::in_time(Duration::from_secs(2), trying)
        .await
        .unwrap_or(true)
}

#[cfg(test)]
mod tests;
