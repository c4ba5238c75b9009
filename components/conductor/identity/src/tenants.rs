//! `/tenants`: the tenants a caller works in.

use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result, ids};
use windlass_store::tenants::{self, DETAILED_TENANTS, TENANTS};

/// `GET /tenants`: all tenants for administrators, else those the caller is in.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let mut scope = ctx.allow_anywhere(Permission::TenantList)?;
    let mut resource = &TENANTS;
    if ctx.request.query_bool("_get_data")?.unwrap_or(false) {
        scope = ctx.allow_anywhere(Permission::TenantListGetData)?;
        resource = &DETAILED_TENANTS;
    }
    let query = ctx.list_query(resource, &[])?;
    let page = tenants::list(&ctx.db, &scope, resource, query.clone()).await?;
    Ok(page.respond(&query))
}

/// `GET /tenants/{tenant_name}`: one tenant. The permission is asked for in that tenant.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let name = ctx.path("tenant_name");
    let caller = ctx.caller()?;
    ids::check("tenant_name", name)?;
    if !caller.holds(Permission::TenantGet) && !tenants::exists(&ctx.db, name).await? {
        return Err(Error::forbidden(format!(
            "Authorization failed: Tried to authenticate with invalid tenant name: {name}"
        )));
    }
    let scope = ctx.allow_in(name, Permission::TenantGet)?;
    let details = ctx.request.query_bool("_get_data")?.unwrap_or(false);
    let resource = if details { &DETAILED_TENANTS } else { &TENANTS };
    ctx.one(resource, &scope, name, "t.name = {}", [name.into()])
        .await
}
