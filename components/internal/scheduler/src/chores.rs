//! What is looked after now and then, whoever ticks: executions that stand still, operations whose workers
//! are gone, blobs that are nobody's, sessions that have expired, forgotten passwords that nobody chose,
//! events, executions, mails and uses of tokens of long ago, and what an old key encrypted.
//!
//! Each instance does it with its first tick and then by its own clock, so no row has to say when. All
//! are reads where there is nothing to do, and doing them once too often harms nobody.

use std::cell::{Cell, RefCell};
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp, log, secretbox};
use windlass_store::sealed::{self, Place};
use windlass_store::{events, executions};

/// How long executions that stand still go unnoticed, in milliseconds.
const SWEEP_EVERY: i64 = 60_000;

/// The same for leases of workers that are gone.
const LEASES_EVERY: i64 = 1_000;

/// The same for blobs, which are given a while anyway, and for what was uploaded or packed and is older than
/// settings keep it.
const BLOBS_EVERY: i64 = 300_000;

/// The same for sessions. A sweep removes two thousand at most, so that is a thousand a second.
const SESSIONS_EVERY: i64 = 2_000;

/// The same for requests that came to nothing and for mails, which are kept for a month, and for notices,
/// the audit trail and alerts that are not repeated, whose time is a setting. Of each some thousands are removed at most.
const JUNK_EVERY: i64 = 60_000;

/// The same for uses of tokens, which are kept for three months.
const USES_EVERY: i64 = 10_000;

/// The same for events that are older than a setting keeps them, a thousand at most each time.
const EVENTS_EVERY: i64 = 5_000;

/// The same for executions, some of which are looked at each time, and how long after a pass over all of
/// them the next one begins.
const EXECUTIONS_EVERY: i64 = 5_000;
const PASSES_EVERY: i64 = 3_600_000;

/// The same for values that an old key encrypted: how long after a pass through all of them the next one
/// begins. An instance that does not know the new key yet may have written some meanwhile.
const SEALED_EVERY: i64 = 600_000;

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
    static LEASES: Chore = const { Chore::every(LEASES_EVERY) };
    static BLOBS: Chore = const { Chore::every(BLOBS_EVERY) };
    static SESSIONS: Chore = const { Chore::every(SESSIONS_EVERY) };
    static JUNK: Chore = const { Chore::every(JUNK_EVERY) };
    static USES: Chore = const { Chore::every(USES_EVERY) };
    static EVENTS: Chore = const { Chore::every(EVENTS_EVERY) };
    static EXECUTIONS: Chore = const { Chore::every(EXECUTIONS_EVERY) };
    static PASSES: Chore = const { Chore::every(PASSES_EVERY) };
    /// Where the pass over old executions goes on.
    static FORGOTTEN: RefCell<Option<executions::Place>> = const { RefCell::new(None) };
    static SEALED: Chore = const { Chore::every(SEALED_EVERY) };
    /// Where the pass that is under way goes on.
    static RESEALED: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Does what it is time for. What goes wrong with it keeps nobody from ticking.
pub async fn run(db: &impl Db, now: Timestamp) {
    if SWEEP.with(|chore| chore.is_due(now))
        && let Err(error) = windlass_engine::sweep(db, now).await
    {
        log::error("executions that stand still were not looked for", &error);
    }
    if LEASES.with(|chore| chore.is_due(now)) {
        for expired in [
            windlass_engine::leases::expire(db, now).await,
            windlass_engine::shell_leases::expire(db, now).await,
            windlass_engine::workflow_leases::expire(db, now).await,
        ] {
            if let Err(error) = expired {
                log::error("leases that were not kept were not looked for", &error);
            }
        }
    }
    if BLOBS.with(|chore| chore.is_due(now)) {
        forget_uploads(db, now).await;
    }
    if SESSIONS.with(|chore| chore.is_due(now))
        && let Err(error) = windlass_identity::sessions::sweep(db, now).await
    {
        log::error("sessions that have expired were not removed", &error);
    }
    if JUNK.with(|chore| chore.is_due(now)) {
        if let Err(error) = windlass_adjutant::tasks::forget_junk(db, now).await {
            log::error("requests that came to nothing were not removed", &error);
        }
        if let Err(error) = windlass_adjutant::mails::forget_old(db, now).await {
            log::error("mails of long ago were not removed", &error);
        }
        match windlass_store::audit::forget_old(db, now).await {
            Ok(0) => {}
            Ok(gone) => {
                let told = [("entries", gone.into())];
                log::line(
                    log::Level::Info,
                    "old entries of the audit trail are gone",
                    told,
                );
            }
            Err(error) => log::error("old entries of the audit trail were not removed", &error),
        }
        if let Err(error) = windlass_status::signals::forget_silent(db, now).await {
            log::error("alerts that are not repeated were not looked for", &error);
        }
        if let Err(error) = windlass_status::outbox::forget_old(db, now).await {
            log::error("notices of long ago were not removed", &error);
        }
    }
    if EVENTS.with(|chore| chore.is_due(now))
        && let Err(error) = events::forget_old(db, now).await
    {
        log::error("old events were not removed", &error);
    }
    if EXECUTIONS.with(|chore| chore.is_due(now))
        && let Err(error) = forget_executions(db, now).await
    {
        log::error("old executions were not removed", &error);
    }
    if USES.with(|chore| chore.is_due(now))
        && let Err(error) = windlass_identity::token_uses::sweep(db, now).await
    {
        log::error("old uses of tokens were not removed", &error);
    }
    if let Err(error) = reseal(db, now).await {
        log::error("what an old key encrypted was not encrypted anew", &error);
    }
}

/// Forgets uploads and packed archives that are old or too many, and removes the bytes of those that were let
/// go of before.
async fn forget_uploads(db: &impl Db, now: Timestamp) {
    if let Err(error) = windlass_store::blueprints::forget_failed(db, now).await {
        log::error("blueprints that failed long ago were not removed", &error);
    }
    if let Err(error) = windlass_snapshot::retention::forget_old(db, now).await {
        log::error("old snapshots were not removed", &error);
    }
    if let Err(error) = windlass_store::log_bundles::forget_old(db, now).await {
        log::error("old log bundles were not removed", &error);
    }
    if let Err(error) = windlass_store::blobs::sweep(db, now).await {
        log::error("blobs that are nobody's were not removed", &error);
    }
}

/// Goes on with a pass over old executions, or begins one when it is time.
async fn forget_executions(db: &impl Db, now: Timestamp) -> Result<()> {
    let place = match FORGOTTEN.take() {
        Some(place) => place,
        None if PASSES.with(|chore| chore.is_due(now)) => executions::Place::default(),
        None => return Ok(()),
    };
    FORGOTTEN.set(executions::forget_old(db, &place, now).await?);
    Ok(())
}

/// Encrypts a few values anew, while there are old keys.
async fn reseal(db: &impl Db, now: Timestamp) -> Result<()> {
    let place = RESEALED.take();
    let begins = place.is_none();
    if begins && !(SEALED.with(|chore| chore.is_due(now)) && secretbox::has_old_keys().await?) {
        return Ok(());
    }
    let (place, is_end) = sealed::reseal_some(db, place.unwrap_or_default()).await?;
    if !is_end {
        RESEALED.set(Some(place));
    } else if place.resealed + place.unreadable > 0 {
        let numbers = [
            ("resealed", place.resealed),
            ("unreadable", place.unreadable),
        ];
        let numbers = numbers.map(|(name, number)| (name, number.into()));
        log::line(log::Level::Info, "old_encryption_keys", numbers);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;
    use windlass_core::params;
    use windlass_store::blobs;

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
                let old = now.millis() - blobs::kept_millis(&db).await.unwrap() - 1;
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

    #[test]
    fn ticking_forgets_events_and_executions_that_are_older_than_settings_keep_them() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            windlass_store::migrations::apply(&db).await.unwrap();
            for sql in [
                "insert into tenants (id, name, created_at) values (7, 'harbour', '')",
                "insert into executions (key, id, tenant_name, created_by, visibility, created_at, workflow_id,
                     status, ended_at)
                 values (1, 'old', 'harbour', 'ann', 'tenant', '', 'upload_blueprint', 'terminated',
                         '2020-01-01T00:00:00.000Z'),
                     (2, 'runs', 'harbour', 'ann', 'tenant', '', 'install', 'started', null)",
                "insert into events (execution_key, list_key, is_log, timestamp)
                 values (1, 7, 0, 0), (2, 7, 0, 0), (2, 7, 0, 4000000000000)",
            ] {
                db.execute(sql, &[]).await.unwrap();
            }
            let count = async |table: &str| {
                let row = db
                    .first(&format!("select count(*) from {table}"), &[])
                    .await;
                row.unwrap().unwrap().integer(0).unwrap()
            };
            let now = Timestamp::now();
            run(&db, now).await;
            assert_eq!((count("events").await, count("executions").await), (3, 2));
            let sql =
                "update config set value = '7' where name like '%\\_retention\\_days' escape '\\'";
            db.execute(sql, &[]).await.unwrap();
            run(&db, now.plus_seconds(4)).await;
            assert_eq!(count("events").await, 3, "too soon");
            run(&db, now.plus_seconds(3601)).await;
            assert_eq!((count("events").await, count("executions").await), (1, 1));
        });
    }
}
