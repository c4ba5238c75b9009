//! Taking a deployment away, with all that belongs to it.

use std::collections::HashSet;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope};
use windlass_store::deployments::{self, Owner};
use windlass_store::executions::deployment_status;
use windlass_store::inter_deployment_dependencies::Blocked;
use windlass_store::labels;

use crate::dependents;

/// What a deletion disregards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Live node instances, and deployments that depend on this one.
    pub force: bool,
    /// Children: they are deleted too.
    pub recursive: bool,
}

/// Deletes a deployment, its children first if they are to go too.
///
/// # Errors
/// 404; 400 `dependent_exists_error` for what is in the way.
pub async fn remove(tx: &impl Tx, scope: &Scope, id: &str, removal: Removal) -> Result<()> {
    let doomed = doomed(tx, scope, id, removal).await?;
    check_all(tx, &doomed, removal, None).await?;
    remove_all(tx, scope, &doomed).await
}

/// The same for the execution that was asked to do it. Others that are to be deleted too are not in its
/// way.
///
/// # Errors
/// As [`remove`].
pub async fn remove_by(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    removal: Removal,
    execution: &str,
) -> Result<()> {
    let doomed = doomed(tx, scope, id, removal).await?;
    check_all(tx, &doomed, removal, Some(execution)).await?;
    remove_all(tx, scope, &doomed).await
}

/// Refuses to delete a deployment by an execution that waits to do so, as [`remove_by`] does.
///
/// # Errors
/// As [`remove`].
pub async fn demand_removable(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    removal: Removal,
    execution: &str,
) -> Result<()> {
    let doomed = doomed(db, scope, id, removal).await?;
    check_all(db, &doomed, removal, Some(execution)).await
}

/// A deployment and all that goes with it, itself first.
async fn doomed(db: &impl Db, scope: &Scope, id: &str, removal: Removal) -> Result<Vec<Owner>> {
    let deployment = deployments::find_own(db, scope, id).await?;
    // Children go whoever may see them: without their parent they would be of no use.
    let mut known = HashSet::from([deployment.key]);
    let mut doomed = vec![deployment.owner];
    let mut next = 0;
    while removal.recursive
        && let Some(deployment) = doomed.get(next)
    {
        let children = deployments::children(db, deployment).await?;
        next += 1;
        for child in children {
            if known.insert(child.key) {
                doomed.push(child);
            }
        }
    }
    Ok(doomed)
}

async fn check_all(
    db: &impl Db,
    doomed: &[Owner],
    removal: Removal,
    execution: Option<&str>,
) -> Result<()> {
    let keys: Vec<i64> = doomed.iter().map(|deployment| deployment.key).collect();
    for deployment in doomed {
        check(db, deployment, removal, (&keys, execution)).await?;
    }
    Ok(())
}

async fn remove_all(tx: &impl Tx, scope: &Scope, doomed: &[Owner]) -> Result<()> {
    for deployment in doomed.iter().rev() {
        remove_one(tx, scope, deployment).await?;
    }
    Ok(())
}

async fn remove_one(tx: &impl Tx, scope: &Scope, deployment: &Owner) -> Result<()> {
    let labels = labels::find_oldest_first(tx, deployment).await?;
    let parents: Vec<&str> = deployments::parent_ids(&labels).collect();
    let above = deployments::find_existing(tx, scope, &parents).await?;
    deployments::forget_consumer(tx, deployment).await?;
    deployments::delete(tx, scope, deployment).await?;
    for parent in above {
        deployment_status::recompute(tx, &parent).await?;
    }
    Ok(())
}

/// Refuses to delete a deployment that is in use.
async fn check(
    db: &impl Db,
    deployment: &Owner,
    removal: Removal,
    (doomed, execution): (&[i64], Option<&str>),
) -> Result<()> {
    let id = &deployment.id;
    let refuse = |why: String| {
        Err(Error::new(
            Kind::DependentExists,
            format!("Can't delete deployment {id} - {why}"),
        ))
    };
    let running = deployments::unfinished_executions(db, deployment, execution).await?;
    if !running.is_empty() {
        return refuse(format!(
            "There are running or queued executions for this deployment. Running executions ids: {}",
            running.join(",")
        ));
    }
    if removal.force {
        return Ok(());
    }
    let what = Blocked::Deletion {
        recursive: removal.recursive,
    };
    dependents::demand_none(db, deployment, what, doomed).await?;
    let live = deployments::live_instances(db, deployment).await?;
    if !live.is_empty() {
        return refuse(format!(
            "There are live nodes for this deployment. Live nodes ids: {}",
            live.join(",")
        ));
    }
    Ok(())
}
