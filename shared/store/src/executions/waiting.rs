//! Which executions are in the way of which, and who may start next.

use windlass_core::db::Db;
use windlass_core::{Result, params};

use super::Status;
use super::row::{Execution, ROW};

/// Whether a system workflow that all others wait for is active or queued.
pub async fn system_is_busy(db: &impl Db) -> Result<bool> {
    let sql = format!(
        "select 1 from executions where is_system_workflow = 1 and status in {} limit 1",
        Status::sql_list(Status::is_in_progress)
    );
    Ok(db.first(&sql, &[]).await?.is_some())
}

/// How many executions are active.
pub async fn count_active(db: &impl Db) -> Result<i64> {
    let sql = format!(
        "select count(*) from executions where status in {}",
        Status::sql_list(Status::is_active)
    );
    db.first(&sql, &[])
        .await?
        .map_or(Ok(0), |row| row.integer(0))
}

/// The ids of the executions that an execution has to wait for: those of its deployment that are
/// active, or were queued before it. One that was not inserted yet comes after all others.
pub async fn in_the_way(db: &impl Db, execution: &Execution) -> Result<Vec<String>> {
    let Some(deployment) = execution.deployment_key else {
        return Ok(Vec::new());
    };
    let before = match execution.key {
        0 => i64::MAX,
        key => key,
    };
    let sql = format!(
        "select id from executions where deployment_key = ?1 and key <> ?2
         and (status in {} or status = 'queued' and key < ?2) order by key",
        Status::sql_list(Status::is_active)
    );
    let rows = db.query(&sql, params![deployment, before]).await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// The queued executions that may start now, oldest first, at most `limit`: one of each
/// deployment, none of a deployment that has an active one; the making of a deployment's
/// environment before everything else. With `only_system`, system workflows alone.
pub async fn startable(db: &impl Db, limit: i64, only_system: bool) -> Result<Vec<Execution>> {
    let sql = format!(
        "select {ROW} from executions as candidate
         where status = 'queued' and is_system_workflow = ?2
           and not exists (
               select 1 from executions as other
               where other.deployment_key = candidate.deployment_key
                 and other.key <> candidate.key
                 and (other.status in {}
                      or other.status = 'queued' and other.key < candidate.key))
         order by workflow_id <> 'create_deployment_environment', key limit ?1",
        Status::sql_list(Status::is_active)
    );
    let rows = db.query(&sql, params![limit, only_system]).await?;
    rows.iter().map(|row| row.json(0)).collect()
}
