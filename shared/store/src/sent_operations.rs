//! Operations that workflows on workers send, the table `sent_operations`: sent once, whatever happens to the
//! workflow, and what came of each, in the order in which it came.

use crate::executions::Execution;
use crate::operations::{self, NewOperation, OperationState, StateReport};
use crate::tasks_graphs::{self, CLIENTS, NewTasksGraph, TasksGraph};
use serde::Deserialize;
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, ids, params};

#[cfg(test)]
mod tests;

/// The name of the graph of those operations that the workflow has not stored in one of its own.
pub const GRAPH: &str = "sent_operations";

/// How many results are told at once, and from how many characters on no more are told with them.
const AT_ONCE: usize = 100;
const ENOUGH: usize = 1 << 20;

/// Sends an operation to a queue, or to the control plane itself. Answers whether it was not sent before.
///
/// # Errors
/// 409 when another execution has an operation of this id.
pub async fn send(
    tx: &impl Tx,
    execution: &Execution,
    operation: &NewOperation,
    queue: Option<&str>,
) -> Result<bool> {
    let sql = "select execution_key from operations where id = ?1";
    match tx.first(sql, params![&operation.id]).await? {
        Some(row) if row.integer(0)? != execution.key => {
            let text = format!("The operation with ID `{}` already exists", operation.id);
            return Err(Error::conflict(text));
        }
        Some(_) => {}
        None => {
            let graph = graph(tx, execution, operation.created_at).await?;
            operations::insert(tx, execution, &graph, std::slice::from_ref(operation)).await?;
        }
    }
    let sql = "insert into sent_operations (operation_key, execution_key)
               select key, execution_key from operations where id = ?1
               on conflict (operation_key) do nothing returning key";
    if tx.first(sql, params![&operation.id]).await?.is_none() {
        return Ok(false);
    }
    let sql = "update operations set state = 'sent', queue = ?2, updated_at = ?3 where id = ?1";
    let values = params![&operation.id, queue, operation.created_at];
    tx.execute(sql, values).await?;
    Ok(true)
}

async fn graph(tx: &impl Tx, execution: &Execution, now: Timestamp) -> Result<TasksGraph> {
    let known = graphs(tx, execution).await?;
    if let Some(graph) = known.into_iter().find(|graph| graph.name == GRAPH) {
        return Ok(graph);
    }
    let new = NewTasksGraph {
        id: &ids::new_uuid(),
        name: GRAPH,
        state: CLIENTS,
        created_at: now,
    };
    tasks_graphs::insert(tx, execution, &new).await
}

async fn graphs(db: &impl Db, execution: &Execution) -> Result<Vec<TasksGraph>> {
    let sql = format!(
        "select json_object('key', key, 'id', id, 'name', name, 'execution_id', execution_id, 'state', state)
         from tasks_graphs where execution_key = ?1 and state = '{CLIENTS}' order by key"
    );
    db.json_rows(&sql, params![execution.key]).await
}

/// Keeps what came of an operation, once. Answers whether it counts: the first counts, of one that was sent. The
/// state of those in the workflow's own graphs is the workflow's to write.
pub async fn keep(
    tx: &impl Tx,
    operation_id: &str,
    (outcome, state): (&Value, OperationState),
) -> Result<bool> {
    let sql =
        "update sent_operations set outcome = ?2, number = (select coalesce(max(number), 0) + 1
                   from sent_operations s where s.execution_key = sent_operations.execution_key)
               where operation_key = (select key from operations where id = ?1) and outcome is null
               returning operation_key";
    let values = params![operation_id, outcome];
    let Some(row) = tx.first(sql, values).await? else {
        return Ok(false);
    };
    let key = row.integer(0)?;
    let sql = "delete from operation_leases where operation_key = ?1 and result_hash is null";
    tx.execute(sql, params![key]).await?;
    let sql = "select 1 from operations o cross join tasks_graphs g on g.key = o.tasks_graph_key
               where o.key = ?1 and g.name = ?2";
    if tx.first(sql, params![key, GRAPH]).await?.is_some() {
        let operation = operations::find(tx, &Scope::engine(), operation_id).await?;
        let report = StateReport {
            state: state.name(),
            ..StateReport::default()
        };
        operations::report(tx, &operation, &report).await?;
    }
    Ok(true)
}

/// What came of an operation.
#[derive(Clone, Debug, Deserialize)]
pub struct Ended {
    /// The operation.
    pub id: String,
    /// Its place among those of its execution that have ended.
    pub number: i64,
    /// What came of it.
    pub outcome: Value,
}

/// What came of operations of an execution after the first `after`, some at a time.
pub async fn ended(db: &impl Db, execution_key: i64, after: i64) -> Result<Vec<Ended>> {
    db.json_rows(ENDED, params![execution_key, after, AT_ONCE, ENOUGH])
        .await
}

const ENDED: &str = "select json_object('id', o.id, 'number', s.number, 'outcome', json(s.outcome))
    from (select *, sum(length(outcome)) over (order by number) as size from (
        select operation_key, number, outcome from sent_operations
        where execution_key = ?1 and number > ?2 order by number limit ?3)) s
    cross join operations o on o.key = s.operation_key
    where s.size - length(s.outcome) < ?4 order by s.number";

/// Puts operations of an execution that goes on back to be sent again: what failed, and with `also_running` what
/// was on its way.
pub async fn reset(
    tx: &impl Tx,
    execution: &Execution,
    also_running: bool,
    now: Timestamp,
) -> Result<i64> {
    let mut ended = 0;
    for graph in graphs(tx, execution).await? {
        ended += operations::reset(tx, &graph, also_running, now).await?;
    }
    let sql = "delete from sent_operations where execution_key = ?1
               and (select state from operations o where o.key = operation_key) = 'pending'";
    tx.execute(sql, params![execution.key]).await?;
    Ok(ended)
}

/// Nobody waits any longer for what is on its way; answers which operations that were. A resume sends them again.
pub async fn withdraw(tx: &impl Tx, execution: &Execution, now: Timestamp) -> Result<Vec<String>> {
    let sql = "update operations set state = 'pending', updated_at = ?2
               where key in (select operation_key from sent_operations
                   where execution_key = ?1 and outcome is null)
               returning json_quote(id)";
    let ids = tx.json_rows(sql, params![execution.key, now]).await?;
    for sql in [
        "delete from operation_leases where result_hash is null and operation_key in (
             select operation_key from sent_operations where execution_key = ?1 and outcome is null)",
        "delete from sent_operations where execution_key = ?1 and outcome is null",
    ] {
        tx.execute(sql, params![execution.key]).await?;
    }
    Ok(ids)
}
