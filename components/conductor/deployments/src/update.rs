//! `PATCH /deployments/{deployment_id}`: labels and display name; for an update's execution, also
//! what is fixed for everybody else.

use crate::body_fields;
use crate::deployments::show;
use serde_json::{Map, Value};
use windlass_core::Body;
use windlass_core::db::{Db, Tx};
use windlass_core::{Context, Error, Kind, Permission, Response, Result, Scope};
use windlass_deployment::environment;
use windlass_store::deployments::{self, Changes, DEPLOYMENT, Deployment, PLAN_COLUMNS};
use windlass_store::executions::deployment_status;
use windlass_store::labels::{self, Label};
use windlass_store::resource::Origin;
use windlass_store::{blueprints, node_instances};

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
    let display_name = body_fields::display_name(&body)?;
    let plan = plan(&body)?;
    let (created_by, created_at) = Origin::read(&ctx.db, &scope, &body).await?.given();
    ctx.include(&DEPLOYMENT)?;
    ctx.db
        .transaction(async |tx| {
            let deployment = deployments::find_own(tx, &scope, id).await?;
            let fixed = fixed(tx, &scope, &deployment, &body, plan).await?;
            if let Some(labels) = &labels {
                set_labels(tx, &scope, &deployment, labels).await?;
            }
            let changes = Changes {
                display_name,
                created_by,
                created_at,
                ..fixed
            };
            deployments::save(tx, &scope, &deployment, &changes).await
        })
        .await?;
    show(ctx, &scope, id, 200).await
}

/// The parts of the plan in a body, of the types they must have.
fn plan(body: &Body) -> Result<Map<String, Value>> {
    let mut plan = Map::new();
    for column in PLAN_COLUMNS {
        match body.get(column) {
            _ if column == "description" => drop(body.text(column)?),
            // Also a list of them, as the original takes it from whoever restores a deployment.
            Some(Value::Array(_)) if column == "policy_types" => {}
            _ => drop(body.object(column)?),
        }
        if let Some(value) = body.get(column) {
            plan.insert(column.to_owned(), value.clone());
        }
    }
    Ok(plan)
}

/// The changes to what a deployment keeps from its creation: set once, or by an update.
async fn fixed(
    db: &impl Db,
    scope: &Scope,
    deployment: &Deployment,
    body: &Body,
    mut plan: Map<String, Value>,
) -> Result<Changes> {
    let by_update = deployments::is_update_calling(db, scope).await?;
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
    let blueprint = match body.text("blueprint_id")? {
        None => None,
        Some(_) if !by_update => {
            let text =
                "Changing the blueprint of a deployment is only possible in a deployment update";
            return Err(Error::new(Kind::OnlyDeploymentUpdate, text));
        }
        Some(id) => Some(blueprints::find(db, scope, id).await?),
    };
    if let Some(workflows) = plan.get_mut("workflows") {
        let types = node_instances::node_types(db, deployment.key).await?;
        let types: Vec<&str> = types.iter().map(String::as_str).collect();
        *workflows = environment::listed_workflows(workflows, &types);
    }
    Ok(Changes {
        blueprint,
        runtime_only_evaluation: runtime_only,
        plan,
        ..Changes::default()
    })
}

/// Replaces the labels. New parents come to know the deployment, former ones forget it.
async fn set_labels(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Deployment,
    given: &[Label],
) -> Result<()> {
    let old = labels::find(tx, deployment).await?;
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

    let parents = deployments::find_parents(tx, scope, &deployment.id, &added).await?;
    deployments::link_parents(tx, scope, &deployment.id, &parents).await?;
    deployments::unlink_parents(tx, deployment, &removed).await?;
    labels::replace(tx, scope, deployment, given).await?;
    // Also without new parents: what this deployment counts as may have changed.
    for former in deployments::find_existing(tx, scope, &removed).await? {
        deployment_status::recompute(tx, &former).await?;
    }
    deployment_status::recompute(tx, deployment).await
}
