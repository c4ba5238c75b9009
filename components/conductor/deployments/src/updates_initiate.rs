//! `POST /deployment-updates/{deployment_id}/update/initiate`: a deployment gets another blueprint or
//! other inputs.
//!
//! A preview is thought through before the answer leaves and changes nothing. An update is an execution,
//! which thinks it through when it begins: until then other executions may change the deployment.

use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{
    Body, Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, ids, platform,
};
use windlass_deployment::environment;
use windlass_deployment::update::{self, Goal};
use windlass_engine::{UpdateRequest, start_update};
use windlass_store::blueprints::{self, Blueprint};
use windlass_store::deployment_updates::{self, DEPLOYMENT_UPDATE, NewUpdate, Shown, UpdateState};
use windlass_store::deployments::{self, Deployment};
use windlass_store::resource::{New, Origin};

/// The options that the update's execution reads.
const OPTIONS: [&str; 8] = [
    "skip_install",
    "skip_uninstall",
    "skip_reinstall",
    "skip_drift_check",
    "skip_heal",
    "force_reinstall",
    "ignore_failure",
    "install_first",
];

/// `POST /deployment-updates/{deployment_id}/update/initiate`.
pub async fn initiate(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentUpdateCreate)?;
    let body = Body::of(ctx)?;
    let wanted = Wanted::of(&body)?;
    if wanted.options.contains_key("workflow_id") {
        // That one is an execution of its own.
        scope.demand(Permission::ExecutionStart)?;
    }
    ctx.include(&DEPLOYMENT_UPDATE)?;
    environment::forbid_while_cancelling(&ctx.db, &scope).await?;
    let id = ctx.path("deployment_id");
    let deployment = deployments::find_own(&ctx.db, &scope, id).await?;
    let blueprint_id = wanted.blueprint_id.as_deref();
    let blueprint_id = blueprint_id.unwrap_or(&deployment.blueprint_id);
    let blueprint = blueprints::find(&ctx.db, &scope, blueprint_id).await?;
    demand_uploaded(&blueprint)?;
    let update = match wanted.preview {
        true => preview(ctx, &scope, &deployment, blueprint, &wanted).await?,
        false => start(ctx, &scope, &deployment, &blueprint, &wanted).await?,
    };
    ctx.show(&DEPLOYMENT_UPDATE, &scope, &update, 200).await
}

/// What a request asks for.
struct Wanted {
    blueprint_id: Option<String>,
    inputs: Map<String, Value>,
    /// The options of the execution.
    options: Map<String, Value>,
    force: bool,
    preview: bool,
    runtime_only_evaluation: Option<bool>,
    reevaluate: bool,
    auto_correct_types: bool,
    update_plugins: bool,
}

impl Wanted {
    fn of(body: &Body) -> Result<Self> {
        let flag = |name: &str| Ok::<_, Error>(body.boolean(name)?.unwrap_or(false));
        let mut options = Map::new();
        for name in OPTIONS {
            options.insert(name.to_owned(), flag(name)?.into());
        }
        let inputs = body.object("inputs")?.cloned().unwrap_or_default();
        let reinstall = body.list("reinstall_list")?.cloned().unwrap_or_default();
        if let Some(other) = reinstall.iter().find(|item| !item.is_string()) {
            return Err(Error::wrong_type("reinstall_list", "list of str", other));
        }
        options.insert("reinstall_list".to_owned(), reinstall.into());
        options.insert("inputs".to_owned(), inputs.clone().into());
        let auto_correct_types = flag("auto_correct_types")?;
        options.insert("auto_correct_types".to_owned(), auto_correct_types.into());
        let update_plugins = body.boolean("update_plugins")?.unwrap_or(true);
        options.insert("update_plugins".to_owned(), update_plugins.into());
        if let Some(workflow) = body.filled_text("workflow_id")? {
            options.insert("workflow_id".to_owned(), workflow.into());
        }
        Ok(Self {
            auto_correct_types,
            update_plugins,
            blueprint_id: body.filled_text("blueprint_id")?.map(str::to_owned),
            inputs,
            options,
            force: flag("force")?,
            preview: flag("preview")?,
            runtime_only_evaluation: body.boolean("runtime_only_evaluation")?,
            reevaluate: flag("reevaluate_active_statuses")?,
        })
    }

    fn runtime_only(&self, deployment: &Deployment) -> bool {
        let given = self.runtime_only_evaluation;
        given.unwrap_or(deployment.runtime_only_evaluation)
    }
}

fn demand_uploaded(blueprint: &Blueprint) -> Result<()> {
    if blueprint.state.is_usable() {
        return Ok(());
    }
    Err(Error::bad_parameters(format!(
        "Unable to update a deployment to a blueprint which is not `uploaded` but: `{}`",
        blueprint.state.name()
    )))
}

/// Says what an update would do. Answers its id.
async fn preview(
    ctx: &Context<impl Db>,
    scope: &Scope,
    deployment: &Deployment,
    blueprint: Blueprint,
    wanted: &Wanted,
) -> Result<String> {
    let blueprint_id = blueprint.id.clone();
    let goal = Goal {
        blueprint,
        inputs: wanted.inputs.clone(),
        runtime_only_evaluation: wanted.runtime_only(deployment),
        auto_correct_types: wanted.auto_correct_types,
        update_plugins: wanted.update_plugins,
        update: None,
    };
    let planned = update::plan(&ctx.db, scope, deployment, &goal).await?;
    let planned = planned.map_err(Error::bad_parameters)?;
    let (shown, inputs) = (planned.shown(), planned.inputs);
    let row = NewUpdate {
        new_inputs: &inputs,
        state: UpdateState::Preview,
        ..new_update(deployment, &blueprint_id, wanted, &shown)
    };
    let new = new(deployment);
    ctx.db
        .transaction(async |tx| deployment_updates::insert(tx, scope, &new, &row).await)
        .await?;
    Ok(new.id)
}

fn new(deployment: &Deployment) -> New {
    New {
        id: format!("{}-{}", deployment.id, ids::new_uuid()),
        visibility: deployment.visibility,
        origin: Origin::default(),
    }
}

fn new_update<'a>(
    deployment: &'a Deployment,
    blueprint_id: &'a str,
    wanted: &'a Wanted,
    shown: &'a Shown,
) -> NewUpdate<'a> {
    NewUpdate {
        deployment,
        state: UpdateState::Updating,
        execution_id: None,
        old_blueprint_id: Some(&deployment.blueprint_id),
        new_blueprint_id: Some(blueprint_id),
        old_inputs: &deployment.inputs,
        new_inputs: &wanted.inputs,
        runtime_only_evaluation: wanted.runtime_only(deployment),
        shown,
    }
}

/// Starts an update, or lets it wait. Answers its id. One that others stand in the way of is kept as
/// failed, and the refusal is the answer.
async fn start(
    ctx: &Context<impl Db>,
    scope: &Scope,
    deployment: &Deployment,
    blueprint: &Blueprint,
    wanted: &Wanted,
) -> Result<String> {
    let new = new(deployment);
    let mut inputs = deployment.inputs.clone();
    inputs.extend(wanted.inputs.clone());
    let shown = Shown::new();
    let row = NewUpdate {
        new_inputs: &inputs,
        ..new_update(deployment, &blueprint.id, wanted, &shown)
    };
    let refusal = ctx
        .db
        .transaction(async |tx| {
            if wanted.reevaluate {
                deployment_updates::reevaluate(tx, deployment).await?;
            }
            start_in(tx, scope, &new, &row, wanted).await
        })
        .await?;
    match refusal {
        Some(refusal) => Err(refusal),
        None => {
            platform::nudge();
            Ok(new.id)
        }
    }
}

async fn start_in(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    row: &NewUpdate<'_>,
    wanted: &Wanted,
) -> Result<Option<Error>> {
    let mut parameters = wanted.options.clone();
    parameters.insert("update_id".to_owned(), new.id.clone().into());
    let request = UpdateRequest {
        deployment_id: row.deployment.id.clone(),
        parameters,
        force: wanted.force,
    };
    let (state, execution_id, refusal) =
        match start_update(tx, scope, request, Timestamp::now()).await {
            Ok(execution) => (UpdateState::Updating, Some(execution.id), None),
            Err(refusal) if refusal.kind() == Kind::DependentExists => {
                (UpdateState::Failed, None, Some(refusal))
            }
            Err(error) => return Err(error),
        };
    let row = NewUpdate {
        state,
        execution_id: execution_id.as_deref(),
        ..row.clone()
    };
    deployment_updates::insert(tx, scope, new, &row).await?;
    Ok(refusal)
}
