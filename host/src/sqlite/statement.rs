//! One statement on one connection: prepare, bind, step, and read every row.

use crate::bindings::spin::spin::sqlite::sqlite::{RowResult, Value};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, Statement};

/// The largest row, as on Spin.
const MAX_ROW_BYTES: usize = 128 << 20;
/// The largest result; rows are handed over at once, so it bounds the memory one query can take.
const MAX_RESULT_BYTES: usize = 256 << 20;
/// SQLite's code for "another connection wrote after this transaction began to read".
const BUSY_SNAPSHOT: i32 = 517;

/// A complete result.
#[derive(Default)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<RowResult>,
}

/// Why a statement did not produce its rows.
pub enum Failure {
    /// Another connection holds a lock that this statement needs; trying again later may help.
    Busy,
    /// The statement writes and this connection has not yet got its turn to.
    NeedsTurn,
    /// It ran longer than it was given.
    Interrupted,
    /// It will fail again; the text is SQLite's own.
    Final(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::SqliteFailure(code, _) if code.extended_code == BUSY_SNAPSHOT => {
                Self::Final(error.to_string())
            }
            Error::SqliteFailure(code, _) if code.code == ErrorCode::DatabaseBusy => Self::Busy,
            Error::SqliteFailure(code, _) if code.code == ErrorCode::OperationInterrupted => {
                Self::Interrupted
            }
            _ => Self::Final(error.to_string()),
        }
    }
}

/// Calls `body` with the prepared statement of `sql`; of several statements, with the first.
pub fn with_prepared<T>(
    connection: &Connection,
    sql: &str,
    body: impl FnOnce(&mut Statement<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match connection.prepare_cached(sql) {
        Ok(mut statement) => body(&mut statement),
        // Spin runs the first and ignores the rest.
        Err(Error::MultipleStatement) => {
            let mut batch = rusqlite::Batch::new(connection, sql);
            match FallibleIterator::next(&mut batch)? {
                Some(mut statement) => body(&mut statement),
                None => Err(Failure::Final("there is no statement".to_owned())),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Binds `parameters`, runs the statement to its end and reads all rows.
pub fn run(statement: &mut Statement<'_>, parameters: &[Value]) -> Result<Rows, Failure> {
    let expected = statement.parameter_count();
    if expected != parameters.len() {
        return Err(Error::InvalidParameterCount(parameters.len(), expected).into());
    }
    for (index, value) in parameters.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, to_sql(value))?;
    }

    let columns: Vec<String> = statement
        .column_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut rows = Vec::new();
    let mut total_bytes = 0;
    let mut cursor = statement.raw_query();
    while let Some(row) = cursor.next()? {
        let mut values = Vec::with_capacity(columns.len());
        let mut row_bytes = 0;
        for (index, column) in columns.iter().enumerate() {
            let value = from_sql(row.get_ref(index)?, column)?;
            row_bytes += size(&value);
            values.push(value);
        }
        total_bytes += row_bytes;
        if row_bytes > MAX_ROW_BYTES {
            return Err(Failure::Final(format!(
                "a row is larger than the limit of {MAX_ROW_BYTES} bytes"
            )));
        }
        if total_bytes > MAX_RESULT_BYTES {
            return Err(Failure::Final(format!(
                "the result is larger than the limit of {MAX_RESULT_BYTES} bytes"
            )));
        }
        rows.push(RowResult { values });
    }
    Ok(Rows { columns, rows })
}

fn to_sql(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Integer(integer) => ValueRef::Integer(*integer),
        Value::Real(real) => ValueRef::Real(*real),
        Value::Text(text) => ValueRef::Text(text.as_bytes()),
        Value::Blob(bytes) => ValueRef::Blob(bytes),
        Value::Null => ValueRef::Null,
    })
}

fn from_sql(value: ValueRef<'_>, column: &str) -> Result<Value, Failure> {
    Ok(match value {
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        // A text must be valid before it is lifted into the component: there it would trap.
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => {
                return Err(Failure::Final(format!(
                    "column `{column}` holds a text that is not valid UTF-8"
                )));
            }
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
        ValueRef::Null => Value::Null,
    })
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        Value::Integer(_) | Value::Real(_) | Value::Null => 8,
    }
}
