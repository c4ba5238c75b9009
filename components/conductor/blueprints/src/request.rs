//! What an upload asks for, from a form's parameters or from the query.

use crate::download::ArchiveUrl;
use crate::receive::Received;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::ops::Deref;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Result, Scope, Timestamp, Visibility, ids, limits};
use windlass_store::blueprints::State;
use windlass_store::labels;
use windlass_store::resource::Origin;

/// The main file of a blueprint that names none.
const DEFAULT_MAIN_FILE: &str = "blueprint.yaml";

/// Where the archive comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The request carried it.
    Body,
    /// Another server has it.
    Url(ArchiveUrl),
    /// There is none, which only a restored blueprint may do.
    Nothing,
}

/// An upload as it was asked for, checked as far as the database is not needed.
#[derive(Clone, Debug)]
pub struct UploadRequest {
    /// Where the archive comes from.
    pub source: Source,
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

impl UploadRequest {
    /// Reads and checks the request, in the order that the API documents.
    ///
    /// # Errors
    /// 400 for what cannot be used, 403 for what the caller may not ask for.
    pub async fn read(ctx: &Context<impl Db>, scope: &Scope, received: &Received) -> Result<Self> {
        let params = &received.params;
        let archive = received.archive.as_ref();
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
            (None, Some(_)) => Source::Body,
            (None, None) if skip_execution => Source::Nothing,
            (None, None) => {
                return Err(Error::bad_parameters(
                    "The request carries no blueprint archive: send it as the multipart field \
                     `blueprint_archive` or as the body, or name its URL as `blueprint_archive_url`",
                ));
            }
        };
        let (created_by, created_at) = Origin::read(&ctx.db, scope, params).await?.given();
        let visibility = Visibility::for_creation(
            params.text("visibility")?.filter(|text| !text.is_empty()),
            params.boolean("private_resource")?,
        )?;
        let labels = params.labels()?;
        visibility.demand_permitted(scope)?;
        Ok(Self {
            url: url.map(str::to_owned),
            source,
            main_file: main_file(params)?,
            visibility,
            labels,
            is_async: params.boolean("async_upload")?.unwrap_or(false),
            skip_execution,
            state: initial_state(params)?,
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

/// Parameters of a request, wherever they stood.
#[derive(Clone, Debug, Default)]
pub struct Params(Body);

impl Deref for Params {
    type Target = Body;

    fn deref(&self) -> &Body {
        &self.0
    }
}

impl Params {
    /// The parameters of a JSON object.
    pub fn of_object(object: Map<String, Value>) -> Self {
        Self(Body::from(object))
    }

    /// The parameters of a JSON object as text; none in an empty one.
    pub fn of_json(text: &[u8]) -> Result<Self> {
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

    /// The parameters of a query; the first of each name counts.
    pub fn of_query(query: &[(String, String)]) -> Self {
        let mut object = Map::new();
        for (name, value) in query {
            object
                .entry(name)
                .or_insert_with(|| Value::from(value.as_str()));
        }
        Self::of_object(object)
    }

    /// Refuses parameters that nobody knows.
    pub fn demand_known(&self, known: &[&str]) -> Result<()> {
        let unknown: Vec<&str> = self.names().filter(|key| !known.contains(key)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::bad_parameters(format!(
            "Unknown parameters: {}",
            unknown.join(", ")
        )))
    }

    /// A parameter that is an object.
    pub fn object(&self, key: &str) -> Result<Option<&Value>> {
        match self.get(key) {
            Some(other) if !other.is_object() => Err(Error::wrong_type(key, "dict", other)),
            value => Ok(value),
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
    fn truth_values_may_be_texts() {
        let params = Params::of_json(br#"{"a": true, "b": "False", "c": 1, "d": "x"}"#).unwrap();
        assert_eq!(params.boolean("a").unwrap(), Some(true));
        assert_eq!(params.boolean("b").unwrap(), Some(false));
        assert_eq!(params.boolean("z").unwrap(), None);
        assert!(params.boolean("c").is_err() && params.boolean("d").is_err());
    }
}
