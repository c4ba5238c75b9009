//! `/tenants`: who works together, and apart from whom.

use crate::answers::{plain_or_detailed, show};
use windlass_core::db::Db;
use windlass_core::list::Resource;
use windlass_core::{Body, Context, Error, Permission, Response, Result, Scope, ids};
use windlass_store::tenants::{self, BY_NAME, DETAILED_TENANTS, RESERVED, TENANTS};

/// The fields that an answer shows.
pub fn resource(ctx: &Context<impl Db>) -> Result<&'static Resource> {
    plain_or_detailed(ctx, &TENANTS, &DETAILED_TENANTS)
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
    // Whether a name is a tenant's is looked at for nobody in particular: the caller is refused
    // either way, and only the text differs.
    if !caller.holds(Permission::TenantGet)
        && !tenants::exists(&ctx.db, &Scope::public(), name).await?
    {
        return Err(Error::forbidden(format!(
            "Authorization failed: Tried to authenticate with invalid tenant name: {name}"
        )));
    }
    let scope = ctx.allow_in(name, Permission::TenantGet)?;
    show(ctx, resource(ctx)?, &scope, BY_NAME, name).await
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
        .transaction(async |tx| tenants::insert(tx, &scope, name).await)
        .await?;
    let mut response = show(ctx, resource, &scope, BY_NAME, name).await?;
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
        .transaction(async |tx| {
            let tenant = tenants::find(tx, &scope, name).await?;
            tenants::delete(tx, &scope, &tenant).await
        })
        .await?;
    Ok(Response::empty(204))
}
