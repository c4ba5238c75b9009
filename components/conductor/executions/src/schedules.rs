//! `/execution-schedules`: workflows that start by themselves, once or again and again.
//!
//! A schedule is known by its id and its deployment's. Documents of the original also spell the path
//! `/executions-schedules` where one is read or deleted.

use crate::occurrences;
use crate::schedule_body::{self, Changes};
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Body, Context, Error, Permission, Response, Result, Scope, Timestamp, ids};
use windlass_store::execution_schedules::{self, SCHEDULES};
use windlass_store::executions;

/// `GET /execution-schedules`: a page.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::ExecutionScheduleList)?;
    let query = ctx.list_query(&SCHEDULES, &[])?;
    if !occurrences::are_wanted(&query) {
        return ctx.page(&SCHEDULES, &scope, &query).await;
    }
    let page = SCHEDULES.page(&ctx.db, &scope, &query).await?;
    occurrences::respond(page, &query, Timestamp::now())
}

/// `GET /execution-schedules/{schedule_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionScheduleGet)?;
    show(ctx, &scope, 200).await
}

/// `PUT /execution-schedules/{schedule_id}`: a new schedule of a deployment.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionScheduleCreate)?;
    let id = ctx.path("schedule_id");
    ids::check("schedule_id", id)?;
    ctx.include(&SCHEDULES)?;
    let deployment = deployment_id(ctx)?;
    let wanted = schedule_body::read(&ctx.db, &scope, id, &Body::of(ctx)?).await?;
    ctx.db
        .transaction(async |tx| {
            let found = executions::deployment_to_run(tx, &scope, deployment).await?;
            schedule_body::demand_workflow(tx, &found.owner, &wanted.workflow_id).await?;
            let new = wanted.schedule(Timestamp::now())?;
            execution_schedules::insert(tx, &scope, &found.owner, &new).await
        })
        .await?;
    show(ctx, &scope, 201).await
}

/// `PATCH /execution-schedules/{schedule_id}`: what is given changes. The answer is 201, as in the
/// original.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionScheduleCreate)?;
    let id = ctx.path("schedule_id");
    ctx.include(&SCHEDULES)?;
    let deployment = deployment_id(ctx)?;
    let body = Body::of(ctx)?;
    ctx.db
        .transaction(async |tx| {
            let found = execution_schedules::find_own(tx, &scope, deployment, id).await?;
            let changes = Changes::read(&body, &found)?;
            if let Some(workflow) = &changes.workflow_id {
                let owner = executions::deployment_to_run(tx, &scope, deployment)
                    .await?
                    .owner;
                schedule_body::demand_workflow(tx, &owner, workflow).await?;
            }
            let changed = changes.over(found, Timestamp::now())?;
            execution_schedules::save(tx, &scope, &changed).await
        })
        .await?;
    show(ctx, &scope, 201).await
}

/// `DELETE /execution-schedules/{schedule_id}`: it starts nothing any more.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionScheduleCreate)?;
    let id = ctx.path("schedule_id");
    let deployment = deployment_id(ctx)?;
    ctx.db
        .transaction(async |tx| {
            let found = execution_schedules::find_own(tx, &scope, deployment, id).await?;
            execution_schedules::delete(tx, &scope, &found).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// The deployment whose schedule is meant.
fn deployment_id(ctx: &Context<impl Db>) -> Result<&str> {
    let id = ctx.request.query_value("deployment_id").unwrap_or_default();
    if id.is_empty() {
        return Err(Error::bad_parameters(
            "Missing required param: deployment_id",
        ));
    }
    Ok(id)
}

async fn show(ctx: &Context<impl Db>, scope: &Scope, status: u16) -> Result<Response> {
    let (deployment, id) = (deployment_id(ctx)?, ctx.path("schedule_id"));
    let include = SCHEDULES.parse_include(ctx.request.query_value("_include"))?;
    let statement = SCHEDULES.find_statement(
        scope,
        include.as_deref(),
        "t.deployment_id = {} and t.id = {}",
        [deployment.into(), id.into()],
    );
    let found = ctx
        .db
        .first_json(&statement.sql, &statement.parameters)
        .await?;
    let schedule = found.ok_or_else(|| Error::not_found(SCHEDULES.name, id))?;
    Response::json(status, &occurrences::filled(schedule, Timestamp::now()))
}
