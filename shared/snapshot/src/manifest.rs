//! What an archive says about itself. It is written last, when everything is known, and read first.

use crate::tables::Table;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use windlass_core::{Error, Result, Timestamp};
use windlass_store::migrations;

/// The manifest's name in the archive.
pub const NAME: &str = "manifest.json";

/// The name of the file with the bytes of all blobs.
pub const BLOBS: &str = "blobs";

/// What tells these archives from all others.
const FORMAT: &str = "windlass-snapshot";

/// Goes up when archives are written in another way.
const FORMAT_VERSION: i64 = 1;

/// Which files an archive has, and what they have to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    format: String,
    format_version: i64,
    /// The newest migration of the database that it was made of.
    schema: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// The tables, in the order in which their rows can be inserted.
    pub tables: Vec<TableFile>,
    /// The blobs.
    pub blobs: BlobsFile,
    /// For each key that sealed values are encrypted with, the beginning of its texts and one of them: who
    /// can open that one can open them all.
    pub sealed: BTreeMap<String, String>,
}

/// The rows of a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableFile {
    /// The table.
    pub name: String,
    /// Its columns, in the order of each line.
    pub columns: Vec<String>,
    /// How many lines there are.
    pub rows: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// The bytes of all blobs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BlobsFile {
    /// How many there are.
    pub count: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl TableFile {
    /// The name of a table's file in the archive.
    pub fn path(table: &str) -> String {
        format!("tables/{table}.jsonl")
    }
}

impl Manifest {
    /// The manifest of what this application has just written.
    pub fn new(
        created_at: Timestamp,
        tables: Vec<TableFile>,
        blobs: BlobsFile,
        sealed: BTreeMap<String, String>,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            schema: migrations::latest(),
            created_at,
            tables,
            blobs,
            sealed,
        }
    }

    /// Demands that this application can restore the archive.
    ///
    /// # Errors
    /// 400 for another format and for the state of another version: its rows would mean something else.
    pub fn demand_fitting(&self, here: &[Table]) -> Result<()> {
        if self.format != FORMAT || self.format_version != FORMAT_VERSION {
            return Err(refused("it has another format"));
        }
        if self.schema != migrations::latest() {
            return Err(refused(format!(
                "it is of version {} of the database and this application has {}. Restore it with the \
                 version that made it",
                self.schema,
                migrations::latest()
            )));
        }
        let fits = self.tables.len() == here.len()
            && here.iter().all(|table| {
                let mut files = self.tables.iter();
                files.any(|file| file.name == table.name && file.columns == table.columns)
            });
        match fits {
            true => Ok(()),
            false => Err(refused("its tables are not those of this application")),
        }
    }
}

/// The refusal of an archive.
pub fn refused(why: impl std::fmt::Display) -> Error {
    Error::bad_parameters(format!("This is no snapshot that can be restored: {why}"))
}
