//! Graphs that clients keep themselves, for workflows that run outside.

use crate::executions::Execution;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Timestamp, params};

/// A graph that the caller can see.
#[derive(Clone, Debug)]
pub struct ClientGraph {
    /// The order of creation.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// The execution it belongs to.
    pub execution_id: String,
}

/// A graph that the caller can see.
///
/// # Errors
/// 404 when there is none.
pub async fn find_graph(db: &impl Db, scope: &Scope, id: &str) -> Result<ClientGraph> {
    let sql = format!(
        "select key, id, execution_id from tasks_graphs where {} and id = ?4",
        Scope::VISIBLE
    );
    let row = db.first(&sql, &scope.with(&[id.into()])).await?;
    let row = row.ok_or_else(|| Error::not_found("TasksGraph", id))?;
    Ok(ClientGraph {
        key: row.integer(0)?,
        id: row.text(1)?.to_owned(),
        execution_id: row.text(2)?.to_owned(),
    })
}

/// Inserts a graph of an execution and answers it.
///
/// # Errors
/// 409 when the id is taken.
pub async fn insert_graph(
    db: &impl Db,
    execution: &Execution,
    id: &str,
    name: &str,
    created_at: Timestamp,
) -> Result<ClientGraph> {
    let inserted = db
        .first(
            "insert into tasks_graphs
                 (id, execution_key, execution_id, name, tenant_name, created_by, visibility, created_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) returning key",
            params![
                id,
                execution.key,
                &execution.id,
                name,
                &execution.tenant_name,
                &execution.created_by,
                &execution.visibility,
                created_at
            ],
        )
        .await;
    let row = inserted.map_err(|error| taken(error, "tasks graph", id))?;
    let row = row.ok_or_else(|| Error::internal("an insert answered no key"))?;
    Ok(ClientGraph {
        key: row.integer(0)?,
        id: id.to_owned(),
        execution_id: execution.id.clone(),
    })
}

/// 409 for an id that is taken, and every other error as it is.
pub(crate) fn taken(error: Error, what: &str, id: &str) -> Error {
    if error.is_unique_violation() {
        return Error::conflict(format!("The {what} with ID `{id}` already exists"));
    }
    error
}
