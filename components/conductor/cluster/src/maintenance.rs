//! `/maintenance`: quiet for operators. What it refuses is decided where callers are found, see
//! `windlass_identity`.

use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result, Scope, platform};
use windlass_store::maintenance;

/// `GET /maintenance`: how far it is. Who looks when nothing runs any more finds it activated.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::MaintenanceModeGet)?;
    ctx.ok(maintenance::look(&ctx.db, &scope).await?)
}

/// `POST /maintenance/activate`: nothing new begins, and when what runs has ended hardly anything is
/// answered. A 304 where it was asked for before.
pub async fn activate(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::MaintenanceModeSet)?;
    let has_changed = ctx
        .db
        .transaction(async |tx| maintenance::activate(tx, &scope).await)
        .await?;
    changed(ctx, &scope, has_changed).await
}

/// `POST /maintenance/deactivate`: everything is answered again, and what was queued may start. A 304
/// where it was so before.
pub async fn deactivate(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::MaintenanceModeSet)?;
    let has_changed = ctx
        .db
        .transaction(async |tx| maintenance::deactivate(tx, &scope).await)
        .await?;
    platform::nudge();
    changed(ctx, &scope, has_changed).await
}

/// `POST /maintenance/{action}`: no other action is one.
pub async fn act(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_everywhere(Permission::MaintenanceModeSet)?;
    Err(Error::bad_parameters(format!(
        "Invalid action: {}, Valid action values are: ['activate', 'deactivate']",
        ctx.path("action")
    )))
}

/// The mode as it is now; without a body where nothing was changed, of which clients make a refusal.
async fn changed(ctx: &Context<impl Db>, scope: &Scope, has_changed: bool) -> Result<Response> {
    if !has_changed {
        return Ok(Response::empty(304));
    }
    ctx.ok(maintenance::look(&ctx.db, scope).await?)
}
