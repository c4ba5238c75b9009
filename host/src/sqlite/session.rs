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
use crate::faults::{CommitFault, ConnectionFault};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
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
    is_under_way: AtomicBool,
    changes: AtomicU64,
    last_insert_rowid: AtomicI64,
}

/// A statement whose result is not read to its end.
pub struct UnderWay(Arc<Shared>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.is_under_way.store(false, Relaxed);
    }
}

/// The connection and, inside a transaction that writes, the turn. They always go together: wherever
/// this is dropped, the transaction is rolled back before anybody else may write.
struct Active {
    database: Arc<Database>,
    pooled: Option<Pooled>,
    turn: Option<OwnedSemaphorePermit>,
    /// Whether its transaction has changed something.
    has_changed: bool,
    /// A connection that a fault broke says this for ever.
    broken: Option<&'static str>,
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
                has_changed: false,
                broken: None,
            })),
            is_under_way: AtomicBool::new(false),
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

    /// Marks a statement as under way until its result was read or dropped. Where a test wants only one
    /// at a time, a second one is an error.
    pub fn occupy(&self) -> Result<UnderWay, String> {
        let is_second = self.0.is_under_way.swap(true, Relaxed);
        let wants_one = self.0.database.faults.wants_one_statement();
        if is_second && wants_one {
            return Err("two statements at once on one connection (injected check)".to_owned());
        }
        Ok(UnderWay(self.0.clone()))
    }

    /// Runs the first statement of `sql`. Statements of one connection run one after the other.
    pub async fn execute(&self, sql: String, parameters: Vec<Value>) -> Result<Rows, String> {
        let faults = &self.0.database.faults;
        let mut slot = self.0.active.lock().await;
        let Some(active) = slot.as_mut() else {
            return Err("the connection was lost with an unfinished statement".to_owned());
        };
        let fault = active.meet_faults(&sql)?;
        let slow = &self.0.database.slow;
        let mut on_thread = slow.contains(&sql)
            || (slow.commits_are_slow() && ends_with_commit(&sql, active.is_autocommit()));
        faults.before_statement().await?;

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
                    return match fault {
                        ConnectionFault::None => Ok(effects.rows),
                        lost => Err(lost.text().to_owned()),
                    };
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
        let (turn, has_changed) = (&mut self.turn, &mut self.has_changed);
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
            } else if !begins_with(sql, &["begin"]) {
                let is_deletion = begins_with(sql, &["delete"]);
                if is_deletion || !*has_changed {
                    *has_changed = true;
                    pooled.bound(database.room.is_low(), is_deletion)?;
                }
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
            self.has_changed = false;
            self.end_turn();
        }
        outcome
    }

    /// What tests have ordered for the statement that comes next.
    fn meet_faults(&mut self, sql: &str) -> Result<ConnectionFault, String> {
        let faults = &self.database.faults;
        if let Some(text) = self.broken {
            return Err(text.to_owned());
        }
        if begins_with(sql, &["begin"]) && faults.is_begin_busy() {
            return Err(LOCKED.to_owned());
        }
        let fault = faults.of_connection();
        if fault != ConnectionFault::None {
            self.broken = Some(fault.text());
        }
        match fault {
            ConnectionFault::Expired => Err(fault.text().to_owned()),
            ConnectionFault::None | ConnectionFault::Broken => Ok(fault),
        }
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
    if autocommit {
        let changes = [
            "insert", "update", "delete", "replace", "with", "create", "drop", "alter",
        ];
        begins_with(sql, &changes)
    } else {
        begins_with(sql, &["commit", "end"])
    }
}

/// Whether the first word of a statement is one of these.
fn begins_with(sql: &str, words: &[&str]) -> bool {
    let first = sql
        .trim_start()
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    words.iter().any(|word| word.eq_ignore_ascii_case(first))
}

#[cfg(test)]
mod tests;
