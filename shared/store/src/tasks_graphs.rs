//! Tasks graphs: the operations of an execution, or of one part of it.

mod client;
mod list;

pub(crate) use client::taken;
pub use client::{ClientGraph, find_graph, insert_graph};
pub use list::TASKS_GRAPHS;

use windlass_core::db::Db;
use windlass_core::{Error, Result, Timestamp, params};

use crate::executions::Execution;

/// A graph's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TasksGraph {
    /// The order of creation.
    pub key: i64,
    /// UUID version 4.
    pub id: String,
    /// What it does.
    pub name: String,
    /// JSON of the engine's own: which part of the workflow it is, what failed in it.
    pub state: String,
}

/// Inserts a graph of an execution and answers its key.
pub async fn insert(
    db: &impl Db,
    execution: &Execution,
    graph: &TasksGraph,
    now: Timestamp,
) -> Result<i64> {
    let row = db
        .first(
            "insert into tasks_graphs (id, execution_key, execution_id, name, tenant_name,
                 created_by, visibility, created_at, state)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) returning key",
            params![
                &graph.id,
                execution.key,
                &execution.id,
                &graph.name,
                &execution.tenant_name,
                &execution.created_by,
                &execution.visibility,
                now,
                &graph.state,
            ],
        )
        .await?;
    row.ok_or_else(|| Error::internal("an insert answered no key"))?
        .integer(0)
}

/// The newest graph that the engine made for an execution: the one that runs, or ran last. Graphs
/// that clients keep beside it have no state.
pub async fn find_current(db: &impl Db, execution_key: i64) -> Result<Option<TasksGraph>> {
    let row = db
        .first(
            "select key, id, name, state from tasks_graphs
             where execution_key = ?1 and state <> '{}' order by key desc limit 1",
            params![execution_key],
        )
        .await?;
    row.map(|row| {
        Ok(TasksGraph {
            key: row.integer(0)?,
            id: row.text(1)?.to_owned(),
            name: row.text(2)?.to_owned(),
            state: row.text(3)?.to_owned(),
        })
    })
    .transpose()
}

/// Writes the engine's JSON.
pub async fn save_state(db: &impl Db, key: i64, state: &str) -> Result<()> {
    db.execute(
        "update tasks_graphs set state = ?2 where key = ?1",
        params![key, state],
    )
    .await
}
