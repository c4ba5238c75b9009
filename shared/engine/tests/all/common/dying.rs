//! A database whose holder is killed after so many statements.

use super::{EngineOnly, World};
use futures_util::FutureExt;
use std::cell::Cell;
use std::rc::Rc;
use windlass_core::db::{Db, NativeDb, NativeTransaction, Row, Tx, Value as DbValue};
use windlass_core::{Error, Result};

/// A database that dies after so many statements: each further one fails.
#[derive(Clone)]
pub struct DyingDb {
    inner: NativeDb,
    left: Rc<Cell<i64>>,
}

impl World {
    /// A tick of somebody who is killed after so many statements: whether they came to its end, which is a
    /// good one then.
    pub fn survives(&self, statements: i64) -> bool {
        let dying = DyingDb {
            inner: self.db.clone(),
            left: Rc::new(Cell::new(statements)),
        };
        let engine = EngineOnly(self.clock.clone());
        let tick = windlass_engine::tick(&dying, &self.net, &self.clock, &engine, &self.options);
        let report = tick.now_or_never();
        let survived = dying.left.get() >= 0;
        if survived {
            assert!(report.is_some_and(|report| report.is_ok()));
        }
        survived
    }
}

/// A transaction on it.
pub struct DyingTransaction {
    inner: NativeTransaction,
    left: Rc<Cell<i64>>,
}

/// Counts a statement.
fn live_on(left: &Cell<i64>) -> Result<()> {
    left.set(left.get() - 1);
    if left.get() < 0 {
        return Err(Error::internal("killed"));
    }
    Ok(())
}

impl Db for DyingDb {
    type Tx = DyingTransaction;

    async fn query(&self, sql: &str, parameters: &[DbValue]) -> Result<Vec<Row>> {
        live_on(&self.left)?;
        self.inner.query(sql, parameters).await
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&DyingTransaction) -> Result<T>,
    ) -> Result<T> {
        let left = self.left.clone();
        self.inner
            .transaction(async |tx| {
                work(&DyingTransaction {
                    inner: tx.clone(),
                    left,
                })
                .await
            })
            .await
    }
}

impl Db for DyingTransaction {
    type Tx = Self;

    async fn query(&self, sql: &str, parameters: &[DbValue]) -> Result<Vec<Row>> {
        live_on(&self.left)?;
        self.inner.query(sql, parameters).await
    }

    async fn transaction<T>(&self, work: impl AsyncFnOnce(&Self) -> Result<T>) -> Result<T> {
        work(self).await
    }
}

impl Tx for DyingTransaction {}
