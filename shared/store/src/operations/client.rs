//! Operations that clients make and change themselves: workflows that run outside keep their books
//! here. The numbers of operations of the execution follow every change.

use crate::executions::Execution;
use crate::tasks_graphs::ClientGraph;
use serde::Serialize;
use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Timestamp, params};

/// The states in which an operation has ended.
const TERMINATED: [&str; 3] = ["rescheduled", "succeeded", "failed"];

/// The type of operations that do nothing, which no progress counts.
const NOTHING: &str = "NOPLocalWorkflowTask";

/// An operation that the caller can see.
#[derive(Clone, Debug)]
pub struct ClientOperation {
    /// The order of creation.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// The name that events show.
    pub name: String,
    /// Such as `RemoteWorkflowTask`.
    pub kind: String,
    /// Any text; [`Self::has_terminated`] knows those that mean an end.
    pub state: String,
    /// What a workflow needs to make the operation again.
    pub parameters: Map<String, Value>,
    /// The execution it belongs to.
    pub execution_id: String,
}

impl ClientOperation {
    /// Whether progress counts it.
    pub fn counts(&self) -> bool {
        self.kind != NOTHING
    }

    /// Whether it has ended.
    pub fn has_terminated(&self) -> bool {
        TERMINATED.contains(&self.state.as_str())
    }
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
        "select key, id, name, type, state, parameters,
             (select e.id from executions e where e.key = operations.execution_key)
         from operations where {} and id = ?4",
        Scope::VISIBLE
    );
    let row = db.first(&sql, &scope.with(&[id.into()])).await?;
    let row = row.ok_or_else(|| Error::not_found("Operation", id))?;
    Ok(ClientOperation {
        key: row.integer(0)?,
        id: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        kind: row.text(3)?.to_owned(),
        state: row.text(4)?.to_owned(),
        parameters: row.json(5)?,
        execution_id: row.text(6)?.to_owned(),
    })
}

/// Inserts operations into a graph of an execution, in their order, and counts them.
///
/// # Errors
/// 409 when an id is taken.
pub async fn insert(
    db: &impl Db,
    execution: &Execution,
    graph: &ClientGraph,
    operations: &[NewOperation],
) -> Result<()> {
    let json = serde_json::to_string(operations).map_err(Error::internal)?;
    let inserted = db
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
                &execution.visibility,
                json
            ],
        )
        .await;
    let ids: Vec<&str> = operations
        .iter()
        .map(|operation| operation.id.as_str())
        .collect();
    inserted.map_err(|error| crate::tasks_graphs::taken(error, "operation", &ids.join(", ")))?;
    let counted = operations
        .iter()
        .filter(|operation| operation.kind != NOTHING);
    let (mut total, mut finished) = (0, 0);
    for operation in counted {
        total += 1;
        finished += i64::from(TERMINATED.contains(&operation.state.as_str()));
    }
    count(db, &execution.id, total, finished).await
}

/// Moves an operation to a state and notes who ran it; progress follows when that ends it.
pub async fn set_state(
    db: &impl Db,
    operation: &ClientOperation,
    state: &str,
    manager_name: Option<&str>,
    agent_name: Option<&str>,
) -> Result<()> {
    db.execute(
        "update operations set state = ?2, manager_name = ?3, agent_name = ?4, updated_at = ?5
         where key = ?1",
        params![
            operation.key,
            state,
            manager_name,
            agent_name,
            Timestamp::now()
        ],
    )
    .await?;
    let ends = TERMINATED.contains(&state) && !operation.has_terminated();
    if ends && operation.counts() {
        count(db, &operation.execution_id, 0, 1).await?;
    }
    Ok(())
}

/// Deletes an operation; progress forgets it.
pub async fn delete(db: &impl Db, operation: &ClientOperation) -> Result<()> {
    db.execute(
        "delete from operations where key = ?1",
        params![operation.key],
    )
    .await?;
    if !operation.counts() {
        return Ok(());
    }
    count(
        db,
        &operation.execution_id,
        -1,
        -i64::from(operation.has_terminated()),
    )
    .await
}

async fn count(db: &impl Db, execution_id: &str, total: i64, finished: i64) -> Result<()> {
    if total == 0 && finished == 0 {
        return Ok(());
    }
    db.execute(
        "update executions set total_operations = total_operations + ?2,
             finished_operations = finished_operations + ?3 where id = ?1",
        params![execution_id, total, finished],
    )
    .await
}
