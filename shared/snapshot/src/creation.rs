//! Making a snapshot: every row as it was in one moment, then the blobs that rows name.
//!
//! The rows are read inside of one view of the database, which others go on writing to. The blobs come
//! after it: one that a row let go of meanwhile keeps its bytes for an hour.

use crate::archive::Packing;
use crate::manifest::{self, BlobsFile, Manifest, TableFile};
use crate::tables::{self, Table};
use serde_json::{Number, Value as Json, json};
use windlass_core::blob::{self, Blob};
use windlass_core::db::{Db, Row, Value};
use windlass_core::{Error, Result, Timestamp, params};
use windlass_store::blobs::LooseBlobs;
use windlass_store::sealed;

/// How many bytes of rows are read at a time, and how many rows.
const BYTES: usize = 512 << 10;
const ROWS: usize = 1000;

/// What a snapshot is asked to have in it.
#[derive(Clone, Copy, Debug)]
pub struct Contents {
    /// Logs of executions.
    pub logs: bool,
    /// Events of executions.
    pub events: bool,
}

impl Contents {
    /// Which rows of a table are wanted, as SQL.
    fn condition(self, table: &str) -> &'static str {
        match (table, self.logs, self.events) {
            (_, true, true) => "true",
            ("events" | "execution_group_events", false, false) => "false",
            ("events", true, false) => "is_log = 1",
            ("events", false, true) => "is_log = 0",
            // A group has the same two kinds: what names no type of event is a log.
            ("execution_group_events", true, false) => "event_type is null",
            ("execution_group_events", false, true) => "event_type is not null",
            _ => "true",
        }
    }
}

/// A blob that a row names.
struct Named {
    id: String,
    size: u64,
}

/// Writes a snapshot into a blob, which is nobody's yet.
///
/// # Errors
/// Of the database and the key-value store.
pub async fn pack(
    db: &impl Db,
    blobs: &LooseBlobs,
    contents: Contents,
    now: Timestamp,
) -> Result<Blob> {
    let mut packing = Packing::begin(db, blobs).await?;
    let mut named = Vec::new();
    let (tables, sealed) = db
        .reading(async |view| {
            let mut files = Vec::new();
            for table in tables::of_state(view).await? {
                let condition = contents.condition(&table.name);
                let reading = Reading { table, condition };
                files.push(reading.pack(db, view, &mut packing, &mut named).await?);
            }
            Ok((files, sealed::samples(view).await?))
        })
        .await?;
    let blobs = pack_blobs(db, &mut packing, &named).await?;
    let manifest = Manifest::new(now, tables, blobs, sealed);
    packing.rows(manifest::NAME)?;
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(Error::internal)?;
    packing.write(db, &manifest).await?;
    packing.finish(db).await
}

/// All blobs one after the other, each after a line with its id and its size.
async fn pack_blobs(db: &impl Db, packing: &mut Packing, named: &[Named]) -> Result<BlobsFile> {
    packing.bytes(manifest::BLOBS)?;
    for Named { id, size } in named {
        let head = format!("{}\n", json!({ "id": id, "size": size }));
        packing.write(db, head.as_bytes()).await?;
        for number in 0..blob::chunks(*size) {
            let chunk = blob::chunk(id, *size, number).await?;
            packing.write(db, &chunk).await?;
        }
    }
    Ok(BlobsFile {
        count: named.len() as u64,
        sha256: packing.written().sha256,
    })
}

/// The rows of a table that are wanted.
struct Reading {
    table: Table,
    condition: &'static str,
}

impl Reading {
    /// Writes the rows as lines, and notes the blobs that they name.
    async fn pack(
        self,
        db: &impl Db,
        view: &impl Db,
        packing: &mut Packing,
        named: &mut Vec<Named>,
    ) -> Result<TableFile> {
        packing.rows(&TableFile::path(&self.table.name))?;
        let (mut after, mut rows) = (None, 0);
        let mut lines = Vec::new();
        loop {
            let found = self.next(view, after.as_ref()).await?;
            let Some(last) = found.last() else { break };
            after = Some(self.key_of(last)?);
            lines.clear();
            for row in &found {
                self.line(row, &mut lines)?;
                named.extend(self.blob_of(row)?);
                rows += 1;
            }
            packing.write(db, &lines).await?;
        }
        Ok(TableFile {
            sha256: packing.written().sha256,
            rows,
            name: self.table.name,
            columns: self.table.columns,
        })
    }

    /// The next rows, as many as are small together, each with its key in front; none at the end.
    async fn next(&self, view: &impl Db, after: Option<&Vec<Value>>) -> Result<Vec<Row>> {
        let Table {
            name, columns, key, ..
        } = &self.table;
        let key = key.join(", ");
        let holes = |from: usize| -> String {
            let numbers = (from..from + self.table.key.len()).map(|number| format!("?{number}"));
            numbers.collect::<Vec<_>>().join(", ")
        };
        let begin = match after {
            Some(_) => format!("({key}) > ({})", holes(3)),
            None => "true".to_owned(),
        };
        let condition = self.condition;
        let sizes: Vec<String> = columns
            .iter()
            .map(|column| format!("coalesce(octet_length(\"{column}\"), 0)"))
            .collect();
        // Lengths are read without what is long, so this looks at a thousand rows for next to nothing.
        let sql = format!(
            "select count(*) from (select sum(size) over (order by {key} rows unbounded preceding) as so_far,
                 row_number() over (order by {key}) as number
                 from (select {key}, {} as size from \"{name}\" where {begin} and {condition}
                     order by {key} limit ?2))
             where so_far <= ?1 or number = 1",
            sizes.join(" + ")
        );
        let after = after.map(Vec::as_slice).unwrap_or_default();
        let counted = view
            .first(&sql, &[params![BYTES, ROWS], after].concat())
            .await?;
        let count = counted.map_or(Ok(0), |row| row.integer(0))?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let begin = match after.is_empty() {
            false => format!("({key}) > ({})", holes(2)),
            true => begin,
        };
        let sql = format!(
            "select {key}, \"{}\" from \"{name}\" where {begin} and {condition} order by {key} limit ?1",
            columns.join("\", \"")
        );
        view.query(&sql, &[params![count], after].concat()).await
    }

    /// The key of a row, as the next rows are asked for.
    fn key_of(&self, row: &Row) -> Result<Vec<Value>> {
        let key = row.0.get(..self.table.key.len());
        let key = key.ok_or_else(|| Error::internal("a row without its key"))?;
        Ok(key.to_vec())
    }

    /// Adds a row as a line of JSON.
    fn line(&self, row: &Row, lines: &mut Vec<u8>) -> Result<()> {
        let values = row.0.get(self.table.key.len()..).unwrap_or_default();
        let mut between = b'[';
        for value in values {
            lines.push(between);
            between = b',';
            match value {
                Value::Null => lines.extend_from_slice(b"null"),
                Value::Integer(number) => lines.extend_from_slice(number.to_string().as_bytes()),
                Value::Real(number) => {
                    let number = Number::from_f64(*number).map_or(Json::Null, Json::Number);
                    serde_json::to_writer(&mut *lines, &number).map_err(Error::internal)?;
                }
                Value::Text(text) => {
                    serde_json::to_writer(&mut *lines, text).map_err(Error::internal)?;
                }
                Value::Blob(_) => {
                    let table = &self.table.name;
                    return Err(Error::internal(format!("{table} has bytes in a column")));
                }
            }
        }
        lines.extend_from_slice(b"]\n");
        Ok(())
    }

    fn blob_of(&self, row: &Row) -> Result<Option<Named>> {
        let Some((blob, size)) = self.table.blob else {
            return Ok(None);
        };
        let place = |column| self.table.place(column).map(|at| at + self.table.key.len());
        let (Some(blob), Some(size)) = (place(blob), place(size)) else {
            return Err(Error::internal("a table lacks the column of its blobs"));
        };
        let Some(id) = row.optional_text(blob)? else {
            return Ok(None);
        };
        let size = u64::try_from(row.integer(size)?).map_err(Error::internal)?;
        Ok(Some(Named {
            id: id.to_owned(),
            size,
        }))
    }
}
