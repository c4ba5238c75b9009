//! Queued work that is not the engine's own: each kind has one handler.

use windlass_core::db::Db;
use windlass_core::{Error, Result};
use windlass_store::queue::{self, Leased};

/// Work of kinds that are not the engine's own: deliveries, schedules, expiries.
#[allow(
    async_fn_in_trait,
    reason = "one thread per instance: no future has to be Send"
)]
pub trait Handlers<D: Db> {
    /// Whether this kind is handled here.
    fn handles(&self, kind: &str) -> bool;

    /// Whether this kind needs nothing but the database: then its rows run one after the other. What
    /// runs beside others must not hold a transaction open, because a tick that waits for the
    /// database does not get to finish it.
    fn is_local(&self, _kind: &str) -> bool {
        false
    }

    /// Does the work of a row. The transaction that records its result calls
    /// [`queue::finish`] with the row's key, and records nothing when the row was lost.
    ///
    /// # Errors
    /// The row is tried again later.
    async fn run(&self, db: &D, holder: &str, row: &Leased) -> Result<()>;

    /// Records that a row was given up, and finishes it.
    ///
    /// # Errors
    /// The row is tried again later.
    async fn give_up(&self, db: &D, holder: &str, row: &Leased, why: &str) -> Result<()>;
}

/// No other kinds.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHandlers;

impl<D: Db> Handlers<D> for NoHandlers {
    fn handles(&self, _kind: &str) -> bool {
        false
    }

    async fn run(&self, _db: &D, _holder: &str, row: &Leased) -> Result<()> {
        Err(Error::internal(format!("nobody handles {}", row.kind)))
    }

    async fn give_up(&self, db: &D, holder: &str, row: &Leased, _why: &str) -> Result<()> {
        queue::finish(db, holder, &[row.key]).await.map(drop)
    }
}
