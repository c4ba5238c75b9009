//! From a request's body to a blob and parameters, without ever holding the body.

use crate::limits::UploadLimits;
use crate::multipart::Multipart;
use crate::request::Params;
use windlass_blueprint::archive::{HEAD, recognise};
use windlass_core::blob::Blob;
use windlass_core::db::Db;
use windlass_core::stream::BodyStream;
use windlass_core::{Context, Error, Result};
use windlass_store::blobs::{self, NewBlob};
use windlass_store::blueprints::Archive;

/// The most bytes that a form's parameters may have.
const PARAMS_BYTES: usize = 1 << 20;

/// What a body held.
#[derive(Default)]
pub struct Received {
    /// The parameters: those of the form, or else those of the query.
    pub params: Params,
    /// The archive, if there was one.
    pub archive: Option<Stored>,
}

impl Received {
    /// Removes the archive, unless it was taken.
    pub async fn clean_up(self, db: &impl Db) {
        if let Some(stored) = self.archive {
            blobs::remove_or_log(db, &stored.blob.id).await;
        }
    }
}

/// An archive whose bytes are stored, but which nothing names yet.
pub struct Stored {
    /// Its bytes.
    pub blob: Blob,
    /// The extension of its format, if it is an archive at all.
    pub format: Option<&'static str>,
}

impl Stored {
    /// The archive as its row will know it; none if it is no archive.
    pub fn archive(&self) -> Option<Archive> {
        self.format.map(|format| Archive {
            blob: self.blob.id.clone(),
            format: format.to_owned(),
            size: self.blob.size,
            sha256: self.blob.sha256.clone(),
        })
    }
}

/// Stores an archive that arrives piece by piece.
pub struct Incoming<'a, D> {
    db: &'a D,
    most: u64,
    too_large: Error,
    new: Option<NewBlob>,
    head: Vec<u8>,
}

impl<'a, D: Db> Incoming<'a, D> {
    /// Nothing has arrived yet; an archive of nothing is none.
    pub fn new(db: &'a D, limits: &UploadLimits) -> Self {
        Self {
            db,
            most: limits.bytes(),
            too_large: limits.archive_too_large(),
            new: None,
            head: Vec::new(),
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// 413 for more than is allowed.
    pub async fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let missing = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head
            .extend_from_slice(bytes.get(..missing).unwrap_or_default());
        let new = match &mut self.new {
            Some(new) => new,
            None if bytes.is_empty() => return Ok(()),
            None => self.new.insert(NewBlob::begin(self.db).await?),
        };
        if new.size() + bytes.len() as u64 > self.most {
            return Err(self.too_large.clone());
        }
        new.write(self.db, bytes).await
    }

    /// The archive, if anything arrived.
    pub async fn finish(self) -> Result<Option<Stored>> {
        let Some(new) = self.new else { return Ok(None) };
        let format = recognise(&self.head).map(|format| format.extension());
        let blob = new.finish().await?;
        Ok(Some(Stored { blob, format }))
    }

    /// Removes what has arrived.
    pub async fn abandon(self) {
        if let Some(new) = self.new {
            new.abandon(self.db).await;
        }
    }
}

/// Reads a request's body: a form, or the archive itself. A body that is refused leaves nothing.
///
/// # Errors
/// 400 for a form that is none, 413 for an archive that is too large.
pub async fn receive(ctx: &Context<impl Db>, limits: &UploadLimits) -> Result<Received> {
    let in_memory;
    let body = match ctx.request.body.is_empty() {
        true => &ctx.request.stream,
        false => {
            in_memory = BodyStream::of_bytes(ctx.request.body.clone());
            &in_memory
        }
    };
    let content_type = ctx.request.get_header("content-type").unwrap_or_default();
    let is_form = content_type
        .get(..19)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"));
    let mut incoming = Incoming::new(&ctx.db, limits);
    let read = match is_form {
        true => read_form(content_type, body, &mut incoming).await,
        false => read_raw(body, &mut incoming).await,
    };
    let params = match read {
        Ok(params) => params,
        Err(error) => {
            incoming.abandon().await;
            return Err(error);
        }
    };
    Ok(Received {
        params: match params.is_empty() {
            true => Params::of_query(&ctx.request.query),
            false => params,
        },
        archive: incoming.finish().await?,
    })
}

async fn read_raw(body: &BodyStream, incoming: &mut Incoming<'_, impl Db>) -> Result<Params> {
    while let Some(bytes) = body.next().await? {
        incoming.add(&bytes).await?;
    }
    Ok(Params::default())
}

/// Reads a form: `params` as JSON, `blueprint_archive` as a file.
async fn read_form(
    content_type: &str,
    body: &BodyStream,
    incoming: &mut Incoming<'_, impl Db>,
) -> Result<Params> {
    let mut form = Multipart::new(content_type, body)?;
    let mut params = Params::default();
    while let Some(name) = form.part().await? {
        match name.as_str() {
            "params" => {
                let mut text = Vec::new();
                while let Some(piece) = form.piece().await? {
                    text.extend_from_slice(&piece);
                    if text.len() > PARAMS_BYTES {
                        return Err(Error::bad_parameters(format!(
                            "params has more than the allowed {PARAMS_BYTES} bytes"
                        )));
                    }
                }
                params = Params::of_json(&text)?;
            }
            "blueprint_archive" => {
                if incoming.new.is_some() {
                    return Err(Error::bad_parameters(
                        "The form holds more than one blueprint_archive",
                    ));
                }
                while let Some(piece) = form.piece().await? {
                    incoming.add(&piece).await?;
                }
            }
            _ => {}
        }
    }
    // What follows the last boundary means nothing, but has to be read.
    while body.next().await?.is_some() {}
    Ok(params)
}
