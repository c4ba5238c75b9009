//! Execution groups: runs of one workflow on many deployments, so many at a time.
//!
//! The executions know their group. How many of them stand where is kept in the group's row by triggers,
//! so its status and whether one more may begin cost nothing to know.

mod events;
mod executions;
mod targets;

pub use events::{GroupEvent, list_events, note};
pub use executions::{
    NewExecution, cancel_waiting, ids_in, insert_waiting, take_over, with_workflow,
};
pub use targets::{ended_deployments, targets_of};

use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::list::{COMMON, Field, ListQuery, Resource, concat};
use windlass_core::{Permission, Result, Scope, params};

use crate::counts;
use crate::resource::fields::CREATED_AT;
use crate::resource::{self, Head, New, TenantRow};

/// Where a group stands, from the numbers in its row.
const STATUS: &str = "case when t.executions = 0 then null
     when t.pending = t.executions then 'pending'
     when t.waiting + t.pending = t.executions then 'queued'
     when t.ended < t.executions then 'started'
     when t.failed > 0 then 'failed' else 'terminated' end";

static FIELDS: [Field; 12] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("workflow_id", "t.workflow_id"),
        Field::text(
            "deployment_group_id",
            "(select g.id from deployment_groups g where g.key = t.deployment_group_key)",
        ),
        Field::integer("concurrency", "t.concurrency"),
        // Private ones are for those who may see them.
        Field::json(
            "execution_ids",
            "(select json_group_array(id) from (select e.id from executions e
                 where e.execution_group_key = t.key
                     and (e.visibility <> 'private' or e.created_by = ?2 or ?3)
                     and (t.visibility <> 'global' or e.visibility = 'global' or e.tenant_name = ?1 or ?1 = '*')
                 order by e.key))",
        ),
        Field::text("status", STATUS),
        CREATED_AT,
    ],
    &COMMON,
);

/// Groups as the API shows them.
pub static EXECUTION_GROUPS: Resource = Resource {
    name: "ExecutionGroup",
    table: "execution_groups t",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
    counts: &[&counts::EXECUTION_GROUPS],
};

/// A group's row.
#[derive(Clone, Debug, Deserialize)]
pub struct ExecutionGroup(Head);

impl TenantRow for ExecutionGroup {
    const RESOURCE: &'static Resource = &EXECUTION_GROUPS;

    fn head(&self) -> &Head {
        &self.0
    }
}

/// What a new group is besides its id and who made it.
#[derive(Clone, Copy, Debug)]
pub struct NewGroup<'a> {
    /// The workflow that runs.
    pub workflow_id: &'a str,
    /// The row of the group whose members it runs on.
    pub deployment_group: i64,
    /// How many run at a time.
    pub concurrency: i64,
}

/// Stores a new group without executions.
///
/// # Errors
/// 409 for an id in use.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    group: NewGroup<'_>,
) -> Result<ExecutionGroup> {
    let columns = [
        ("workflow_id", group.workflow_id.into()),
        ("deployment_group_key", group.deployment_group.into()),
        ("concurrency", group.concurrency.into()),
    ];
    let action = Permission::ExecutionGroupCreate;
    resource::insert::<ExecutionGroup>(tx, scope, new, &columns, action).await?;
    resource::find_own(tx, scope, &new.id).await
}

/// Sets how many executions of a group run at a time.
pub async fn set_concurrency(
    tx: &impl Tx,
    scope: &Scope,
    group: &ExecutionGroup,
    concurrency: i64,
) -> Result<()> {
    let columns = [("concurrency", concurrency.into())];
    let action = Permission::ExecutionGroupUpdate;
    resource::save(tx, scope, group, None, &columns, action).await
}

/// Sets where the deployments go whose executions succeed, or fail.
pub async fn set_targets(
    tx: &impl Tx,
    scope: &Scope,
    group: &ExecutionGroup,
    (success, failure): (Option<i64>, Option<i64>),
) -> Result<()> {
    let mut columns = Vec::new();
    if let Some(key) = success {
        columns.push(("success_group_key", key.into()));
    }
    if let Some(key) = failure {
        columns.push(("failure_group_key", key.into()));
    }
    let action = Permission::ExecutionGroupUpdate;
    resource::save(tx, scope, group, None, &columns, action).await
}

/// Keeps only the groups of a deployment group in a list.
pub fn only_of_deployment_group(query: &mut ListQuery, id: &str) {
    query.and(
        "t.deployment_group_key in (select g.key from deployment_groups g where g.id = {})",
        [id.into()],
    );
}

/// Keeps only the executions of a group in a list of executions.
///
/// # Errors
/// 404 for a group that the caller does not see.
pub async fn only_executions_of(
    db: &impl Db,
    scope: &Scope,
    query: &mut ListQuery,
    id: &str,
) -> Result<()> {
    let group: ExecutionGroup = resource::find(db, scope, id).await?;
    query.and("t.execution_group_key = {}", [group.0.key.into()]);
    Ok(())
}

/// How many executions of a group run, and how many may.
pub async fn running(db: &impl Db, group: &ExecutionGroup) -> Result<(i64, i64)> {
    let sql = "select running, concurrency from execution_groups where key = ?1";
    match db.first(sql, params![group.0.key]).await? {
        Some(row) => Ok((row.integer(0)?, row.integer(1)?)),
        None => Ok((0, 0)),
    }
}

#[cfg(test)]
mod tests;
