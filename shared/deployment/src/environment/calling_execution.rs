//! What the execution that calls may do to deployments, when it is one.

use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope};
use windlass_store::deployments;

/// Demands that the caller is an execution that updates a deployment: it may change what is fixed
/// for everybody else.
///
/// # Errors
/// 403 `only_deployment_update`.
pub async fn demand_update_execution(db: &impl Db, scope: &Scope) -> Result<()> {
    if deployments::is_update_calling(db, scope).await? {
        return Ok(());
    }
    Err(Error::new(
        Kind::OnlyDeploymentUpdate,
        "Only deployment update may do this",
    ))
}

/// Refuses what an execution that was asked to stop may no longer begin.
///
/// # Errors
/// 403 `forbidden_while_cancelling`.
pub async fn forbid_while_cancelling(db: &impl Db, scope: &Scope) -> Result<()> {
    if deployments::is_cancelled_calling(db, scope).await? {
        return Err(Error::new(
            Kind::ForbiddenWhileCancelling,
            "The execution is being cancelled and cannot create deployments or start executions",
        ));
    }
    Ok(())
}
