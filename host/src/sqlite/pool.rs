//! Databases and their pooled connections.
//!
//! A component opens a connection for every transaction, which is cheap only if most of the work was
//! done before: a connection that is given back is rolled back and kept with its prepared statements.
//! One whose settings were changed by a pragma, or that has temporary tables, is closed instead.

use super::slow::SlowStatements;
use crate::faults::Faults;
use crate::room::{FOR_DELETIONS, Room};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// Idle connections kept per database; each may hold up to 2 MiB of pages.
const MAX_IDLE: usize = 24;
/// Prepared statements kept per connection.
const STATEMENTS: usize = 128;
/// Virtual machine steps between two looks at the clock.
const STEPS_PER_LOOK: i32 = 20_000;
/// The longest text or blob, as on Spin.
const MAX_VALUE_BYTES: i32 = 128 << 20;

/// One SQLite file and what its connections share.
pub struct Database {
    path: PathBuf,
    idle: Mutex<Vec<Pooled>>,
    /// One permit: the turn to write. Tokio hands it out first come, first served.
    pub(super) turn: Arc<Semaphore>,
    /// Told whenever a writer is done; whoever met a lock of another kind tries again.
    pub(super) writer_done: Notify,
    pub(super) slow: SlowStatements,
    pub(super) faults: Arc<Faults>,
    pub(super) room: Arc<Room>,
    /// The longest a single statement may take.
    pub(super) statement_limit: Duration,
}

/// A connection with what the host knows about it.
pub struct Pooled {
    pub(super) connection: Connection,
    clock: Arc<Deadline>,
    changed: Arc<AtomicBool>,
    /// Whether the file may not grow through this connection.
    is_bounded: Cell<bool>,
}

impl Database {
    /// The database in the file `path`, which is created when it is first opened.
    pub fn new(
        path: &Path,
        statement_limit: Duration,
        faults: Arc<Faults>,
        room: Arc<Room>,
    ) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            room,
            idle: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            writer_done: Notify::new(),
            slow: SlowStatements::default(),
            faults,
            statement_limit,
        })
    }

    /// A connection from the pool, or a new one.
    pub(super) fn take(&self) -> Result<Pooled, rusqlite::Error> {
        let pooled = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        match pooled {
            Some(pooled) => Ok(pooled),
            None => Pooled::open(&self.path),
        }
    }

    /// Rolls back what is unfinished and keeps the connection for the next `take`, if it is as good as new.
    pub(super) fn give_back(&self, pooled: Pooled) {
        if !pooled.connection.is_autocommit()
            && pooled.connection.execute_batch("rollback").is_err()
        {
            return;
        }
        if pooled.changed.load(Relaxed) {
            return;
        }
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < MAX_IDLE
        {
            idle.push(pooled);
        }
    }
}

impl Pooled {
    fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        // SQLite must never wait by itself: it would stall every request of this core,
        // the one that holds the lock included.
        connection.busy_timeout(Duration::ZERO)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Else a statement is prepared again whenever a value changes that a plan may depend on, such as
        // its limit: a list would be parsed each time it is asked for, which takes longer than to run it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;

        let clock = Arc::new(Deadline::default());
        let watch = clock.clone();
        connection.progress_handler(STEPS_PER_LOOK, Some(move || watch.is_over()))?;
        let changed = Arc::new(AtomicBool::new(false));
        let mark = changed.clone();
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            authorize(&context.action, &mark)
        }))?;
        Ok(Self {
            connection,
            clock,
            changed,
            is_bounded: Cell::new(false),
        })
    }

    /// Before the first change of a transaction and before each deletion: the file may grow, or only for a deletion, or not.
    pub(super) fn bound(&self, is_low: bool, is_deletion: bool) -> Result<(), rusqlite::Error> {
        if !is_low && !self.is_bounded.get() {
            return Ok(());
        }
        let most = match (is_low, is_deletion) {
            (false, _) => i64::from(u32::MAX) - 1,
            (true, true) => self.pages()? + FOR_DELETIONS,
            (true, false) => self.pages()?,
        };
        let before = self.changed.load(Relaxed);
        let set = format!("pragma max_page_count = {most}");
        self.connection.query_row(&set, [], |_| Ok(()))?;
        // It is set anew before every change: the connection is as good as before.
        self.changed.store(before, Relaxed);
        self.is_bounded.set(is_low);
        Ok(())
    }

    fn pages(&self) -> Result<i64, rusqlite::Error> {
        self.connection
            .query_row("pragma page_count", [], |row| row.get(0))
    }

    /// From now on, a statement is interrupted after `limit`.
    pub(super) fn allow(&self, limit: Duration) {
        self.clock.set(limit);
    }

    /// Puts back what a component may have changed about waiting.
    pub(super) fn keep_from_waiting(&self) {
        if self.changed.load(Relaxed) {
            let _ = self.connection.busy_timeout(Duration::ZERO);
        }
    }
}

/// Refuses `ATTACH`, as Spin does, and notices what outlives a statement on this connection.
fn authorize(action: &AuthAction<'_>, changed: &AtomicBool) -> Authorization {
    match action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => return Authorization::Deny,
        AuthAction::Pragma {
            pragma_name,
            pragma_value: Some(_),
        } if !harmless(pragma_name) => changed.store(true, Relaxed),
        AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTrigger { .. } => changed.store(true, Relaxed),
        _ => {}
    }
    Authorization::Allow
}

/// Pragmas whose value is kept in the file, or that only ask something.
fn harmless(pragma: &str) -> bool {
    [
        "journal_mode",
        "user_version",
        "application_id",
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_key_check",
        "integrity_check",
        "quick_check",
        "wal_checkpoint",
        "optimize",
        "incremental_vacuum",
    ]
    .iter()
    .any(|name| name.eq_ignore_ascii_case(pragma))
}

/// When the running statement has to end, readable from SQLite's progress callback.
#[derive(Default)]
struct Deadline(AtomicU64);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Deadline {
    fn set(&self, limit: Duration) {
        let micros = (START.elapsed() + limit).as_micros();
        self.0
            .store(u64::try_from(micros).unwrap_or(u64::MAX), Relaxed);
    }

    fn is_over(&self) -> bool {
        START.elapsed().as_micros() > u128::from(self.0.load(Relaxed))
    }
}
