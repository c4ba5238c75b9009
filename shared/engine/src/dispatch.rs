//! Who does which work of the queue, and how.
//!
//! The tick leases rows and keeps their leases; what a row means is said by a [`Dispatch`], in one
//! place for all kinds. That of the application is in the scheduler's component.

use crate::driver;
use crate::step::{CallError, Outcome, Report};
use futures_util::future::LocalBoxFuture;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp};
use windlass_store::operations;
use windlass_store::queue::{self, Leased};

/// How the work of a row is done.
pub enum Run<'a> {
    /// A call of a plugin. It begins together with all others that are due, in one transaction, and
    /// then runs beside them.
    Call,
    /// It needs nothing but the database: one after the other, in the order of their keys.
    Here(LocalBoxFuture<'a, Result<()>>),
    /// It waits for others, so it runs beside everything else.
    Beside(LocalBoxFuture<'a, Result<()>>),
}

impl<'a> Run<'a> {
    /// Work that needs nothing but the database.
    pub fn here(work: impl Future<Output = Result<()>> + 'a) -> Self {
        Self::Here(Box::pin(work))
    }

    /// Work that waits for others.
    pub fn beside(work: impl Future<Output = Result<()>> + 'a) -> Self {
        Self::Beside(Box::pin(work))
    }
}

/// What is done about each kind of work.
#[allow(
    async_fn_in_trait,
    reason = "one thread per instance: no future has to be Send"
)]
pub trait Dispatch<D: Db> {
    /// How a row's work is done. The transaction that records its result finishes the row, and
    /// records nothing when the row was lost. After an error the row is tried again later.
    fn run<'a>(&'a self, db: &'a D, holder: &'a str, row: Leased) -> Run<'a>;

    /// Records that a row was given up, and finishes it.
    ///
    /// # Errors
    /// The row is tried again later.
    async fn give_up(&self, db: &D, holder: &str, row: &Leased, why: &str) -> Result<()>;
}

/// Drives the execution of a row.
///
/// # Errors
/// Of the database, and for rows that cannot be read.
pub async fn drive_execution<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    now: Timestamp,
) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        let nothing = Vec::new();
        driver::drive(tx, &row.subject, nothing, now)
            .await
            .map(drop)
    })
    .await
}

/// Ends the call of a row, because its time is over.
///
/// # Errors
/// Of the database, and for rows that cannot be read.
pub async fn time_out_call<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    now: Timestamp,
) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        crate::calls::time_out(tx, &row.subject, now).await
    })
    .await
}

/// Ends an execution that cannot be driven.
///
/// # Errors
/// Of the database.
pub async fn give_up_execution<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        driver::give_up(tx, &row.subject, why, now).await
    })
    .await
}

/// Ends a call that cannot be run as failed; where not even that is possible, its execution.
///
/// # Errors
/// Of the database.
pub async fn give_up_call<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    let reported = db
        .transaction(async |tx| {
            let Some(id) = finish_call(tx, holder, row).await? else {
                return Ok(());
            };
            let report = Report {
                operation: row.subject.clone(),
                outcome: Outcome::Failed(CallError::fatal(why)),
            };
            driver::drive(tx, &id, vec![report], now).await.map(drop)
        })
        .await;
    if reported.is_ok() {
        return Ok(());
    }
    // Its graph cannot be read: then the whole execution is over.
    db.transaction(async |tx| match finish_call(tx, holder, row).await? {
        Some(id) => driver::give_up(tx, &id, why, now).await,
        None => Ok(()),
    })
    .await
}

/// Finishes the row of a call, and answers the execution that it belongs to. Nothing when the row is
/// somebody else's by now: then so is the call.
async fn finish_call(tx: &impl Tx, holder: &str, row: &Leased) -> Result<Option<String>> {
    if queue::finish(tx, holder, &[row.key]).await?.is_empty() {
        return Ok(None);
    }
    operations::execution_of(tx, &Scope::engine(), &row.subject).await
}
