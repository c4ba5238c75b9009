//! A database that is busy with whatever the test says.

use std::cell::RefCell;
use std::rc::Rc;
use windlass_core::db::{Db, NativeDb, NativeTransaction, Row, Value as DbValue};
use windlass_core::{Error, Kind, Result};

/// What a transaction asks for before it begins.
pub const BEGIN: &str = "begin";

/// Says for which statements a database is busy.
type Busy = Rc<RefCell<Box<dyn FnMut(&str) -> bool>>>;

/// A database that answers like one that stayed locked for too long.
#[derive(Clone)]
pub struct BusyDb {
    pub inner: NativeDb,
    busy: Busy,
}

impl BusyDb {
    /// `busy` says for which statements it is; [`BEGIN`] stands for a transaction.
    pub fn new(inner: &NativeDb, busy: impl FnMut(&str) -> bool + 'static) -> Self {
        Self {
            inner: inner.clone(),
            busy: Rc::new(RefCell::new(Box::new(busy))),
        }
    }

    fn demand_idle(&self, sql: &str) -> Result<()> {
        if (self.busy.borrow_mut())(sql) {
            return Err(Error::new(Kind::Unavailable, "the database is busy"));
        }
        Ok(())
    }
}

impl Db for BusyDb {
    type Tx = NativeTransaction;

    async fn query(&self, sql: &str, parameters: &[DbValue]) -> Result<Vec<Row>> {
        self.demand_idle(sql)?;
        self.inner.query(sql, parameters).await
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&NativeTransaction) -> Result<T>,
    ) -> Result<T> {
        self.demand_idle(BEGIN)?;
        self.inner.transaction(work).await
    }
}
