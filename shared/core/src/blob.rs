//! Blobs: archives, icons and other opaque bytes, in chunks in the key-value store.
//!
//! A blob is written before the row that names it and deleted after it, so a crash leaves at most
//! an orphan, never a row without its bytes.

use crate::error::{Error, Result};
use crate::ids;
use crate::platform::kv;
use sha2::{Digest, Sha256};

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

fn key(id: &str, chunk: usize) -> String {
    format!("blob/{id}/{chunk}")
}

/// Stores bytes under a new name.
pub async fn write(bytes: &[u8]) -> Result<Blob> {
    let id = ids::new_uuid();
    for (number, chunk) in bytes.chunks(CHUNK).enumerate() {
        kv::set(&key(&id, number), chunk).await?;
    }
    let size = bytes.len() as u64;
    Ok(Blob {
        id,
        size,
        sha256: hex(&Sha256::digest(bytes)),
    })
}

/// The bytes of a blob of this size.
///
/// # Errors
/// Internal, when a chunk is missing or the size is another.
pub async fn read(id: &str, size: u64) -> Result<Vec<u8>> {
    let size = usize::try_from(size).map_err(Error::internal)?;
    let mut bytes = Vec::with_capacity(size);
    for number in 0..size.div_ceil(CHUNK) {
        let chunk = kv::get(&key(id, number)).await?;
        bytes.extend(
            chunk.ok_or_else(|| Error::internal(format!("blob {id} lacks chunk {number}")))?,
        );
    }
    if bytes.len() == size {
        Ok(bytes)
    } else {
        Err(Error::internal(format!(
            "blob {id} has {} bytes instead of {size}",
            bytes.len()
        )))
    }
}

/// Removes a blob; one that is gone already is no error.
pub async fn delete(id: &str, size: u64) -> Result<()> {
    for number in 0..usize::try_from(size)
        .map_err(Error::internal)?
        .div_ceil(CHUNK)
    {
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

    #[test]
    fn a_blob_is_read_as_it_was_written_and_gone_when_deleted() {
        pollster::block_on(async {
            for size in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1] {
                let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
                let blob = write(&bytes).await.unwrap();
                assert_eq!(blob.size as usize, size);
                assert_eq!(read(&blob.id, blob.size).await.unwrap(), bytes, "{size}");
                delete(&blob.id, blob.size).await.unwrap();
                assert_eq!(read(&blob.id, blob.size).await.is_err(), size > 0, "{size}");
            }
        });
    }
}
