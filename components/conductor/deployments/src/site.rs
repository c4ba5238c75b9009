//! `/deployments/{deployment_id}/set-site`: where a deployment is.

use crate::body_fields;
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
    if body.text("site_name")?.is_some() == detach {
        return Err(Error::bad_parameters(
            "Must provide either a `site_name` of a valid site or `detach_site` with true value \
             for detaching the current site of the given deployment",
        ));
    }
    ctx.include(&DEPLOYMENT)?;
    ctx.db
        .transaction(async |tx| {
            let deployment = deployments::find_own(tx, &scope, id).await?;
            let site = body_fields::site_name(tx, &scope, &body).await?;
            deployments::set_site(tx, &scope, &deployment, site.as_deref()).await
        })
        .await?;
    show(ctx, &scope, id, 200).await
}
