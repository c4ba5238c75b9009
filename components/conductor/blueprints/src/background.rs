//! `POST /blueprints/{blueprint_id}/continue-upload`: the rest of an upload whose client was
//! answered already. The scheduler calls it for a row of the queue that it holds.
//!
//! It answers when the work is done, or after a while; what is not done by then goes on in the
//! background. Whoever works renews the row's lease, so when an instance goes away with its work,
//! the row becomes due again and the upload goes on from what was stored.

use crate::download::{self, ArchiveUrl, Problem};
use crate::limits::UploadLimits;
use crate::reading::{self, Found};
use crate::receive::Stored;
use crate::upload::{Take, not_downloaded};
use serde_json::json;
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use windlass_blueprint::archive::ArchiveError;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::Db;
use windlass_core::permission::PermissionSet;
use windlass_core::platform::{self, TICK_TOKEN_HEADER, demand_tick_token};
use windlass_core::{Body, Context, Error, Response, Result, Scope, Timestamp};
use windlass_store::blueprints::{self, Archive, State, UnderWay, Upload};
use windlass_store::{blobs, queue};

/// How long a lease holds without a sign of life, and how often one is given.
const LEASE_MILLIS: i64 = 10_000;
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// How long the scheduler is kept waiting.
#[cfg(target_arch = "wasm32")]
const WAITED_FOR: Duration = Duration::from_secs(20);

/// A row of the queue that was lent to us.
#[derive(Clone, Debug)]
struct Lent {
    holder: String,
    key: i64,
}

/// `POST /blueprints/{blueprint_id}/continue-upload`. No caller and no permission: the scheduler
/// has the tick's token.
pub async fn continue_upload(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    let body = Body::from(ctx.json_object()?);
    let key = body.integer("key")?;
    let lent = Lent {
        holder: body.required_text("holder")?.to_owned(),
        key: key.ok_or_else(|| Error::bad_parameters("Missing key in json request body"))?,
    };
    let is_done = work_for_a_while(&ctx.db, lent).await?;
    Response::json(200, &json!({ "is_done": is_done }))
}

/// Works until it is done, or goes on in the background.
#[cfg(target_arch = "wasm32")]
async fn work_for_a_while(_db: &impl Db, lent: Lent) -> Result<bool> {
    use futures_util::future::{Either, select};
    let work = Box::pin(async move { work(&windlass_core::db::SpinDb, &lent).await });
    match select(work, pin!(platform::sleep(WAITED_FOR))).await {
        Either::Left((result, _)) => result.map(|()| true),
        Either::Right((_, work)) => {
            platform::spawn(async {
                if let Err(error) = work.await {
                    windlass_core::log::error("an upload will be tried again", &error);
                }
            });
            Ok(false)
        }
    }
}

/// Natively nothing goes on in the background.
#[cfg(not(target_arch = "wasm32"))]
async fn work_for_a_while(db: &impl Db, lent: Lent) -> Result<bool> {
    work(db, &lent).await.map(|()| true)
}

/// Does the work, and says meanwhile that somebody does.
async fn work(db: &impl Db, lent: &Lent) -> Result<()> {
    use futures_util::future::{Either, select};
    let mut work = pin!(go_on(db, lent));
    loop {
        let alarm = pin!(platform::sleep(SIGN_OF_LIFE));
        match select(work.as_mut(), alarm).await {
            Either::Left((result, _)) => return result,
            Either::Right(_) => {
                let keys = [lent.key];
                let now = Timestamp::now();
                let ours = queue::renew(db, &lent.holder, &keys, LEASE_MILLIS, now).await;
                // A database that is busy does not take the row away.
                if ours.is_ok_and(|ours| ours.is_empty()) {
                    return Ok(());
                }
            }
        }
    }
}

/// From wherever the upload is to its end.
async fn go_on(db: &impl Db, lent: &Lent) -> Result<()> {
    let Some(under_way) = blueprints::find_under_way(db, &lent.holder, lent.key).await? else {
        // Its blueprint was deleted, or it has ended: there is nothing left to do.
        return queue::finish(db, &lent.holder, &[lent.key]).await.map(drop);
    };
    let scope = scope_of(&under_way);
    let limits = UploadLimits::read(db).await?;
    let archive = archive(db, &under_way, &limits).await?;
    let found = match &archive {
        Ok(archive) => parse(db, &scope, &under_way, archive, &limits).await?,
        Err(found) => found.clone(),
    };
    let blueprint = &under_way.blueprint;
    let mut upload = Upload {
        id: blueprint.id.clone(),
        visibility: blueprint.visibility,
        state: blueprint.state,
        error: None,
        main_file_name: None,
        description: None,
        requirements: None,
        plan: None,
        labels: Vec::new(),
        archive: None,
        execution: None,
        created_at: None,
        created_by: None,
        goes_on: false,
    };
    upload.take(found);
    db.transaction(async |db| {
        blueprints::end(db, &scope, &lent.holder, lent.key, &under_way, &upload).await
    })
    .await?;
    if upload.state.is_failed()
        && let Ok(archive) = &archive
    {
        blobs::remove_or_log(db, &archive.blob).await;
    }
    Ok(())
}

/// The archive: the one that the request carried, or the one to be downloaded. The inner error is
/// how the upload ends without one.
async fn archive(
    db: &impl Db,
    under_way: &UnderWay,
    limits: &UploadLimits,
) -> Result<Result<Archive, Found>> {
    let blueprint = &under_way.blueprint;
    if let Some(archive) = &blueprint.archive {
        return Ok(Ok(archive.clone()));
    }
    let url = under_way.url.as_deref().unwrap_or_default();
    blueprints::advance(db, blueprint.key, State::Uploading).await?;
    let url = match ArchiveUrl::parse(url).await {
        Ok(url) => url,
        Err(error) => return Ok(Err(not_downloaded(error.message()))),
    };
    let stored = match url.download(db, limits, download::IN_THE_BACKGROUND).await {
        Ok(stored) => stored,
        Err(Problem::Server(reason)) => return Ok(Err(not_downloaded(&reason))),
        Err(Problem::Here(error)) if is_clients(&error) => {
            return Ok(Err(Found::failed(State::FailedUploading, error.message())));
        }
        Err(Problem::Here(error)) => return Err(error),
    };
    keep(db, blueprint.key, stored).await
}

/// Stores which archive was downloaded, so that it is not downloaded twice.
async fn keep(db: &impl Db, key: i64, stored: Stored) -> Result<Result<Archive, Found>> {
    let Some(archive) = stored.archive() else {
        blobs::remove_or_log(db, &stored.blob.id).await;
        let text = ArchiveError::Unrecognised.to_string();
        return Ok(Err(Found::failed(State::FailedUploading, text)));
    };
    let kept = db
        .transaction(async |db| {
            blobs::keep(db, &archive.blob).await?;
            match blueprints::take_archive(db, key, &archive).await? {
                true => Ok(()),
                false => Err(Error::conflict("The blueprint was deleted")),
            }
        })
        .await;
    if let Err(error) = kept {
        blobs::remove_or_log(db, &archive.blob).await;
        return Err(error);
    }
    Ok(Ok(archive))
}

async fn parse(
    db: &impl Db,
    scope: &Scope,
    under_way: &UnderWay,
    archive: &Archive,
    limits: &UploadLimits,
) -> Result<Found> {
    let blueprint = &under_way.blueprint;
    blueprints::advance(db, blueprint.key, State::Extracting).await?;
    let main_file = blueprint.main_file_name.as_deref().unwrap_or_default();
    let tree = match reading::extract(archive, main_file, limits).await {
        Ok(tree) => tree,
        Err(reading::NotExtracted::Failed(found)) => return Ok(*found),
        Err(reading::NotExtracted::Refused(error)) => {
            return Ok(Found::failed(State::FailedExtracting, error.message()));
        }
    };
    blueprints::advance(db, blueprint.key, State::Parsing).await?;
    reading::parsed(db, scope, &tree, main_file).await
}

/// Whether an error is about what was sent rather than about us.
fn is_clients(error: &Error) -> bool {
    let (status, _) = error.kind().wire();
    status < 500
}

/// What the uploader saw when they asked for the upload.
fn scope_of(under_way: &UnderWay) -> Scope {
    let blueprint = &under_way.blueprint;
    let caller = Caller {
        // No user: nothing is permitted by being the first administrator.
        user_id: -1,
        username: blueprint.created_by.clone(),
        role: String::new(),
        method: AuthMethod::Token,
        system: match under_way.sees_private {
            true => PermissionSet::all(),
            false => PermissionSet::default(),
        },
        tenants: BTreeMap::new(),
        execution_id: None,
    };
    let reach = Reach::Tenant(blueprint.tenant_name.clone());
    Scope::of(Rc::new(caller), reach, String::new())
}
