//! Rows on their way from an archive into their table, some hundred at a time.

use crate::manifest::refused;
use crate::opened::{NewNames, Opened};
use crate::tables::Table;
use serde_json::Value as Json;
use windlass_core::db::{Tx, Value};
use windlass_core::{Result, platform};
use windlass_store::blobs;

/// How much goes into one statement. A longer row goes value by value.
const BATCH: usize = 256 << 10;

/// Inserts all rows that an archive has for a table.
///
/// # Errors
/// 400 for rows that are none of it.
pub async fn insert_all(
    tx: &impl Tx,
    opened: &mut Opened,
    table: &Table,
    names: &NewNames,
) -> Result<()> {
    let inserting = Inserting::new(table);
    let mut lines = opened.lines(&table.name)?;
    let (mut line, mut batch) = (Vec::new(), String::from("["));
    while lines.next(&mut line)? {
        let mut row = std::str::from_utf8(&line)
            .map_err(|_| no_row(table))?
            .to_owned();
        if table.blob.is_some() {
            row = with_new_blob(tx, table, &row, names).await?;
        }
        if row.len() > BATCH {
            inserting.one(tx, &row).await?;
            continue;
        }
        if batch.len() > 1 {
            batch.push(',');
        }
        batch.push_str(&row);
        if batch.len() > BATCH {
            inserting.several(tx, &mut batch).await?;
            platform::pause().await;
        }
    }
    inserting.several(tx, &mut batch).await
}

/// The statements for a table.
struct Inserting<'a> {
    table: &'a Table,
    several: String,
    one: String,
}

impl<'a> Inserting<'a> {
    fn new(table: &'a Table) -> Self {
        let columns = &table.columns;
        let into = format!(
            "insert into \"{}\" (\"{}\")",
            table.name,
            columns.join("\", \"")
        );
        let list = |text: &dyn Fn(usize) -> String| {
            let texts: Vec<String> = (0..columns.len()).map(text).collect();
            texts.join(", ")
        };
        let read = list(&|at| format!("value ->> {at}"));
        let given = list(&|at| format!("?{}", at + 1));
        Self {
            table,
            several: format!("{into} select {read} from json_each(?1)"),
            one: format!("{into} values ({given})"),
        }
    }

    /// Inserts what a batch holds, and empties it.
    async fn several(&self, tx: &impl Tx, batch: &mut String) -> Result<()> {
        if batch.len() == 1 {
            return Ok(());
        }
        batch.push(']');
        let rows = std::mem::replace(batch, String::from("["));
        tx.execute(&self.several, &[Value::Text(rows)]).await
    }

    async fn one(&self, tx: &impl Tx, row: &str) -> Result<()> {
        let values = parsed(self.table, row)?.into_iter().map(value).collect();
        let values: Option<Vec<Value>> = values;
        let values = values.ok_or_else(|| no_row(self.table))?;
        tx.execute(&self.one, &values).await
    }
}

/// A row with the name that its blob has here. The blob is its row's from now on.
async fn with_new_blob(tx: &impl Tx, table: &Table, row: &str, names: &NewNames) -> Result<String> {
    let mut values = parsed(table, row)?;
    let column = table.blob.and_then(|(blob, _)| table.place(blob));
    if let Some(Json::String(id)) = column.and_then(|at| values.get_mut(at)) {
        *id = names.name(id);
        blobs::keep(tx, id).await?;
    }
    serde_json::to_string(&values).map_err(|_| no_row(table))
}

fn parsed(table: &Table, row: &str) -> Result<Vec<Json>> {
    let values: Vec<Json> = serde_json::from_str(row).map_err(|_| no_row(table))?;
    match values.len() == table.columns.len() {
        true => Ok(values),
        false => Err(no_row(table)),
    }
}

/// A value as SQLite has it; nothing for what no row can hold.
fn value(json: Json) -> Option<Value> {
    match json {
        Json::Null => Some(Value::Null),
        Json::String(text) => Some(Value::Text(text)),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Some(Value::Integer(number)),
            None => number.as_f64().map(Value::Real),
        },
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn no_row(table: &Table) -> windlass_core::Error {
    refused(format!("a row of {} cannot be read", table.name))
}
