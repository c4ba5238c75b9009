//! `/plugins/{plugin_id}/set-visibility`: who sees a plugin.

use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result, Visibility};
use windlass_store::plugins::{self, PLUGINS, Plugin};
use windlass_store::resource;

/// `PATCH /plugins/{plugin_id}/set-visibility`: let more people see a plugin, and import it.
pub async fn set_visibility(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ResourceSetVisibility)?;
    let id = ctx.path("plugin_id");
    let visibility = Visibility::of_body(&ctx.json_object()?)?;
    ctx.include(&PLUGINS)?;
    ctx.db
        .transaction(async |tx| {
            let plugin: Plugin = resource::find_own(tx, &scope, id).await?;
            plugins::set_visibility(tx, &scope, &plugin, visibility).await
        })
        .await?;
    ctx.show(&PLUGINS, &scope, id, 200).await
}
