//! Where deployments go by what became of their executions.

use windlass_core::db::Db;
use windlass_core::{Result, params};

use super::ExecutionGroup;
use crate::deployment_groups::DeploymentGroup;
use crate::executions::{Execution, Status};
use crate::pieces;
use crate::resource::{Head, TenantRow};

/// The deployment group that the deployment of an ended execution goes to. None when nobody wants it
/// somewhere, and for one that was cancelled.
pub async fn targets_of(db: &impl Db, execution: &Execution) -> Result<Option<DeploymentGroup>> {
    let column = match execution.status {
        Status::Terminated => "success_group_key",
        Status::Failed => "failure_group_key",
        _ => return Ok(None),
    };
    let Some(group) = execution.execution_group_key else {
        return Ok(None);
    };
    let sql = format!(
        "select json_object('key', t.key, 'id', t.id, 'tenant_name', t.tenant_name,
             'created_by', t.created_by, 'visibility', t.visibility)
         from execution_groups g cross join deployment_groups t on t.key = g.{column}
         where g.key = ?1"
    );
    let found: Option<Head> = db.first_json(&sql, params![group]).await?;
    Ok(found.map(DeploymentGroup::from))
}

/// The deployments of a group's executions that ended with this status, each once.
pub async fn ended_deployments(
    db: &impl Db,
    group: &ExecutionGroup,
    status: Status,
) -> Result<Vec<i64>> {
    let sql = "select deployment_key as item from executions
               where execution_group_key = ?1 and status = ?2 and deployment_key is not null
               group by deployment_key";
    pieces::read(db, sql, params![group.head().key, status]).await
}
