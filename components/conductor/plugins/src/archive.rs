//! `/plugins/{plugin_id}/archive`: the wagon, or all that was uploaded.

use crate::full_archive;
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result};
use windlass_store::plugins::{self, Plugin};
use windlass_store::resource;

/// `GET /plugins/{plugin_id}/archive`: the wagon as it was uploaded. With `full_archive` a zip of it and
/// the files that came with it, which can be uploaded again.
pub async fn archive(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginDownload)?;
    let is_full = ctx.request.query_bool("full_archive")?.unwrap_or(false);
    let plugin: Plugin = resource::find(&ctx.db, &scope, ctx.path("plugin_id")).await?;
    let wagon = plugins::wagon(&ctx.db, &plugin).await?;
    if is_full {
        let files = plugins::files(&ctx.db, &plugin).await?;
        return full_archive::respond(&wagon, files);
    }
    let kind = "application/octet-stream";
    let response = Response::blob(200, kind, &wagon.blob, wagon.size);
    Ok(response.header("content-disposition", attachment(&wagon.name)))
}

/// The header that gives a download its name.
pub fn attachment(name: &str) -> String {
    format!("attachment; filename=\"{name}\"")
}
