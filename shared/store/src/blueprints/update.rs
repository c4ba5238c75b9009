//! Changes to a blueprint that is there already.

use super::plans;
use super::{Archive, BLUEPRINTS, Blueprint, PlanTexts, State, exists_elsewhere};
use crate::audit;
use crate::blobs;
use crate::labels::{self, Label};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, Visibility, params, visibility};

/// What an update sets; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The plan.
    pub plan: Option<PlanTexts>,
    /// What deployments will need.
    pub requirements: Option<Value>,
    /// The description.
    pub description: Option<String>,
    /// The main file.
    pub main_file_name: Option<String>,
    /// Who sees it; checked already.
    pub visibility: Option<Visibility>,
    /// How far the upload came.
    pub state: Option<State>,
    /// Why it failed.
    pub error: Option<String>,
    /// Where it failed.
    pub error_traceback: Option<String>,
    /// Its creator.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// The id of its upload execution.
    pub upload_execution: Option<String>,
    /// All labels it is to have.
    pub labels: Option<Vec<Label>>,
}

/// Saves changes to a blueprint and the time of this update.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    blueprint: &Blueprint,
    changes: &Changes,
) -> Result<()> {
    tx.execute(
        "update blueprints set updated_at = ?2, requirements = coalesce(?3, requirements),
             description = coalesce(?4, description), main_file_name = coalesce(?5, main_file_name),
             visibility = coalesce(?6, visibility), state = coalesce(?7, state),
             error = coalesce(?8, error), error_traceback = coalesce(?9, error_traceback),
             created_by = coalesce(?10, created_by), created_at = coalesce(?11, created_at),
             upload_execution = coalesce(?12, upload_execution)
         where key = ?1",
        params![
            blueprint.key,
            Timestamp::now(),
            changes.requirements.as_ref(),
            changes.description.as_deref(),
            changes.main_file_name.as_deref(),
            changes.visibility,
            changes.state,
            changes.error.as_deref(),
            changes.error_traceback.as_deref(),
            changes.created_by.as_deref(),
            changes.created_at,
            changes.upload_execution.as_deref(),
        ],
    )
    .await?;
    if let Some(plan) = &changes.plan {
        plans::save(tx, blueprint.key, plan).await?;
    }
    if let Some(given) = &changes.labels {
        labels::replace(tx, scope, blueprint, given).await?;
    }
    audit::insert(
        tx,
        scope,
        "blueprint_update",
        BLUEPRINTS.name,
        &blueprint.id,
    )
    .await
}

/// Lets more people see a blueprint.
///
/// # Errors
/// 400 for narrowing, 403 and 409 for what may not become global.
pub async fn set_visibility(
    tx: &impl Tx,
    scope: &Scope,
    blueprint: &Blueprint,
    next: Visibility,
) -> Result<()> {
    demand_visibility(tx, scope, blueprint, next).await?;
    tx.execute(
        "update blueprints set visibility = ?2, updated_at = ?3 where key = ?1",
        params![blueprint.key, next, Timestamp::now()],
    )
    .await?;
    audit::insert(
        tx,
        scope,
        "resource_set_visibility",
        BLUEPRINTS.name,
        &blueprint.id,
    )
    .await
}

/// Demands that this may become a blueprint's visibility.
///
/// # Errors
/// 400 for narrowing, 403 and 409 for what may not become global.
pub async fn demand_visibility(
    db: &impl Db,
    scope: &Scope,
    blueprint: &Blueprint,
    next: Visibility,
) -> Result<()> {
    blueprint
        .visibility
        .demand_widening(scope, &blueprint.id, next)?;
    if next == Visibility::Global && exists_elsewhere(db, scope, &blueprint.id).await? {
        return Err(visibility::exists_elsewhere(&blueprint.id));
    }
    Ok(())
}

/// Demands that there is an execution of this id in the caller's tenant.
///
/// # Errors
/// 404: what is nested in a blueprint is shown to everybody who sees the blueprint.
pub async fn demand_execution(db: &impl Db, scope: &Scope, id: &str) -> Result<()> {
    let sql = "select 1 from executions where id = ?1 and tenant_name = ?2";
    match db.first(sql, params![id, scope.tenant()]).await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found("Execution", id)),
    }
}

/// Gives a blueprint another archive. The blob of the old one is nobody's then.
/// `action` is what the audit trail calls it.
pub async fn save_archive(
    tx: &impl Tx,
    scope: &Scope,
    blueprint: &Blueprint,
    archive: &Archive,
    action: &str,
) -> Result<()> {
    blobs::keep(tx, &archive.blob).await?;
    tx.execute(
        "update blueprints set archive_blob = ?2, archive_format = ?3, archive_size = ?4,
             archive_sha256 = ?5, updated_at = ?6 where key = ?1",
        params![
            blueprint.key,
            archive.blob.as_str(),
            archive.format.as_str(),
            archive.size,
            archive.sha256.as_str(),
            Timestamp::now()
        ],
    )
    .await?;
    audit::insert(tx, scope, action, BLUEPRINTS.name, &blueprint.id).await
}
