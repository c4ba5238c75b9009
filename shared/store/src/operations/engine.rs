//! Operations as the engine makes and runs them.
//!
//! A graph has thousands of them, so they come and go as JSON in few statements. Reading for a
//! step takes only what has not ended; what an operation's dependencies lack is done.

use crate::executions::Execution;
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp, params};

/// The states of operations that have not ended.
const OPEN: &str = "('pending', 'sending', 'sent', 'started', 'response-sent', 'rescheduled')";

/// Inserts operations of a graph. Each is a list: id, name, type, state, containing subgraph,
/// queue, dependencies, parameters.
pub async fn insert_all(
    db: &impl Db,
    execution: &Execution,
    (graph_key, graph_id): (i64, &str),
    operations: &[Value],
    now: Timestamp,
) -> Result<()> {
    // A statement's parameter stays below a few megabytes, whatever the size of the graph.
    for chunk in operations.chunks(4000) {
        db.execute(
            "insert into operations (tasks_graph_key, tasks_graph_id, execution_key, tenant_name,
                 created_by, visibility, created_at, id, name, type, state, containing_subgraph,
                 queue, dependencies, parameters)
             select ?1, ?2, ?3, ?4, ?5, ?6, ?7, value ->> 0, value ->> 1, value ->> 2,
                 value ->> 3, value ->> 4, value ->> 5, value -> 6, value -> 7
             from json_each(?8)",
            params![
                graph_key,
                graph_id,
                execution.key,
                &execution.tenant_name,
                &execution.created_by,
                &execution.visibility,
                now,
                &Value::from(chunk),
            ],
        )
        .await?;
    }
    Ok(())
}

/// The operations of a graph that have not ended, as a list of lists in the order they were
/// made: id, name, type, state, containing subgraph, queue, dependencies, then for calls
/// their parameters without inputs (see the engine) and for others `task_kwargs`.
pub async fn open_of_graph(db: &impl Db, graph_key: i64) -> Result<Vec<Value>> {
    let sql = format!(
        "select json_group_array(json_array(id, name, type, state, containing_subgraph, queue,
             json(dependencies), case type
                 when 'RemoteWorkflowTask' then {CALL}
                 when 'SubgraphTask' then null
                 else parameters -> '$.task_kwargs' end))
         from (select * from operations where tasks_graph_key = ?1 and state in {OPEN} order by key)"
    );
    Ok(db
        .first_json(&sql, params![graph_key])
        .await?
        .unwrap_or_default())
}

/// What the engine needs of a call besides its inputs.
const CALL: &str = "json_object(
    'current_retries', parameters -> '$.current_retries',
    'total_retries', parameters -> '$.total_retries',
    'retry_interval', parameters -> '$.retry_interval',
    'ignore_failure', parameters -> '$.ignore_failure',
    'operation', parameters -> '$.task_kwargs.kwargs.__cloudify_context.operation.name',
    'node_id', parameters -> '$.task_kwargs.kwargs.__cloudify_context.node_id',
    'node_name', parameters -> '$.task_kwargs.kwargs.__cloudify_context.node_name',
    'related', parameters -> '$.task_kwargs.kwargs.__cloudify_context.related',
    'plugin', parameters -> '$.task_kwargs.kwargs.__cloudify_context.plugin.name',
    'timeout', parameters -> '$.task_kwargs.kwargs.__cloudify_context.timeout',
    'timeout_recoverable',
        parameters -> '$.task_kwargs.kwargs.__cloudify_context.timeout_recoverable')";

/// Writes what a step changed. Each change is a list: id, state, tries so far (null: as before),
/// error (null: as before).
pub async fn update_all(db: &impl Db, changes: &[Value], now: Timestamp) -> Result<()> {
    for chunk in changes.chunks(4000) {
        db.execute(
            "update operations set state = change.value ->> 1, updated_at = ?2,
                 parameters = case
                     when change.value ->> 2 is null and change.value ->> 3 is null then parameters
                     else json_set(parameters,
                         '$.current_retries',
                             coalesce(change.value ->> 2, parameters ->> '$.current_retries'),
                         '$.task_kwargs.kwargs.__cloudify_context.operation.retry_number',
                             coalesce(change.value ->> 2, parameters ->> '$.current_retries'),
                         '$.error', change.value ->> 3) end
             from json_each(?1) as change where operations.id = change.value ->> 0",
            params![&Value::from(chunk), now],
        )
        .await?;
    }
    Ok(())
}

/// A call that is about to run, with all that is needed for it.
#[derive(Clone, Debug)]
pub struct DueCall {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: String,
    /// Its queue, for calls that workers carry out.
    pub queue: Option<String>,
    /// Its parameters.
    pub parameters: Value,
    /// Its execution's id.
    pub execution_id: String,
    /// Its execution's status.
    pub execution_status: String,
    /// The deployment of its execution.
    pub deployment_key: Option<i64>,
}

/// Calls with their executions, for those who carry them out; absent ones are left out.
pub async fn find_due(db: &impl Db, ids: &[&str]) -> Result<Vec<DueCall>> {
    let rows = db
        .query(
            "select o.id, o.name, o.state, o.queue, o.parameters, e.id, e.status, e.deployment_key
             from operations o join executions e on e.key = o.execution_key
             where o.id in (select value from json_each(?1))",
            params![&Value::from(ids)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(DueCall {
                id: row.text(0)?.to_owned(),
                name: row.text(1)?.to_owned(),
                state: row.text(2)?.to_owned(),
                queue: row.optional_text(3)?.map(str::to_owned),
                parameters: row.json(4)?,
                execution_id: row.text(5)?.to_owned(),
                execution_status: row.text(6)?.to_owned(),
                deployment_key: row.optional_integer(7)?,
            })
        })
        .collect()
}

/// The execution that an operation belongs to.
pub async fn execution_of(db: &impl Db, id: &str) -> Result<Option<String>> {
    let sql = "select e.id from operations o join executions e on e.key = o.execution_key
               where o.id = ?1";
    db.first(sql, params![id])
        .await?
        .map(|row| row.text(0).map(str::to_owned))
        .transpose()
}

/// Puts operations of an execution's graphs back to `pending`, for a resume: failed ones whose
/// failure was not passed over and those that wait for another try; with `also_running` those
/// that were on their way too. Their tries begin again. Answers how many had ended before.
pub async fn reset(
    db: &impl Db,
    graph_key: i64,
    also_running: bool,
    now: Timestamp,
) -> Result<i64> {
    let running = if also_running {
        ", 'sending', 'sent', 'started', 'response-sent'"
    } else {
        ""
    };
    let condition = "tasks_graph_key = ?1 and coalesce(parameters ->> '$.ignore_failure', 0) = 0";
    let ended = db
        .first(
            &format!("select count(*) from operations where {condition} and state = 'failed'"),
            params![graph_key],
        )
        .await?
        .map_or(Ok(0), |row| row.integer(0))?;
    db.execute(
        &format!(
            "update operations set state = 'pending', updated_at = ?2,
                 parameters = json_set(parameters, '$.current_retries', 0)
             where {condition} and (state in ('failed', 'rescheduled')
                 or type = 'RemoteWorkflowTask' and state in ('' {running}))"
        ),
        params![graph_key, now],
    )
    .await?;
    Ok(ended)
}

/// Adds dependencies to operations. Each item is a list: id, list of ids.
pub async fn add_dependencies(db: &impl Db, items: &[Value]) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    db.execute(
        "update operations set dependencies = (
             select json_group_array(value) from (
                 select value from json_each(operations.dependencies)
                 union all select value from json_each(item.value -> 1)))
         from json_each(?1) as item where operations.id = item.value ->> 0",
        params![&Value::from(items)],
    )
    .await
}

/// The calls of a graph that are on their way or wait for another try: id and queue.
pub async fn on_their_way(db: &impl Db, graph_key: i64) -> Result<Vec<(String, Option<String>)>> {
    let rows = db
        .query(
            "select id, queue from operations where tasks_graph_key = ?1
             and type = 'RemoteWorkflowTask' and state in ('sending', 'sent', 'started', 'rescheduled')",
            params![graph_key],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.text(0)?.to_owned(),
                row.optional_text(1)?.map(str::to_owned),
            ))
        })
        .collect()
}
