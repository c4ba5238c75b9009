//! What is looked after now and then, whoever ticks: executions that stand still, blobs that are
//! nobody's, sessions that have expired, and forgotten passwords that nobody had.
//!
//! Each instance does it with its first tick and then by its own clock, so no row has to say when. All
//! are reads where there is nothing to do, and doing them once too often harms nobody.

use std::cell::Cell;
use windlass_core::db::Db;
use windlass_core::{Timestamp, log};

/// How long executions that stand still go unnoticed, in milliseconds.
const SWEEP_EVERY: i64 = 60_000;

/// The same for blobs, which are given an hour anyway.
const BLOBS_EVERY: i64 = 300_000;

/// The same for sessions. A sweep removes two thousand at most, so that is a thousand a second.
const SESSIONS_EVERY: i64 = 2_000;

/// The same for requests that came to nothing, which are kept for a month.
const JUNK_EVERY: i64 = 3_600_000;

/// When a chore was done the last time.
struct Chore {
    last: Cell<Option<i64>>,
    every: i64,
}

impl Chore {
    const fn every(every: i64) -> Self {
        let last = Cell::new(None);
        Self { last, every }
    }

    /// Whether it is its turn; whoever asks does it then. A clock that was set back does not put it
    /// off.
    fn is_due(&self, now: Timestamp) -> bool {
        let now = now.millis();
        let due = (self.last.get()).is_none_or(|last| !(last..last + self.every).contains(&now));
        if due {
            self.last.set(Some(now));
        }
        due
    }
}

thread_local! {
    static SWEEP: Chore = const { Chore::every(SWEEP_EVERY) };
    static BLOBS: Chore = const { Chore::every(BLOBS_EVERY) };
    static SESSIONS: Chore = const { Chore::every(SESSIONS_EVERY) };
    static JUNK: Chore = const { Chore::every(JUNK_EVERY) };
}

/// Does what it is time for. What goes wrong with it keeps nobody from ticking.
pub async fn run(db: &impl Db, now: Timestamp) {
    if SWEEP.with(|chore| chore.is_due(now))
        && let Err(error) = windlass_engine::sweep(db, now).await
    {
        log::error("executions that stand still were not looked for", &error);
    }
    if BLOBS.with(|chore| chore.is_due(now))
        && let Err(error) = windlass_store::blobs::sweep(db, now).await
    {
        log::error("blobs that are nobody's were not removed", &error);
    }
    if SESSIONS.with(|chore| chore.is_due(now))
        && let Err(error) = windlass_identity::sessions::sweep(db, now).await
    {
        log::error("sessions that have expired were not removed", &error);
    }
    if JUNK.with(|chore| chore.is_due(now))
        && let Err(error) = windlass_adjutant::tasks::forget_junk(db, now).await
    {
        log::error("requests that came to nothing were not removed", &error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;
    use windlass_core::params;
    use windlass_store::blobs::{self, ORPHAN_AGE_MILLIS};

    #[test]
    fn a_chore_is_done_first_and_then_now_and_then() {
        let chore = Chore::every(1000);
        for (now, due) in [
            (5_000, true),
            (5_000, false),
            (5_999, false),
            (6_000, true),
            (6_500, false),
            // The clock was set back.
            (2_000, true),
            (2_001, false),
        ] {
            assert_eq!(chore.is_due(Timestamp::from_millis(now)), due, "{now}");
        }
    }

    #[test]
    fn ticking_removes_blobs_that_are_nobodys() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            windlass_store::migrations::apply(&db).await.unwrap();
            let now = Timestamp::now();
            let left = async |id: &str| {
                let old = now.millis() - ORPHAN_AGE_MILLIS - 1;
                let sql = "insert into loose_blobs (id, chunks, touched_at) values (?1, 1, ?2)";
                db.execute(sql, params![id, old]).await.unwrap();
            };
            let count = async || blobs::count_loose(&db).await.unwrap();
            left("one").await;
            run(&db, now).await;
            assert_eq!(count().await, 0);
            left("two").await;
            run(&db, now.plus_seconds(299)).await;
            assert_eq!(count().await, 1, "too soon");
            run(&db, now.plus_seconds(301)).await;
            assert_eq!(count().await, 0);
        });
    }
}
