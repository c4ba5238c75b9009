//! What an execution's start or end means for its deployment, and for the deployments above it.

use windlass_core::db::Tx;
use windlass_core::{Result, params};

use super::{Execution, Status};
use crate::deployments::Owner;

/// How far up parents are followed: labels that were made by hand could form a circle.
const HEIGHT: usize = 50;

/// How many parents are followed in all.
const PARENTS: usize = 1000;

/// The part of the label rows that makes one deployment the parent of another.
const PARENT_LABEL: &str = "csys-obj-parent";

/// The worst status among a deployment's own and those of its children, as SQL on `deployments`
/// with `latest` being the status of its latest execution.
fn status_of(latest: &str) -> String {
    let in_progress = Status::sql_list(Status::is_in_progress);
    format!(
        "with parts (status) as (
             select case
                 when {latest} in {in_progress} then 'in_progress'
                 when {latest} = 'failed' or installation_status <> 'active'
                     then 'requires_attention'
                 else 'good' end
             union all
             select sums.deployment_status from child_sums sums
             where sums.tenant_name = deployments.tenant_name and sums.parent_id = deployments.id)
         select case
             when exists (select 1 from parts where status = 'requires_attention')
                 then 'requires_attention'
             when exists (select 1 from parts where status = 'in_progress') then 'in_progress'
             else 'good' end"
    )
}

/// Follows an execution that became active: it is the latest one of its deployment, if it has one.
pub async fn execution_started(tx: &impl Tx, execution: &Execution) -> Result<()> {
    let Some(deployment_key) = execution.deployment_key else {
        return Ok(());
    };
    tx.execute(
        "update deployments set latest_execution = ?2 where key = ?1",
        params![deployment_key, &execution.id],
    )
    .await?;
    recompute_by_key(tx, deployment_key).await
}

/// Follows an execution that ended.
pub async fn execution_ended(tx: &impl Tx, execution: &Execution) -> Result<()> {
    match execution.deployment_key {
        Some(deployment_key) => recompute_by_key(tx, deployment_key).await,
        None => Ok(()),
    }
}

/// Computes a deployment's installation status and its status from its instances and its latest
/// execution, then the status of all deployments above it.
pub async fn recompute(tx: &impl Tx, deployment: &Owner) -> Result<()> {
    recompute_by_key(tx, deployment.key).await
}

/// The same by the row of the deployment.
pub async fn recompute_by_key(tx: &impl Tx, deployment_key: i64) -> Result<()> {
    tx.execute(
        "update deployments set installation_status = case when exists (
             select 1 from node_instances
             where deployment_key = ?1 and state <> 'started') then 'inactive' else 'active' end
         where key = ?1",
        params![deployment_key],
    )
    .await?;
    let latest = "coalesce((select status from executions where id = latest_execution), '')";
    let set = format!(
        "update deployments set {}, deployment_status = ({}) where key = ?1 returning key",
        crate::deployments::sub_deployments::REFRESH,
        status_of(latest)
    );
    let mut seen = vec![deployment_key];
    let mut level = vec![deployment_key];
    for _ in 0..HEIGHT {
        let mut parents = Vec::new();
        for key in level {
            tx.execute(&set, params![key]).await?;
            let rows = tx
                .query(
                    "select parent.key from deployment_labels label
                     join deployments child on child.key = label.deployment_key
                     join deployments parent
                       on parent.id = label.value and parent.tenant_name = child.tenant_name
                     where label.deployment_key = ?1 and label.key = ?2",
                    params![key, PARENT_LABEL],
                )
                .await?;
            for row in &rows {
                let parent = row.integer(0)?;
                if !seen.contains(&parent) && seen.len() < PARENTS {
                    seen.push(parent);
                    parents.push(parent);
                }
            }
        }
        if parents.is_empty() {
            break;
        }
        level = parents;
    }
    Ok(())
}
