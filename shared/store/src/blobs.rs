//! Blobs that no row names: those being written, and those to be removed.
//!
//! The table `loose_blobs` knows every blob from before its first byte until a row names it, and
//! again from the moment no row does (triggers see to that). So a crash at any point leaves a row
//! here, and [`sweep`] finds the blob without listing the key-value store. A sweep claims a row
//! before it removes anything; whoever still wants the blob then is refused. What a row let go of is
//! left to the sweep, too: somebody may be reading it, and hardly anybody does for an hour.

mod incoming;

pub use incoming::{Arrived, Incoming};

use crate::config;
use serde::Deserialize;
use serde_json::json;
use std::cell::RefCell;
use windlass_core::blob::{self, Blob, Writer};
use windlass_core::db::{Db, Row, Tx};
use windlass_core::{Error, Kind, Result, Timestamp, log, params};

/// The setting that says for how many minutes a blob may be nobody's without a sign of life.
const KEPT_SETTING: &str = "loose_archive_minutes";

/// The same where nothing says it, and the least: an upload shows that it lives with each 16 MiB, and
/// somebody may be reading what a row let go of.
const KEPT_MINUTES: i64 = 60;
const LEAST_MINUTES: i64 = 10;

/// For how many chunks room is made at a time: one statement for each 16 MiB.
const RESERVED: u64 = 16;

/// How many blobs one sweep removes.
const SWEPT_AT_ONCE: usize = 20;

/// The blobs that one piece of work writes.
#[derive(Default)]
pub struct LooseBlobs {
    ids: RefCell<Vec<String>>,
}

impl LooseBlobs {
    fn add(&self, id: &str) {
        self.ids.borrow_mut().push(id.to_owned());
    }

    /// Removes those that no row names.
    async fn remove(self, db: &impl Db) -> Result<()> {
        let ids = json!(self.ids.into_inner());
        let sql = "select 1 from loose_blobs where id in (select value from json_each(?1)) limit 1";
        // A read first: most work gives its blobs to rows, and writers should not wait for that.
        if db.first(sql, params![&ids]).await?.is_none() {
            return Ok(());
        }
        let claimed = db
            .query(
                "update loose_blobs set is_swept = 1 where id in (select value from json_each(?1))
                 returning json_object('id', id, 'chunks', chunks)",
                params![&ids],
            )
            .await?;
        erase_all(db, &claimed).await
    }
}

/// How many blobs no row names: those being written and those to be removed.
pub async fn count_loose(db: &impl Db) -> Result<i64> {
    let row = db.first("select count(*) from loose_blobs", &[]).await?;
    row.map_or(Ok(0), |row| row.integer(0))
}

/// Does work that writes blobs. Those that no row names afterwards are removed, however the work ended: what is to stay was given to a row with [`keep`].
///
/// There is no other way to clean up: a value that is dropped cannot wait for the database. Work
/// that is dropped itself leaves its blobs to a [`sweep`].
pub async fn tidy_after<T>(
    db: &impl Db,
    work: impl AsyncFnOnce(&LooseBlobs) -> Result<T>,
) -> Result<T> {
    let blobs = LooseBlobs::default();
    let done = work(&blobs).await;
    if let Err(error) = blobs.remove(db).await {
        log::error("a blob was left behind", &error);
    }
    done
}

/// A blob that is being written. One that is not given to a row goes with its [`LooseBlobs`].
pub struct NewBlob {
    writer: Writer,
    reserved: u64,
}

impl NewBlob {
    /// Begins a blob: from now on a sweep would find it.
    pub async fn begin(db: &impl Db, blobs: &LooseBlobs) -> Result<Self> {
        Self::begin_as(db, blobs, Writer::default()).await
    }

    /// The same for one whose name its rows will know without asking.
    pub async fn begin_named(db: &impl Db, blobs: &LooseBlobs, id: String) -> Result<Self> {
        Self::begin_as(db, blobs, Writer::named(id)).await
    }

    async fn begin_as(db: &impl Db, blobs: &LooseBlobs, writer: Writer) -> Result<Self> {
        blobs.add(writer.id());
        db.execute(
            "insert into loose_blobs (id, chunks, touched_at) values (?1, ?2, ?3)",
            params![writer.id(), RESERVED, Timestamp::now().millis()],
        )
        .await?;
        Ok(Self {
            writer,
            reserved: RESERVED,
        })
    }

    /// How many bytes there are so far.
    pub fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// 503 when it took so long that the blob was swept.
    pub async fn write(&mut self, db: &impl Db, bytes: &[u8]) -> Result<()> {
        let chunks = blob::chunks(self.writer.size() + bytes.len() as u64);
        if chunks > self.reserved {
            let room = chunks.next_multiple_of(RESERVED);
            let kept = db
                .first(
                    "update loose_blobs set chunks = ?2, touched_at = ?3
                     where id = ?1 and is_swept = 0 returning 1",
                    params![self.writer.id(), room, Timestamp::now().millis()],
                )
                .await?;
            kept.ok_or_else(too_slow)?;
            self.reserved = room;
        }
        self.writer.write(bytes).await
    }

    /// Stores what is left. The blob is nobody's until [`keep`].
    pub async fn finish(self) -> Result<Blob> {
        self.writer.finish().await
    }
}

/// Gives a blob to the row that names it and is stored in the same transaction.
///
/// # Errors
/// 503 when the blob was swept in the meantime.
pub async fn keep(tx: &impl Tx, id: &str) -> Result<()> {
    let kept = tx
        .first(
            "delete from loose_blobs where id = ?1 and is_swept = 0 returning 1",
            params![id],
        )
        .await?;
    kept.map(drop).ok_or_else(too_slow)
}

fn too_slow() -> Error {
    Error::new(
        Kind::Unavailable,
        "The upload took so long that it was given up, try again",
    )
}

/// A blob that somebody claimed in order to remove it.
#[derive(Deserialize)]
struct Claimed {
    id: String,
    chunks: u64,
}

async fn erase_all(db: &impl Db, claimed: &[Row]) -> Result<()> {
    for row in claimed {
        let Claimed { id, chunks } = row.json(0)?;
        blob::delete_chunks(&id, chunks).await?;
        db.execute("delete from loose_blobs where id = ?1", params![id])
            .await?;
    }
    Ok(())
}

/// How long a blob may be nobody's, in milliseconds.
pub async fn kept_millis(db: &impl Db) -> Result<i64> {
    let minutes = config::integer(db, KEPT_SETTING).await?;
    let minutes = minutes.unwrap_or(KEPT_MINUTES).max(LEAST_MINUTES);
    Ok(minutes.saturating_mul(60_000))
}

/// Removes blobs that were nobody's for as long as the setting says. Answers how many.
pub async fn sweep(db: &impl Db, now: Timestamp) -> Result<usize> {
    let before = now.millis() - kept_millis(db).await?;
    let sql = "select 1 from loose_blobs where touched_at < ?1 limit 1";
    // A read first: there is hardly ever one, and writers should not wait for that.
    if db.first(sql, params![before]).await?.is_none() {
        return Ok(0);
    }
    let claimed = db
        .query(
            "update loose_blobs set is_swept = 1
             where id in (select id from loose_blobs where touched_at < ?1
                          order by touched_at limit ?2)
             returning json_object('id', id, 'chunks', chunks)",
            params![before, SWEPT_AT_ONCE],
        )
        .await?;
    erase_all(db, &claimed).await?;
    Ok(claimed.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations;
    use windlass_core::db::NativeDb;

    async fn fresh() -> NativeDb {
        let db = NativeDb::in_memory();
        migrations::apply(&db).await.unwrap();
        db
    }

    async fn written(db: &NativeDb, size: usize) -> Blob {
        let mut new = NewBlob::begin(db, &LooseBlobs::default()).await.unwrap();
        for piece in vec![7; size].chunks(100_000) {
            new.write(db, piece).await.unwrap();
        }
        new.finish().await.unwrap()
    }

    async fn given_to_a_row(db: &NativeDb, blob: &Blob) -> Result<()> {
        db.transaction(async |tx| keep(tx, &blob.id).await).await
    }

    async fn loose(db: &NativeDb) -> i64 {
        count_loose(db).await.unwrap()
    }

    async fn exists(blob: &Blob) -> bool {
        blob::read(&blob.id, blob.size).await.is_ok()
    }

    fn later(seconds: i64) -> Timestamp {
        Timestamp::now().plus_seconds(seconds)
    }

    #[test]
    fn only_what_is_nobodys_for_as_long_as_the_setting_says_is_swept() {
        pollster::block_on(async {
            let db = fresh().await;
            let kept = written(&db, 10).await;
            given_to_a_row(&db, &kept).await.unwrap();
            let orphan = written(&db, 17 * blob::CHUNK + 5).await;
            assert_eq!(sweep(&db, later(3500)).await.unwrap(), 0);
            assert!(exists(&orphan).await);
            assert_eq!(sweep(&db, later(3700)).await.unwrap(), 1);
            assert!(exists(&kept).await && !exists(&orphan).await);
            for number in 0..20 {
                let left = blob::chunk(&orphan.id, u64::MAX, number).await;
                assert!(left.is_err(), "chunk {number}");
            }
            assert_eq!(loose(&db).await, 0);

            let orphan = written(&db, 10).await;
            let set = "update config set value = ?1 where name = 'loose_archive_minutes'";
            db.execute(set, params!["120"]).await.unwrap();
            assert_eq!(sweep(&db, later(3700)).await.unwrap(), 0);
            // What no setting should be.
            db.execute(set, params!["0"]).await.unwrap();
            assert_eq!(sweep(&db, later(590)).await.unwrap(), 0);
            assert_eq!(sweep(&db, later(610)).await.unwrap(), 1);
            assert!(!exists(&orphan).await);
        });
    }

    #[test]
    fn an_upload_under_way_is_not_swept_and_one_that_was_is_not_kept() {
        pollster::block_on(async {
            let db = fresh().await;
            let mut new = NewBlob::begin(&db, &LooseBlobs::default()).await.unwrap();
            db.execute("update loose_blobs set touched_at = 0", &[])
                .await
                .unwrap();
            // Every 16 MiB it shows that it lives.
            for _ in 0..17 {
                new.write(&db, &vec![1; blob::CHUNK]).await.unwrap();
            }
            assert_eq!(sweep(&db, later(0)).await.unwrap(), 0);
            let blob = new.finish().await.unwrap();
            assert_eq!(sweep(&db, later(4000)).await.unwrap(), 1);
            let refusal = given_to_a_row(&db, &blob).await.unwrap_err();
            assert_eq!(refusal.kind(), Kind::Unavailable);
        });
    }

    #[test]
    fn a_sweep_that_died_is_finished_by_the_next() {
        pollster::block_on(async {
            let db = fresh().await;
            let blob = written(&db, 3 * blob::CHUNK).await;
            db.execute("update loose_blobs set is_swept = 1, touched_at = 0", &[])
                .await
                .unwrap();
            blob::delete_chunks(&blob.id, 1).await.unwrap();
            assert!(given_to_a_row(&db, &blob).await.is_err());
            assert_eq!(sweep(&db, later(0)).await.unwrap(), 1);
            assert!(blob::chunk(&blob.id, blob.size, 2).await.is_err());
        });
    }

    #[test]
    fn what_work_does_not_give_to_a_row_is_gone_when_it_ends() {
        pollster::block_on(async {
            let db = fresh().await;
            for succeeds in [true, false] {
                let let_go = written(&db, 10).await;
                let named = written(&db, 10).await;
                given_to_a_row(&db, &named).await.unwrap();
                let mut ids = Vec::new();
                let done = tidy_after(&db, async |blobs| {
                    let mut unfinished = NewBlob::begin(&db, blobs).await?;
                    unfinished.write(&db, &vec![1; 2 * blob::CHUNK]).await?;
                    ids.push(unfinished.writer.id().to_owned());
                    let kept = NewBlob::begin(&db, blobs).await?.finish().await?;
                    given_to_a_row(&db, &kept).await?;
                    blobs.add(&let_go.id);
                    // What a row names is not removed, even when somebody asks for it.
                    blobs.add(&named.id);
                    match succeeds {
                        true => Ok(kept),
                        false => Err(Error::conflict("no")),
                    }
                })
                .await;
                assert_eq!(done.is_ok(), succeeds);
                for id in &ids {
                    assert!(blob::chunk(id, u64::MAX, 0).await.is_err());
                }
                assert!(!exists(&let_go).await && exists(&named).await);
                assert_eq!(loose(&db).await, 0);
            }
        });
    }
}
