//! `/deployments/{deployment_id}/set-visibility`: who sees a deployment.

use crate::deployments::show;
use windlass_core::db::Db;
use windlass_core::visibility::exists_elsewhere;
use windlass_core::{Context, Error, Permission, Response, Result, Scope, Visibility};
use windlass_store::deployments::{self, DEPLOYMENT, Deployment};

/// `PATCH /deployments/{deployment_id}/set-visibility`: let more people see a deployment, and with
/// it its nodes and node instances.
pub async fn set_visibility(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentSetVisibility)?;
    let id = ctx.path("deployment_id");
    let visibility = Visibility::of_body(&ctx.json_object()?)?;
    ctx.include(&DEPLOYMENT)?;
    ctx.db
        .transaction(async |tx| {
            let deployment = deployments::find_own(tx, &scope, id).await?;
            demand_widening(tx, &scope, &deployment, visibility).await?;
            deployments::set_visibility(tx, &scope, &deployment, visibility).await
        })
        .await?;
    show(ctx, &scope, id, 200).await
}

async fn demand_widening(
    db: &impl Db,
    scope: &Scope,
    deployment: &Deployment,
    next: Visibility,
) -> Result<()> {
    deployment
        .visibility
        .demand_widening(scope, &deployment.id, next)?;
    if next == Visibility::Global && deployments::exists_elsewhere(db, deployment).await? {
        return Err(exists_elsewhere(&deployment.id));
    }
    let blueprint = deployments::blueprint_visibility(db, deployment).await?;
    if next > blueprint {
        return Err(Error::illegal_action(format!(
            "The visibility of deployment `{}` can't be wider than that of its blueprint `{}`, which is {blueprint}",
            deployment.id, deployment.blueprint_id
        )));
    }
    deployments::demand_site_as_wide(db, deployment, next).await
}
