//! From a request's body to a blob and parameters, without ever holding the body.

use crate::limits::UploadLimits;
use crate::multipart::Multipart;
use serde_json::{Map, Value};
use std::time::Duration;
use windlass_blueprint::archive::recognise;
use windlass_core::db::Db;
use windlass_core::outbound::download::{ArchiveUrl, Problem};
use windlass_core::stream::BodyStream;
use windlass_core::{Body, Context, Error, Result, limits};
use windlass_store::blobs::{Arrived, Incoming, LooseBlobs};
use windlass_store::blueprints::Archive;

/// The most bytes that a form's parameters may have.
const PARAMS_BYTES: usize = 1 << 20;

/// What a body held.
#[derive(Default)]
pub struct Received {
    /// The parameters: those of the form, or else those of the query.
    pub params: Body,
    /// The archive, if there was one.
    pub archive: Option<Stored>,
}

/// Bytes that are stored as a blob, but which no row names yet.
pub enum Stored {
    /// They are an archive.
    Archive(Archive),
    /// They are of no known format.
    Unrecognised,
}

/// An archive that arrives, within the limits of uploads; an archive of nothing is none.
fn incoming<'a, D: Db>(db: &'a D, limits: &UploadLimits, blobs: &'a LooseBlobs) -> Incoming<'a, D> {
    Incoming::new(db, blobs, limits.bytes(), limits.archive_too_large())
}

/// What arrived, if anything did.
async fn finish(incoming: Incoming<'_, impl Db>) -> Result<Option<Stored>> {
    let arrived = incoming.finish().await?;
    Ok(
        arrived.map(|Arrived { blob, head }| match recognise(&head) {
            None => Stored::Unrecognised,
            Some(format) => Stored::Archive(Archive {
                blob: blob.id,
                format: format.extension().to_owned(),
                size: blob.size,
                sha256: blob.sha256,
            }),
        }),
    )
}

/// Downloads an archive into the blob store.
///
/// # Errors
/// What went wrong: with the other server, for the blueprint's error text, or here.
pub async fn download(
    url: ArchiveUrl,
    db: &impl Db,
    limits: &UploadLimits,
    patience: Duration,
    blobs: &LooseBlobs,
) -> Result<Stored, Problem> {
    let mut incoming = incoming(db, limits, blobs);
    url.download(patience, &mut incoming).await?;
    let stored = finish(incoming).await?;
    stored.ok_or_else(|| "the server answered nothing".into())
}

/// Reads a request's body: a form, or the archive itself.
///
/// # Errors
/// 400 for a form that is none, 413 for an archive that is too large.
pub async fn receive(
    ctx: &Context<impl Db>,
    limits: &UploadLimits,
    blobs: &LooseBlobs,
) -> Result<Received> {
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
    let mut incoming = incoming(&ctx.db, limits, blobs);
    let params = match is_form {
        true => read_form(content_type, body, &mut incoming).await?,
        false => {
            incoming.add_all(body).await?;
            Body::default()
        }
    };
    Ok(Received {
        params: match params.is_empty() {
            true => params_of_query(&ctx.request.query),
            false => params,
        },
        archive: finish(incoming).await?,
    })
}

/// The parameters of a query; the first of each name counts.
fn params_of_query(query: &[(String, String)]) -> Body {
    let mut object = Map::new();
    for (name, value) in query {
        object
            .entry(name)
            .or_insert_with(|| Value::from(value.as_str()));
    }
    Body::from(object)
}

/// The parameters of a form as JSON text; none in an empty one.
fn params_of_json(text: &[u8]) -> Result<Body> {
    if text.trim_ascii().is_empty() {
        return Ok(Body::default());
    }
    limits::check_values(text)?;
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| Error::bad_parameters(format!("params is not usable JSON: {error}")))?;
    limits::check_depth("params", &value)?;
    Body::inner(&value, "params")
}

/// Reads a form: `params` as JSON, `blueprint_archive` as a file.
async fn read_form(
    content_type: &str,
    body: &BodyStream,
    incoming: &mut Incoming<'_, impl Db>,
) -> Result<Body> {
    let mut form = Multipart::new(content_type, body)?;
    let mut params = Body::default();
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
                params = params_of_json(&text)?;
            }
            "blueprint_archive" => {
                if incoming.is_begun() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_values_may_be_texts() {
        let params = params_of_json(br#"{"a": true, "b": "False", "c": 1, "d": "x"}"#).unwrap();
        assert_eq!(params.boolean("a").unwrap(), Some(true));
        assert_eq!(params.boolean("b").unwrap(), Some(false));
        assert_eq!(params.boolean("z").unwrap(), None);
        assert!(params.boolean("c").is_err() && params.boolean("d").is_err());
    }
}
