//! `/blueprints/{blueprint_id}/archive`: the uploaded bytes.

use windlass_blueprint::archive::{ArchiveError, recognise};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result, Scope, blob, log};
use windlass_store::blueprints::{self, Archive, Blueprint};

/// `GET /blueprints/{blueprint_id}/archive`: the archive as it was uploaded.
pub async fn archive_get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintDownload)?;
    let blueprint = blueprints::find(&ctx.db, &scope, ctx.path("blueprint_id")).await?;
    let archive = archive_of(&blueprint)?;
    let bytes = blob::read(&archive.blob, archive.size).await?;
    let name = format!(
        "attachment; filename=\"{}.{}\"",
        blueprint.id, archive.format
    );
    Ok(Response::bytes(200, "application/octet-stream", bytes).header("content-disposition", name))
}

/// `PUT /blueprints/{blueprint_id}/archive`: other bytes for the same plan, as a restored
/// blueprint gets them.
pub async fn archive_put(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let blueprint = blueprints::find_own(&ctx.db, &scope, ctx.path("blueprint_id")).await?;
    let archive = write(&ctx.request.body).await?;
    replace(ctx, &scope, &blueprint, archive, "blueprint_upload").await?;
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

/// Writes the blob of an archive.
///
/// # Errors
/// 400 for bytes that are none.
pub async fn write(bytes: &[u8]) -> Result<Archive> {
    let format = recognise(bytes)
        .ok_or_else(|| Error::bad_parameters(ArchiveError::Unrecognised.to_string()))?;
    let blob = blob::write(bytes).await?;
    let format = format.extension().to_owned();
    Ok(Archive {
        blob: blob.id,
        format,
        size: blob.size,
        sha256: blob.sha256,
    })
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
    match &saved {
        Ok(()) => forget(read.archive.as_ref()).await,
        Err(_) => forget(Some(&archive)).await,
    }
    saved
}

/// Removes the blob of an archive that no row names any more. What is left of it after a failure
/// is an orphan, which harms nobody.
pub async fn forget(archive: Option<&Archive>) {
    let Some(archive) = archive else { return };
    if let Err(error) = blob::delete(&archive.blob, archive.size).await {
        log::error("a blob was left behind", &error);
    }
}
