//! Operations that clients make and change themselves: workflows that run outside keep their books
//! here. The numbers of operations of the execution follow every change.

use crate::audit;
use crate::executions::Execution;
use crate::operations::OperationState;
use crate::pieces::batches;
use crate::tasks_graphs::{TasksGraph, taken};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};

/// The type of operations that do nothing, which no progress counts.
const NOTHING: &str = "NOPLocalWorkflowTask";

/// An operation that the caller can see.
#[derive(Clone, Debug, Deserialize)]
pub struct ClientOperation {
    /// The order of creation.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// The name that events show.
    pub name: String,
    /// Such as `RemoteWorkflowTask`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Any text; [`OperationState`] has the words that mean something.
    pub state: String,
    /// What a workflow needs to make the operation again.
    pub parameters: Map<String, Value>,
    /// The execution it belongs to.
    pub execution_id: String,
}

impl ClientOperation {
    /// Whether progress counts it.
    fn counts(&self) -> bool {
        self.kind != NOTHING
    }
}

/// Whether progress counts an operation in this state as ended.
fn is_over(state: &str) -> bool {
    OperationState::named(state).is_some_and(OperationState::ends_a_try)
}

/// An operation to be inserted.
#[derive(Clone, Debug, Serialize)]
pub struct NewOperation {
    /// The client chooses it.
    pub id: String,
    /// The name that events show.
    pub name: String,
    /// Such as `RemoteWorkflowTask`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The state to begin with.
    pub state: String,
    /// The ids of operations that have to end first.
    pub dependencies: Vec<Value>,
    /// What a workflow needs to make the operation again.
    pub parameters: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An operation that the caller can see.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<ClientOperation> {
    let sql = format!(
        "select json_object('key', key, 'id', id, 'name', name, 'type', type, 'state', state,
             'parameters', json(parameters), 'execution_id',
             (select e.id from executions e where e.key = operations.execution_key))
         from operations where {} and id = ?4",
        Scope::VISIBLE
    );
    db.first_json(&sql, &scope.with(&[id.into()]))
        .await?
        .ok_or_else(|| Error::not_found("Operation", id))
}

/// Adds an operation to a graph of an execution.
///
/// # Errors
/// 409 when the id is taken.
pub async fn create(
    tx: &impl Tx,
    scope: &Scope,
    execution: &Execution,
    graph: &TasksGraph,
    operation: &NewOperation,
) -> Result<()> {
    insert(tx, execution, graph, std::slice::from_ref(operation)).await?;
    audit::insert(tx, scope, "operations", "Operation", &operation.id).await
}

/// Inserts operations into a graph of an execution, in their order, and counts them.
///
/// # Errors
/// 409 when an id is taken.
pub(crate) async fn insert(
    tx: &impl Tx,
    execution: &Execution,
    graph: &TasksGraph,
    operations: &[NewOperation],
) -> Result<()> {
    let ids: Vec<&str> = operations
        .iter()
        .map(|operation| operation.id.as_str())
        .collect();
    for batch in batches(operations) {
        let inserted = tx
            .execute(
                "insert into operations (id, tasks_graph_key, tasks_graph_id, execution_key, name,
                 type, state, containing_subgraph, dependencies, parameters, tenant_name,
                 created_by, visibility, created_at)
             select o.value ->> 'id', ?1, ?2, ?3, o.value ->> 'name', o.value ->> 'type',
                 o.value ->> 'state', o.value ->> '$.parameters.containing_subgraph',
                 o.value -> 'dependencies', o.value -> 'parameters', ?4, ?5, ?6,
                 o.value ->> 'created_at'
             from json_each(?7) o",
                params![
                    graph.key,
                    &graph.id,
                    execution.key,
                    &execution.tenant_name,
                    &execution.created_by,
                    execution.visibility,
                    batch?
                ],
            )
            .await;
        inserted.map_err(|error| taken(error, "operation", &ids.join(", ")))?;
    }
    let (mut total, mut finished) = (0, 0);
    for operation in operations.iter().filter(|new| new.kind != NOTHING) {
        total += 1;
        finished += i64::from(is_over(&operation.state));
    }
    count(tx, &execution.id, total, finished).await
}

/// What somebody says about an operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateReport<'a> {
    /// Its new state.
    pub state: &'a str,
    /// The manager that ran it.
    pub manager_name: Option<&'a str>,
    /// The agent that ran it.
    pub agent_name: Option<&'a str>,
}

/// Moves an operation to the state that its own execution reports; progress follows when that ends
/// it. The execution's events tell of it, so it leaves no audit row.
pub async fn report(
    tx: &impl Tx,
    operation: &ClientOperation,
    report: &StateReport<'_>,
) -> Result<()> {
    tx.execute(
        "update operations set state = ?2, manager_name = ?3, agent_name = ?4, updated_at = ?5
         where key = ?1",
        params![
            operation.key,
            report.state,
            report.manager_name,
            report.agent_name,
            Timestamp::now()
        ],
    )
    .await?;
    let ends = is_over(report.state) && !is_over(&operation.state);
    if ends && operation.counts() {
        count(tx, &operation.execution_id, 0, 1).await?;
    }
    Ok(())
}

/// The same when somebody else moves it, such as an operator.
pub async fn set_state(
    tx: &impl Tx,
    scope: &Scope,
    operation: &ClientOperation,
    state: &StateReport<'_>,
) -> Result<()> {
    report(tx, operation, state).await?;
    audit::insert(tx, scope, "operations", "Operation", &operation.id).await
}

/// Deletes an operation; progress forgets it.
pub async fn delete(tx: &impl Tx, scope: &Scope, operation: &ClientOperation) -> Result<()> {
    tx.execute(
        "delete from operations where key = ?1",
        params![operation.key],
    )
    .await?;
    if operation.counts() {
        let finished = -i64::from(is_over(&operation.state));
        count(tx, &operation.execution_id, -1, finished).await?;
    }
    audit::insert(tx, scope, "operations", "Operation", &operation.id).await
}

async fn count(tx: &impl Tx, execution_id: &str, total: i64, finished: i64) -> Result<()> {
    if total == 0 && finished == 0 {
        return Ok(());
    }
    tx.execute(
        "update executions set total_operations = total_operations + ?2,
             finished_operations = finished_operations + ?3 where id = ?1",
        params![execution_id, total, finished],
    )
    .await
}
