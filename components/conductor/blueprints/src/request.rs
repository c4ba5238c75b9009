//! What an upload was sent as: multipart, a raw body with its parameters in the query, or a URL.

use crate::blueprints::{created_at, created_by};
use crate::download::ArchiveUrl;
use bytes::Bytes;
use multer::{Constraints, Multipart, SizeLimit};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::convert::Infallible;
use windlass_core::db::Db;
use windlass_core::request::parse_bool;
use windlass_core::{Context, Error, Result, Scope, Timestamp, Visibility, ids, limits};
use windlass_store::blueprints::State;
use windlass_store::labels;

/// The main file of a blueprint that names none.
const DEFAULT_MAIN_FILE: &str = "blueprint.yaml";

/// The most bytes that a multipart body's parameters may have.
const PARAMS_BYTES: usize = 1 << 20;

/// Where the archive comes from.
#[derive(Clone, Debug)]
pub enum Source<'r> {
    /// The request carries it.
    Bytes(Cow<'r, [u8]>),
    /// Another server has it.
    Url(ArchiveUrl),
    /// There is none, which only a restored blueprint may do.
    Nothing,
}

/// An upload as it was asked for, checked as far as the database is not needed.
#[derive(Clone, Debug)]
pub struct UploadRequest<'r> {
    /// Where the archive comes from.
    pub source: Source<'r>,
    /// The URL as it was given.
    pub url: Option<String>,
    /// The main file, inside the archive's directory.
    pub main_file: String,
    /// Who will see the blueprint.
    pub visibility: Visibility,
    /// The labels; those of the blueprint itself when there are none.
    pub labels: Vec<(String, String)>,
    /// Whether a failure is told in the answer or left to the blueprint's state.
    pub is_async: bool,
    /// Whether only a row is to be made, as for a blueprint that is being restored.
    pub skip_execution: bool,
    /// The state of such a row.
    pub state: Option<State>,
    /// Another time of creation than now.
    pub created_at: Option<Timestamp>,
    /// Another creator than the caller.
    pub created_by: Option<String>,
}

impl<'r> UploadRequest<'r> {
    /// Reads and checks the request, in the order that the API documents.
    ///
    /// # Errors
    /// 400 for what cannot be used, 403 for what the caller may not ask for.
    pub async fn read(ctx: &'r Context<impl Db>, scope: &Scope, id: &str) -> Result<Self> {
        ids::check("blueprint_id", id)?;
        let (params, archive) = parts(ctx).await?;
        let url = params
            .text("blueprint_archive_url")?
            .filter(|url| !url.is_empty());
        if url.is_some() && archive.is_some() {
            return Err(Error::bad_parameters(
                "Can pass blueprint as only one of: URL via query parameters, multi-form or chunked.",
            ));
        }
        let skip_execution = params.boolean("skip_execution")?.unwrap_or(false);
        let source = match (url, archive) {
            (Some(url), _) => Source::Url(ArchiveUrl::parse(url).await?),
            (None, Some(archive)) => Source::Bytes(archive),
            (None, None) if skip_execution => Source::Nothing,
            (None, None) => {
                return Err(Error::bad_parameters(
                    "The request carries no blueprint archive: send it as the multipart field \
                     `blueprint_archive` or as the body, or name its URL as `blueprint_archive_url`",
                ));
            }
        };
        let created_at = created_at(ctx, &params)?;
        let created_by = created_by(ctx, &params, "created_by").await?;
        let visibility = Visibility::for_creation(
            params.text("visibility")?.filter(|text| !text.is_empty()),
            params.boolean("private_resource")?,
        )?;
        let labels = params.labels()?;
        visibility.demand_permitted(scope)?;
        Ok(Self {
            url: url.map(str::to_owned),
            source,
            main_file: main_file(&params)?,
            visibility,
            labels,
            is_async: params.boolean("async_upload")?.unwrap_or(false),
            skip_execution,
            state: initial_state(&params)?,
            created_at,
            created_by,
        })
    }

    /// What the upload's execution was asked to do.
    pub fn execution_parameters(&self, id: &str, validate_only: bool) -> Value {
        let labels: Vec<Value> = self
            .labels
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        json!({
            "blueprint_id": id,
            "app_file_name": self.main_file,
            "url": self.url,
            "validate_only": validate_only,
            "labels": labels,
        })
    }
}

/// The state of a row that is being restored. Its plan comes later, and so does `uploaded`.
fn initial_state(params: &Params) -> Result<Option<State>> {
    match params.text("state")?.map(State::parse).transpose()? {
        Some(state @ (State::Uploaded | State::Validating)) => Err(Error::bad_parameters(format!(
            "state: a blueprint without a plan cannot be {}",
            state.name()
        ))),
        state => Ok(state),
    }
}

/// The main file's name. Clients quote it as if it stood in a URL.
fn main_file(params: &Params) -> Result<String> {
    let given = params
        .text("application_file_name")?
        .filter(|name| !name.is_empty());
    let name = percent_decode_str(given.unwrap_or(DEFAULT_MAIN_FILE))
        .decode_utf8()
        .map_err(|_| Error::bad_parameters("application_file_name is not UTF-8"))?;
    if name.chars().count() > ids::MAX_LENGTH || name.contains(char::is_control) {
        return Err(Error::bad_parameters(
            "application_file_name is not the name of a file",
        ));
    }
    Ok(name.into_owned())
}

/// The parameters and the archive, from wherever the request has them.
async fn parts<'r>(ctx: &'r Context<impl Db>) -> Result<(Params, Option<Cow<'r, [u8]>>)> {
    let body = ctx.request.body.as_slice();
    let content_type = ctx.request.get_header("content-type").unwrap_or_default();
    let is_multipart = content_type
        .to_ascii_lowercase()
        .starts_with("multipart/form-data");
    let (params, archive) = match is_multipart {
        true => multipart(content_type, body).await?,
        false => (Params::default(), Some(Cow::Borrowed(body))),
    };
    let params = match params.is_empty() {
        true => Params::of_query(&ctx.request.query),
        false => params,
    };
    Ok((params, archive.filter(|bytes| !bytes.is_empty())))
}

/// Reads a multipart body: `params` as JSON, `blueprint_archive` as a file.
async fn multipart<'r>(
    content_type: &str,
    body: &'r [u8],
) -> Result<(Params, Option<Cow<'r, [u8]>>)> {
    let broken = |error: multer::Error| {
        Error::bad_parameters(format!("The multipart body is not usable: {error}"))
    };
    let boundary = multer::parse_boundary(content_type).map_err(broken)?;
    // In pieces, so that the reader never holds a second copy of the whole body.
    let pieces = body
        .chunks(64 << 10)
        .map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
    let sizes = SizeLimit::new()
        .whole_stream(limits::UPLOAD_BODY as u64)
        .for_field("params", PARAMS_BYTES as u64);
    let mut form = Multipart::with_constraints(
        futures_util::stream::iter(pieces),
        boundary,
        Constraints::new().size_limit(sizes),
    );
    let (mut params, mut archive) = (Params::default(), None);
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name != "params" && name != "blueprint_archive" {
            continue;
        }
        let mut content = Vec::new();
        while let Some(piece) = field.chunk().await.map_err(broken)? {
            content.extend_from_slice(&piece);
        }
        match name.as_str() {
            "params" => params = Params::of_json(&content)?,
            _ => archive = Some(Cow::Owned(content)),
        }
    }
    Ok((params, archive))
}

/// Parameters of a request; null is the same as absent.
#[derive(Clone, Debug, Default)]
pub struct Params(Map<String, Value>);

impl Params {
    /// The parameters of a JSON object.
    pub fn of_object(mut object: Map<String, Value>) -> Self {
        object.retain(|_, value| !value.is_null());
        Self(object)
    }

    fn of_json(text: &[u8]) -> Result<Self> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_slice(text).map_err(|error| {
            Error::bad_parameters(format!("params is not usable JSON: {error}"))
        })?;
        limits::check_depth("params", &value)?;
        match value {
            Value::Object(object) => Ok(Self::of_object(object)),
            other => Err(Error::wrong_type("params", "dict", &other)),
        }
    }

    fn of_query(query: &[(String, String)]) -> Self {
        let mut object = Map::new();
        for (name, value) in query {
            object
                .entry(name)
                .or_insert_with(|| Value::from(value.as_str()));
        }
        Self(object)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A parameter as it was given.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Refuses parameters that nobody knows.
    pub fn demand_known(&self, known: &[&str]) -> Result<()> {
        let unknown: Vec<&str> = self
            .0
            .keys()
            .map(String::as_str)
            .filter(|key| !known.contains(key))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::bad_parameters(format!(
            "Unknown parameters: {}",
            unknown.join(", ")
        )))
    }

    /// A parameter that is a text.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Error::wrong_type(key, "str", other)),
        }
    }

    /// A parameter that is an object.
    pub fn object(&self, key: &str) -> Result<Option<&Value>> {
        match self.get(key) {
            Some(other) if !other.is_object() => Err(Error::wrong_type(key, "dict", other)),
            value => Ok(value),
        }
    }

    /// A parameter that is true or false, or says so as text.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) => parse_bool(key, text).map(Some),
            Some(other) => Err(Error::wrong_type(key, "bool", other)),
        }
    }

    /// The labels: a list, or in the query its JSON or `k=v,k=v`.
    fn labels(&self) -> Result<Vec<(String, String)>> {
        match self.get("labels") {
            None => Ok(Vec::new()),
            Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
            Some(Value::String(text)) => labels::parse(&listed(text)),
            Some(list) => labels::parse(list),
        }
    }
}

/// The list that a text of the query stands for. What is no list stays a text, and is refused.
fn listed(text: &str) -> Value {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).unwrap_or_default();
    }
    let pairs = text.split(',').map(|pair| pair.split_once('='));
    pairs
        .map(|pair| pair.map(|(key, value)| json!({ key.trim(): value.trim() })))
        .collect::<Option<Vec<Value>>>()
        .map_or(Value::Null, Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_a_query_come_as_pairs_or_json() {
        for (text, want) in [
            ("a=b", json!([{ "a": "b" }])),
            ("a=b, c=d=e", json!([{ "a": "b" }, { "c": "d=e" }])),
            (
                "[{\"key\": \"a\", \"value\": \"b\"}]",
                json!([{ "key": "a", "value": "b" }]),
            ),
            ("key", Value::Null),
            ("[broken", Value::Null),
        ] {
            assert_eq!(listed(text), want, "{text}");
        }
    }

    #[test]
    fn a_multipart_body_is_taken_apart() {
        let archive = vec![0xAB; 200_000];
        let mut body = b"--x\r\nContent-Disposition: form-data; name=\"params\"\r\n\r\n{\"labels\": null, \"state\": \"pending\"}\r\n--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nignored\r\n--x\r\nContent-Disposition: form-data; name=\"blueprint_archive\"; filename=\"filename\"\r\nContent-Type: text/plain\r\n\r\n".to_vec();
        body.extend_from_slice(&archive);
        body.extend_from_slice(b"\r\n--x--\r\n");
        let read = pollster::block_on(multipart("multipart/form-data; boundary=x", &body)).unwrap();
        assert_eq!(read.0.text("state").unwrap(), Some("pending"));
        assert_eq!(read.0.get("labels"), None);
        assert_eq!(read.1.unwrap().as_ref(), archive);
    }

    #[test]
    fn broken_multipart_bodies_are_refused() {
        let head = "--x\r\nContent-Disposition: form-data; name=\"params\"\r\n\r\n";
        let long = format!("{head}\"{}\"\r\n--x--", "a".repeat(PARAMS_BYTES));
        for (content_type, body) in [
            ("multipart/form-data", format!("{head}{{}}\r\n--x--")),
            ("multipart/form-data; boundary=x", "nothing".to_owned()),
            ("multipart/form-data; boundary=x", format!("{head}{{}}")),
            (
                "multipart/form-data; boundary=x",
                format!("{head}[1]\r\n--x--"),
            ),
            (
                "multipart/form-data; boundary=x",
                format!("{head}{{\r\n--x--"),
            ),
            ("multipart/form-data; boundary=x", long),
        ] {
            let read = pollster::block_on(multipart(content_type, body.as_bytes()));
            let short: String = body.chars().take(90).collect();
            assert!(read.is_err(), "{content_type}: {short}");
        }
    }

    #[test]
    fn truth_values_may_be_texts() {
        let params = Params::of_json(br#"{"a": true, "b": "False", "c": 1, "d": "x"}"#).unwrap();
        assert_eq!(params.boolean("a").unwrap(), Some(true));
        assert_eq!(params.boolean("b").unwrap(), Some(false));
        assert_eq!(params.boolean("z").unwrap(), None);
        assert!(params.boolean("c").is_err() && params.boolean("d").is_err());
    }
}
