//! Taking a deployment away, with all that belongs to it.

use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope};
use windlass_store::deployments::{self, Owner};
use windlass_store::executions::deployment_status;
use windlass_store::labels;

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

/// Deletes a deployment, its children first if they are to go too.
///
/// # Errors
/// 404; 400 `dependent_exists_error` for what is in the way.
pub async fn remove(tx: &impl Tx, scope: &Scope, id: &str, removal: Removal) -> Result<()> {
    let deployment = deployments::find_own(tx, scope, id).await?;
    // Children go whoever may see them: without their parent they would be of no use.
    let mut doomed = vec![deployment.owner];
    let mut next = 0;
    while let Some(deployment) = doomed.get(next) {
        check(tx, deployment, removal).await?;
        if !removal.recursive {
            break;
        }
        let children = deployments::children(tx, deployment).await?;
        next += 1;
        for child in children {
            if doomed.iter().all(|known| known.key != child.key) {
                doomed.push(child);
            }
        }
    }
    for deployment in doomed.iter().rev() {
        remove_one(tx, scope, deployment).await?;
    }
    Ok(())
}

async fn remove_one(tx: &impl Tx, scope: &Scope, deployment: &Owner) -> Result<()> {
    let labels = labels::find_oldest_first(tx, deployment).await?;
    let parents: Vec<&str> = deployments::parent_ids(&labels).collect();
    let above = deployments::find_existing(tx, scope, &parents).await?;
    deployments::unlink_parents(tx, deployment, &parents).await?;
    deployments::delete(tx, scope, deployment).await?;
    for parent in above {
        deployment_status::recompute(tx, &parent).await?;
    }
    Ok(())
}

/// Refuses to delete a deployment that is in use.
async fn check(db: &impl Db, deployment: &Owner, removal: Removal) -> Result<()> {
    let id = &deployment.id;
    let refuse = |why: String| {
        Err(Error::new(
            Kind::DependentExists,
            format!("Can't delete deployment {id} - {why}"),
        ))
    };
    let running = deployments::unfinished_executions(db, deployment).await?;
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
        false => deployments::children(db, deployment).await?,
    };
    if !children.is_empty() {
        let lines = children
            .iter()
            .take(NAMED)
            .enumerate()
            .map(|(place, child)| {
                let number = place + 1;
                format!(
                    "[{number}] Deployment `{id}` is the parent of deployment `{}`",
                    child.id
                )
            });
        let lines: Vec<String> = lines.collect();
        return refuse(format!(
            "the following existing installations depend on it:\n{}",
            lines.join("\n")
        ));
    }
    let live = deployments::live_instances(db, deployment).await?;
    if !live.is_empty() {
        return refuse(format!(
            "There are live nodes for this deployment. Live nodes ids: {}",
            live.join(",")
        ));
    }
    Ok(())
}
