//! `/operations`: the steps of a tasks graph, as whoever runs a workflow keeps them.

use crate::caller::{allow_or_execution, demand_own, speaks_for};
use crate::effects::{self, Outcome};
use serde_json::Value;
use windlass_core::Body;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Context, Error, Permission, Response, Result, Timestamp, ids, limits};
use windlass_store::operations::{self, Declared, NewOperation, OPERATIONS};
use windlass_store::{deployments, executions, tasks_graphs};

/// `GET /operations`: those of a graph or of an execution.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::Operations)?;
    let own = ["graph_id", "execution_id", "state", "skip_internal"];
    let mut query = ctx.list_query(&OPERATIONS, &own)?;
    let given = |name| {
        ctx.request
            .query_value(name)
            .filter(|value| !value.is_empty())
    };
    match (given("graph_id"), given("execution_id")) {
        (Some(_), Some(_)) => {
            return Err(Error::bad_parameters(
                "Pass either graph_id or execution_id, not both",
            ));
        }
        (Some(id), None) => {
            let graph = tasks_graphs::find(&ctx.db, &scope, id).await?;
            query.and("t.tasks_graph_key = {}", [graph.key.into()]);
        }
        (None, Some(id)) => {
            let execution = executions::find(&ctx.db, &scope, id).await?;
            query.and("t.execution_key = {}", [execution.key.into()]);
        }
        (None, None) => {
            return Err(Error::bad_parameters(
                "Missing required param: graph_id or execution_id",
            ));
        }
    }
    if let Some(state) = ctx.request.query_value("state") {
        query.and("t.state = {}", [state.into()]);
    }
    // Any text means yes here, even "False".
    if given("skip_internal").is_some() {
        query.and("t.type in ('SubgraphTask', 'RemoteWorkflowTask')", []);
    }
    ctx.page(&OPERATIONS, &scope, &query).await
}

/// `POST /operations`: `update-stored` gives the declared inputs to what a resume would run again;
/// any other action does nothing.
pub async fn bulk_action(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::Operations)?;
    let body = Body::of(ctx)?;
    let action = body.required_text("action")?;
    let Some(deployment_id) = body.filled_text("deployment_id")? else {
        return Ok(Response::empty(204));
    };
    if action != "update-stored" {
        return Ok(Response::empty(204));
    }
    let node_id = body.required_text("node_id")?;
    let operation = body.required_text("operation")?;
    let relationship = relationship(&body)?;
    ctx.db
        .transaction(async |tx| {
            let deployment = deployments::find(tx, &scope, deployment_id).await?;
            scope.demand_own_tenant(&deployment.id, &deployment.tenant_name)?;
            let declared = Declared {
                node_id,
                operation,
                relationship,
            };
            let declared = operations::declared_inputs(tx, &deployment, &declared).await?;
            operations::set_inputs(tx, &scope, &deployment, &declared)
                .await
                .map(drop)
        })
        .await?;
    Ok(Response::empty(204))
}

/// `GET /operations/{operation_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::Operations)?;
    let id = ctx.path("operation_id");
    ctx.show(&OPERATIONS, &scope, id, 200).await
}

/// `PUT /operations/{operation_id}`: adds one to a graph.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::Operations)?;
    ctx.include(&OPERATIONS)?;
    let id = ctx.path("operation_id");
    ids::check_characters("operation_id", id)?;
    let body = Body::of(ctx)?;
    let graph_id = body.required_text("graph_id")?;
    let operation = new_operation(id, &body, Timestamp::now())?;
    ctx.db
        .transaction(async |tx| {
            let graph = tasks_graphs::find(tx, &scope, graph_id).await?;
            let execution = executions::find(tx, &scope, &graph.execution_id).await?;
            scope.demand_own_tenant(&execution.id, &execution.tenant_name)?;
            operations::create(tx, &scope, &execution, &graph, &operation).await
        })
        .await?;
    ctx.show(&OPERATIONS, &scope, id, 201).await
}

/// `PATCH /operations/{operation_id}`: moves one to a state. When its own execution does so,
/// what the operation stands for happens.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow_or_execution(ctx, Permission::Operations)?;
    ctx.include(&OPERATIONS)?;
    let id = ctx.path("operation_id");
    let body = Body::of(ctx)?;
    let outcome = Outcome::of(&body)?;
    ctx.db
        .transaction(async |tx| {
            let operation = operations::find(tx, &scope, id).await?;
            demand_own(ctx, &operation.execution_id, Permission::Operations)?;
            let execution = executions::find(tx, &scope, &operation.execution_id).await?;
            scope.demand_own_tenant(&execution.id, &execution.tenant_name)?;
            if speaks_for(ctx, &execution.id) {
                operations::report(tx, &operation, &outcome.reported).await?;
                return effects::apply(tx, &execution, &operation, &outcome).await;
            }
            operations::set_state(tx, &scope, &operation, &outcome.reported).await
        })
        .await?;
    // The original answers an empty object; the operation is more than clients ask for.
    ctx.show(&OPERATIONS, &scope, id, 200).await
}

/// `DELETE /operations/{operation_id}`: forgets one.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::Operations)?;
    let id = ctx.path("operation_id");
    ctx.db
        .transaction(async |tx| {
            let operation = operations::find(tx, &scope, id).await?;
            let execution = executions::find(tx, &scope, &operation.execution_id).await?;
            scope.demand_own_tenant(&execution.id, &execution.tenant_name)?;
            operations::delete(tx, &scope, &operation).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// An operation as a body describes it.
pub fn new_operation(id: &str, body: &Body, created_at: Timestamp) -> Result<NewOperation> {
    Ok(NewOperation {
        id: id.to_owned(),
        name: body.required_text("name")?.to_owned(),
        dependencies: required_list(body, "dependencies")?,
        parameters: body
            .object("parameters")?
            .ok_or_else(|| Error::missing("parameters"))?
            .clone(),
        kind: body.required_text("type")?.to_owned(),
        state: body.filled_text("state")?.unwrap_or("pending").to_owned(),
        created_at,
    })
}

/// The relationship that an update of stored operations is about.
fn relationship(body: &Body) -> Result<Option<(usize, &str)>> {
    let Some(index) = body.get("rel_index") else {
        return Ok(None);
    };
    let place = index.as_u64().and_then(|place| usize::try_from(place).ok());
    let place = place.ok_or_else(|| Error::wrong_type("rel_index", "int", index))?;
    Ok(Some((place, body.required_text("key")?)))
}

fn required_list(body: &Body, name: &str) -> Result<Vec<Value>> {
    let list = body.list(name)?.ok_or_else(|| Error::missing(name))?;
    if let Some(whole) = body.get(name) {
        limits::check_bytes(name, whole)?;
    }
    Ok(list.clone())
}
