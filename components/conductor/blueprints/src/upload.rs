//! `PUT /blueprints/{blueprint_id}` and `/validate`: from an archive to a blueprint.
//!
//! The work is done while the client waits, also for `async_upload`, which only says how a
//! failure is told. Everything it found is stored in one transaction at its end, so whatever
//! interrupts it leaves at most a blob that no row names.

use crate::archive::{forget, write};
use crate::blueprints::show;
use crate::reading::{self, Found};
use crate::request::{Source, UploadRequest};
use std::borrow::Cow;
use windlass_blueprint::archive::{ArchiveError, recognise};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Permission, Response, Result, Scope, Timestamp};
use windlass_store::blueprints::{self, BLUEPRINTS, State, Upload, UploadExecution};

/// `PUT /blueprints/{blueprint_id}`: upload an archive. One that fails stays, with the reason.
pub async fn upload(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let id = ctx.path("blueprint_id");
    ctx.include(&BLUEPRINTS)?;
    let request = UploadRequest::read(ctx, &scope, id).await?;
    blueprints::demand_free(&ctx.db, &scope, id, request.visibility).await?;
    let mut work = Work::new(id, &request);
    let archive = work.run(ctx, &scope, request.source.clone()).await?;
    if let Some(bytes) = archive {
        work.upload.archive = Some(write(&bytes).await?);
    }
    store(ctx, &scope, &work.upload).await?;
    if let Some(error) = work.refusal {
        return Err(error);
    }
    if !request.is_async && work.upload.state.is_failed() {
        return Err(failure(&work.upload));
    }
    show(ctx, &scope, id, 201).await
}

/// `PUT /blueprints/{blueprint_id}/validate`: an upload of which only the execution stays.
pub async fn validate(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let id = ctx.path("blueprint_id");
    let include = ctx.include(&BLUEPRINTS)?;
    let mut request = UploadRequest::read(ctx, &scope, id).await?;
    request.skip_execution = false;
    blueprints::demand_absent(&ctx.db, &scope, id, request.visibility).await?;
    let mut work = Work::new(id, &request);
    work.run(ctx, &scope, request.source.clone()).await?;
    if let Some(error) = work.refusal {
        return Err(error);
    }
    work.upload.execution = Some(UploadExecution {
        started_at: work.began,
        parameters: request.execution_parameters(id, true),
    });
    let blueprint = ctx
        .db
        .transaction(async |db| blueprints::insert_validation(db, &scope, &work.upload).await)
        .await?;
    Response::json(201, &include.of(blueprint))
}

/// An upload under way.
struct Work<'r> {
    request: &'r UploadRequest<'r>,
    began: Timestamp,
    /// What will be stored.
    upload: Upload,
    /// What the client is told instead of the blueprint, also when nobody waits for the result.
    refusal: Option<Error>,
}

impl<'r> Work<'r> {
    fn new(id: &str, request: &'r UploadRequest<'r>) -> Self {
        let began = Timestamp::now();
        let upload = Upload {
            id: id.to_owned(),
            visibility: request.visibility,
            state: request.state.unwrap_or(State::Pending),
            error: None,
            main_file_name: Some(request.main_file.clone()),
            description: None,
            requirements: None,
            plan: None,
            labels: request.labels.clone(),
            archive: None,
            execution: (!request.skip_execution).then(|| UploadExecution {
                started_at: began,
                parameters: request.execution_parameters(id, false),
            }),
            created_at: request.created_at,
            created_by: request.created_by.clone(),
        };
        Self {
            request,
            began,
            upload,
            refusal: None,
        }
    }

    /// Gets the archive and finds out what it is. Answers the bytes that are worth keeping.
    async fn run(
        &mut self,
        ctx: &Context<impl Db>,
        scope: &Scope,
        source: Source<'r>,
    ) -> Result<Option<Cow<'r, [u8]>>> {
        let bytes = match source {
            Source::Nothing => return Ok(None),
            Source::Bytes(bytes) => bytes,
            Source::Url(url) => match url.download().await {
                Ok(bytes) => Cow::Owned(bytes),
                Err(reason) => {
                    let error = format!("The blueprint archive could not be downloaded: {reason}");
                    self.take(Found::failed(State::FailedUploading, error));
                    return Ok(None);
                }
            },
        };
        if recognise(&bytes).is_none() {
            let text = ArchiveError::Unrecognised.to_string();
            self.refusal = Some(Error::bad_parameters(text.clone()));
            self.take(Found::failed(State::FailedUploading, text));
            // Such an upload ends before it has an execution.
            self.upload.execution = None;
            return Ok(None);
        }
        if !self.request.skip_execution {
            let main_file = &self.request.main_file;
            self.take(reading::read(&ctx.db, scope, &bytes, main_file).await?);
        }
        Ok((!self.upload.state.is_failed()).then_some(bytes))
    }

    /// Puts what was found into what will be stored.
    fn take(&mut self, found: Found) {
        let upload = &mut self.upload;
        upload.state = found.state;
        upload.error = found.error;
        upload.plan = found.texts;
        if let Some(plan) = &found.plan {
            upload.description = plan.section("description").as_str().map(str::to_owned);
            upload.requirements = Some(plan.section("requirements").clone());
        }
        if upload.labels.is_empty() {
            upload.labels = found.labels;
        }
    }
}

/// Stores an upload, then removes the blob that nothing names any more: that of the failed
/// upload it replaces, or its own when it could not be stored.
async fn store(ctx: &Context<impl Db>, scope: &Scope, upload: &Upload) -> Result<()> {
    let stored = ctx
        .db
        .transaction(async |db| blueprints::insert(db, scope, upload).await)
        .await;
    match stored {
        Ok(replaced) => {
            forget(replaced.as_ref()).await;
            Ok(())
        }
        Err(error) => {
            forget(upload.archive.as_ref()).await;
            Err(error)
        }
    }
}

/// What a client that waited is told about a failed upload.
fn failure(upload: &Upload) -> Error {
    let how = match upload.state {
        State::Invalid => "is invalid".to_owned(),
        state => format!("has {}", state.name().replace('_', " ")),
    };
    let error = upload.error.as_deref().unwrap_or_default();
    Error::new(
        Kind::InvalidBlueprint,
        format!("Blueprint `{}` {how}. Error: {error}", upload.id),
    )
}
