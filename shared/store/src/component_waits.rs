//! What operations of components wait for: the end of an execution of another deployment.
//!
//! Triggers queue the operation when that execution ends or is gone. One that fails with it keeps the row:
//! whoever resumes the operation's execution resumes that one.

use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, params};

use crate::executions::{Execution, Status};

/// What an operation waits for.
#[derive(Clone, Debug, Deserialize)]
pub struct ComponentWait {
    /// The execution's id.
    pub execution_id: String,
    /// For how long, in milliseconds since 1970.
    pub until: i64,
    /// Where that execution stands; none when it is gone.
    pub status: Option<Status>,
    /// Why it failed.
    pub error: Option<String>,
    /// The deployment it runs on.
    pub deployment_id: Option<String>,
}

impl ComponentWait {
    /// Whether the execution failed or was stopped, and can be resumed. An upload cannot.
    pub fn may_be_resumed(&self) -> bool {
        self.deployment_id.is_some()
            && matches!(self.status, Some(Status::Failed | Status::Cancelled))
    }
}

/// What an operation waits for, if it does.
pub async fn find(db: &impl Db, operation_id: &str) -> Result<Option<ComponentWait>> {
    let sql = "select json_object('execution_id', w.execution_id, 'until', w.until,
                   'status', e.status, 'error', e.error, 'deployment_id', e.deployment_id)
               from component_waits w left join executions e on e.id = w.execution_id
               where w.operation_id = ?1";
    db.first_json(sql, params![operation_id]).await
}

/// Lets an operation wait for an execution, instead of what it waited for before.
///
/// # Errors
/// Of the database.
pub async fn insert(
    tx: &impl Tx,
    operation_id: &str,
    execution_id: &str,
    until: Timestamp,
) -> Result<()> {
    let sql = "insert into component_waits (operation_id, execution_id, until) values (?1, ?2, ?3)
               on conflict (operation_id) do update set
                   execution_id = excluded.execution_id, until = excluded.until";
    let values = params![operation_id, execution_id, until.millis()];
    tx.execute(sql, values).await
}

/// Lets the operations of an execution wait until this moment at least.
pub async fn wait_again(tx: &impl Tx, execution: &Execution, until: Timestamp) -> Result<()> {
    let sql = "update component_waits set until = max(until, ?2)
               where operation_id in (select id from operations where execution_key = ?1)";
    tx.execute(sql, params![execution.key, until.millis()])
        .await
}

/// An operation does not wait any longer.
pub async fn delete(tx: &impl Tx, operation_id: &str) -> Result<()> {
    let sql = "delete from component_waits where operation_id = ?1";
    tx.execute(sql, params![operation_id]).await
}

/// The executions that an execution's operations wait for and that have not ended.
pub async fn waited_for(db: &impl Db, execution: &Execution) -> Result<Vec<String>> {
    let sql = format!(
        "select json_quote(e.id) from operations o
         cross join component_waits w on w.operation_id = o.id
         cross join executions e on e.id = w.execution_id
         where o.execution_key = ?1 and o.state = 'started' and e.status not in {}",
        Status::sql_list(Status::has_ended)
    );
    db.json_rows(&sql, params![execution.key]).await
}

/// The executions whose end failed an operation of this one: a resume of it means them.
pub async fn failed_below(db: &impl Db, execution: &Execution) -> Result<Vec<String>> {
    let sql = "select json_quote(e.id) from operations o
         cross join component_waits w on w.operation_id = o.id
         cross join executions e on e.id = w.execution_id
         where o.execution_key = ?1 and e.status in ('failed', 'cancelled')";
    db.json_rows(sql, params![execution.key]).await
}
