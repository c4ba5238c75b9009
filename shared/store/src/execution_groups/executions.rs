//! The executions of a group: made, stopped and looked for many at a time.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};

use super::ExecutionGroup;
use crate::executions::Status;
use crate::pieces::{self, batches};
use crate::resource::TenantRow;

/// A member of a deployment group, and whether it has the workflow that is to run.
#[derive(Clone, Debug, Deserialize)]
pub struct Member {
    /// Its row.
    pub key: i64,
    /// Its id.
    pub id: String,
    /// Whether it has the workflow.
    pub has_workflow: Option<i64>,
    /// Whether its environment is still being made: what workflows it has shows later.
    pub is_being_made: i64,
}

/// The members of a deployment group that the caller may see, and whether they have a workflow. Deployments
/// of one blueprint name the same text, which is read once.
pub async fn with_workflow(
    db: &impl Db,
    scope: &Scope,
    deployment_group: i64,
    workflow: &str,
) -> Result<Vec<Member>> {
    let sql = format!(
        "with members as materialized (
             select d.key, d.id, d.workflow_parts ->> 0 as part from deployment_group_members m
             cross join deployments d on d.key = m.deployment_key
             where m.group_key = ?4 and {}),
         equipped as materialized (
             select p.key from (select distinct part from members) one
             cross join plan_parts p on p.key = one.part
             where exists (select 1 from json_each(p.text) w where w.value ->> 'name' = ?5))
         select json_object('key', m.key, 'id', m.id,
             'has_workflow', m.part in (select key from equipped),
             'is_being_made', m.part is null and exists (
                 select 1 from executions e where e.deployment_key = m.key
                     and e.workflow_id = 'create_deployment_environment' and e.status in {})) as item
         from members m order by m.key",
        Scope::own("d"),
        Status::sql_list(Status::is_in_progress)
    );
    let values = scope.with(params![deployment_group, workflow]);
    let mut members: Vec<Member> = pieces::read(db, &sql, &values).await?;
    members.sort_by_key(|member| member.key);
    Ok(members)
}

/// An execution that is to wait in a group.
#[derive(Clone, Debug, Serialize)]
pub struct NewExecution {
    /// Its id.
    pub id: String,
    /// The row of its deployment.
    pub deployment_key: i64,
    /// The parameters as they were given: defaults come when it begins.
    pub parameters: Map<String, Json>,
}

/// Stores executions that wait in a group.
pub async fn insert_waiting(
    tx: &impl Tx,
    scope: &Scope,
    group: &ExecutionGroup,
    (workflow, force): (&str, bool),
    executions: &[NewExecution],
) -> Result<()> {
    for batch in batches(executions) {
        tx.execute(
            "insert into executions (id, tenant_name, created_by, visibility, created_at,
                 deployment_key, deployment_id, blueprint_id, workflow_id, status, parameters,
                 force, execution_group_key)
             select value ->> 'id', d.tenant_name, ?2, d.visibility, ?3, d.key, d.id,
                 d.blueprint_id, ?4, 'queued', value -> 'parameters', ?5, ?6
             from json_each(?1) cross join deployments d on d.key = value ->> 'deployment_key'",
            params![
                batch?,
                scope.username(),
                Timestamp::now(),
                workflow,
                force,
                group.head().key
            ],
        )
        .await?;
    }
    let ids: Vec<&str> = executions.iter().map(|one| one.id.as_str()).collect();
    crate::audit::insert_each(tx, scope, "execution_start", "Execution", &ids).await
}

/// Puts executions that are there already into a group: one that is restored.
///
/// # Errors
/// 404 for those that the caller does not see in their tenant, 409 for those that are in another group.
pub async fn take_over(
    tx: &impl Tx,
    scope: &Scope,
    group: &ExecutionGroup,
    ids: &[String],
) -> Result<()> {
    for id in ids {
        let sql = format!(
            "update executions as e set execution_group_key = ?4
             where e.id = ?5 and e.execution_group_key is null and {} returning key",
            Scope::own("e")
        );
        let values = scope.with(params![group.head().key, id]);
        if tx.first(&sql, &values).await?.is_none() {
            let known = crate::executions::find(tx, scope, id).await?;
            let text = format!("The execution `{}` is in another group", known.id);
            return Err(Error::conflict(text));
        }
    }
    Ok(())
}

/// The ids of a group's executions that the caller sees and whose status is in a set, oldest first.
pub async fn ids_in(
    db: &impl Db,
    scope: &Scope,
    group: &ExecutionGroup,
    is_in: impl Fn(Status) -> bool,
) -> Result<Vec<String>> {
    let sql = format!(
        "select json_quote(id) as item from executions
         where execution_group_key = ?4 and status in {} and {} order by key",
        Status::sql_list(is_in),
        Scope::VISIBLE
    );
    pieces::read(db, &sql, &scope.with(&[group.head().key.into()])).await
}

/// Cancels those that have not begun and that the caller sees. Answers the rows of the deployments of which one was to make the
/// environment.
pub async fn cancel_waiting(
    tx: &impl Tx,
    scope: &Scope,
    group: &ExecutionGroup,
    now: Timestamp,
) -> Result<Vec<i64>> {
    let key = group.head().key;
    let waiting = format!(
        "execution_group_key = ?4 and status in ('queued', 'scheduled') and {}",
        Scope::VISIBLE
    );
    let told = format!(
        "insert into events (execution_key, list_key, is_log, timestamp, event_type, message)
         select e.key, iif(e.visibility = 'global', -1, (select id from tenants where name = e.tenant_name)),
             0, ?5, 'workflow_cancelled', '''' || e.workflow_id || ''' workflow execution cancelled'
         from executions e where {waiting}"
    );
    let values = params![key, now.millis()];
    tx.execute(&told, &scope.with(values)).await?;
    let cancelled = format!(
        "update executions set status = 'cancelled', ended_at = ?5 where {waiting}
         returning iif(workflow_id = 'create_deployment_environment', deployment_key, null)"
    );
    let values = params![key, now];
    let rows = tx.query(&cancelled, &scope.with(values)).await?;
    let mut unmade = Vec::new();
    for row in &rows {
        unmade.extend(row.optional_integer(0)?);
    }
    Ok(unmade)
}
