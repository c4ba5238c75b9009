//! The database on Spin's SQLite interface.
//!
//! Opening a connection costs more than a query, so an instance keeps the ones it has
//! ([`super::connections`]). A connection whose transaction did not reach its end is thrown away,
//! which rolls it back.

use super::connections::{Connections, Driver, Leased};
use super::{BEGIN, BEGIN_READING, Db, Row, Tx, Value};
use crate::error::Result;
use spin_sdk::sqlite::{Connection, Error as SpinError, Value as SpinValue};
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    static CONNECTIONS: Rc<Connections<Spin>> = Connections::new(Spin { is_synced: true });
    static UNSYNCED: Rc<Connections<Spin>> = Connections::new(Spin { is_synced: false });
}

/// The application's database `default`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinDb;

struct Spin {
    /// Whether a commit waits for the disk.
    is_synced: bool,
}

/// Lets commits of a connection not wait for the disk, where that leaves the file sound whatever happens:
/// with a write-ahead log. A server that refuses goes on as before.
async fn leave_unsynced(connection: &Connection) -> Result<(), SpinError> {
    let mode = connection.execute("pragma journal_mode", []).await?;
    let is_wal = |row: &spin_sdk::sqlite::RowResult| matches!(row.values.first(), Some(SpinValue::Text(mode)) if mode == "wal");
    if mode.collect().await?.first().is_some_and(is_wal) {
        let set = connection
            .execute("pragma synchronous = normal", [])
            .await?;
        set.collect().await?;
    }
    Ok(())
}

fn text(error: SpinError) -> String {
    match error {
        SpinError::Io(text) => text,
        other => format!("{other:?}"),
    }
}

impl Driver for Spin {
    type Connection = Connection;

    async fn open(&self) -> Result<Connection, String> {
        let connection = Connection::open_default().await.map_err(text)?;
        if !self.is_synced {
            let _ = leave_unsynced(&connection).await;
        }
        Ok(connection)
    }

    async fn run(
        &self,
        connection: &Connection,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Vec<Row>, String> {
        let parameters = parameters.iter().map(|value| match value {
            Value::Null => SpinValue::Null,
            Value::Integer(number) => SpinValue::Integer(*number),
            Value::Real(number) => SpinValue::Real(*number),
            Value::Text(text) => SpinValue::Text(text.clone()),
            Value::Blob(bytes) => SpinValue::Blob(bytes.clone()),
        });
        let answer = connection.execute(sql, parameters).await.map_err(text)?;
        let rows = answer.collect().await.map_err(text)?;
        Ok(rows.into_iter().map(|row| from_spin(row.values)).collect())
    }

    async fn sleep(&self, time: Duration) {
        crate::platform::sleep(time).await;
    }
}

fn from_spin(values: Vec<SpinValue>) -> Row {
    let values = values.into_iter().map(|value| match value {
        SpinValue::Null => Value::Null,
        SpinValue::Integer(number) => Value::Integer(number),
        SpinValue::Real(number) => Value::Real(number),
        SpinValue::Text(text) => Value::Text(text),
        SpinValue::Blob(bytes) => Value::Blob(bytes),
    });
    Row(values.collect())
}

impl Db for SpinDb {
    type Tx = SpinTransaction;

    async fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        let connections = CONNECTIONS.with(Rc::clone);
        connections.query(sql, parameters).await
    }

    async fn query_unsynced(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        let connections = UNSYNCED.with(Rc::clone);
        connections.query(sql, parameters).await
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&SpinTransaction) -> Result<T>,
    ) -> Result<T> {
        between(BEGIN, work).await
    }

    async fn reading<T>(&self, work: impl AsyncFnOnce(&SpinTransaction) -> Result<T>) -> Result<T> {
        between(BEGIN_READING, work).await
    }
}

/// Runs work between `begin` and `commit`.
async fn between<T>(
    begin: &'static str,
    work: impl AsyncFnOnce(&SpinTransaction) -> Result<T>,
) -> Result<T> {
    let connections = CONNECTIONS.with(Rc::clone);
    let transaction = SpinTransaction(connections.begin(begin).await?);
    match work(&transaction).await {
        Ok(value) => transaction.0.commit().await.map(|()| value),
        Err(error) => {
            transaction.0.roll_back().await;
            Err(error)
        }
    }
}

/// A transaction under way: dropped half-way, its connection goes with it.
pub struct SpinTransaction(Leased<Spin>);

impl Db for SpinTransaction {
    type Tx = Self;

    async fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        self.0.query(sql, parameters).await
    }

    async fn transaction<T>(&self, work: impl AsyncFnOnce(&Self) -> Result<T>) -> Result<T> {
        work(self).await
    }
}

impl Tx for SpinTransaction {}
