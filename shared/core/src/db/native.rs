//! The database on native SQLite: for tests of the SQL, which is only checked when it runs.

use super::{BEGIN, BEGIN_READING, Db, Row, Tx, Value, failure};
use crate::error::{Error, Result};
use rusqlite::{Connection, MAIN_DB, StatementStatus, config::DbConfig, types::ValueRef};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::OnceLock;

/// The largest value that a statement may take or answer, in bytes: servers of libSQL take no more, and
/// whatever is larger has to go in pieces.
const LARGEST: usize = 1 << 20;

/// The first database in memory that this process filled, as it was then.
static FILLED: OnceLock<Vec<u8>> = OnceLock::new();

/// A database file (or one in memory) opened by this process. A value of more than a megabyte that goes
/// into it or comes out ends the test.
#[derive(Clone)]
pub struct NativeDb {
    connection: Rc<RefCell<Connection>>,
    work: Rc<Cell<i64>>,
    in_memory: bool,
}

/// A transaction under way on a [`NativeDb`].
#[derive(Clone)]
pub struct NativeTransaction {
    connection: Rc<RefCell<Connection>>,
    work: Rc<Cell<i64>>,
}

impl NativeDb {
    /// An empty database that lives as long as this value.
    #[allow(clippy::expect_used, reason = "only a machine without memory refuses")]
    pub fn in_memory() -> Self {
        let connection = Connection::open_in_memory().expect("SQLite opens a database in memory");
        Self {
            in_memory: true,
            ..Self::on(connection)
        }
    }

    /// A database in a file, with the settings that Spin gives a connection.
    pub fn open(path: &std::path::Path) -> rusqlite::Result<Self> {
        Connection::open(path).map(Self::on)
    }

    #[allow(clippy::expect_used, reason = "every SQLite knows them")]
    fn on(connection: Connection) -> Self {
        connection
            .pragma_update(None, "foreign_keys", true)
            .expect("a pragma of every SQLite");
        // As the embedded host has it: a plan serves for all values of its parameters.
        // As many as the embedded host keeps: to prepare a statement takes longer than to run it.
        connection.set_prepared_statement_cache_capacity(128);
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .expect("a setting of every SQLite");
        Self {
            connection: Rc::new(RefCell::new(connection)),
            work: Rc::default(),
            in_memory: false,
        }
    }

    /// How many steps SQLite has made since this was last asked, triggers included: what a test of growth
    /// compares, because it is the same on every machine.
    pub fn steps(&self) -> i64 {
        self.work.take()
    }

    /// The plan SQLite would follow, one line each: for tests that demand an index.
    pub async fn plan(&self, sql: &str, parameters: &[Value]) -> Result<Vec<String>> {
        let rows = self
            .query(&format!("explain query plan {sql}"), parameters)
            .await?;
        rows.iter()
            .map(|row| row.text(3).map(str::to_owned))
            .collect()
    }
}

/// Runs one statement on a connection and reads all of its rows.
fn run(
    connection: &RefCell<Connection>,
    work: &Cell<i64>,
    sql: &str,
    parameters: &[Value],
) -> Result<Vec<Row>> {
    demand_small(parameters, sql);
    let connection = connection.borrow();
    let run = || -> rusqlite::Result<Vec<Row>> {
        let mut statement = connection.prepare_cached(sql)?;
        for (index, value) in parameters.iter().enumerate() {
            use rusqlite::types::Value as Native;
            statement.raw_bind_parameter(
                index + 1,
                match value {
                    Value::Null => Native::Null,
                    Value::Integer(number) => Native::Integer(*number),
                    Value::Real(number) => Native::Real(*number),
                    Value::Text(text) => Native::Text(text.clone()),
                    Value::Blob(bytes) => Native::Blob(bytes.clone()),
                },
            )?;
        }
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut answer = Vec::new();
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                values.push(match row.get_ref(column)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(number) => Value::Integer(number),
                    ValueRef::Real(number) => Value::Real(number),
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
                });
            }
            demand_small(&values, sql);
            answer.push(Row(values));
        }
        drop(rows);
        let steps = statement.reset_status(StatementStatus::VmStep);
        work.set(work.get() + i64::from(steps));
        Ok(answer)
    };
    run().map_err(|error| failure(&error.to_string(), sql))
}

fn demand_small(values: &[Value], sql: &str) {
    for value in values {
        let bytes = match value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            _ => 0,
        };
        assert!(bytes <= LARGEST, "a value of {bytes} bytes: {sql}");
    }
}

impl Db for NativeDb {
    type Tx = NativeTransaction;

    async fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        run(&self.connection, &self.work, sql, parameters)
    }

    async fn fill(&self, make: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<()> {
        if !self.in_memory {
            return make(self).await;
        }
        if let Some(filled) = FILLED.get() {
            let mut connection = self.connection.borrow_mut();
            return connection
                .deserialize_read_exact(MAIN_DB, filled.as_slice(), filled.len(), false)
                .map_err(Error::internal);
        }
        make(self).await?;
        let connection = self.connection.borrow();
        let filled = connection.serialize(MAIN_DB).map_err(Error::internal)?;
        // Another test may have been faster.
        let _ = FILLED.set(filled.to_vec());
        Ok(())
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&NativeTransaction) -> Result<T>,
    ) -> Result<T> {
        self.between(BEGIN, work).await
    }

    async fn reading<T>(
        &self,
        work: impl AsyncFnOnce(&NativeTransaction) -> Result<T>,
    ) -> Result<T> {
        self.between(BEGIN_READING, work).await
    }
}

impl NativeDb {
    async fn between<T>(
        &self,
        begin: &str,
        work: impl AsyncFnOnce(&NativeTransaction) -> Result<T>,
    ) -> Result<T> {
        let transaction = NativeTransaction {
            connection: self.connection.clone(),
            work: self.work.clone(),
        };
        self.execute(begin, &[]).await?;
        let done = match work(&transaction).await {
            Ok(value) => self.execute("commit", &[]).await.map(|()| value),
            failed => failed,
        };
        match done {
            Ok(value) => Ok(value),
            Err(error) => {
                // Some failures, such as a full disk, have rolled back by themselves.
                let _ = self.execute("rollback", &[]).await;
                Err(error)
            }
        }
    }
}

impl Db for NativeTransaction {
    type Tx = Self;

    async fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        run(&self.connection, &self.work, sql, parameters)
    }

    async fn transaction<T>(&self, work: impl AsyncFnOnce(&Self) -> Result<T>) -> Result<T> {
        work(self).await
    }
}

impl Tx for NativeTransaction {}
