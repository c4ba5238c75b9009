//! `/blueprints/{blueprint_id}/icon`: the picture that user interfaces show for a blueprint.
//!
//! It is a file of the blueprint like any other, `icon.png` in its directory, so it lives in the
//! archive and nowhere else.

use crate::archive::{archive_of, changed_meanwhile, replace};
use crate::blueprints::show;
use crate::reading::unpack;
use crate::repack::with_icon;
use windlass_blueprint::archive::Limits;
use windlass_core::db::KeptDb;
use windlass_core::{Context, Error, Permission, Response, Result};
use windlass_store::blobs;
use windlass_store::blueprints::{self, BLUEPRINTS};

/// `PATCH /blueprints/{blueprint_id}/icon`: the body becomes the icon; an empty one removes it.
pub async fn icon(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let id = ctx.path("blueprint_id");
    ctx.include(&BLUEPRINTS)?;
    let blueprint = blueprints::find_own(&ctx.db, &scope, id).await?;
    let old = archive_of(&blueprint)?;
    // An archive that came in by a way that does not look into it is looked at here.
    let looked_at = unpack(old, &Limits::default()).await;
    let looked_at = looked_at.map_err(|error| Error::bad_parameters(error.to_string()));
    let icon = Some(ctx.request.body.as_slice()).filter(|icon| !icon.is_empty());
    let put = blobs::tidy_after(&ctx.db, async |blobs| {
        looked_at?;
        let archive = with_icon(&ctx.db, old, icon, blobs).await?;
        replace(ctx, &scope, &blueprint, &archive, "blueprint_icon").await
    });
    if let Err(error) = put.await {
        // Whoever was faster took the archive away while it was read here.
        let now = blueprints::find_own(&ctx.db, &scope, id).await?;
        return Err(if now.archive == blueprint.archive {
            error
        } else {
            changed_meanwhile(id)
        });
    }
    show(ctx, &scope, id, 200).await
}
