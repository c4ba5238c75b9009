//! Restoring: what is in the archive is looked at and its blobs are stored first; then one transaction
//! takes the place of the whole state. Whatever ends it before its commit leaves the old state, and the
//! blobs of the attempt to the sweep.
//!
//! Triggers would count, queue and tidy for each row, so they are taken away inside of the transaction and
//! come back before its end, as do the indexes, which are built in one go. What triggers would have done is
//! done for all rows together.

mod rows;
mod schema;

use crate::executions::{self, Task};
use crate::manifest::refused;
use crate::opened::{NewNames, Opened};
use crate::snapshots::{self, Archive};
use crate::tables::{LEFT_EMPTY, Table};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Timestamp, ids, params};
use windlass_store::blobs::{LooseBlobs, tidy_after};
use windlass_store::counts;
use windlass_store::queue::Work;
use windlass_store::tenants::DEFAULT_TENANT;

/// Restores the archive that a task names. The state is that of the archive afterwards, with the task's
/// execution as the only thing that happened since.
///
/// # Errors
/// 400 for what cannot be restored; then nothing was changed.
pub async fn restore(db: &impl Db, task: &Task, archive: &Archive) -> Result<()> {
    demand_replaceable(db, task).await?;
    let mut opened = Opened::open(db, &archive.blob, archive.size).await?;
    opened.demand_keys().await?;
    opened.verify_rows().await?;
    let names = NewNames::of(&ids::new_uuid());
    let restored = tidy_after(db, async |blobs: &LooseBlobs| {
        opened.store_blobs(db, blobs, &names).await?;
        db.transaction(async |tx| {
            if !task.take(tx).await? {
                // Somebody else has it by now.
                return Ok(());
            }
            demand_replaceable(tx, task).await?;
            replace(tx, &mut opened, &names).await?;
            settle(tx, task).await
        })
        .await
    })
    .await;
    restored.map_err(|error| match error.kind() {
        // The commit looks at what refers to what.
        Kind::Conflict => refused("its rows do not belong together").context(error.for_log()),
        _ => error,
    })
}

/// Demands that there is nothing that would be lost, or that it may be.
///
/// # Errors
/// 400 where there are blueprints or deployments and nobody forces it.
async fn demand_replaceable(db: &impl Db, task: &Task) -> Result<()> {
    if task.is_forced() {
        return Ok(());
    }
    let sql = "select 1 where exists (select 1 from blueprints where is_hidden = 0)
                   or exists (select 1 from deployments)";
    match db.first(sql, &[]).await? {
        None => Ok(()),
        Some(_) => Err(Error::bad_parameters(
            "There are blueprints or deployments, which restoring a snapshot would remove. Restore it \
             with `force` if that is wanted",
        )),
    }
}

/// Puts the rows of an archive in the place of those that there are.
async fn replace(tx: &impl Tx, opened: &mut Opened, names: &NewNames) -> Result<()> {
    // What refers to each other can come in any order; it is looked at when all is there.
    tx.execute("pragma defer_foreign_keys = on", &[]).await?;
    let tables = opened.tables.clone();
    let aside = schema::set_aside(tx, &tables).await?;
    for (table, blob, size) in tables.iter().filter_map(with_blob) {
        let sql = format!(
            "insert or ignore into loose_blobs (id, chunks, touched_at)
             select {blob}, ({size} + 1048575) / 1048576, ?1 from {table} where {blob} is not null"
        );
        tx.execute(&sql, params![Timestamp::now().millis()]).await?;
    }
    let replaced = tables.iter().rev().map(|table| table.name.as_str());
    for name in LEFT_EMPTY.into_iter().chain(replaced) {
        tx.execute(&format!("delete from {name}"), &[]).await?;
    }
    for table in &tables {
        rows::insert_all(tx, opened, table, names).await?;
    }
    schema::put_back(tx, &aside).await
}

fn with_blob(table: &Table) -> Option<(&str, &str, &str)> {
    let (blob, size) = table.blob?;
    Some((&table.name, blob, size))
}

/// What follows from a new state: indexes for searches, kept numbers, what instances remember, and what
/// was going on when the archive was made.
async fn settle(tx: &impl Tx, task: &Task) -> Result<()> {
    schema::index_searches(tx).await?;
    counts::rebuild(tx).await?;
    for sql in [
        "update identity_version set version = version + 1",
        "update status_version set version = version + 1",
        // Whoever held work when the archive was made does not any more.
        "update queue set lease_holder = null, lease_until = null where lease_holder is not null",
    ] {
        tx.execute(sql, &[]).await?;
    }
    let now = Timestamp::now();
    tx.execute("delete from queue where kind = ?1", params![Work::Snapshot])
        .await?;
    executions::end_those_within(tx, now).await?;
    snapshots::settle(tx, DEFAULT_TENANT).await?;
    executions::note_restoration(tx, task, now).await
}
