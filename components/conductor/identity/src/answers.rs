//! How a tenant or a group is answered: with numbers, or with details.

use windlass_core::db::Db;
use windlass_core::list::Resource;
use windlass_core::{Context, Response, Result, Scope};

/// The fields with numbers or, with `_get_data`, those with details. Unknown names in `_include`
/// are refused here, before anything is changed.
pub fn plain_or_detailed(
    ctx: &Context<impl Db>,
    plain: &'static Resource,
    detailed: &'static Resource,
) -> Result<&'static Resource> {
    let details = ctx.request.query_bool("_get_data")?.unwrap_or(false);
    let resource = if details { detailed } else { plain };
    ctx.include(resource)?;
    Ok(resource)
}

/// One tenant or group, by its name.
pub async fn show(
    ctx: &Context<impl Db>,
    resource: &Resource,
    scope: &Scope,
    name: &str,
) -> Result<Response> {
    ctx.one(resource, scope, name, "t.name = {}", [name.into()])
        .await
}
