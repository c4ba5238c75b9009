//! `/deployments/{deployment_id}/set-site`: where a deployment is.

use crate::deployments::show;
use windlass_core::Body;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result};
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
        .transaction(async |tx| {
            let deployment = deployments::find_own(tx, &scope, id).await?;
            if let Some(name) = site_name {
                deployments::demand_site(tx, &scope, name, id, deployment.visibility).await?;
            }
            deployments::set_site(tx, &scope, &deployment, site_name).await
        })
        .await?;
    show(ctx, &scope, id, 200).await
}
