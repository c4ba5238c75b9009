//! The database on Spin's SQLite interface.
//!
//! Opening a connection costs more than a query, so an instance keeps the ones it has: one for
//! single statements, a few idle ones for transactions. A connection whose transaction did not
//! reach its end is thrown away, which rolls it back.

use super::{Db, Row, Tx, Value, failure};
use crate::error::{Error, Result};
use spin_sdk::sqlite::{Connection, Error as SpinError, Value as SpinValue};
use std::cell::RefCell;
use std::rc::Rc;

/// How many idle connections an instance keeps for transactions: more than that many
/// transactions at once are rare, and a connection costs memory on the host.
const IDLE_CONNECTIONS: usize = 4;

thread_local! {
    static SHARED: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
    static IDLE: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
}

/// The application's database `default`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinDb;

async fn open() -> Result<Connection> {
    Connection::open_default()
        .await
        .map_err(|error| refused(&error, "opening the database"))
}

fn refused(error: &SpinError, sql: &str) -> Error {
    match error {
        SpinError::Io(text) => failure(text, sql),
        other => failure(&format!("{other:?}"), sql),
    }
}

async fn run(connection: &Connection, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
    let parameters = parameters.iter().map(|value| match value {
        Value::Null => SpinValue::Null,
        Value::Integer(number) => SpinValue::Integer(*number),
        Value::Real(number) => SpinValue::Real(*number),
        Value::Text(text) => SpinValue::Text(text.clone()),
        Value::Blob(bytes) => SpinValue::Blob(bytes.clone()),
    });
    let answer = connection
        .execute(sql, parameters)
        .await
        .map_err(|error| refused(&error, sql))?;
    let rows = answer
        .collect()
        .await
        .map_err(|error| refused(&error, sql))?;
    Ok(rows
        .into_iter()
        .map(|row| {
            Row(row
                .values
                .into_iter()
                .map(|value| match value {
                    SpinValue::Null => Value::Null,
                    SpinValue::Integer(number) => Value::Integer(number),
                    SpinValue::Real(number) => Value::Real(number),
                    SpinValue::Text(text) => Value::Text(text),
                    SpinValue::Blob(bytes) => Value::Blob(bytes),
                })
                .collect())
        })
        .collect())
}

impl Db for SpinDb {
    type Tx = SpinTransaction;

    async fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        let shared = SHARED.with_borrow(Clone::clone);
        let connection = match shared {
            Some(connection) => connection,
            None => {
                let connection = Rc::new(open().await?);
                SHARED.set(Some(connection.clone()));
                connection
            }
        };
        run(&connection, sql, parameters).await
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&SpinTransaction) -> Result<T>,
    ) -> Result<T> {
        let idle = IDLE.with_borrow_mut(Vec::pop);
        let connection = match idle {
            Some(connection) => connection,
            None => open().await?,
        };
        let transaction = SpinTransaction { connection };
        run(&transaction.connection, "begin immediate", &[]).await?;
        match work(&transaction).await {
            Ok(value) => {
                run(&transaction.connection, "commit", &[]).await?;
                transaction.give_back();
                Ok(value)
            }
            Err(error) => {
                // A connection that cannot even roll back is not given back: dropping it does.
                if run(&transaction.connection, "rollback", &[]).await.is_ok() {
                    transaction.give_back();
                }
                Err(error)
            }
        }
    }
}

/// A transaction under way: dropped half-way, its connection goes with it.
pub struct SpinTransaction {
    connection: Connection,
}

impl SpinTransaction {
    fn give_back(self) {
        IDLE.with_borrow_mut(|idle| {
            if idle.len() < IDLE_CONNECTIONS {
                idle.push(self.connection);
            }
        });
    }
}

impl Db for SpinTransaction {
    type Tx = Self;

    async fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        run(&self.connection, sql, parameters).await
    }

    async fn transaction<T>(&self, work: impl AsyncFnOnce(&Self) -> Result<T>) -> Result<T> {
        work(self).await
    }
}

impl Tx for SpinTransaction {}
