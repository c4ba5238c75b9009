//! `POST /executions`: starts a workflow.
//!
//! The checks come in the order of the original, because clients tell refusals apart. Here are
//! those of the body; the engine knows all others.

use crate::schedule_body::once;
use crate::start_body::StartBody;
use serde_json::json;
use windlass_core::Body;
use windlass_core::db::{Db, Tx};
use windlass_core::platform;
use windlass_core::{
    Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, Visibility, ids,
};
use windlass_engine::start::start as start_execution;
use windlass_store::deployments::{self, Deployment};
use windlass_store::execution_schedules::{self, Arguments};
use windlass_store::executions::{self, EXECUTIONS, Execution, Status};

/// `POST /executions`: starts a workflow on a deployment, or lets it wait. With `force_status`, an
/// execution of another installation is restored instead, and nothing runs; with `scheduled_time` it
/// starts then.
pub async fn start(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionStart)?;
    ctx.include(&EXECUTIONS)?;
    demand_not_cancelling(ctx, &scope).await?;
    let body = StartBody::of(&ctx.db, &scope, &Body::of(ctx)?).await?;
    if let Some(at) = body.scheduled_for {
        return start_later(ctx, &scope, &body, at).await;
    }
    let id = ctx
        .db
        .transaction(async |tx| match body.force_status {
            Some(status) => restore(tx, &scope, &body, status).await,
            None => {
                let started = start_execution(tx, &scope, body.request(), Timestamp::now()).await;
                started.map(|execution| execution.id)
            }
        })
        .await?;
    platform::nudge();
    ctx.show(&EXECUTIONS, &scope, &id, 201).await
}

/// Makes a schedule that occurs once. There is no execution before that, so the answer is one without
/// an id, and whether it can start is only seen then.
async fn start_later(
    ctx: &Context<impl Db>,
    scope: &Scope,
    body: &StartBody,
    at: Timestamp,
) -> Result<Response> {
    let arguments = Arguments {
        allow_custom_parameters: body.allow_custom_parameters,
        force: body.force,
        is_dry_run: body.dry_run,
        wait_after_fail: body
            .wait_after_fail
            .unwrap_or(Arguments::default().wait_after_fail),
    };
    let origin = (body.origin.created_by(scope), body.origin.created_at());
    let schedule = once(&body.workflow_id, &body.parameters, arguments, origin, at);
    let found = ctx
        .db
        .transaction(async |tx| {
            let found = executions::deployment_to_run(tx, scope, &body.deployment_id).await?;
            execution_schedules::insert(tx, scope, &found.owner, &schedule).await?;
            Ok(found)
        })
        .await?;
    let shown = ctx.include(&EXECUTIONS)?.of(json!({
        "id": null,
        "workflow_id": schedule.workflow_id,
        "deployment_id": found.owner.id,
        "deployment_display_name": found.display_name,
        "blueprint_id": found.blueprint_id,
        "status": Status::Scheduled,
        "status_display": Status::Scheduled,
        "error": null,
        "parameters": schedule.parameters,
        "is_system_workflow": false,
        "is_dry_run": body.dry_run,
        "created_at": schedule.created_at,
        "started_at": null,
        "ended_at": null,
        "scheduled_for": at,
        "allow_custom_parameters": body.allow_custom_parameters,
        "resume": false,
        "total_operations": 0,
        "finished_operations": 0,
        "created_by": schedule.created_by,
        "tenant_name": found.owner.tenant_name,
        "visibility": found.owner.visibility,
        "private_resource": found.owner.visibility == Visibility::Private,
        "resource_availability": found.owner.visibility,
    }));
    Response::json(201, &shown)
}

/// Stores an execution as it ended elsewhere.
async fn restore(tx: &impl Tx, scope: &Scope, body: &StartBody, status: Status) -> Result<String> {
    let deployment = match body.deployment_id.as_str() {
        "" => None,
        id => Some(deployments::find(tx, scope, id).await?),
    };
    let execution = restored(scope, body, status, deployment.as_ref());
    executions::restore(tx, scope, &execution).await?;
    Ok(execution.id)
}

fn restored(
    scope: &Scope,
    body: &StartBody,
    status: Status,
    deployment: Option<&Deployment>,
) -> Execution {
    let tenant = deployment.map_or(scope.tenant(), |found| &found.tenant_name);
    let parameter = |name: &str| {
        let value = body.parameters.get(name)?;
        value.as_str().map(str::to_owned)
    };
    Execution {
        id: body.id.clone().unwrap_or_else(ids::new_uuid),
        tenant_name: tenant.to_owned(),
        created_by: body.origin.created_by(scope).to_owned(),
        visibility: deployment.map_or(Visibility::Tenant, |found| found.visibility),
        created_at: body.origin.created_at(),
        deployment_key: deployment.map(|found| found.key),
        deployment_id: deployment.map(|found| found.id.clone()),
        // An upload has no deployment; its parameters say which blueprint it made.
        blueprint_id: deployment
            .map(|found| found.blueprint_id.clone())
            .or_else(|| parameter("blueprint_id")),
        workflow_id: body.workflow_id.clone(),
        status,
        error: body.error.clone(),
        parameters: body.parameters.clone(),
        is_system_workflow: body.is_system_workflow,
        is_dry_run: body.dry_run,
        allow_custom_parameters: body.allow_custom_parameters,
        force: body.force,
        started_at: body.started_at,
        ended_at: body.ended_at,
        ..Execution::default()
    }
}

/// Refuses what an execution asks for that is being cancelled itself.
async fn demand_not_cancelling(ctx: &Context<impl Db>, scope: &Scope) -> Result<()> {
    let Some(id) = &ctx.caller()?.execution_id else {
        return Ok(());
    };
    let own = executions::find(&ctx.db, scope, id).await?;
    if !own.status.is_cancelling() {
        return Ok(());
    }
    Err(Error::new(
        Kind::ForbiddenWhileCancelling,
        "Action not permitted while the execution that asks for it is being cancelled",
    ))
}
