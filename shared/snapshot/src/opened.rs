//! An archive that is read: first what it says about itself, then every byte compared with that, and
//! only then its rows.

use crate::manifest::{self, BlobsFile, Manifest, TableFile, refused};
use crate::tables::{self, Table};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read};
use windlass_core::blob::{Reader, hex};
use windlass_core::db::Db;
use windlass_core::{Error, Result, hashing, platform, secretbox};
use windlass_store::blobs::{LooseBlobs, NewBlob};
use zip::ZipArchive;
use zip::read::ZipFile;

/// The largest manifest, and the longest row of a table: a row's values have a megabyte each at most.
const MANIFEST_BYTES: u64 = 4 << 20;
const LINE_BYTES: u64 = 16 << 20;

/// How much of a file is read at a time.
const PIECE: usize = 256 << 10;

/// An archive whose manifest fits this application.
pub struct Opened {
    zip: ZipArchive<Reader>,
    /// What it says about itself.
    pub manifest: Manifest,
    /// The tables of this application, in the order in which rows are inserted.
    pub tables: Vec<Table>,
}

/// The blobs of an archive as they were stored under names of their own.
#[derive(Clone, Debug)]
pub struct NewNames(String);

impl NewNames {
    /// Names that nobody has used: those of one attempt, which has an id of its own.
    pub fn of(attempt: &str) -> Self {
        Self(attempt.to_owned())
    }

    /// The name for the blob that the archive calls `id`. It is computed, so no table of names is kept.
    pub fn name(&self, id: &str) -> String {
        hashing::mac(&self.0, &["a restored blob", id])
    }
}

/// What stands before a blob's bytes.
#[derive(Deserialize)]
struct BlobHead {
    id: String,
    size: u64,
}

impl Opened {
    /// Opens an archive that is a blob of this size.
    ///
    /// # Errors
    /// 400 for what is no archive, or not one of this application's version.
    pub async fn open(db: &impl Db, blob: &str, size: u64) -> Result<Self> {
        let zip = ZipArchive::new(Reader::new(blob, size)).map_err(unreadable)?;
        let mut opened = Self {
            zip,
            manifest: Manifest::new(
                windlass_core::Timestamp::now(),
                Vec::new(),
                BlobsFile::default(),
                std::collections::BTreeMap::new(),
            ),
            tables: tables::of_state(db).await?,
        };
        let mut text = Vec::new();
        let file = opened.file(manifest::NAME)?;
        let read = file.take(MANIFEST_BYTES).read_to_end(&mut text);
        read.map_err(unreadable)?;
        opened.manifest = serde_json::from_slice(&text)
            .map_err(|error| refused(format!("its manifest cannot be read: {error}")))?;
        opened.manifest.demand_fitting(&opened.tables)?;
        Ok(opened)
    }

    /// Demands that this application can read what is sealed in the archive.
    ///
    /// # Errors
    /// 400, when a key is missing.
    pub async fn demand_keys(&self) -> Result<()> {
        for sample in self.manifest.sealed.values() {
            if secretbox::open(sample).await.is_err() {
                return Err(Error::bad_parameters(
                    "The secrets of this snapshot are encrypted with a key that this application does not \
                     have. Add the `encryption_key` of the application that made it to \
                     `old_encryption_keys` of this one and try again",
                ));
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str) -> Result<ZipFile<'_, Reader>> {
        self.zip
            .by_name(name)
            .map_err(|error| refused(format!("its file {name} cannot be read: {error}")))
    }

    /// Looks at every row without storing anything.
    ///
    /// # Errors
    /// 400 for a file that is not what the manifest says.
    pub async fn verify_rows(&mut self) -> Result<()> {
        for TableFile {
            name, rows, sha256, ..
        } in self.manifest.tables.clone()
        {
            let mut file = self.file(&TableFile::path(&name))?;
            let (mut hash, mut lines) = (Sha256::new(), 0);
            let mut piece = vec![0; PIECE];
            loop {
                let read = file.read(&mut piece).map_err(unreadable)?;
                let bytes = piece.get(..read).unwrap_or_default();
                if bytes.is_empty() {
                    break;
                }
                hash.update(bytes);
                lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
                platform::pause().await;
            }
            if lines != rows || hex(&hash.finalize()) != sha256 {
                return Err(refused(format!("the rows of {name} are damaged")));
            }
        }
        Ok(())
    }

    /// Stores all blobs under new names. They are nobody's until their rows are restored.
    ///
    /// # Errors
    /// 400 for a file that is not what the manifest says; of the key-value store.
    pub async fn store_blobs(
        &mut self,
        db: &impl Db,
        blobs: &LooseBlobs,
        names: &NewNames,
    ) -> Result<()> {
        let BlobsFile { count, sha256 } = self.manifest.blobs.clone();
        let mut file = BufReader::with_capacity(PIECE, self.file(manifest::BLOBS)?);
        let (mut hash, mut found) = (Sha256::new(), 0);
        let mut head = Vec::new();
        while read_line(&mut file, &mut head)? {
            hash.update(&head);
            let BlobHead { id, size } = serde_json::from_slice(&head).map_err(|_| damaged())?;
            let mut new = NewBlob::begin_named(db, blobs, names.name(&id)).await?;
            let mut left = size;
            while left > 0 {
                let bytes = file.fill_buf().map_err(unreadable)?;
                let length = usize::try_from(left).unwrap_or(PIECE).min(bytes.len());
                let Some(bytes) = bytes.get(..length).filter(|bytes| !bytes.is_empty()) else {
                    return Err(damaged());
                };
                hash.update(bytes);
                new.write(db, bytes).await?;
                file.consume(length);
                left -= length as u64;
                platform::pause().await;
            }
            new.finish().await?;
            found += 1;
        }
        match found == count && hex(&hash.finalize()) == sha256 {
            true => Ok(()),
            false => Err(damaged()),
        }
    }

    /// The lines of a table's file.
    pub fn lines(&mut self, table: &str) -> Result<Lines<'_>> {
        let file = self.file(&TableFile::path(table))?;
        Ok(Lines(BufReader::with_capacity(PIECE, file)))
    }
}

/// The rows of a table, one after the other.
pub struct Lines<'a>(BufReader<ZipFile<'a, Reader>>);

impl Lines<'_> {
    /// The next row, a JSON list with its values; nothing at the end.
    pub fn next(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        let is_one = read_line(&mut self.0, line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(is_one)
    }
}

/// Reads a line with its end; no at the end of the file.
fn read_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool> {
    line.clear();
    let read = file.take(LINE_BYTES).read_until(b'\n', line);
    read.map_err(unreadable)?;
    match line.last() {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        Some(_) => Err(refused("a row has no end")),
    }
}

fn damaged() -> Error {
    refused("its blobs are damaged")
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    refused(error)
}
