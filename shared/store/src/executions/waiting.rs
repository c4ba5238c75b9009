//! Which executions are in the way of which, and who may start next.

use windlass_core::db::Db;
use windlass_core::{Result, params};

use super::Status;
use super::row::{Execution, ROW};

/// Whether a system workflow that all others wait for is active or queued. Making a snapshot is none, unless
/// it was asked to be alone: it looks at one moment. Nor is an update of plugins, which waits for others.
pub async fn system_is_busy(db: &impl Db) -> Result<bool> {
    let sql = format!(
        "select 1 from executions where is_system_workflow = 1 and status in {}
             and workflow_id <> 'update_plugin'
             and (workflow_id <> 'create_snapshot' or parameters ->> 'legacy') limit 1",
        Status::sql_list(Status::is_in_progress)
    );
    Ok(db.first(&sql, &[]).await?.is_some())
}

/// How many executions are active, without those that only wait for others.
pub async fn count_active(db: &impl Db) -> Result<i64> {
    let sql = format!(
        "select count(*) from executions where status in {} and workflow_id <> 'update_plugin'",
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

/// The id of the execution of a workflow that is under way on a deployment, or waits to begin.
pub async fn in_progress(db: &impl Db, deployment: i64, workflow: &str) -> Result<Option<String>> {
    let sql = format!(
        "select json_quote(id) from executions
         where deployment_key = ?1 and status in {} and workflow_id = ?2 order by key limit 1",
        Status::sql_list(Status::is_in_progress)
    );
    db.first_json(&sql, params![deployment, workflow]).await
}

/// The execution that was the last to begin on a deployment.
pub async fn latest(db: &impl Db, deployment: i64) -> Result<Option<Execution>> {
    let sql = format!(
        "select {ROW} from executions
         where id = (select latest_execution from deployments where key = ?1)"
    );
    db.first_json(&sql, params![deployment]).await
}

/// The oldest queued system workflow.
pub async fn next_system(db: &impl Db) -> Result<Option<Execution>> {
    let sql = format!(
        "select {ROW} from executions where status = 'queued' and execution_group_key is null
             and is_system_workflow = 1 order by key limit 1"
    );
    db.first_json(&sql, &[]).await
}

/// The queued execution that may start next: the oldest, of a deployment that has no active one; the making
/// of a deployment's environment before everything else. Of a group only as many run as it may have, and of
/// a tenant as many as `most`.
pub async fn next_startable(db: &impl Db, most: i64) -> Result<Option<Execution>> {
    db.first_json(&next_startable_sql(), params![most]).await
}

/// Tenants that have enough (updates of plugins only wait, so they do not count), and groups whose executions may not begin, are passed over as a whole, however
/// many wait in them. Force in a group begins beside what runs, but never on a deployment that is still
/// being made.
pub(crate) fn next_startable_sql() -> String {
    let active = Status::sql_list(Status::is_active);
    let is_free = format!(
        "not exists (
             select 1 from executions as other where other.deployment_key = c.deployment_key and other.key <> c.key
                 and (other.status in {active} or other.status = 'queued' and other.key < c.key)
                 and (c.force = 0 or c.execution_group_key is null
                     or other.workflow_id = 'create_deployment_environment'))"
    );
    let is_later = "c.workflow_id <> 'create_deployment_environment'";
    let alone = "status = 'queued' and execution_group_key is null and is_system_workflow = 0";
    format!(
        "with recursive
         satisfied (name) as materialized (
             select tenant_name from executions indexed by executions_running
             where status in {active} and workflow_id <> 'update_plugin'
             group by tenant_name having count(*) >= ?1),
         waiting (name) as (
             select (select min(tenant_name) from executions where {alone})
             union all
             select (select min(tenant_name) from executions
                 where {alone} and tenant_name > waiting.name)
             from waiting where name is not null)
         select {ROW} from executions where key = (select key from (
             select c.key, {is_later} as is_later from waiting w
             cross join executions c on c.key = (
                 select c.key from executions c
                 where c.status = 'queued' and c.execution_group_key is null
                     and c.is_system_workflow = 0 and c.tenant_name = w.name and {is_free}
                 order by {is_later}, c.key limit 1)
             where w.name is not null and w.name not in (select name from satisfied)
             union all
             select c.key, {is_later} from execution_groups g
             cross join executions c on c.key = (
                 select c.key from executions c
                 where c.execution_group_key = g.key and c.status = 'queued'
                     and c.execution_group_key is not null and {is_free}
                 order by c.key limit 1)
             where g.waiting > 0 and g.running < g.concurrency
                 and g.tenant_name not in (select name from satisfied))
         order by is_later, key limit 1)"
    )
}
