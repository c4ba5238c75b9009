//! `/tenants`: who works together, and apart from whom.

use windlass_core::db::Db;
use windlass_core::list::Resource;
use windlass_core::{Body, Context, Error, Permission, Response, Result, Scope, ids};
use windlass_store::tenants::{self, DETAILED_TENANTS, TENANTS};

/// Names that paths below `/tenants` need for themselves.
const RESERVED: [&str; 2] = ["users", "user-groups"];

/// Numbers or, with `_get_data`, details.
pub fn resource(ctx: &Context<impl Db>) -> Result<&'static Resource> {
    let details = ctx.request.query_bool("_get_data")?.unwrap_or(false);
    let resource = if details { &DETAILED_TENANTS } else { &TENANTS };
    // Unknown names in `_include` are refused before anything is changed.
    ctx.include(resource)?;
    Ok(resource)
}

/// One tenant as an answer.
pub async fn show(
    ctx: &Context<impl Db>,
    resource: &Resource,
    scope: &Scope,
    name: &str,
) -> Result<Response> {
    ctx.show(resource, scope, name, 200).await
}

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
    show(ctx, resource(ctx)?, &scope, name).await
}

/// `POST /tenants/{tenant_name}`: a tenant with nobody in it, not even who made it.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::TenantCreate)?;
    let name = ctx.path("tenant_name");
    let resource = resource(ctx)?;
    // Clients may choose the password of the broker's account, which there is not.
    Body::of(ctx)?.text("rabbitmq_password")?;
    ids::check("tenant_name", name)?;
    ctx.db
        .transaction(async |db| tenants::insert(db, &scope, name).await)
        .await?;
    let mut response = show(ctx, resource, &scope, name).await?;
    response.status = 201;
    Ok(response)
}

/// `POST /tenants/users` and `POST /tenants/user-groups`: no tenant can have these names.
pub async fn create_reserved(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_anywhere(Permission::TenantCreate)?;
    let name = RESERVED
        .into_iter()
        .find(|name| ctx.route.ends_with(&format!("/{name}")))
        .unwrap_or_default();
    Err(Error::bad_parameters(format!(
        "`{name}` is not allowed as a tenant name"
    )))
}

/// `DELETE /tenants/{tenant_name}`: a tenant in which nothing and nobody is left.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::TenantDelete)?;
    let name = ctx.path("tenant_name");
    ctx.db
        .transaction(async |db| tenants::delete(db, &scope, name).await)
        .await?;
    Ok(Response::empty(204))
}
