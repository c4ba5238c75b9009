//! Deleting a deployment, and what stands in the way of it.

use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, params};

use super::{DEPLOYMENT, Owner, executions};
use crate::{audit, pieces};

/// Deletes a deployment with its labels, nodes, instances and executions, which take their events along.
pub async fn delete(tx: &impl Tx, scope: &Scope, deployment: &Owner) -> Result<()> {
    remove(tx, deployment).await?;
    let (action, id) = ("deployment_delete", &deployment.id);
    audit::insert(tx, scope, action, DEPLOYMENT.name, id).await
}

/// Deletes a deployment of this id in the scope's tenant that could not be made, to clear the way
/// for the next try. That one's record in the audit trail tells of both.
pub async fn delete_failed(tx: &impl Tx, scope: &Scope, id: &str) -> Result<()> {
    match super::find_optional(tx, scope, id).await? {
        Some(old)
            if old.tenant_name == scope.tenant()
                && executions::is_failed_creation(tx, &old).await? =>
        {
            remove(tx, &old).await
        }
        _ => Ok(()),
    }
}

async fn remove(tx: &impl Tx, deployment: &Owner) -> Result<()> {
    tx.execute(
        "delete from deployments where key = ?1",
        params![deployment.key],
    )
    .await
}

/// The ids of node instances that run, or may.
pub async fn live_instances(db: &impl Db, deployment: &Owner) -> Result<Vec<String>> {
    let sql = "select json_quote(id) as item from node_instances
               where deployment_key = ?1 and state not in ('uninitialized', 'deleted')
               order by key";
    pieces::read(db, sql, params![deployment.key]).await
}
