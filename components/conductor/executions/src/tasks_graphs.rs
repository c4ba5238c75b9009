//! `/tasks_graphs`: what a workflow consists of, as whoever runs it keeps it.

use crate::operations::new_operation;
use windlass_core::Body;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Context, Error, Permission, Response, Result, Scope, Timestamp, ids};
use windlass_store::operations::NewOperation;
use windlass_store::tasks_graphs::{self, CLIENTS, NewTasksGraph, TASKS_GRAPHS};
use windlass_store::{executions, resource};

/// `GET /tasks_graphs`: the graphs of an execution.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::Operations)?;
    let mut query = ctx.list_query(&TASKS_GRAPHS, &["execution_id"])?;
    let id = ctx
        .request
        .query_value("execution_id")
        .filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Error::bad_parameters("Missing required param: execution_id"))?;
    let execution = executions::find(&ctx.db, &scope, id).await?;
    query.and("t.execution_key = {}", [execution.key.into()]);
    ctx.page(&TASKS_GRAPHS, &scope, &query).await
}

/// `POST /tasks_graphs`, and `POST /tasks_graphs/tasks_graphs`, which is where the Python client
/// posts to: adds a graph with all its operations.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::Operations)?;
    ctx.include(&TASKS_GRAPHS)?;
    let body = Body::of(ctx)?;
    let name = body.required_text("name")?;
    let execution_id = body.required_text("execution_id")?;
    let operations = body.list("operations")?;
    let id = restored_id(&scope, &body)?;
    let created_at = resource::created_at(&scope, &body)?.unwrap_or_else(Timestamp::now);
    let operations = operations
        .into_iter()
        .flatten()
        .map(|item| listed_operation(&Body::inner(item, "operations")?, created_at))
        .collect::<Result<Vec<NewOperation>>>()?;
    ctx.db
        .transaction(async |tx| {
            let execution = executions::find(tx, &scope, execution_id).await?;
            scope.demand_own_tenant(&execution.id, &execution.tenant_name)?;
            let graph = NewTasksGraph {
                id: &id,
                name,
                state: CLIENTS,
                created_at,
            };
            tasks_graphs::create(tx, &scope, &execution, &graph, &operations).await
        })
        .await?;
    ctx.show(&TASKS_GRAPHS, &scope, &id, 201).await
}

/// `PATCH /tasks_graphs/{tasks_graph_id}`: keeps the state that is reported, any text. The original
/// accepts it and forgets it.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::Operations)?;
    let id = ctx.path("tasks_graph_id");
    let body = Body::of(ctx)?;
    let state = body.required_text("state")?;
    ctx.include(&TASKS_GRAPHS)?;
    ctx.db
        .transaction(async |tx| {
            let graph = tasks_graphs::find(tx, &scope, id).await?;
            let execution = executions::find(tx, &scope, &graph.execution_id).await?;
            scope.demand_own_tenant(&execution.id, &execution.tenant_name)?;
            tasks_graphs::report_state(tx, &scope, &graph, state).await
        })
        .await?;
    ctx.show(&TASKS_GRAPHS, &scope, id, 200).await
}

/// The id of a graph, which only a restored one brings along.
fn restored_id(scope: &Scope, body: &Body) -> Result<String> {
    let Some(id) = body.filled_text("graph_id")? else {
        return Ok(ids::new_uuid());
    };
    scope.demand(Permission::SetExecutionDetails)?;
    ids::check_characters("graph_id", id)?;
    Ok(id.to_owned())
}

/// One of the operations that come with a graph.
fn listed_operation(item: &Body, of_graph: Timestamp) -> Result<NewOperation> {
    let id = item.required_text("id")?;
    ids::check_characters("id", id)?;
    let created_at = match item.filled_text("created_at")? {
        Some(time) => Timestamp::parse("created_at", time)?,
        None => of_graph,
    };
    new_operation(id, item, created_at)
}
