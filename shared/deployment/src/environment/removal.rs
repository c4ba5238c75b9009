//! Taking a deployment away, with all that belongs to it.

use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope};
use windlass_store::audit;
use windlass_store::deployments::{self, Deployment};
use windlass_store::executions::deployment_status;

/// How many of each kind of dependents a refusal names.
const NAMED: usize = 3;

/// What a deletion disregards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Live node instances, and deployments that depend on this one.
    pub force: bool,
    /// Children: they are deleted too.
    pub recursive: bool,
}

/// Deletes a deployment, its children first if they are to go too. Inside a transaction of the
/// caller's.
///
/// # Errors
/// 404; 400 `dependent_exists_error` for what is in the way.
pub async fn remove(db: &impl Tx, scope: &Scope, id: &str, removal: Removal) -> Result<()> {
    let deployment = deployments::find(db, scope, id).await?;
    scope.demand_own_tenant(&deployment.id, &deployment.tenant_name)?;
    let mut doomed = vec![deployment];
    let mut next = 0;
    while let Some(deployment) = doomed.get(next) {
        check(db, deployment, removal).await?;
        let children = deployments::children(db, &deployment.tenant_name, &deployment.id).await?;
        next += 1;
        if !removal.recursive {
            break;
        }
        for (key, _) in children {
            if doomed.iter().all(|known| known.key != key)
                && let Some(child) = deployments::by_key(db, key).await?
            {
                doomed.push(child);
            }
        }
    }
    for deployment in doomed.iter().rev() {
        remove_one(db, scope, deployment).await?;
    }
    Ok(())
}

async fn remove_one(db: &impl Tx, scope: &Scope, deployment: &Deployment) -> Result<()> {
    let Deployment {
        key,
        id,
        tenant_name,
        ..
    } = deployment;
    let labels = deployments::label_values(db, *key).await?;
    let parents: Vec<&str> = deployments::parent_ids(&labels).collect();
    let above = deployments::find_keys(db, tenant_name, &parents).await?;
    deployments::unlink_parents(db, tenant_name, id, &parents).await?;
    deployments::delete(db, *key).await?;
    for parent in above {
        deployment_status::recompute(db, parent).await?;
    }
    audit::insert(db, scope, "deployment_delete", "Deployment", id).await
}

/// Refuses to delete a deployment that is in use.
async fn check(db: &impl Db, deployment: &Deployment, removal: Removal) -> Result<()> {
    let Deployment {
        key,
        id,
        tenant_name,
        ..
    } = deployment;
    let refuse = |why: String| {
        Err(Error::new(
            Kind::DependentExists,
            format!("Can't delete deployment {id} - {why}"),
        ))
    };
    let running = deployments::unfinished_executions(db, *key).await?;
    if !running.is_empty() {
        return refuse(format!(
            "There are running or queued executions for this deployment. Running executions ids: {}",
            running.join(",")
        ));
    }
    if removal.force {
        return Ok(());
    }
    let children = match removal.recursive {
        true => Vec::new(),
        false => deployments::children(db, tenant_name, id).await?,
    };
    if !children.is_empty() {
        let lines = children
            .iter()
            .take(NAMED)
            .enumerate()
            .map(|(place, (_, child))| {
                let number = place + 1;
                format!("[{number}] Deployment `{id}` is the parent of deployment `{child}`")
            });
        let lines: Vec<String> = lines.collect();
        return refuse(format!(
            "the following existing installations depend on it:\n{}",
            lines.join("\n")
        ));
    }
    let live = deployments::live_instances(db, *key).await?;
    if !live.is_empty() {
        return refuse(format!(
            "There are live nodes for this deployment. Live nodes ids: {}",
            live.join(",")
        ));
    }
    Ok(())
}
