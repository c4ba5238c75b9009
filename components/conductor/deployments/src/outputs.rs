//! `/deployments/{deployment_id}/outputs` and `/capabilities`: definitions, evaluated.

use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Kind, Permission, Response, Result, Scope};
use windlass_deployment::environment::{self, World};
use windlass_store::deployments::{self, Deployment};

/// `GET /deployments/{deployment_id}/outputs`.
pub async fn outputs(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentModificationOutputs)?;
    let id = ctx.path("deployment_id");
    let deployment = deployments::find(&ctx.db, &scope, id).await?;
    let outputs = deployment.outputs.clone();
    let kind = Kind::DeploymentOutputsEvaluation;
    let values = evaluated(&ctx.db, &scope, deployment, &outputs, kind).await?;
    ctx.ok(json!({ "deployment_id": id, "outputs": values }))
}

/// `GET /deployments/{deployment_id}/capabilities`.
pub async fn capabilities(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentCapabilities)?;
    let id = ctx.path("deployment_id");
    let deployment = deployments::find(&ctx.db, &scope, id).await?;
    let capabilities = deployment.capabilities.clone();
    let kind = Kind::DeploymentCapabilitiesEvaluation;
    let values = evaluated(&ctx.db, &scope, deployment, &capabilities, kind).await?;
    ctx.ok(json!({ "deployment_id": id, "capabilities": values }))
}

async fn evaluated(
    db: &impl Db,
    scope: &Scope,
    deployment: Deployment,
    definitions: &Value,
    kind: Kind,
) -> Result<Value> {
    let world = World::load(db, scope, deployment, &[definitions]).await?;
    let values = world.outputs(definitions);
    values
        .map(Value::Object)
        .map_err(|problem| environment::refused(problem, kind))
}
