//! `/blueprints/{blueprint_id}/set-visibility`: who sees a blueprint.

use crate::blueprints::show;
use windlass_core::db::KeptDb;
use windlass_core::{Context, Permission, Response, Result, Visibility};
use windlass_store::blueprints::{self, BLUEPRINTS};

/// `PATCH /blueprints/{blueprint_id}/set-visibility`: let more people see a blueprint.
pub async fn set_visibility(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::ResourceSetVisibility)?;
    let id = ctx.path("blueprint_id");
    let visibility = Visibility::of_body(&ctx.json_object()?)?;
    ctx.include(&BLUEPRINTS)?;
    ctx.db
        .transaction(async |tx| {
            let blueprint = blueprints::find_own(tx, &scope, id).await?;
            blueprints::set_visibility(tx, &scope, &blueprint, visibility).await
        })
        .await?;
    show(ctx, &scope, id, 200).await
}
