//! A database whose holder is killed after so many statements.

use std::cell::Cell;
use std::rc::Rc;
use windlass_core::db::{Db, NativeDb, NativeTransaction, Row, Tx, Value as DbValue};
use windlass_core::{Error, Result};

/// A database that dies after so many statements: each further one fails.
#[derive(Clone)]
pub struct DyingDb {
    pub inner: NativeDb,
    pub left: Rc<Cell<i64>>,
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
