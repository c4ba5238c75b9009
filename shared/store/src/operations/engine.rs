//! Operations as the engine makes and runs them.
//!
//! A graph has thousands of them, so they come and go as JSON in few statements. Reading for a
//! step takes only what has not ended; what an operation's dependencies lack is done.

use crate::executions::{Execution, Status};
use crate::json_text;
use crate::operations::OperationState;
use crate::pieces::{self, batches};
use crate::tasks_graphs::TasksGraph;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};

/// An operation that the engine makes.
#[derive(Debug, Serialize)]
pub struct EngineOperation<'a> {
    /// UUID version 4.
    pub id: &'a str,
    /// The name that events show.
    pub name: &'a str,
    /// Such as `RemoteWorkflowTask`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Where it stands already.
    pub state: OperationState,
    /// The subgraph that it is a member of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containing_subgraph: Option<&'a str>,
    /// The queue that workers lease it from; none for what the control plane runs itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<&'a str>,
    /// Which of the islands of its graph it is on: those of one that is new are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub island: Option<usize>,
    /// The ids of operations that have to end first.
    pub dependencies: Vec<&'a str>,
    /// In the shape that clients of the operations API know.
    pub parameters: Value,
}

/// Inserts operations of a graph, in their order.
pub async fn insert_all(
    tx: &impl Tx,
    execution: &Execution,
    graph: &TasksGraph,
    operations: &[EngineOperation<'_>],
    now: Timestamp,
) -> Result<()> {
    for batch in batches(operations) {
        tx.execute(
            "insert into operations (tasks_graph_key, tasks_graph_id, execution_key, tenant_name,
                 created_by, visibility, created_at, id, name, type, state, containing_subgraph,
                 queue, island, dependencies, parameters)
             select ?1, ?2, ?3, ?4, ?5, ?6, ?7, value ->> 'id', value ->> 'name',
                 value ->> 'type', value ->> 'state', value ->> 'containing_subgraph',
                 value ->> 'queue', value ->> 'island', value -> 'dependencies', value -> 'parameters'
             from json_each(?8)",
            params![
                graph.key,
                &graph.id,
                execution.key,
                &execution.tenant_name,
                &execution.created_by,
                execution.visibility,
                now,
                batch?,
            ],
        )
        .await?;
    }
    Ok(())
}

/// An operation that has not ended, as far as a step needs it.
#[derive(Debug, Deserialize)]
pub struct OpenOperation {
    /// Which one.
    pub id: String,
    /// The name that events show.
    pub name: String,
    /// Such as `RemoteWorkflowTask`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it stands.
    pub state: OperationState,
    /// The subgraph that it is a member of.
    pub containing_subgraph: Option<String>,
    /// The queue that workers lease it from.
    pub queue: Option<String>,
    /// The ids of operations that have to end first.
    pub dependencies: Vec<String>,
    /// For calls their parameters without inputs, see the engine; for subgraphs how they are tried
    /// again, if they are; for others `task_kwargs`.
    pub parameters: Value,
}

/// The operations of a graph that have not ended, in the order they were made.
pub async fn open_of_graph(db: &impl Db, graph: &TasksGraph) -> Result<Vec<OpenOperation>> {
    let sql = open_sql("", "");
    pieces::read(db, &sql, params![graph.key]).await
}

fn open_sql(by: &str, more: &str) -> String {
    format!(
        "select json_object('id', id, 'name', name, 'type', type, 'state', state,
             'containing_subgraph', containing_subgraph, 'queue', queue,
             'dependencies', json(dependencies), 'parameters', case type
                 when 'RemoteWorkflowTask' then {CALL}
                 when 'SubgraphTask' then {SUBGRAPH}
                 else parameters -> '$.task_kwargs' end) as item
         from operations {by} where tasks_graph_key = ?1 and state in {} {more} order by key",
        OperationState::sql_list(|state| !state.has_ended())
    )
}

/// The same of the islands that some operations are on, while a call runs on another one. Nothing where the
/// islands are not known, and where no other call runs.
pub async fn open_around(
    db: &impl Db,
    graph: &TasksGraph,
    ids: &[&str],
) -> Result<Option<Vec<OpenOperation>>> {
    let sql = "select json_array(min(island is not null), json_group_array(distinct island))
               from operations where id in (select value from json_each(?1))";
    let found: Option<(Option<i64>, Vec<Option<i64>>)> =
        db.first_json(sql, params![json_text(ids)?]).await?;
    let Some((Some(1), islands)) = found else {
        return Ok(None);
    };
    let islands = json_text(&islands)?;
    if db
        .first(RUNS_ELSEWHERE, params![graph.key, &islands])
        .await?
        .is_none()
    {
        return Ok(None);
    }
    let sql = open_sql(BY_ISLANDS, OF_ISLANDS);
    pieces::read(db, &sql, params![graph.key, &islands])
        .await
        .map(Some)
}

/// Calls that are under way on other islands.
const RUNS_ELSEWHERE: &str = "select 1 from operations where tasks_graph_key = ?1
    and island is not null and state not in ('succeeded', 'failed')
    and island not in (select value from json_each(?2))
    and type = 'RemoteWorkflowTask' and state in ('sent', 'started') limit 1";

/// The order of keys would tempt to read all of the graph.
const BY_ISLANDS: &str = "indexed by operations_of_islands";

/// Said so that this index serves.
const OF_ISLANDS: &str = "and state not in ('succeeded', 'failed')
    and island in (select value from json_each(?2))";

/// Forgets the islands of a graph: something new may tie them together.
pub async fn forget_islands(tx: &impl Tx, graph: &TasksGraph) -> Result<()> {
    let sql = "update operations set island = null where tasks_graph_key = ?1";
    tx.execute(sql, params![graph.key]).await
}

/// What the engine needs of a call besides its inputs.
const CALL: &str = "json_object(
    'current_retries', parameters -> '$.current_retries',
    'total_retries', parameters -> '$.total_retries',
    'retry_interval', parameters -> '$.retry_interval',
    'ignore_failure', parameters -> '$.ignore_failure',
    'on_success', parameters -> '$.on_success.path',
    'pause', parameters -> '$.pause',
    'given_up', parameters -> '$.given_up',
    'sent_before', parameters -> '$.sent_before',
    'operation', parameters -> '$.task_kwargs.kwargs.__cloudify_context.operation.name',
    'node_id', parameters -> '$.task_kwargs.kwargs.__cloudify_context.node_id',
    'node_name', parameters -> '$.task_kwargs.kwargs.__cloudify_context.node_name',
    'related', parameters -> '$.task_kwargs.kwargs.__cloudify_context.related',
    'plugin', parameters -> '$.task_kwargs.kwargs.__cloudify_context.plugin.name',
    'timeout', parameters -> '$.task_kwargs.kwargs.__cloudify_context.timeout',
    'timeout_recoverable',
        parameters -> '$.task_kwargs.kwargs.__cloudify_context.timeout_recoverable')";

/// What the engine needs of a subgraph that is tried again when it fails.
const SUBGRAPH: &str = "case when parameters ->> '$.on_failure' is null then null
    else json_object(
        'current_retries', parameters -> '$.current_retries',
        'total_retries', parameters -> '$.total_retries',
        'on_failure', parameters -> '$.on_failure') end";

/// What a step changed of an operation.
#[derive(Debug, Serialize)]
pub struct OperationChange<'a> {
    /// Which one.
    pub id: &'a str,
    /// Its new state.
    pub state: OperationState,
    /// How often it was tried again by now; none leaves the number as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
    /// Why its last try failed; none leaves it as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
}

/// Writes what a step changed.
pub async fn update_all(
    tx: &impl Tx,
    changes: &[OperationChange<'_>],
    now: Timestamp,
) -> Result<()> {
    for batch in batches(changes) {
        tx.execute(
            "update operations set state = change.value ->> 'state', updated_at = ?2,
                 parameters = case
                     when change.value ->> 'retries' is null and change.value ->> 'error' is null
                         then parameters
                     else json_set(parameters,
                         '$.current_retries', coalesce(change.value ->> 'retries',
                             parameters ->> '$.current_retries'),
                         '$.task_kwargs.kwargs.__cloudify_context.operation.retry_number',
                             coalesce(change.value ->> 'retries',
                                 parameters ->> '$.current_retries'),
                         '$.error', change.value ->> 'error') end
             from json_each(?1) as change where operations.id = change.value ->> 'id'",
            params![batch?, now],
        )
        .await?;
    }
    Ok(())
}

/// Remembers of operations that others have taken their place for good: a resume leaves them.
pub async fn give_up(tx: &impl Tx, ids: &[&str]) -> Result<()> {
    let sql = "update operations set parameters = json_set(parameters, '$.given_up', json('true'))
               where id in (select value from json_each(?1))";
    for batch in batches(ids) {
        tx.execute(sql, params![batch?]).await?;
    }
    Ok(())
}

/// The names of a graph's subgraphs that failed.
pub async fn failed_subgraphs(db: &impl Db, graph: &TasksGraph) -> Result<Vec<String>> {
    let sql = "select json_quote(name) as item from operations
               where tasks_graph_key = ?1 and type = 'SubgraphTask' and state = 'failed' order by key";
    pieces::read(db, sql, params![graph.key]).await
}

/// A call that is about to run, with all that is needed for it.
#[derive(Clone, Debug, Deserialize)]
pub struct DueCall {
    /// Which operation it is.
    pub id: String,
    /// The name that events show.
    pub name: String,
    /// Any text, because clients may write it; see [`OperationState::named`].
    pub state: String,
    /// The queue that workers lease it from; none for what the control plane runs itself.
    pub queue: Option<String>,
    /// The inputs, and how often it may be tried.
    pub parameters: Value,
    /// The execution it belongs to.
    pub execution_id: String,
    /// Where that execution stands.
    pub execution_status: Status,
    /// The deployment of its execution.
    pub deployment_key: Option<i64>,
}

/// Calls with their executions, for those who carry them out; absent ones are left out.
pub async fn find_due(db: &impl Db, scope: &Scope, ids: &[&str]) -> Result<Vec<DueCall>> {
    let sql = format!(
        "select json_object('id', o.id, 'name', o.name, 'state', o.state, 'queue', o.queue,
             'parameters', json(o.parameters), 'execution_id', e.id, 'execution_status', e.status,
             'deployment_key', e.deployment_key)
         from operations o join executions e on e.key = o.execution_key
         where {} and o.id in (select value from json_each(?4))",
        Scope::visible("o")
    );
    let ids = json_text(ids)?;
    let rows = db.query(&sql, &scope.with(&[ids.into()])).await?;
    rows.iter().map(|row| row.json(0)).collect()
}

/// Calls of workers that nobody has any more are not on their way, so a resume sends them again. Those
/// that were given up for others stay ended.
pub async fn take_back(tx: &impl Tx, ids: &[&str], now: Timestamp) -> Result<()> {
    let sql = "update operations set updated_at = ?2,
                   state = iif(coalesce(parameters ->> '$.given_up', 0), 'failed', 'pending')
               where queue is not null and id in (select value from json_each(?1))";
    for batch in batches(ids) {
        tx.execute(sql, params![batch?, now]).await?;
    }
    Ok(())
}

/// The id of the execution that an operation belongs to.
pub async fn execution_of(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<String>> {
    let sql = format!(
        "select e.id from operations o join executions e on e.key = o.execution_key
         where {} and o.id = ?4",
        Scope::visible("o")
    );
    db.first(&sql, &scope.with(&[id.into()]))
        .await?
        .map(|row| row.text(0).map(str::to_owned))
        .transpose()
}

/// Puts operations of a graph back to `pending`, for a resume: failed ones whose failure was not
/// passed over and that were not given up for others, and those that wait for another try; with
/// `also_running` those that were on their way too. Their tries begin again, and they keep a mark that
/// they were sent before, for as long as that is of this resume. Nobody waits any longer for what was given
/// up and is still on its way. Answers how many had ended before.
pub async fn reset(
    tx: &impl Tx,
    graph: &TasksGraph,
    also_running: bool,
    now: Timestamp,
) -> Result<i64> {
    let running = OperationState::sql_list(|state| also_running && state.is_with_a_worker());
    let condition = "tasks_graph_key = ?1 and coalesce(parameters ->> '$.ignore_failure', 0) = 0
         and coalesce(parameters ->> '$.given_up', 0) = 0";
    tx.execute(
        "update operations set parameters = json_remove(parameters, '$.sent_before')
         where tasks_graph_key = ?1 and state = 'pending' and parameters ->> '$.sent_before'",
        params![graph.key],
    )
    .await?;
    let given_up = tx
        .query(
            &format!(
                "update operations set state = 'failed', updated_at = ?2
                 where tasks_graph_key = ?1 and parameters ->> '$.given_up' and state in {running}
                 returning key"
            ),
            params![graph.key, now],
        )
        .await?;
    let ended = tx
        .first(
            &format!("select count(*) from operations where {condition} and state = 'failed'"),
            params![graph.key],
        )
        .await?
        .map_or(Ok(0), |row| row.integer(0))?;
    tx.execute(
        &format!(
            "update operations set state = 'pending', updated_at = ?2,
                 parameters = json_set(parameters, '$.current_retries', 0,
                     '$.sent_before', json('true'))
             where {condition} and (state in ('failed', 'rescheduled')
                 or type = 'RemoteWorkflowTask' and state in {running})"
        ),
        params![graph.key, now],
    )
    .await?;
    let given_up = i64::try_from(given_up.len()).unwrap_or(i64::MAX);
    Ok(ended - given_up)
}

/// What an operation has to wait for besides what it waits for already.
#[derive(Debug, Serialize)]
pub struct NewDependencies<'a> {
    /// Which operation waits.
    pub id: &'a str,
    /// The ids of those that it waits for.
    pub dependencies: Vec<&'a str>,
}

/// Adds dependencies to operations.
pub async fn add_dependencies(tx: &impl Tx, items: &[NewDependencies<'_>]) -> Result<()> {
    let sql = "update operations set dependencies = (
                   select json_group_array(value) from (
                       select value from json_each(operations.dependencies)
                       union all select value from json_each(item.value -> 'dependencies')))
               from json_each(?1) as item where operations.id = item.value ->> 'id'";
    for batch in batches(items) {
        tx.execute(sql, params![batch?]).await?;
    }
    Ok(())
}

/// A call that is on its way or waits for another try.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CallOnItsWay {
    /// Which operation it is.
    pub id: String,
    /// The queue that workers lease it from.
    pub queue: Option<String>,
}

/// The calls of a graph that are on their way or wait for another try.
pub async fn on_their_way(db: &impl Db, graph: &TasksGraph) -> Result<Vec<CallOnItsWay>> {
    use OperationState::{Rescheduled, Sending, Sent, Started};
    let states = [Sending, Sent, Started, Rescheduled];
    let sql = format!(
        "select json_object('id', id, 'queue', queue) from operations
         where tasks_graph_key = ?1 and type = 'RemoteWorkflowTask' and state in {}",
        OperationState::sql_list(|state| states.contains(&state))
    );
    let rows = db.query(&sql, params![graph.key]).await?;
    rows.iter().map(|row| row.json(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn islands_are_read_by_an_index_over_what_is_open_on_them() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            for sql in [RUNS_ELSEWHERE.to_owned(), open_sql(BY_ISLANDS, OF_ISLANDS)] {
                let plan = db.plan(&sql, params![7, "[1, 2]"]).await.unwrap();
                let plan = plan.join("\n");
                assert!(plan.contains("INDEX operations_of_islands"), "{plan}");
            }
        });
    }
}
