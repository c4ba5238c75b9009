//! `PUT /blueprints/{blueprint_id}` and `/validate`: from an archive to a blueprint.
//!
//! An upload that its client waits for is stored in one transaction at its end, so whatever
//! interrupts it leaves at most a blob that no row names. Of one with `async_upload` the row is
//! stored as soon as the request was understood, and the queue does the rest.

use crate::blueprints::show;
use crate::download::{self, Problem};
use crate::limits::UploadLimits;
use crate::reading::{self, Found};
use crate::receive::{Received, receive};
use crate::request::{Source, UploadRequest};
use windlass_blueprint::archive::ArchiveError;
use windlass_core::db::Db;
use windlass_core::{
    Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, ids, log, platform,
};
use windlass_store::blobs;
use windlass_store::blueprints::{self, BLUEPRINTS, State, Upload, UploadExecution};

/// `PUT /blueprints/{blueprint_id}`: upload an archive. One that fails stays, with the reason.
pub async fn upload(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let id = ctx.path("blueprint_id");
    ctx.include(&BLUEPRINTS)?;
    ids::check("blueprint_id", id)?;
    let limits = UploadLimits::read(&ctx.db).await?;
    let mut received = receive(ctx, &limits).await?;
    let uploaded = store_upload(ctx, &scope, id, &limits, &mut received).await;
    received.clean_up(&ctx.db).await;
    sweep(ctx).await;
    uploaded?;
    show(ctx, &scope, id, 201).await
}

/// `PUT /blueprints/{blueprint_id}/validate`: an upload of which only the execution stays.
pub async fn validate(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let id = ctx.path("blueprint_id");
    let include = ctx.include(&BLUEPRINTS)?;
    ids::check("blueprint_id", id)?;
    let limits = UploadLimits::read(&ctx.db).await?;
    let mut received = receive(ctx, &limits).await?;
    let validated = store_validation(ctx, &scope, id, &limits, &mut received).await;
    received.clean_up(&ctx.db).await;
    sweep(ctx).await;
    let mut blueprint = validated?;
    // Who takes the answer for the execution finds how that ended.
    for name in ["status", "workflow_id"] {
        blueprint[name] = blueprint["upload_execution"][name].clone();
    }
    Response::json(201, &include.of(blueprint))
}

async fn store_upload(
    ctx: &Context<impl Db>,
    scope: &Scope,
    id: &str,
    limits: &UploadLimits,
    received: &mut Received,
) -> Result<()> {
    let request = UploadRequest::read(ctx, scope, received).await?;
    blueprints::demand_free(&ctx.db, scope, id, request.visibility).await?;
    let mut work = Work::new(id, &request);
    if request.is_async && !request.skip_execution {
        work.leave_to_queue(received);
    } else {
        work.run(ctx, scope, limits, received).await?;
    }
    let upload = &work.upload;
    let stored = ctx
        .db
        .transaction(async |db| blueprints::insert(db, scope, upload).await)
        .await;
    let replaced = stored?;
    if upload.archive.is_some() {
        // A row names its blob now.
        received.archive = None;
    }
    if let Some(archive) = replaced {
        blobs::remove_or_log(&ctx.db, &archive.blob).await;
    }
    if upload.goes_on {
        platform::nudge();
        return Ok(());
    }
    match work.refusal {
        Some(error) => Err(error),
        None if !request.is_async && upload.state.is_failed() => Err(failure(upload)),
        None => Ok(()),
    }
}

async fn store_validation(
    ctx: &Context<impl Db>,
    scope: &Scope,
    id: &str,
    limits: &UploadLimits,
    received: &mut Received,
) -> Result<serde_json::Value> {
    let mut request = UploadRequest::read(ctx, scope, received).await?;
    request.skip_execution = false;
    blueprints::demand_absent(&ctx.db, scope, id, request.visibility).await?;
    let mut work = Work::new(id, &request);
    work.run(ctx, scope, limits, received).await?;
    if let Some(error) = work.refusal {
        return Err(error);
    }
    work.upload.archive = None;
    work.upload.execution = Some(UploadExecution {
        started_at: work.began,
        parameters: request.execution_parameters(id, true),
    });
    ctx.db
        .transaction(async |db| blueprints::insert_validation(db, scope, &work.upload).await)
        .await
}

/// An upload under way.
struct Work<'r> {
    request: &'r UploadRequest,
    began: Timestamp,
    /// What will be stored.
    upload: Upload,
    /// What the client is told instead of the blueprint, also when nobody waits for the result.
    refusal: Option<Error>,
}

impl<'r> Work<'r> {
    fn new(id: &str, request: &'r UploadRequest) -> Self {
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
            goes_on: false,
        };
        Self {
            request,
            began,
            upload,
            refusal: None,
        }
    }

    /// Leaves everything that takes time to the queue; what is no archive is refused at once.
    fn leave_to_queue(&mut self, received: &Received) {
        if let Some(stored) = &received.archive {
            let Some(archive) = stored.archive() else {
                return self.refuse_unrecognised();
            };
            self.upload.archive = Some(archive);
            self.upload.state = State::Uploading;
        }
        self.upload.goes_on = true;
    }

    /// Gets the archive and finds out what it is.
    async fn run(
        &mut self,
        ctx: &Context<impl Db>,
        scope: &Scope,
        limits: &UploadLimits,
        received: &mut Received,
    ) -> Result<()> {
        if let Source::Url(url) = &self.request.source {
            let patience = download::WHILE_WAITED_FOR;
            match url.clone().download(&ctx.db, limits, patience).await {
                Ok(stored) => received.archive = Some(stored),
                Err(Problem::Here(error)) => return Err(error),
                Err(Problem::Server(reason)) => {
                    self.upload.take(not_downloaded(&reason));
                    return Ok(());
                }
            }
        }
        let Some(stored) = &received.archive else {
            return Ok(());
        };
        let Some(archive) = stored.archive() else {
            self.refuse_unrecognised();
            return Ok(());
        };
        if !self.request.skip_execution {
            let main_file = &self.request.main_file;
            let found = reading::read(&ctx.db, scope, &archive, main_file, limits).await?;
            self.upload.take(found);
        }
        if !self.upload.state.is_failed() {
            self.upload.archive = Some(archive);
        }
        Ok(())
    }

    fn refuse_unrecognised(&mut self) {
        let text = ArchiveError::Unrecognised.to_string();
        self.refusal = Some(Error::bad_parameters(text.clone()));
        self.upload
            .take(Found::failed(State::FailedUploading, text));
        // Such an upload ends before it has an execution.
        self.upload.execution = None;
    }
}

/// A download that failed, as its blueprint remembers it.
pub fn not_downloaded(reason: &str) -> Found {
    let error = format!("The blueprint archive could not be downloaded: {reason}");
    Found::failed(State::FailedUploading, error)
}

/// Puts what was found into what will be stored.
pub trait Take {
    /// Takes it.
    fn take(&mut self, found: Found);
}

impl Take for Upload {
    fn take(&mut self, found: Found) {
        self.state = found.state;
        self.error = found.error;
        self.plan = found.texts;
        if let Some(plan) = &found.plan {
            self.description = plan.section("description").as_str().map(str::to_owned);
            self.requirements = Some(plan.section("requirements").clone());
        }
        if self.labels.is_empty() {
            self.labels = found.labels;
        }
    }
}

/// Removes what uploads left that died; there is hardly ever anything.
pub async fn sweep(ctx: &Context<impl Db>) {
    if let Err(error) = blobs::sweep(&ctx.db, Timestamp::now()).await {
        log::error("the sweep of blobs failed", &error);
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
