//! A component's connection: who may write when, and which thread a statement runs on.
//!
//! SQLite knows one writer at a time and lets the others poll, which is unfair and would stall the
//! core. Here a statement that writes first gets its *turn*, first come, first served, and keeps it
//! until its transaction ends. Whoever waits longer than [`BUSY_LIMIT`] gets SQLite's own
//! "database is locked", as with Spin's busy timeout. Locks of other processes, and those of readers
//! in a rollback journal, are met by trying again.

use super::pool::{Database, Pooled};
use super::slow::INLINE_LIMIT;
use super::statement::{Failure, Rows, run, with_prepared};
use crate::bindings::spin::spin::sqlite::sqlite::Value;
use crate::faults::CommitFault;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedSemaphorePermit};

/// How long a statement waits for a lock.
pub const BUSY_LIMIT: Duration = Duration::from_secs(5);
const LOCKED: &str = "database is locked";

/// An open connection. Clones are the same connection.
#[derive(Clone)]
pub struct Session(Arc<Shared>);

struct Shared {
    database: Arc<Database>,
    /// Empty only while a statement runs on another thread.
    active: Mutex<Option<Active>>,
    changes: AtomicU64,
    last_insert_rowid: AtomicI64,
}

/// The connection and, inside a transaction that writes, the turn. They always go together: wherever
/// this is dropped, the transaction is rolled back before anybody else may write.
struct Active {
    database: Arc<Database>,
    pooled: Option<Pooled>,
    turn: Option<OwnedSemaphorePermit>,
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(pooled) = self.pooled.take() {
            self.database.give_back(pooled);
        }
        self.end_turn();
    }
}

/// What a statement that ran leaves to be known.
struct Effects {
    rows: Rows,
    changes: Option<(u64, i64)>,
}

impl Session {
    /// Opens a connection to `database`; the error is SQLite's text.
    pub fn open(database: &Arc<Database>) -> Result<Self, String> {
        let pooled = database.take().map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(Shared {
            database: database.clone(),
            active: Mutex::new(Some(Active {
                database: database.clone(),
                pooled: Some(pooled),
                turn: None,
            })),
            changes: AtomicU64::new(0),
            last_insert_rowid: AtomicI64::new(0),
        })))
    }

    /// Rows changed by the last statement that changed any, 0 before the first.
    pub fn changes(&self) -> u64 {
        self.0.changes.load(Relaxed)
    }

    /// The row id of the last insert on this connection, 0 before the first.
    pub fn last_insert_rowid(&self) -> i64 {
        self.0.last_insert_rowid.load(Relaxed)
    }

    /// Runs the first statement of `sql`. Statements of one connection run one after the other.
    pub async fn execute(&self, sql: String, parameters: Vec<Value>) -> Result<Rows, String> {
        let mut slot = self.0.active.lock().await;
        let Some(active) = slot.as_ref() else {
            return Err("the connection was lost with an unfinished statement".to_owned());
        };
        let slow = &self.0.database.slow;
        let mut on_thread = slow.contains(&sql)
            || (slow.commits_are_slow() && ends_with_commit(&sql, active.is_autocommit()));
        self.0.database.faults.before_statement().await?;

        let mut started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            // Registered before trying, so that a writer who ends in between is noticed.
            let writer_done = self.0.database.writer_done.notified();
            let outcome = if on_thread {
                run_on_thread(&mut slot, &sql, &parameters).await
            } else {
                match slot.as_mut() {
                    Some(active) => active.attempt(&sql, &parameters, INLINE_LIMIT),
                    None => return Err(LOCKED.to_owned()),
                }
            };
            let left = BUSY_LIMIT.saturating_sub(started.elapsed());
            match outcome {
                Ok(effects) => {
                    if let Some((changes, last_insert_rowid)) = effects.changes {
                        self.0.changes.store(changes, Relaxed);
                        self.0.last_insert_rowid.store(last_insert_rowid, Relaxed);
                    }
                    return Ok(effects.rows);
                }
                Err(Failure::Final(message)) => return Err(message),
                Err(Failure::Interrupted) if on_thread => {
                    return Err("the statement took longer than it may".to_owned());
                }
                Err(Failure::Interrupted) => {
                    self.0.database.slow.insert(&sql);
                    on_thread = true;
                    started = Instant::now();
                }
                Err(Failure::Busy | Failure::NeedsTurn) if left.is_zero() => {
                    return Err(LOCKED.to_owned());
                }
                Err(Failure::NeedsTurn) => {
                    let turn = self.0.database.turn.clone().acquire_owned();
                    match tokio::time::timeout(left, turn).await {
                        Ok(Ok(turn)) => {
                            if let Some(active) = slot.as_mut() {
                                active.turn = Some(turn);
                            }
                        }
                        Ok(Err(_)) | Err(_) => return Err(LOCKED.to_owned()),
                    }
                }
                Err(Failure::Busy) => {
                    let _ = tokio::time::timeout(pause.min(left), writer_done).await;
                    pause = (pause * 2).min(Duration::from_millis(25));
                }
            }
        }
    }
}

/// Runs a statement on a thread made for waiting. The connection travels with it, so that a request
/// which goes away in between leaves no half-used connection behind.
async fn run_on_thread(
    slot: &mut Option<Active>,
    sql: &str,
    parameters: &[Value],
) -> Result<Effects, Failure> {
    let Some(mut active) = slot.take() else {
        return Err(Failure::Final(LOCKED.to_owned()));
    };
    let limit = active.database.statement_limit;
    let sql = sql.to_owned();
    let parameters = parameters.to_vec();
    let task = tokio::task::spawn_blocking(move || {
        let outcome = active.attempt(&sql, &parameters, limit);
        (active, outcome)
    });
    match task.await {
        Ok((active, outcome)) => {
            *slot = Some(active);
            outcome
        }
        Err(_) => Err(Failure::Final(
            "the statement's thread was stopped".to_owned(),
        )),
    }
}

impl Active {
    /// One try, without waiting for anything. `limit` bounds statements that only read; one that
    /// writes is never interrupted before the database's own limit, since that undoes its transaction.
    fn attempt(
        &mut self,
        sql: &str,
        parameters: &[Value],
        limit: Duration,
    ) -> Result<Effects, Failure> {
        let Some(pooled) = self.pooled.as_ref() else {
            return Err(Failure::Final(LOCKED.to_owned()));
        };
        let connection = &pooled.connection;
        let database = &self.database;
        let turn = &mut self.turn;
        pooled.allow(database.statement_limit);
        let outcome = with_prepared(connection, sql, |statement| {
            let writes = !statement.readonly();
            if writes && turn.is_none() {
                match database.turn.clone().try_acquire_owned() {
                    Ok(permit) => *turn = Some(permit),
                    Err(_) => return Err(Failure::NeedsTurn),
                }
            }
            if !writes {
                pooled.allow(limit);
            }
            let autocommit = connection.is_autocommit();
            let commits = writes == autocommit && ends_with_commit(sql, autocommit);
            if commits {
                match database.faults.before_commit() {
                    CommitFault::None => {}
                    CommitFault::Fail(message) => return Err(Failure::Final(message)),
                }
            }
            let before = Instant::now();
            let rows = run(statement, parameters)?;
            let took = before.elapsed();
            if commits {
                database.slow.commit_took(took);
                database.faults.after_commit();
            } else if took > INLINE_LIMIT {
                database.slow.insert(sql);
            }
            let changes = writes.then(|| (connection.changes(), connection.last_insert_rowid()));
            Ok(Effects { rows, changes })
        });
        pooled.keep_from_waiting();
        if connection.is_autocommit() {
            self.end_turn();
        }
        outcome
    }

    fn is_autocommit(&self) -> bool {
        let pooled = self.pooled.as_ref();
        pooled.is_none_or(|pooled| pooled.connection.is_autocommit())
    }

    fn end_turn(&mut self) {
        if self.turn.take().is_some() {
            self.database.writer_done.notify_waiters();
        }
    }
}

/// Whether this statement, judged by its first word, makes changes permanent when it succeeds.
fn ends_with_commit(sql: &str, autocommit: bool) -> bool {
    let first = sql
        .trim_start()
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    let is_one_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(first));
    if autocommit {
        is_one_of(&[
            "insert", "update", "delete", "replace", "with", "create", "drop", "alter",
        ])
    } else {
        is_one_of(&["commit", "end"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Faults;
    use std::path::PathBuf;

    /// A database of its own, in write-ahead mode, with a counter.
    struct Fixture {
        folder: PathBuf,
        database: Arc<Database>,
    }

    impl Fixture {
        async fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
            let limit = Duration::from_secs(20);
            let faults = Arc::new(Faults::default());
            let database = Database::new(&folder.join("test.db"), limit, faults);
            let fixture = Self { folder, database };
            let setup = fixture.open();
            setup.ok("pragma journal_mode = wal").await;
            setup.ok("create table counter (value integer)").await;
            setup.ok("insert into counter values (0)").await;
            fixture
        }

        fn open(&self) -> Session {
            Session::open(&self.database).unwrap()
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    impl Session {
        async fn ok(&self, sql: &str) -> Vec<Vec<Value>> {
            let rows = self.execute(sql.to_owned(), Vec::new()).await;
            let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
            rows.rows.into_iter().map(|row| row.values).collect()
        }

        async fn number(&self, sql: &str) -> i64 {
            match self.ok(sql).await.as_slice() {
                [row] => match row.as_slice() {
                    [Value::Integer(number)] => *number,
                    other => panic!("{sql}: {other:?}"),
                },
                other => panic!("{sql}: {} rows", other.len()),
            }
        }

        async fn error(&self, sql: &str) -> String {
            let result = self.execute(sql.to_owned(), Vec::new()).await;
            result.err().unwrap_or_else(|| panic!("{sql} succeeded"))
        }
    }

    #[tokio::test]
    async fn sixteen_writers_take_turns() {
        let fixture = Fixture::new("writers").await;
        let done = Arc::new(std::sync::Mutex::new(Vec::new()));
        let writers = (0..16).map(|writer| {
            let session = fixture.open();
            let done = done.clone();
            async move {
                for _ in 0..25 {
                    session.ok("begin immediate").await;
                    let value = session.number("select value from counter").await;
                    // The others run now, and must not get in between.
                    tokio::task::yield_now().await;
                    let next = format!("update counter set value = {}", value + 1);
                    session.ok(&next).await;
                    session.ok("commit").await;
                    done.lock().unwrap().push(writer);
                }
            }
        });
        futures::future::join_all(writers).await;

        assert_eq!(
            fixture.open().number("select value from counter").await,
            400
        );
        // First come, first served: in every sixteen turns, each writer has one.
        for turns in done.lock().unwrap().chunks(16) {
            let mut writers = turns.to_vec();
            writers.sort_unstable();
            assert_eq!(writers, (0..16).collect::<Vec<_>>(), "{turns:?}");
        }
    }

    #[tokio::test]
    async fn writers_on_several_threads_all_succeed() {
        let fixture = Fixture::new("threads").await;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let database = &fixture.database;
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let session = Session::open(database).unwrap();
                        for _ in 0..50 {
                            session.ok("update counter set value = value + 1").await;
                        }
                    });
                });
            }
        });
        assert_eq!(
            fixture.open().number("select value from counter").await,
            200
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_turn_ends_after_the_limit() {
        let fixture = Fixture::new("limit").await;
        let holder = fixture.open();
        holder.ok("begin immediate").await;
        let waited = tokio::time::Instant::now();
        let error = fixture.open().error("begin immediate").await;
        assert_eq!(error, LOCKED);
        assert!(
            waited.elapsed() >= Duration::from_secs(4),
            "{:?}",
            waited.elapsed()
        );
    }

    #[tokio::test]
    async fn a_dropped_transaction_is_rolled_back_and_its_turn_ends() {
        let fixture = Fixture::new("dropped").await;
        let careless = fixture.open();
        careless.ok("begin immediate").await;
        careless.ok("update counter set value = 7").await;
        drop(careless);

        let next = fixture.open();
        assert_eq!(next.number("select value from counter").await, 0);
        next.ok("update counter set value = 8").await;
    }

    #[tokio::test]
    async fn a_pooled_connection_is_as_good_as_new() {
        let fixture = Fixture::new("pooled").await;
        let first = fixture.open();
        first.ok("insert into counter values (1)").await;
        assert_eq!((first.changes(), first.last_insert_rowid()), (1, 2));
        first.ok("pragma foreign_keys = off").await;
        first.ok("create temp table leftover (x)").await;
        drop(first);

        let second = fixture.open();
        assert_eq!((second.changes(), second.last_insert_rowid()), (0, 0));
        assert_eq!(second.number("pragma foreign_keys").await, 1);
        assert_eq!(
            second
                .number("select count(*) from sqlite_temp_master")
                .await,
            0
        );
    }

    #[tokio::test]
    async fn statements_behave_as_on_spin() {
        let fixture = Fixture::new("statements").await;
        let session = fixture.open();
        // Of two statements, only the first runs.
        session
            .ok("insert into counter values (1); delete from counter")
            .await;
        assert_eq!(session.number("select count(*) from counter").await, 2);
        for (sql, expected) in [
            ("attach database ':memory:' as other", "not authorized"),
            ("select cast(x'ff' as text)", "not valid UTF-8"),
            ("select * from nowhere", "no such table"),
            ("select ?1", "Wrong number of parameters"),
            ("", "misuse"),
        ] {
            let error = session.error(sql).await;
            assert!(error.contains(expected), "{sql}: {error}");
        }
        assert_eq!(session.number("pragma foreign_keys").await, 1);
        assert_eq!(session.number("pragma synchronous").await, 2);
    }

    #[tokio::test]
    async fn a_failing_commit_keeps_nothing() {
        let fixture = Fixture::new("failing").await;
        let session = fixture.open();
        session.ok("begin immediate").await;
        session.ok("update counter set value = 7").await;
        fixture.database.faults.fail_commit(1);
        assert!(session.error("commit").await.contains("injected"));
        session.ok("rollback").await;
        assert_eq!(session.number("select value from counter").await, 0);
    }

    #[tokio::test]
    async fn a_long_query_leaves_the_core_to_others() {
        let fixture = Fixture::new("long").await;
        let session = fixture.open();
        let long =
            "with recursive n(x) as (select 1 union all select x + 1 from n where x < 4000000)
            select count(*) from n";
        let other = fixture.open();
        let query = session.number(long);
        let beside = async {
            let mut longest = Duration::ZERO;
            for _ in 0..20 {
                let before = Instant::now();
                other.number("select value from counter").await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                longest = longest.max(before.elapsed());
            }
            longest
        };
        let (count, longest) = futures::join!(query, beside);
        assert_eq!(count, 4_000_000);
        assert!(longest < INLINE_LIMIT * 5, "{longest:?}");
        assert!(fixture.database.slow.contains(long));
    }
}
