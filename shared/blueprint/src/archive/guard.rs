//! What stands between a decompressor and the reader of tar archives: it ends with an error
//! where the archive wants more than it may.

use std::io::{Error, Read, Result};

const BLOCK: usize = 512;

/// The longest record that says something about the next file: its long name, or attributes.
/// The reader of tar archives keeps these in memory, whatever size they claim to have.
const EXTENSION_BYTES: u64 = 1 << 20;

/// A tar archive, read no further than is allowed.
pub(super) struct Guarded<R> {
    inner: R,
    /// Bytes that may still come.
    left: u64,
    /// The header that is being read, as far as it came.
    header: Vec<u8>,
    /// Bytes until the next header.
    content: u64,
    /// Whether the next block continues the header of a sparse file.
    is_sparse: bool,
    /// Whether the last header was one of zeros: what follows are none.
    has_ended: bool,
}

impl<R> Guarded<R> {
    pub(super) fn new(inner: R, left: u64) -> Self {
        Self {
            inner,
            left,
            header: Vec::with_capacity(BLOCK),
            content: 0,
            is_sparse: false,
            has_ended: false,
        }
    }

    /// Follows the archive's blocks, to know a header when it comes by.
    fn follow(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() && !self.has_ended {
            if self.content > 0 {
                let skipped = bytes
                    .len()
                    .min(usize::try_from(self.content).unwrap_or(usize::MAX));
                self.content -= skipped as u64;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.header.len()));
            self.header.extend_from_slice(now);
            bytes = later;
            if self.header.len() == BLOCK {
                self.check_header()?;
                self.header.clear();
            }
        }
        Ok(())
    }

    fn check_header(&mut self) -> Result<()> {
        let byte = |at: usize| self.header.get(at).copied().unwrap_or_default();
        if self.is_sparse {
            self.is_sparse = byte(504) != 0;
            return Ok(());
        }
        if self.header.iter().all(|byte| *byte == 0) {
            self.has_ended = true;
            return Ok(());
        }
        let kind = byte(156);
        let size = size(self.header.get(124..136).unwrap_or_default());
        if matches!(kind, b'L' | b'K' | b'x' | b'g') && size > EXTENSION_BYTES {
            return Err(Error::other("a name in it is too long"));
        }
        let is_extended = kind == b'S' && byte(482) != 0;
        self.is_sparse = is_extended;
        self.content = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
        Ok(())
    }
}

/// A header's size field: octal text, or a binary number behind a first byte with its high bit.
fn size(field: &[u8]) -> u64 {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        let low = field.iter().rev().take(8).rev();
        return low.fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    }
    let digits = field.iter().skip_while(|byte| **byte == b' ');
    digits
        .take_while(|byte| (b'0'..=b'7').contains(*byte))
        .fold(0, |sum, digit| (sum << 3) | u64::from(digit - b'0'))
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(length as u64)
            .ok_or_else(|| Error::other("it unpacks to more than is allowed"))?;
        // A sparse file's continued header comes before its content.
        let read = buffer.get(..length).unwrap_or_default();
        self.follow(read)?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
