//! Tasks graphs: the operations of an execution, or of one part of it.

mod list;

pub use list::TASKS_GRAPHS;

use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};

use crate::audit;
use crate::executions::Execution;
use crate::operations::{self, NewOperation};

/// A graph's row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TasksGraph {
    /// The order of creation.
    pub key: i64,
    /// Mostly a UUID; clients that restore a graph bring the id it had.
    pub id: String,
    /// What it does.
    pub name: String,
    /// The execution it belongs to.
    pub execution_id: String,
    /// JSON of the engine's own: which part of the workflow it is, what failed in it. Graphs that
    /// clients keep have an empty object here.
    pub state: String,
}

/// A graph to be inserted.
#[derive(Clone, Debug)]
pub struct NewTasksGraph<'a> {
    /// New among all graphs.
    pub id: &'a str,
    /// What it does.
    pub name: &'a str,
    /// The engine's JSON, or [`CLIENTS`].
    pub state: &'a str,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The state of graphs that clients keep themselves.
pub const CLIENTS: &str = "{}";

/// The columns of a [`TasksGraph`] as a JSON object.
const ROW: &str = "json_object('key', key, 'id', id, 'name', name, 'execution_id', execution_id, \
     'state', state)";

/// A graph that the caller can see.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<TasksGraph> {
    let sql = format!(
        "select {ROW} from tasks_graphs where {} and id = ?4",
        Scope::VISIBLE
    );
    db.first_json(&sql, &scope.with(&[id.into()]))
        .await?
        .ok_or_else(|| Error::not_found("TasksGraph", id))
}

/// Adds a graph that a client keeps, with all its operations.
///
/// # Errors
/// 409 when an id is taken.
pub async fn create(
    tx: &impl Tx,
    scope: &Scope,
    execution: &Execution,
    graph: &NewTasksGraph<'_>,
    operations: &[NewOperation],
) -> Result<()> {
    let inserted = insert(tx, execution, graph).await?;
    operations::insert(tx, execution, &inserted, operations).await?;
    audit::insert(tx, scope, "operations", "TasksGraph", graph.id).await
}

/// Inserts a graph of an execution and answers its row. It belongs to whom the execution belongs to.
///
/// # Errors
/// 409 when the id is taken.
pub async fn insert(
    tx: &impl Tx,
    execution: &Execution,
    graph: &NewTasksGraph<'_>,
) -> Result<TasksGraph> {
    let inserted = tx
        .first(
            "insert into tasks_graphs (id, execution_key, execution_id, name, tenant_name,
                 created_by, visibility, created_at, state)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) returning key",
            params![
                graph.id,
                execution.key,
                &execution.id,
                graph.name,
                &execution.tenant_name,
                &execution.created_by,
                execution.visibility,
                graph.created_at,
                graph.state,
            ],
        )
        .await;
    let row = inserted.map_err(|error| taken(error, "tasks graph", graph.id))?;
    let row = row.ok_or_else(|| Error::internal("an insert answered no key"))?;
    Ok(TasksGraph {
        key: row.integer(0)?,
        id: graph.id.to_owned(),
        name: graph.name.to_owned(),
        execution_id: execution.id.clone(),
        state: graph.state.to_owned(),
    })
}

/// The newest graph that the engine made for an execution: the one that runs, or ran last.
pub async fn find_current(db: &impl Db, execution: &Execution) -> Result<Option<TasksGraph>> {
    let sql = format!(
        "select {ROW} from tasks_graphs
         where execution_key = ?1 and state <> '{CLIENTS}' order by key desc limit 1"
    );
    db.first_json(&sql, params![execution.key]).await
}

/// Writes the engine's JSON.
pub async fn save_state(tx: &impl Tx, graph: &TasksGraph, state: &str) -> Result<()> {
    tx.execute(
        "update tasks_graphs set state = ?2 where key = ?1",
        params![graph.key, state],
    )
    .await
}

/// Keeps what whoever runs a graph says of it: any text. It means nothing to the engine, which has
/// a state of its own.
pub async fn report_state(
    tx: &impl Tx,
    scope: &Scope,
    graph: &TasksGraph,
    state: &str,
) -> Result<()> {
    tx.execute(
        "update tasks_graphs set reported_state = ?2 where key = ?1",
        params![graph.key, state],
    )
    .await?;
    audit::insert(tx, scope, "operations", "TasksGraph", &graph.id).await
}

/// 409 for an id that is taken, and every other error as it is.
pub(crate) fn taken(error: Error, what: &str, id: &str) -> Error {
    if error.is_unique_violation() {
        return Error::conflict(format!("The {what} with ID `{id}` already exists"));
    }
    error
}
