//! A guard between a decompressor and the reader of tar archives. It ends with an error when an
//! archive needs more memory or more data than is allowed.

use std::io::{Error, Read, Result};

const BLOCK: usize = 512;

/// The largest record about the next file, such as its long name. The reader of tar archives keeps
/// these in memory, whatever size they state.
const EXTENSION_BYTES: u64 = 1 << 20;

/// A reader that passes a tar archive on and checks it.
pub(super) struct Guarded<R> {
    inner: R,
    /// How many more bytes may come.
    left: u64,
    /// The part of the current header that was read so far.
    header: Vec<u8>,
    /// How many bytes there are before the next header.
    content: u64,
    /// Whether the next block belongs to the header of a sparse file.
    is_sparse: bool,
    /// Whether a header of zeros was read. No headers follow it.
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

    /// Counts the blocks of the archive, and so finds its headers.
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

/// The size that a header states: an octal text, or a binary number whose first byte has its high
/// bit set.
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
        // The rest of a sparse file's header comes before its content.
        let read = buffer.get(..length).unwrap_or_default();
        self.follow(read)?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
