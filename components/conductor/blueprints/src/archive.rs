//! `/blueprints/{blueprint_id}/archive`: the uploaded bytes.

use crate::limits::UploadLimits;
use crate::receive::receive;
use crate::upload::sweep;
use windlass_blueprint::archive::ArchiveError;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result, Scope};
use windlass_store::blobs;
use windlass_store::blueprints::{self, Archive, Blueprint};

/// `GET /blueprints/{blueprint_id}/archive`: the archive as it was uploaded.
pub async fn archive_get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintDownload)?;
    let blueprint = blueprints::find(&ctx.db, &scope, ctx.path("blueprint_id")).await?;
    let archive = archive_of(&blueprint)?;
    let name = format!(
        "attachment; filename=\"{}.{}\"",
        blueprint.id, archive.format
    );
    let kind = "application/octet-stream";
    let response = Response::blob(200, kind, &archive.blob, archive.size);
    Ok(response.header("content-disposition", name))
}

/// `PUT /blueprints/{blueprint_id}/archive`: other bytes for the same plan, as a restored
/// blueprint gets them.
pub async fn archive_put(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let blueprint = blueprints::find_own(&ctx.db, &scope, ctx.path("blueprint_id")).await?;
    let limits = UploadLimits::read(&ctx.db).await?;
    let received = receive(ctx, &limits).await?;
    let archive = received
        .archive
        .as_ref()
        .and_then(|stored| stored.archive());
    let Some(archive) = archive else {
        received.clean_up(&ctx.db).await;
        return Err(Error::bad_parameters(
            ArchiveError::Unrecognised.to_string(),
        ));
    };
    replace(ctx, &scope, &blueprint, archive, "blueprint_upload").await?;
    sweep(ctx).await;
    Ok(Response::json_text(200, "null"))
}

/// A blueprint's archive.
///
/// # Errors
/// 404 when its upload failed before there was one.
pub fn archive_of(blueprint: &Blueprint) -> Result<&Archive> {
    blueprint
        .archive
        .as_ref()
        .ok_or_else(|| Error::not_found("Blueprint archive", &blueprint.id))
}

/// Puts a written archive in the place of the one that the blueprint had when it was read.
///
/// # Errors
/// 409 when that is another by now. The new blob is gone then.
pub async fn replace(
    ctx: &Context<impl Db>,
    scope: &Scope,
    read: &Blueprint,
    archive: Archive,
    action: &str,
) -> Result<()> {
    let saved = ctx
        .db
        .transaction(async |db| {
            let blueprint = blueprints::find_own(db, scope, &read.id).await?;
            if blueprint.key != read.key || blueprint.archive != read.archive {
                return Err(Error::conflict(format!(
                    "The archive of blueprint `{}` was changed by somebody else",
                    read.id
                )));
            }
            blueprints::save_archive(db, scope, &blueprint, &archive, action).await
        })
        .await;
    let loose = match &saved {
        Ok(()) => read.archive.as_ref(),
        Err(_) => Some(&archive),
    };
    if let Some(archive) = loose {
        blobs::remove_or_log(&ctx.db, &archive.blob).await;
    }
    saved
}
