//! `PATCH /deployments/{deployment_id}`: labels and display name; for an update's execution, also
//! what is fixed for everybody else.

use crate::deployments::show;
use crate::given;
use serde_json::{Map, Value};
use windlass_core::Body;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Permission, Response, Result, Scope};
use windlass_deployment::environment;
use windlass_store::deployments::{self, DEPLOYMENT, Deployment, PLAN_COLUMNS};
use windlass_store::executions::deployment_status;
use windlass_store::labels::{self, LabelOwner};
use windlass_store::resource::Origin;
use windlass_store::{audit, blueprints, node_instances};

/// `PATCH /deployments/{deployment_id}`.
pub async fn update_labels(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentUpdate)?;
    let id = ctx.path("deployment_id");
    let body = Body::of(ctx)?;
    if body.is_empty() {
        return Err(Error::illegal_action(
            "Update a deployment request must include at least one parameter to update",
        ));
    }
    let labels = body.get("labels").map(labels::parse).transpose()?;
    let display_name = given::display_name(&body)?;
    let plan = plan(&body)?;
    let (creator, created_at) = Origin::read(&ctx.db, &scope, &body).await?.given();
    ctx.include(&DEPLOYMENT)?;
    ctx.db
        .transaction(async |db| {
            let deployment = deployments::find(db, &scope, id).await?;
            scope.demand_own_tenant(id, &deployment.tenant_name)?;
            set_fixed(db, &scope, &deployment, &body, plan).await?;
            if let Some(labels) = &labels {
                set_labels(db, &scope, &deployment, labels).await?;
            }
            if let Some(name) = &display_name {
                deployments::set_display_name(db, deployment.key, name).await?;
            }
            let creator = creator.as_deref();
            deployments::set_origin(db, deployment.key, creator, created_at).await?;
            deployments::touch(db, deployment.key).await?;
            audit::insert(db, &scope, "deployment_update", "Deployment", id).await
        })
        .await?;
    show(ctx, &scope, id, 200).await
}

/// The parts of the plan in a body, of the types they must have.
fn plan(body: &Body) -> Result<Map<String, Value>> {
    let mut plan = Map::new();
    for column in PLAN_COLUMNS {
        if column == "description" {
            body.text(column)?;
        } else {
            body.object(column)?;
        }
        if let Some(value) = body.get(column) {
            plan.insert(column.to_owned(), value.clone());
        }
    }
    Ok(plan)
}

/// Sets what a deployment keeps from its creation: once, or by an update.
async fn set_fixed(
    db: &impl Db,
    scope: &Scope,
    deployment: &Deployment,
    body: &Body,
    mut plan: Map<String, Value>,
) -> Result<()> {
    let by_update = environment::is_update_execution(db, scope).await?;
    let runtime_only = body.boolean("runtime_only_evaluation")?;
    if !by_update {
        let is_set = |name: &str| match name {
            "description" => deployment.description.is_some(),
            "resource_tags" => deployment.resource_tags.is_some(),
            _ => true,
        };
        let flag = runtime_only.map(|_| "runtime_only_evaluation");
        let mut given = plan.keys().map(String::as_str).chain(flag);
        if let Some(name) = given.find(|name| is_set(name)) {
            return Err(Error::conflict(format!("{name} is already set")));
        }
    }
    if let Some(id) = body.text("blueprint_id")? {
        if !by_update {
            let text =
                "Changing the blueprint of a deployment is only possible in a deployment update";
            return Err(Error::new(Kind::OnlyDeploymentUpdate, text));
        }
        let blueprint = blueprints::find(db, scope, id).await?;
        deployments::set_blueprint(db, deployment.key, blueprint.key, &blueprint.id).await?;
    }
    if let Some(workflows) = plan.get_mut("workflows") {
        let types = node_instances::node_types(db, deployment.key).await?;
        let types: Vec<&str> = types.iter().map(String::as_str).collect();
        *workflows = environment::listed_workflows(workflows, &types);
    }
    if let Some(value) = runtime_only {
        deployments::set_runtime_only(db, deployment.key, value).await?;
    }
    deployments::save_plan(db, deployment.key, &plan).await
}

/// Replaces the labels. New parents come to know the deployment, former ones forget it.
async fn set_labels(
    db: &impl Db,
    scope: &Scope,
    deployment: &Deployment,
    given: &[(String, String)],
) -> Result<()> {
    let Deployment {
        key,
        id,
        tenant_name,
        ..
    } = deployment;
    let old = labels::find(db, LabelOwner::Deployment, *key).await?;
    let before: Vec<&str> = deployments::parent_ids(&old).collect();
    let after: Vec<&str> = deployments::parent_ids(given).collect();
    let added: Vec<&str> = after
        .iter()
        .copied()
        .filter(|id| !before.contains(id))
        .collect();
    let removed: Vec<&str> = before
        .iter()
        .copied()
        .filter(|id| !after.contains(id))
        .collect();

    let parents = deployments::find_parents(db, tenant_name, id, &added).await?;
    deployments::link_parents(db, scope, id, &parents).await?;
    deployments::unlink_parents(db, tenant_name, id, &removed).await?;
    labels::replace(db, LabelOwner::Deployment, *key, given, scope).await?;
    // Also without new parents: what this deployment counts as may have changed.
    for key in deployments::find_keys(db, tenant_name, &removed).await? {
        deployment_status::recompute(db, key).await?;
    }
    deployment_status::recompute(db, *key).await
}
