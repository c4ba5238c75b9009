//! What arrives piece by piece, from a client or from another server, on its way into a blob.

use super::{LooseBlobs, NewBlob};
use windlass_core::blob::Blob;
use windlass_core::db::Db;
use windlass_core::outbound::download::Receiver;
use windlass_core::stream::BodyStream;
use windlass_core::{Error, Result};

/// How many bytes of the beginning are remembered: formats are recognised by them.
const HEAD: usize = 512;

/// A blob that arrives.
pub struct Incoming<'a, D> {
    db: &'a D,
    blobs: &'a LooseBlobs,
    most: u64,
    too_large: Error,
    new: Option<NewBlob>,
    head: Vec<u8>,
}

/// One that has arrived. No row names it yet.
pub struct Arrived {
    /// The blob.
    pub blob: Blob,
    /// Its first 512 bytes, or all there are.
    pub head: Vec<u8>,
}

impl<'a, D: Db> Incoming<'a, D> {
    /// Nothing has arrived yet. `too_large` is the refusal of more than `most` bytes.
    pub fn new(db: &'a D, blobs: &'a LooseBlobs, most: u64, too_large: Error) -> Self {
        Self {
            db,
            blobs,
            most,
            too_large,
            new: None,
            head: Vec::new(),
        }
    }

    /// Whether anything has arrived.
    pub fn is_begun(&self) -> bool {
        self.new.is_some()
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// For more than is allowed.
    pub async fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let missing = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head
            .extend_from_slice(bytes.get(..missing).unwrap_or_default());
        let new = match &mut self.new {
            Some(new) => new,
            None if bytes.is_empty() => return Ok(()),
            None => self.new.insert(NewBlob::begin(self.db, self.blobs).await?),
        };
        if new.size() + bytes.len() as u64 > self.most {
            return Err(self.too_large.clone());
        }
        new.write(self.db, bytes).await
    }

    /// Adds a whole body.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub async fn add_all(&mut self, body: &BodyStream) -> Result<()> {
        while let Some(bytes) = body.next().await? {
            self.add(&bytes).await?;
        }
        Ok(())
    }

    /// What arrived, if anything did.
    pub async fn finish(self) -> Result<Option<Arrived>> {
        let Some(new) = self.new else { return Ok(None) };
        Ok(Some(Arrived {
            blob: new.finish().await?,
            head: self.head,
        }))
    }
}

impl<D: Db> Receiver for Incoming<'_, D> {
    async fn receive(&mut self, bytes: &[u8]) -> Result<()> {
        self.add(bytes).await
    }
}
