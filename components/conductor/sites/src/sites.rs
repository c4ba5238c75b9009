//! `/sites` and `/sites/{site_name}`: places on a map that deployments can be at.

use windlass_core::db::{Db, KeptDb};
use windlass_core::{Body, Context, Given, Permission, Response, Result, Visibility};
use windlass_store::resource::{self, New};
use windlass_store::sites::{self, Changes, Location, SITES, Site};

/// `GET /sites`: the tenant's sites and global ones.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::SiteList)?;
    ctx.list(&SITES, &scope).await
}

/// `GET /sites/{site_name}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SiteGet)?;
    ctx.show(&SITES, &scope, ctx.path("site_name"), 200).await
}

/// `PUT /sites/{site_name}`: a new site.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SiteCreate)?;
    let name = ctx.path("site_name");
    let body = Body::of(ctx)?;
    let new = New::read(&ctx.db, &scope, ("name", name), &body).await?;
    let location = Location::parse(body.text("location")?.unwrap_or_default())?;
    ctx.include(&SITES)?;
    ctx.db
        .transaction(async |tx| sites::insert(tx, &scope, &new, location.as_ref()).await)
        .await?;
    ctx.show(&SITES, &scope, name, 200).await
}

/// `POST /sites/{site_name}`: another name, place or visibility. An empty location takes the place
/// away.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SiteUpdate)?;
    let name = ctx.path("site_name");
    let body = Body::of(ctx)?;
    let changes = Changes {
        name: body.id("new_name")?.map(str::to_owned),
        visibility: Visibility::of_update(&body)?,
        location: Given::from(body.text("location")?).read(Location::parse)?,
    };
    ctx.include(&SITES)?;
    ctx.db
        .transaction(async |tx| {
            let site: Site = resource::find_own(tx, &scope, name).await?;
            sites::save(tx, &scope, &site, &changes).await
        })
        .await?;
    let name = changes.name.as_deref().unwrap_or(name);
    ctx.show(&SITES, &scope, name, 200).await
}

/// `DELETE /sites/{site_name}`: its deployments are nowhere then.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SiteDelete)?;
    let name = ctx.path("site_name");
    ctx.db
        .transaction(async |tx| {
            let site: Site = resource::find_own(tx, &scope, name).await?;
            sites::delete(tx, &scope, &site).await
        })
        .await?;
    Ok(Response::empty(204))
}
