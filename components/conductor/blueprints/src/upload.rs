//! `PUT /blueprints/{blueprint_id}` and `/validate`: from an archive to a blueprint.
//!
//! An upload that its client waits for is stored in one transaction at its end, so whatever
//! interrupts it leaves at most a blob that no row names. Of one with `async_upload` the row is
//! stored as soon as the request was understood, and the queue does the rest.

use crate::archive::demand_readable;
use crate::blueprints::show;
use crate::limits::UploadLimits;
use crate::plans::with_plan;
use crate::reading;
use crate::receive::{self, Received, Stored, receive};
use crate::request::{Source, UploadRequest};
use serde_json::{Map, Value};
use windlass_blueprint::archive::ArchiveError;
use windlass_core::db::{Db, KeptDb};
use windlass_core::outbound::download::{self, ArchiveUrl, Problem};
use windlass_core::{
    Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, ids, log, platform,
};
use windlass_store::blobs::{self, LooseBlobs};
use windlass_store::blueprints::{
    self, Archive, BLUEPRINTS, Found, PlanTexts, State, Upload, UploadExecution,
};

/// `PUT /blueprints/{blueprint_id}`: upload an archive. One that fails stays, with the reason.
pub async fn upload(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let id = ctx.path("blueprint_id");
    ctx.include(&BLUEPRINTS)?;
    ids::check("blueprint_id", id)?;
    let work = async |blobs: &LooseBlobs| store_upload(ctx, &scope, id, blobs).await;
    let uploaded = blobs::tidy_after(&ctx.db, work).await;
    sweep(ctx).await;
    uploaded?;
    show(ctx, &scope, id, 201).await
}

/// `PUT /blueprints/{blueprint_id}/validate`: an upload of which only the execution stays.
pub async fn validate(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let id = ctx.path("blueprint_id");
    let include = ctx.include(&BLUEPRINTS)?;
    ids::check("blueprint_id", id)?;
    let work = async |blobs: &LooseBlobs| store_validation(ctx, &scope, id, blobs).await;
    let validated = blobs::tidy_after(&ctx.db, work).await;
    sweep(ctx).await;
    let (mut blueprint, plan) = validated?;
    // Who takes the answer for the execution finds how that ended.
    for name in ["status", "workflow_id"] {
        let execution = blueprint.get("upload_execution");
        let shown = execution.and_then(|execution| execution.get(name)).cloned();
        blueprint.insert(name.to_owned(), shown.unwrap_or_default());
    }
    let Some(plan) = plan else {
        return Response::json(201, &include.of(Value::Object(blueprint)));
    };
    let place = ids::new_uuid();
    blueprint.insert("plan".to_owned(), Value::from(place.as_str()));
    let text = serde_json::to_string(&include.of(Value::Object(blueprint)));
    let text = text.map_err(Error::internal)?;
    Ok(with_plan(&ctx.db, 201, &text, &place, plan))
}

async fn store_upload(
    ctx: &Context<impl Db>,
    scope: &Scope,
    id: &str,
    blobs: &LooseBlobs,
) -> Result<()> {
    let limits = UploadLimits::read(&ctx.db).await?;
    let received = receive(ctx, &limits, blobs).await?;
    let request = UploadRequest::read(ctx, scope, &received).await?;
    blueprints::demand_free(&ctx.db, scope, id, request.visibility).await?;
    let mut upload = request.upload(id, Timestamp::now());
    let fetched = match &request.source {
        Source::Url(_) if request.is_left_to_queue() => Fetched::Later,
        _ => fetch(ctx, &request, received, &limits, blobs).await?,
    };
    let is_unrecognised = matches!(fetched, Fetched::Unrecognised);
    match fetched {
        Fetched::Later => upload.goes_on = true,
        Fetched::Archive(archive) if request.is_left_to_queue() => {
            upload.found.state = State::Uploading;
            upload.archive = Some(archive);
            upload.goes_on = true;
        }
        fetched => look_into(ctx, scope, &request, fetched, &limits, &mut upload).await?,
    }
    ctx.db
        .transaction(async |tx| blueprints::insert(tx, scope, &upload).await)
        .await?;
    if upload.goes_on {
        platform::nudge();
    }
    // Also those who do not wait are told at once that this was no archive.
    if is_unrecognised {
        return Err(unrecognised());
    }
    if !request.is_async && upload.found.state.is_failed() {
        return Err(failure(&upload));
    }
    Ok(())
}

async fn store_validation(
    ctx: &Context<impl Db>,
    scope: &Scope,
    id: &str,
    blobs: &LooseBlobs,
) -> Result<(Map<String, Value>, Option<PlanTexts>)> {
    let limits = UploadLimits::read(&ctx.db).await?;
    let received = receive(ctx, &limits, blobs).await?;
    let mut request = UploadRequest::read(ctx, scope, &received).await?;
    request.skip_execution = false;
    blueprints::demand_absent(&ctx.db, scope, id, request.visibility).await?;
    let began = Timestamp::now();
    let mut upload = request.upload(id, began);
    let fetched = fetch(ctx, &request, received, &limits, blobs).await?;
    if matches!(fetched, Fetched::Unrecognised) {
        return Err(unrecognised());
    }
    look_into(ctx, scope, &request, fetched, &limits, &mut upload).await?;
    upload.archive = None;
    upload.execution = Some(UploadExecution {
        started_at: began,
        parameters: request.execution_parameters(id, true),
    });
    let insert = async |tx: &_| blueprints::insert_validation(tx, scope, &upload).await;
    let shown = ctx.db.transaction(insert).await?;
    Ok((shown, upload.found.plan))
}

/// What there is of an upload's archive.
enum Fetched {
    /// Its bytes are stored.
    Archive(Archive),
    /// What was sent is of no known format.
    Unrecognised,
    /// Its URL leads nowhere or the other server gave none, for this reason.
    NotDownloaded(String),
    /// It will be downloaded by whoever takes up the upload.
    Later,
    /// There is none: a blueprint is being restored.
    Nothing,
}

/// The archive that the request carried, or the one that another server has.
async fn fetch(
    ctx: &Context<impl Db>,
    request: &UploadRequest,
    received: Received,
    limits: &UploadLimits,
    blobs: &LooseBlobs,
) -> Result<Fetched> {
    let stored = match &request.source {
        Source::Url(url) => {
            let url = match ArchiveUrl::parse(url).await {
                Ok(url) => url,
                Err(reason) => return Ok(Fetched::NotDownloaded(reason)),
            };
            let patience = download::WHILE_WAITED_FOR;
            let download = receive::download(url, &ctx.db, limits, patience, blobs);
            match download.await {
                Ok(stored) => Some(stored),
                Err(Problem::Here(error)) => return Err(error),
                Err(Problem::Server(reason)) => return Ok(Fetched::NotDownloaded(reason)),
            }
        }
        Source::Body | Source::Nothing => received.archive,
    };
    Ok(match stored {
        Some(Stored::Archive(archive)) => Fetched::Archive(archive),
        Some(Stored::Unrecognised) => Fetched::Unrecognised,
        None => Fetched::Nothing,
    })
}

/// Finds out what an archive is, unless only a row is to be made.
async fn look_into(
    ctx: &Context<impl Db>,
    scope: &Scope,
    request: &UploadRequest,
    fetched: Fetched,
    limits: &UploadLimits,
    upload: &mut Upload,
) -> Result<()> {
    match fetched {
        Fetched::Archive(archive) => {
            if request.skip_execution {
                demand_readable(&archive, limits).await?;
            } else {
                let main_file = &request.main_file;
                upload.found = reading::read(&ctx.db, scope, &archive, main_file, limits).await?;
            }
            if !upload.found.state.is_failed() {
                upload.archive = Some(archive);
            }
        }
        Fetched::Unrecognised => {
            let text = ArchiveError::Unrecognised.to_string();
            upload.found = Found::failed(State::FailedUploading, text);
            // Such an upload ends before it has an execution.
            upload.execution = None;
        }
        Fetched::NotDownloaded(reason) => upload.found = not_downloaded(&reason),
        Fetched::Later | Fetched::Nothing => {}
    }
    Ok(())
}

/// 400: what was sent is no archive.
pub fn unrecognised() -> Error {
    Error::bad_parameters(ArchiveError::Unrecognised.to_string())
}

/// A download that failed, as its blueprint remembers it.
pub fn not_downloaded(reason: &str) -> Found {
    let error = format!("The blueprint archive could not be downloaded: {reason}");
    Found::failed(State::FailedUploading, error)
}

/// Removes what uploads left that died; there is hardly ever anything.
pub async fn sweep(ctx: &Context<impl Db>) {
    if let Err(error) = blobs::sweep(&ctx.db, Timestamp::now()).await {
        log::error("the sweep of blobs failed", &error);
    }
}

/// What a client that waited is told about a failed upload.
fn failure(upload: &Upload) -> Error {
    let how = match upload.found.state {
        State::Invalid => "is invalid".to_owned(),
        state => format!("has {}", state.name().replace('_', " ")),
    };
    let error = upload.found.error.as_deref().unwrap_or_default();
    Error::new(
        Kind::InvalidBlueprint,
        format!("Blueprint `{}` {how}. Error: {error}", upload.id),
    )
}
