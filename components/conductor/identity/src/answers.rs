//! How a tenant, a group or a user is answered: with numbers, or with details.

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

/// One of them by its name, with the condition that the store has for it.
pub async fn show(
    ctx: &Context<impl Db>,
    resource: &Resource,
    scope: &Scope,
    by_name: &str,
    name: &str,
) -> Result<Response> {
    ctx.one(resource, scope, name, by_name, [name.into()]).await
}
