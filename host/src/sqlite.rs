//! SQLite for components: the interface `spin:sqlite@3.1.0`.
//!
//! As on Spin, the database `default` is the file `sqlite_db.db` of the state directory, every open
//! connection is its own (but taken from a pool), and an error of a statement comes with the result's
//! future, never from `execute` itself. Rows are handed over as one batch that is already read, so a
//! result that a component does not drain holds nothing.

mod pool;
mod session;
mod slow;
mod statement;

pub use pool::Database;
pub use session::Session;

use crate::bindings::spin::spin::sqlite::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::guest::GuestState;
use statement::Rows;
use wasmtime::component::{Accessor, FutureReader, HasData, Resource, StreamReader};

/// Connections that one instance may hold open, as on Spin.
const CONNECTIONS_PER_INSTANCE: usize = 256;

/// Marks the store data that serves this interface.
pub struct Sqlite;

impl HasData for Sqlite {
    type Data<'a> = &'a mut GuestState;
}

type AsyncRows = (
    Vec<String>,
    StreamReader<RowResult>,
    FutureReader<Result<(), Error>>,
);

impl GuestState {
    fn open_sqlite(&mut self, label: &str) -> wasmtime::Result<Result<Resource<Session>, Error>> {
        let database = match self.component.databases.get(label) {
            Some(database) => database,
            None if label == "default" => return Ok(Err(Error::AccessDenied)),
            None => return Ok(Err(Error::NoSuchDatabase)),
        };
        if self.open_connections >= CONNECTIONS_PER_INSTANCE {
            let message = format!("too many open connections (at most {CONNECTIONS_PER_INSTANCE})");
            return Ok(Err(Error::Io(message)));
        }
        match Session::open(database) {
            Ok(session) => {
                self.open_connections += 1;
                Ok(Ok(self.table.push(session)?))
            }
            Err(message) => Ok(Err(Error::Io(message))),
        }
    }

    fn session(&mut self, connection: &Resource<Session>) -> wasmtime::Result<Session> {
        Ok(self.table.get(connection)?.clone())
    }
}

impl Host for GuestState {}

impl HostConnection for GuestState {
    fn open(&mut self, database: String) -> wasmtime::Result<Result<Resource<Session>, Error>> {
        self.open_sqlite(&database)
    }

    async fn execute(
        &mut self,
        connection: Resource<Session>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let session = self.session(&connection)?;
        Ok(match session.execute(statement, parameters).await {
            Ok(Rows { columns, rows }) => Ok(QueryResult { columns, rows }),
            Err(message) => Err(Error::Io(message)),
        })
    }

    fn last_insert_rowid(&mut self, connection: Resource<Session>) -> wasmtime::Result<i64> {
        Ok(self.session(&connection)?.last_insert_rowid())
    }

    fn changes(&mut self, connection: Resource<Session>) -> wasmtime::Result<u64> {
        Ok(self.session(&connection)?.changes())
    }

    fn drop(&mut self, connection: Resource<Session>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.open_connections = self.open_connections.saturating_sub(1);
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for Sqlite {
    async fn open_async(
        store: &Accessor<T, Self>,
        database: String,
    ) -> wasmtime::Result<Result<Resource<Session>, Error>> {
        store.with(|mut access| access.get().open_sqlite(&database))
    }

    async fn execute_async(
        store: &Accessor<T, Self>,
        connection: Resource<Session>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<AsyncRows, Error>> {
        let session = store.with(|mut access| access.get().session(&connection))?;
        let (rows, end, under_way) = match session.occupy() {
            Ok(under_way) => match session.execute(statement, parameters).await {
                Ok(rows) => (rows, Ok(()), Some(under_way)),
                Err(message) => (Rows::default(), Err(Error::Io(message)), Some(under_way)),
            },
            Err(message) => (Rows::default(), Err(Error::Io(message)), None),
        };
        store.with(|mut access| {
            let stream = StreamReader::new(&mut access, rows.rows)?;
            let end = FutureReader::new(&mut access, async move {
                drop(under_way);
                wasmtime::error::Ok(end)
            })?;
            Ok(Ok((rows.columns, stream, end)))
        })
    }

    async fn last_insert_rowid_async(
        store: &Accessor<T, Self>,
        connection: Resource<Session>,
    ) -> wasmtime::Result<i64> {
        store.with(|mut access| Ok(access.get().session(&connection)?.last_insert_rowid()))
    }

    async fn changes_async(
        store: &Accessor<T, Self>,
        connection: Resource<Session>,
    ) -> wasmtime::Result<u64> {
        store.with(|mut access| Ok(access.get().session(&connection)?.changes()))
    }
}
