//! `POST /blueprints/{blueprint_id}/continue-upload`: the rest of an upload whose client was
//! answered already. The scheduler calls it for a row of the queue that it holds.
//!
//! One that is begun again goes on from what was stored.

use crate::limits::UploadLimits;
use crate::reading::{self, NotExtracted};
use crate::receive::{self, Stored};
use crate::upload::{not_downloaded, unrecognised};
use std::collections::BTreeMap;
use std::rc::Rc;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::{Db, KeptDb};
use windlass_core::outbound::download::{self, ArchiveUrl, Problem};
use windlass_core::permission::PermissionSet;
use windlass_core::{Context, Error, Response, Result, Scope};
use windlass_store::blobs::{self, LooseBlobs};
use windlass_store::blueprints::{self, Archive, Found, State, UnderWay};
use windlass_store::queue;
use windlass_store::queue::lent::{self, Lent};

/// `POST /blueprints/{blueprint_id}/continue-upload`.
pub async fn continue_upload(ctx: &Context<impl KeptDb>) -> Result<Response> {
    lent::answer(ctx, "an upload will be tried again", go_on).await
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
