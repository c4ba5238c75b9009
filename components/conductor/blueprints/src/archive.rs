//! `/blueprints/{blueprint_id}/archive`: the uploaded bytes.

use crate::limits::UploadLimits;
use crate::reading::unpack;
use crate::receive::{Stored, receive};
use crate::upload::{sweep, unrecognised};
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
    blobs::tidy_after(&ctx.db, async |blobs| {
        let limits = UploadLimits::read(&ctx.db).await?;
        let received = receive(ctx, &limits, blobs).await?;
        let Some(Stored::Archive(archive)) = received.archive else {
            return Err(unrecognised());
        };
        demand_readable(&archive, &limits).await?;
        replace(ctx, &scope, &blueprint, &archive, "blueprint_upload").await
    })
    .await?;
    sweep(ctx).await;
    Ok(Response::json_text(200, "null"))
}

/// Demands that an archive can be read to its end, for those of which nothing else is asked.
///
/// # Errors
/// 400, with what is wrong with it.
pub async fn demand_readable(archive: &Archive, limits: &UploadLimits) -> Result<()> {
    let Err(error) = unpack(archive, &limits.unpacking()).await else {
        return Ok(());
    };
    let refusal = limits.refusal(&error);
    Err(refusal.unwrap_or_else(|| Error::bad_parameters(error.to_string())))
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
/// `action` is what the audit trail calls it. The old one's bytes stay for an hour, because somebody
/// may be downloading them.
///
/// # Errors
/// 409 when that is another by now.
pub async fn replace(
    ctx: &Context<impl Db>,
    scope: &Scope,
    read: &Blueprint,
    archive: &Archive,
    action: &str,
) -> Result<()> {
    ctx.db
        .transaction(async |tx| {
            let blueprint = blueprints::find_own(tx, scope, &read.id).await?;
            if blueprint.key != read.key || blueprint.archive != read.archive {
                return Err(changed_meanwhile(&read.id));
            }
            blueprints::save_archive(tx, scope, &blueprint, archive, action).await
        })
        .await
}

/// The refusal of a change to an archive that somebody else changed first.
pub fn changed_meanwhile(id: &str) -> Error {
    Error::conflict(format!(
        "The archive of blueprint `{id}` was changed by somebody else"
    ))
}
