//! `POST /executions`: starts a workflow.
//!
//! The checks come in the order of the original, because clients tell refusals apart. Here are
//! those of the body; the engine knows all others.

use crate::start_body::StartBody;
use windlass_core::Body;
use windlass_core::db::{Db, Tx};
use windlass_core::platform;
use windlass_core::{
    Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, Visibility, ids,
};
use windlass_engine::start::start as start_execution;
use windlass_store::deployments::{self, Deployment};
use windlass_store::executions::{self, EXECUTIONS, Execution, Status};

/// `POST /executions`: starts a workflow on a deployment, or lets it wait. With `force_status`, an
/// execution of another installation is restored instead, and nothing runs.
pub async fn start(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionStart)?;
    ctx.include(&EXECUTIONS)?;
    demand_not_cancelling(ctx, &scope).await?;
    let body = StartBody::of(&ctx.db, &scope, &Body::of(ctx)?).await?;
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
