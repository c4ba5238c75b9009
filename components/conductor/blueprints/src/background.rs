//! `POST /blueprints/{blueprint_id}/continue-upload`: the rest of an upload whose client was
//! answered already. The scheduler calls it for a row of the queue that it holds.
//!
//! It answers when the work is done, or after a while; what is not done by then goes on in the
//! background. Whoever works renews the row's lease, so when an instance goes away with its work,
//! the row becomes due again and the upload goes on from what was stored.

use crate::limits::UploadLimits;
use crate::reading::{self, NotExtracted};
use crate::receive::{self, Stored};
use crate::upload::{not_downloaded, unrecognised};
use serde_json::json;
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::Db;
use windlass_core::outbound::download::{self, ArchiveUrl, Problem};
use windlass_core::permission::PermissionSet;
use windlass_core::platform::{self, TICK_TOKEN_HEADER, demand_tick_token};
use windlass_core::{Body, Context, Error, Response, Result, Scope, Timestamp};
use windlass_store::blobs::{self, LooseBlobs};
use windlass_store::blueprints::{self, Archive, Found, State, UnderWay};
use windlass_store::queue;

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
        let finish = async |tx: &_| queue::finish(tx, &lent.holder, &[lent.key]).await;
        return db.transaction(finish).await.map(drop);
    };
    let scope = scope_of(&under_way);
    blobs::tidy_after(db, async |blobs| {
        let found = match read(db, &scope, &under_way, blobs).await {
            Ok(found) => found,
            Err(Unread::Failed(found)) => *found,
            Err(Unread::Interrupted(error)) => return Err(error),
        };
        db.transaction(async |tx| blueprints::end(tx, &scope, &under_way, &found).await)
            .await
            .map(drop)
    })
    .await
}

/// Why an upload comes to no plan.
enum Unread {
    /// It fails, as its blueprint will tell.
    Failed(Box<Found>),
    /// Nothing is wrong with it; it is to be tried again.
    Interrupted(Error),
}

impl Unread {
    fn failed(found: Found) -> Self {
        Self::Failed(Box::new(found))
    }
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Interrupted(error)
    }
}

/// Gets the archive, and finds out what it is.
async fn read(
    db: &impl Db,
    scope: &Scope,
    under_way: &UnderWay,
    blobs: &LooseBlobs,
) -> Result<Found, Unread> {
    let limits = UploadLimits::read(db).await?;
    let archive = match &under_way.blueprint.archive {
        Some(archive) => archive.clone(),
        None => fetch(db, under_way, &limits, blobs).await?,
    };
    blueprints::advance(db, under_way, State::Extracting).await?;
    let main_file = under_way.blueprint.main_file_name.as_deref();
    let main_file = main_file.unwrap_or_default();
    let tree = match reading::extract(&archive, main_file, &limits).await {
        Ok(tree) => tree,
        Err(NotExtracted::Failed(found)) => return Err(Unread::Failed(found)),
        Err(NotExtracted::Refused(error)) => {
            let found = Found::failed(State::FailedExtracting, error.message());
            return Err(Unread::failed(found));
        }
    };
    blueprints::advance(db, under_way, State::Parsing).await?;
    Ok(reading::parsed(db, scope, &tree, main_file).await?)
}

/// Downloads the archive, and stores which one it was, so that it is not downloaded twice.
async fn fetch(
    db: &impl Db,
    under_way: &UnderWay,
    limits: &UploadLimits,
    blobs: &LooseBlobs,
) -> Result<Archive, Unread> {
    let url = under_way.rest.url.as_deref().unwrap_or_default();
    blueprints::advance(db, under_way, State::Uploading).await?;
    let url = match ArchiveUrl::parse(url).await {
        Ok(url) => url,
        Err(reason) => return Err(Unread::failed(not_downloaded(&reason))),
    };
    let patience = download::IN_THE_BACKGROUND;
    let failed = |text: &str| Unread::failed(Found::failed(State::FailedUploading, text));
    let download = receive::download(url, db, limits, patience, blobs);
    let archive = match download.await {
        Ok(Stored::Archive(archive)) => archive,
        Ok(Stored::Unrecognised) => return Err(failed(unrecognised().message())),
        Err(Problem::Server(reason)) => return Err(Unread::failed(not_downloaded(&reason))),
        Err(Problem::Here(error)) if is_clients(&error) => return Err(failed(error.message())),
        Err(Problem::Here(error)) => return Err(error.into()),
    };
    db.transaction(async |tx| blueprints::take_archive(tx, under_way, &archive).await)
        .await?;
    Ok(archive)
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
        method: AuthMethod::Basic,
        system: match under_way.rest.sees_private {
            true => PermissionSet::all(),
            false => PermissionSet::default(),
        },
        tenants: BTreeMap::new(),
        execution_id: None,
    };
    let reach = Reach::Tenant(blueprint.tenant_name.clone());
    Scope::of(Rc::new(caller), reach, String::new())
}
