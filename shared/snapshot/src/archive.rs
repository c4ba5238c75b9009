//! An archive that is being written: file after file, each compressed while its bytes come, into a blob.

use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use windlass_core::blob::{Blob, hex};
use windlass_core::db::Db;
use windlass_core::{Error, Result, platform};
use windlass_store::blobs::{LooseBlobs, NewBlob};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

/// How much is compressed before it goes on into the blob.
const HELD: usize = 128 << 10;

/// What a file of the archive came to.
pub struct Written {
    /// SHA-256 of its bytes before they were compressed.
    pub sha256: String,
}

/// A zip on its way into a blob.
pub struct Packing {
    zip: ZipWriter<StreamWriter<Pipe>>,
    pipe: Pipe,
    new: NewBlob,
    hash: Sha256,
}

/// What was compressed and is not in the blob yet.
#[derive(Clone, Default)]
struct Pipe(Rc<RefCell<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Packing {
    /// Begins an archive.
    pub async fn begin(db: &impl Db, blobs: &LooseBlobs) -> Result<Self> {
        let pipe = Pipe::default();
        Ok(Self {
            zip: ZipWriter::new_stream(pipe.clone()),
            pipe,
            new: NewBlob::begin(db, blobs).await?,
            hash: Sha256::new(),
        })
    }

    /// Begins a file of rows, which becomes a tenth of its size.
    pub fn rows(&mut self, name: &str) -> Result<()> {
        self.file(name, CompressionMethod::Deflated)
    }

    /// Begins a file of bytes that are compressed already.
    pub fn bytes(&mut self, name: &str) -> Result<()> {
        self.file(name, CompressionMethod::Stored)
    }

    fn file(&mut self, name: &str, method: CompressionMethod) -> Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .compression_level(match method {
                CompressionMethod::Deflated => Some(1),
                _ => None,
            })
            .last_modified_time(zip::DateTime::default())
            .large_file(true);
        self.hash = Sha256::new();
        self.zip.start_file(name, options).map_err(Error::internal)
    }

    /// Adds bytes to the file that was begun last.
    pub async fn write(&mut self, db: &impl Db, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.zip.write_all(bytes).map_err(Error::internal)?;
        if self.pipe.0.borrow().len() >= HELD {
            self.drain(db).await?;
        }
        // Others have their turn in between.
        platform::pause().await;
        Ok(())
    }

    /// What the file that was begun last came to.
    pub fn written(&self) -> Written {
        Written {
            sha256: hex(&self.hash.clone().finalize()),
        }
    }

    async fn drain(&mut self, db: &impl Db) -> Result<()> {
        let held = std::mem::take(&mut *self.pipe.0.borrow_mut());
        self.new.write(db, &held).await
    }

    /// Ends the archive; its blob is nobody's yet.
    pub async fn finish(mut self, db: &impl Db) -> Result<Blob> {
        self.drain(db).await?;
        self.zip.finish().map_err(Error::internal)?;
        let rest = std::mem::take(&mut *self.pipe.0.borrow_mut());
        self.new.write(db, &rest).await?;
        self.new.finish().await
    }
}
