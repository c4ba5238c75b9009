//! The database: one trait, an implementation on Spin's SQLite and a native one for tests.
//!
//! A statement's result is always awaited here, because Spin reports errors only then. A connection
//! runs one statement at a time, and a transaction owns one, so that the requests an instance serves at
//! the same time never interleave inside it.

use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
#[cfg(any(feature = "native", target_arch = "wasm32"))]
use trouble::Trouble;

#[cfg(any(test, target_arch = "wasm32"))]
mod connections;
#[cfg(feature = "native")]
pub mod native;
#[cfg(any(test, target_arch = "wasm32"))]
mod slots;
#[cfg(any(feature = "native", target_arch = "wasm32"))]
#[cfg_attr(
    not(any(test, target_arch = "wasm32")),
    allow(
        dead_code,
        reason = "a native database is a file: nothing is tried again"
    )
)]
mod trouble;

#[cfg(target_arch = "wasm32")]
pub mod spin;

#[cfg(feature = "native")]
pub use native::{NativeDb, NativeTransaction};
#[cfg(target_arch = "wasm32")]
pub use spin::{SpinDb, SpinTransaction};

/// What every transaction begins with: it is the writer from its first statement on.
#[cfg(any(feature = "native", target_arch = "wasm32"))]
const BEGIN: &str = "begin immediate";

/// What a look at one moment begins with: it takes no lock that a writer waits for.
#[cfg(any(feature = "native", target_arch = "wasm32"))]
const BEGIN_READING: &str = "begin";

/// A value of a statement's parameter or of a row.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "SQLite's own storage classes")]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Value {
    /// A value as JSON text.
    ///
    /// # Errors
    /// Internal, for what JSON cannot say.
    pub fn json(value: &impl Serialize) -> Result<Self> {
        let text = serde_json::to_string(value).map_err(Error::internal)?;
        Ok(Self::Text(text))
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident $(as $cast:ty)?),*) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value $(as $cast)?)
            }
        }
    )*};
}

value_from!(i64 => Integer, i32 => Integer as i64, u32 => Integer as i64, usize => Integer as i64,
    u64 => Integer as i64, bool => Integer as i64, f64 => Real, String => Text, Vec<u8> => Blob);

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<&serde_json::Value> for Value {
    /// JSON goes into the database as its text.
    fn from(value: &serde_json::Value) -> Self {
        Self::Text(value.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The parameters of a statement: `params![id, 3, None::<String>]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Value::from($value)),*][..] };
}

/// One row of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The column as text; an error when it is something else.
    pub fn text(&self, column: usize) -> Result<&str> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(unexpected(column, "text", other)),
        }
    }

    /// The column as text, or nothing when it is null.
    pub fn optional_text(&self, column: usize) -> Result<Option<&str>> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// The column as an integer.
    pub fn integer(&self, column: usize) -> Result<i64> {
        match self.0.get(column) {
            Some(Value::Integer(number)) => Ok(*number),
            other => Err(unexpected(column, "an integer", other)),
        }
    }

    /// The column as an integer, or nothing when it is null.
    pub fn optional_integer(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.integer(column).map(Some),
        }
    }

    /// The column as a truth value.
    pub fn boolean(&self, column: usize) -> Result<bool> {
        Ok(self.integer(column)? != 0)
    }

    /// The column's JSON text as a typed value.
    pub fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T> {
        serde_json::from_str(self.text(column)?).map_err(|error| {
            Error::internal(format!("column {column} holds no such JSON: {error}"))
        })
    }
}

fn unexpected(column: usize, wanted: &str, got: Option<&Value>) -> Error {
    // Its class only: a value could be a secret, and this text goes to the log.
    let got = match got {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::Integer(_)) => "an integer",
        Some(Value::Real(_)) => "a real number",
        Some(Value::Text(_)) => "text",
        Some(Value::Blob(_)) => "a blob",
    };
    Error::internal(format!("column {column} should be {wanted}, is {got}"))
}

/// A database of the application: SQLite, or something that speaks its dialect.
#[allow(
    async_fn_in_trait,
    reason = "one thread per instance: no future has to be Send"
)]
pub trait Db {
    /// What a transaction hands to its work.
    type Tx: Tx;

    /// Runs one statement and answers its rows.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] with the database's text as context; `Unavailable`
    /// when the database stayed locked for too long.
    async fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>>;

    /// As [`query`](Self::query), for a statement whose change may be lost when the power fails in the
    /// same moment. It survives the end of every process, like any other, but nobody waits until the
    /// disk has it.
    ///
    /// # Errors
    /// As of [`query`](Self::query).
    async fn query_unsynced(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        self.query(sql, parameters).await
    }

    /// Runs `work` between `BEGIN IMMEDIATE` and `COMMIT` on a connection of its own.
    /// An error of `work`, and dropping the future, roll back. Inside a transaction it joins it.
    async fn transaction<T>(&self, work: impl AsyncFnOnce(&Self::Tx) -> Result<T>) -> Result<T>;

    /// Runs `work`, which only reads, on a connection of its own that sees the database as it was when
    /// its first statement ran; others write meanwhile. It may take long: nobody waits for it.
    async fn reading<T>(&self, work: impl AsyncFnOnce(&Self::Tx) -> Result<T>) -> Result<T> {
        self.transaction(work).await
    }

    /// Fills a database that has nothing yet with what `make` writes. A native one takes a copy of the first
    /// that its process filled: tests would spend most of their time with the schema otherwise.
    ///
    /// # Errors
    /// Of `make`.
    async fn fill(&self, make: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<()> {
        make(self).await
    }

    /// Runs one statement for its effect.
    async fn execute(&self, sql: &str, parameters: &[Value]) -> Result<()> {
        self.query(sql, parameters).await.map(drop)
    }

    /// The first row, if there is one.
    async fn first(&self, sql: &str, parameters: &[Value]) -> Result<Option<Row>> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// The first column of the first row as JSON, typed.
    async fn first_json<T: DeserializeOwned>(
        &self,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Option<T>> {
        self.first(sql, parameters)
            .await?
            .map(|row| row.json(0))
            .transpose()
    }

    /// The first column of every row as JSON, typed.
    async fn json_rows<T: DeserializeOwned>(
        &self,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Vec<T>> {
        let rows = self.query(sql, parameters).await?;
        rows.iter().map(|row| row.json(0)).collect()
    }
}

/// A database that may be kept, by a body that is made after its handler returned. No transaction is one.
pub trait KeptDb: Db + Clone + 'static {}

impl<D: Db + Clone + 'static> KeptDb for D {}

/// A transaction under way. Only [`Db::transaction`] hands one out, so whatever takes `&impl Tx`
/// happens as a whole with what its caller does, or not at all.
#[allow(
    async_fn_in_trait,
    reason = "one thread per instance: no future has to be Send"
)]
pub trait Tx: Db<Tx = Self> + Sized {
    /// Runs `work` so that its failure leaves nothing of it, while the transaction may go on: for whoever
    /// makes something else of a refusal than an error.
    ///
    /// # Errors
    /// Of `work`; of the database when that could not be taken back.
    async fn attempt<T>(&self, work: impl AsyncFnOnce(&Self) -> Result<T>) -> Result<T> {
        self.execute("savepoint attempt", &[]).await?;
        let done = work(self).await;
        if done.is_err() {
            self.execute("rollback to attempt", &[]).await?;
        }
        self.execute("release attempt", &[]).await?;
        done
    }
}

/// The failure of a statement, from the database's own text.
#[cfg(any(feature = "native", target_arch = "wasm32"))]
pub(crate) fn failure(text: &str, sql: &str) -> Error {
    let sql: String = sql
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(300)
        .collect();
    let unavailable = |text| Error::new(crate::error::Kind::Unavailable, text);
    let error = match Trouble::of(text) {
        Trouble::Busy => unavailable("The database is busy, try again"),
        Trouble::Full => unavailable("There is no room left to store anything"),
        Trouble::Interrupted | Trouble::Gone | Trouble::Broken => {
            unavailable("The connection to the database broke off, try again")
        }
        Trouble::Statement if text.contains("FOREIGN KEY constraint failed") => {
            Error::conflict("Something that this belongs to was deleted in the meantime")
        }
        Trouble::Statement if text.contains("string or blob too big") => Error::bad_parameters(
            "The answer would be too large: ask for fewer items with _size, \
             or with _include for fewer fields",
        ),
        Trouble::Statement => Error::internal(""),
    };
    error.context(format!("{text} in: {sql}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "native")]
    #[test]
    fn what_was_attempted_and_failed_leaves_nothing_and_what_was_before_it_stays() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            db.execute("create table t (x)", &[]).await.unwrap();
            let insert = async |tx: &NativeTransaction, x: i64| {
                tx.execute("insert into t values (?1)", &[x.into()]).await
            };
            let refused = || Error::conflict("no");
            db.transaction(async |tx| {
                insert(tx, 1).await?;
                let inner = tx.attempt(async |tx| {
                    insert(tx, 2).await?;
                    // One inside of another is taken back by itself.
                    let innermost = tx.attempt(async |tx| {
                        insert(tx, 3).await?;
                        Err::<(), _>(refused())
                    });
                    assert!(innermost.await.is_err());
                    insert(tx, 4).await
                });
                inner.await?;
                let failed = tx.attempt(async |tx| {
                    insert(tx, 5).await?;
                    tx.attempt(async |tx| insert(tx, 6).await).await?;
                    Err::<(), _>(refused())
                });
                assert!(failed.await.is_err());
                insert(tx, 7).await
            })
            .await
            .unwrap();
            let rows = db.query("select x from t order by x", &[]).await.unwrap();
            let rows: Vec<i64> = rows.iter().map(|row| row.integer(0).unwrap()).collect();
            assert_eq!(rows, [1, 2, 4, 7]);
        });
    }

    #[cfg(feature = "native")]
    #[test]
    fn what_the_database_says_becomes_what_a_client_can_do() {
        use crate::error::Kind;
        for (text, kind) in [
            ("database is locked", Kind::Unavailable),
            ("database or disk is full", Kind::Unavailable),
            ("connection reset by peer", Kind::Unavailable),
            ("FOREIGN KEY constraint failed", Kind::Conflict),
            ("string or blob too big", Kind::BadParameters),
            ("no such table: x", Kind::Internal),
        ] {
            let error = failure(text, "insert into\n x");
            assert_eq!(error.kind(), kind, "{text}");
            assert!(!error.message().contains(text), "{text}");
            let cause = format!("{text} in: insert into x");
            assert_eq!(error.log_context(), Some(cause.as_str()));
        }
    }

    #[test]
    fn a_column_of_the_wrong_type_is_named_without_its_value() {
        let row = Row(vec![Value::Text("a secret".into()), Value::Null]);
        let failure = row.integer(0).unwrap_err();
        assert!(!failure.for_log().contains("secret"), "{failure:?}");
        assert!(failure.for_log().contains("text"), "{failure:?}");
        assert!(row.text(2).is_err());
    }
}
