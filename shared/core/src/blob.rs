//! Blobs: archives, icons and other opaque bytes, in chunks in the key-value store.
//!
//! A blob is written before the row that names it and deleted after it, so a crash leaves at most
//! an orphan, never a row without its bytes. No blob is ever in memory as a whole, unless somebody
//! asks for just that.

use crate::error::{Error, Result};
use crate::ids;
use crate::platform::kv;
use sha2::{Digest, Sha256};
use std::io;
use std::rc::Rc;

/// The size of a chunk: well under what any key-value provider takes.
pub const CHUNK: usize = 1 << 20;

/// A blob that was written, as its row remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its name.
    pub id: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

fn key(id: &str, chunk: u64) -> String {
    format!("blob/{id}/{chunk}")
}

/// How many chunks a blob of this size has.
pub const fn chunks(size: u64) -> u64 {
    size.div_ceil(CHUNK as u64)
}

/// Writes a new blob piece by piece.
pub struct Writer {
    id: String,
    /// What fills no chunk yet.
    rest: Vec<u8>,
    size: u64,
    hash: Sha256,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            id: ids::new_uuid(),
            rest: Vec::new(),
            size: 0,
            hash: Sha256::new(),
        }
    }
}

impl Writer {
    /// Writes a blob of this name, which nobody has used.
    pub fn named(id: String) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// The new blob's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How many bytes there are so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes; what fills a chunk is stored.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.rest.capacity() == 0 {
                self.rest.reserve_exact(bytes.len().clamp(64 << 10, CHUNK));
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.rest.len()));
            self.rest.extend_from_slice(now);
            self.size += now.len() as u64;
            self.hash.update(now);
            if self.rest.len() == CHUNK {
                self.store_rest().await?;
            }
            bytes = later;
        }
        Ok(())
    }

    async fn store_rest(&mut self) -> Result<()> {
        let number = chunks(self.size) - 1;
        kv::set(&key(&self.id, number), &self.rest).await?;
        self.rest.clear();
        Ok(())
    }

    /// Stores what is left; the whole blob.
    pub async fn finish(mut self) -> Result<Blob> {
        if !self.rest.is_empty() {
            self.store_rest().await?;
        }
        Ok(Blob {
            id: self.id,
            size: self.size,
            sha256: hex(&self.hash.finalize()),
        })
    }
}

/// Stores bytes under a new name.
pub async fn write(bytes: &[u8]) -> Result<Blob> {
    let mut writer = Writer::default();
    writer.write(bytes).await?;
    writer.finish().await
}

/// One chunk of a blob of this size; of an empty blob the first one is empty.
///
/// # Errors
/// Internal, when it is missing or of another size.
pub async fn chunk(id: &str, size: u64, number: u64) -> Result<Vec<u8>> {
    if size == 0 {
        return Ok(Vec::new());
    }
    let found = kv::get(&key(id, number)).await?;
    checked(id, size, number, found)
}

fn checked(id: &str, size: u64, number: u64, found: Option<Vec<u8>>) -> Result<Vec<u8>> {
    let chunk = found.ok_or_else(|| Error::internal(format!("blob {id} lacks chunk {number}")))?;
    let wanted = size
        .saturating_sub(number.saturating_mul(CHUNK as u64))
        .min(CHUNK as u64);
    if chunk.len() as u64 == wanted {
        return Ok(chunk);
    }
    Err(Error::internal(format!(
        "chunk {number} of blob {id} has {} bytes instead of {wanted}",
        chunk.len()
    )))
}

/// All bytes of a blob of this size, for small ones.
///
/// # Errors
/// Internal, when a chunk is missing or the size is another.
pub async fn read(id: &str, size: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(Error::internal)?);
    for number in 0..chunks(size) {
        bytes.extend(chunk(id, size, number).await?);
    }
    Ok(bytes)
}

/// Reads a blob as if it were a file, for libraries that know only files. It holds one chunk at a
/// time; clones share it, but each has a place of its own.
#[derive(Clone, Debug)]
pub struct Reader {
    id: Rc<str>,
    size: u64,
    at: u64,
    held: Option<(u64, Rc<Vec<u8>>)>,
}

impl Reader {
    /// A reader at the beginning of a blob of this size.
    pub fn new(id: &str, size: u64) -> Self {
        Self {
            id: id.into(),
            size,
            at: 0,
            held: None,
        }
    }

    fn chunk(&mut self, number: u64) -> Result<Rc<Vec<u8>>> {
        if let Some((_, chunk)) = self.held.as_ref().filter(|(held, _)| *held == number) {
            return Ok(chunk.clone());
        }
        // Before the next one comes: there is never more than one.
        self.held = None;
        let found = kv::get_blocking(&key(&self.id, number))?;
        let chunk = Rc::new(checked(&self.id, self.size, number, found)?);
        self.held = Some((number, chunk.clone()));
        Ok(chunk)
    }
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let chunk = self.chunk(self.at / CHUNK as u64).map_err(|error| {
            // The text of an `io::Error` may reach a client.
            crate::log::error("a blob cannot be read", &error);
            io::Error::other(error.message().to_owned())
        })?;
        let within = usize::try_from(self.at % CHUNK as u64).map_err(io::Error::other)?;
        let left = chunk.get(within..).unwrap_or_default();
        let length = io::Read::read(&mut &*left, buffer)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl io::Seek for Reader {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let place = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::End(by) => self.size.checked_add_signed(by),
            io::SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::other("a place before the beginning"))?;
        Ok(self.at)
    }
}

/// Removes a blob; one that is gone already is no error.
pub async fn delete(id: &str, size: u64) -> Result<()> {
    delete_chunks(id, chunks(size)).await
}

/// Removes the first chunks of a blob whose size nobody knows.
pub async fn delete_chunks(id: &str, count: u64) -> Result<()> {
    for number in 0..count {
        kv::delete(&key(id, number)).await?;
    }
    Ok(())
}

/// Bytes as hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, SeekFrom};

    fn bytes(size: usize) -> Vec<u8> {
        (0..size).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn a_blob_is_read_as_it_was_written_and_gone_when_deleted() {
        pollster::block_on(async {
            for size in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1] {
                let bytes = bytes(size);
                let blob = write(&bytes).await.unwrap();
                assert_eq!(blob.size as usize, size);
                assert_eq!(blob.sha256, hex(&Sha256::digest(&bytes)), "{size}");
                assert_eq!(read(&blob.id, blob.size).await.unwrap(), bytes, "{size}");
                delete(&blob.id, blob.size).await.unwrap();
                assert_eq!(read(&blob.id, blob.size).await.is_err(), size > 0, "{size}");
            }
        });
    }

    #[test]
    fn pieces_of_any_size_make_the_same_blob() {
        pollster::block_on(async {
            let bytes = bytes(2 * CHUNK + 77);
            let whole = write(&bytes).await.unwrap();
            for size in [1000, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK] {
                let mut writer = Writer::default();
                for piece in bytes.chunks(size) {
                    writer.write(piece).await.unwrap();
                }
                let blob = writer.finish().await.unwrap();
                assert_eq!(blob.sha256, whole.sha256, "{size}");
                assert_eq!(read(&blob.id, blob.size).await.unwrap(), bytes, "{size}");
            }
        });
    }

    #[test]
    fn a_reader_is_like_a_file() {
        pollster::block_on(async {
            let bytes = bytes(2 * CHUNK + 77);
            let blob = write(&bytes).await.unwrap();
            let mut reader = Reader::new(&blob.id, blob.size);
            let mut got = Vec::new();
            reader.read_to_end(&mut got).unwrap();
            assert_eq!(got, bytes);
            let mut two = [0; 2];
            for (to, at) in [
                (SeekFrom::Start(CHUNK as u64 - 1), CHUNK - 1),
                (SeekFrom::Current(5), CHUNK + 6),
                (SeekFrom::End(-2), bytes.len() - 2),
            ] {
                reader.seek(to).unwrap();
                reader.read_exact(&mut two).unwrap();
                assert_eq!(two, bytes[at..at + 2], "{to:?}");
            }
            assert_eq!(reader.read(&mut two).unwrap(), 0);
            assert!(reader.seek(SeekFrom::Current(i64::MIN)).is_err());
            kv::delete(&key(&blob.id, 1)).await.unwrap();
            reader.seek(SeekFrom::Start(CHUNK as u64)).unwrap();
            assert!(reader.read(&mut two).is_err());
        });
    }
}
