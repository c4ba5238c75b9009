//! `POST /executions`: starts a workflow.
//!
//! The checks come in the order of the original, because clients tell refusals apart. Here are
//! those of the body and of who depends on the deployment; the engine knows the others.

use crate::start_body::StartBody;
use windlass_core::Body;
use windlass_core::db::Db;
use windlass_core::platform;
use windlass_core::{Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, ids};
use windlass_engine::start::start as start_execution;
use windlass_store::audit;
use windlass_store::deployments::{self, Deployment};
use windlass_store::executions::{self, Execution};
use windlass_store::executions_list::{self, EXECUTIONS};
use windlass_store::resource;

/// The workflows that others who use a deployment would suffer from.
const DISRUPTIVE: [&str; 4] = ["stop", "uninstall", "update", "heal"];

/// How many of those who depend on a deployment a refusal names.
const NAMED_DEPENDENTS: usize = 3;

/// `POST /executions`: starts a workflow on a deployment, or lets it wait. With `force_status`, an
/// execution of another installation is restored instead, and nothing runs.
pub async fn start(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionStart)?;
    ctx.include(&EXECUTIONS)?;
    demand_not_cancelling(ctx, &scope).await?;
    let mut body = StartBody::of(ctx, &Body::of(ctx)?)?;
    if let Some(username) = &mut body.created_by {
        *username = resource::username(&ctx.db, username).await?;
    }
    let id = ctx
        .db
        .transaction(async |db| {
            let id = match &body.force_status {
                Some(status) => restore(db, &scope, &body, status).await?,
                None => run(ctx, db, &scope, &body).await?,
            };
            audit::insert(db, &scope, "execution_start", "Execution", &id).await?;
            Ok(id)
        })
        .await?;
    platform::nudge();
    let id = id.as_str();
    ctx.show(&EXECUTIONS, &scope, id, 201).await
}

/// Starts an execution. The engine's checks before and after those of [`demand_independent`] come
/// in one go; which of them refused tells which refusal is the first.
async fn run<D: Db>(
    ctx: &Context<impl Db>,
    db: &D,
    scope: &Scope,
    body: &StartBody,
) -> Result<String> {
    let started = start_execution(db, scope, body.request(), Timestamp::now()).await;
    let comes_after = |error: &Error| {
        matches!(
            error.kind(),
            Kind::ExistingRunningExecution
                | Kind::UnavailableWorkflow
                | Kind::InvalidWorkflowAvailabilityRule
        )
    };
    if started.as_ref().err().is_none_or(comes_after) {
        let deployment = deployments::find(db, scope, &body.deployment_id).await?;
        if deployment.tenant_name != scope.tenant() {
            ctx.allow(Permission::ExecuteGlobalWorkflow)?;
        }
        demand_independent(db, &deployment, body).await?;
    }
    let execution = started?;
    executions_list::set_origin(
        db,
        execution.key,
        body.created_by.as_deref(),
        body.created_at,
    )
    .await?;
    Ok(execution.id)
}

/// Stores an execution as it ended elsewhere.
async fn restore(db: &impl Db, scope: &Scope, body: &StartBody, status: &str) -> Result<String> {
    let deployment = match body.deployment_id.as_str() {
        "" => None,
        id => Some(deployments::find(db, scope, id).await?),
    };
    let of = |field: fn(&Deployment) -> String| deployment.as_ref().map(field);
    let now = Timestamp::now();
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let execution = Execution {
        id: body.id.clone().unwrap_or_else(ids::new_uuid),
        tenant_name: of(|found| found.tenant_name.clone())
            .unwrap_or_else(|| scope.tenant().to_owned()),
        created_by: body
            .created_by
            .clone()
            .unwrap_or_else(|| scope.username().to_owned()),
        visibility: of(|found| found.visibility.name().to_owned())
            .unwrap_or_else(|| "tenant".to_owned()),
        created_at: body.created_at.unwrap_or(now).to_string(),
        deployment_key: deployment.as_ref().map(|found| found.key),
        deployment_id: of(|found| found.id.clone()),
        blueprint_id: of(|found| found.blueprint_id.clone()),
        workflow_id: body.workflow_id.clone(),
        status: status.to_owned(),
        error: body.error.clone(),
        parameters: body.parameters.clone(),
        is_system_workflow: body.is_system_workflow,
        is_dry_run: body.dry_run,
        allow_custom_parameters: body.allow_custom_parameters,
        force: body.force,
        started_at: text(body.started_at),
        ended_at: text(body.ended_at),
        ..Execution::default()
    };
    match executions::insert(db, &execution).await {
        Ok(_) => Ok(execution.id),
        Err(error) if error.is_unique_violation() => Err(Error::conflict(format!(
            "Execution with ID `{}` already exists",
            execution.id
        ))),
        Err(error) => Err(error),
    }
}

/// Refuses a workflow that those who depend on the deployment would suffer from.
async fn demand_independent(db: &impl Db, deployment: &Deployment, body: &StartBody) -> Result<()> {
    let workflow = body.workflow_id.as_str();
    let recursive = body
        .parameters
        .get("recursive")
        .is_some_and(|value| value == true);
    if body.force || !DISRUPTIVE.contains(&workflow) || (workflow == "uninstall" && recursive) {
        return Ok(());
    }
    let id = &deployment.id;
    let children = deployments::children(db, &deployment.tenant_name, id).await?;
    if children.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = children
        .iter()
        .take(NAMED_DEPENDENTS)
        .enumerate()
        .map(|(at, (_, child))| {
            format!(
                "[{}] Deployment `{id}` is the parent of deployment `{child}`",
                at + 1
            )
        })
        .collect();
    Err(Error::new(
        Kind::DependentExists,
        format!(
            "Can't execute workflow `{workflow}` on deployment {id} - existing installations \
             depend on it:\n{}",
            lines.join("\n")
        ),
    ))
}

/// Refuses what an execution asks for that is being cancelled itself.
async fn demand_not_cancelling(ctx: &Context<impl Db>, scope: &Scope) -> Result<()> {
    let Some(id) = &ctx.caller()?.execution_id else {
        return Ok(());
    };
    let own = executions::find(&ctx.db, scope, id).await?;
    if !own.status()?.is_cancelling() {
        return Ok(());
    }
    Err(Error::new(
        Kind::ForbiddenWhileCancelling,
        "Action not permitted while the execution that asks for it is being cancelled",
    ))
}
