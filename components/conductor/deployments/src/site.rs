//! `/deployments/{deployment_id}/set-site`: where a deployment is.

use crate::deployments::show;
use windlass_core::Body;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result};
use windlass_store::audit;
use windlass_store::deployments::{self, DEPLOYMENT};

/// `POST /deployments/{deployment_id}/set-site`: exactly one of `site_name` and `detach_site`.
pub async fn set_site(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentSetSite)?;
    let id = ctx.path("deployment_id");
    let body = Body::of(ctx)?;
    let detach = body.boolean("detach_site")?.unwrap_or(false);
    let site_name = body.id("site_name")?;
    if site_name.is_some() == detach {
        return Err(Error::bad_parameters(
            "Must provide either a `site_name` of a valid site or `detach_site` with true value \
             for detaching the current site of the given deployment",
        ));
    }
    ctx.include(&DEPLOYMENT)?;
    ctx.db
        .transaction(async |db| {
            let deployment = deployments::find(db, &scope, id).await?;
            scope.demand_own_tenant(id, &deployment.tenant_name)?;
            if let Some(name) = site_name {
                deployments::demand_site(db, &scope, name, id, deployment.visibility).await?;
            }
            deployments::set_site(db, deployment.key, site_name).await?;
            audit::insert(db, &scope, "deployment_set_site", "Deployment", id).await
        })
        .await?;
    show(ctx, &scope, id, 200).await
}
