//! What an upload asks for, from a form's parameters or from the query.

use crate::body_fields;
use crate::receive::Received;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::outbound::download;
use windlass_core::{Body, Context, Error, Result, Scope, Timestamp, Visibility, ids};
use windlass_store::blueprints::{Found, State, Upload, UploadExecution};
use windlass_store::labels::Label;
use windlass_store::resource::Origin;

/// The main file of a blueprint that names none.
const DEFAULT_MAIN_FILE: &str = "blueprint.yaml";

/// Where the archive comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The request carried it.
    Body,
    /// Another server has it, at the URL as it was given. Whether that can be fetched is found out
    /// when it is, because the blueprint stays and remembers it.
    Url(String),
    /// There is none, which only a restored blueprint may do.
    Nothing,
}

/// An upload as it was asked for, checked as far as the database is not needed.
#[derive(Clone, Debug)]
pub struct UploadRequest {
    /// Where the archive comes from.
    pub source: Source,
    /// The main file, inside the archive's directory.
    pub main_file: String,
    /// Who will see the blueprint.
    pub visibility: Visibility,
    /// The labels; those of the blueprint itself when there are none.
    pub labels: Vec<Label>,
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
        let url = params.filled_text("blueprint_archive_url")?;
        if url.is_some() && archive.is_some() {
            return Err(Error::bad_parameters(
                "Can pass blueprint as only one of: URL via query parameters, multi-form or chunked.",
            ));
        }
        let skip_execution = params.boolean("skip_execution")?.unwrap_or(false);
        let source = match (url, archive) {
            (Some(url), _) => {
                download::demand_no_user_info(url)?;
                Source::Url(url.to_owned())
            }
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
            params.filled_text("visibility")?,
            params.boolean("private_resource")?,
        )?;
        let labels = body_fields::labels(params)?;
        visibility.demand_permitted(scope)?;
        Ok(Self {
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

    /// What is known of the upload before its archive is looked at.
    pub fn upload(&self, id: &str, began: Timestamp) -> Upload {
        Upload {
            id: id.to_owned(),
            visibility: self.visibility,
            main_file_name: Some(self.main_file.clone()),
            labels: self.labels.clone(),
            found: Found::nothing(self.state.unwrap_or(State::Pending)),
            archive: None,
            execution: (!self.skip_execution).then(|| UploadExecution {
                started_at: began,
                parameters: self.execution_parameters(id, false),
            }),
            created_at: self.created_at,
            created_by: self.created_by.clone(),
            goes_on: false,
        }
    }

    /// Whether everything that takes time is left to the queue.
    pub fn is_left_to_queue(&self) -> bool {
        self.is_async && !self.skip_execution
    }

    /// What the upload's execution was asked to do.
    pub fn execution_parameters(&self, id: &str, validate_only: bool) -> Value {
        let url = match &self.source {
            Source::Url(url) => Some(url),
            Source::Body | Source::Nothing => None,
        };
        json!({
            "blueprint_id": id,
            "app_file_name": self.main_file,
            "url": url,
            "validate_only": validate_only,
            "labels": self.labels,
        })
    }
}

/// The state of a row that is being restored. Its plan comes later, and so does `uploaded`.
fn initial_state(params: &Body) -> Result<Option<State>> {
    match params.text("state")?.map(State::parse).transpose()? {
        Some(state @ (State::Uploaded | State::Validating)) => Err(Error::bad_parameters(format!(
            "state: a blueprint without a plan cannot be {}",
            state.name()
        ))),
        state => Ok(state),
    }
}

/// The main file's name. Clients quote it as if it stood in a URL.
fn main_file(params: &Body) -> Result<String> {
    let given = params.filled_text("application_file_name")?;
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
