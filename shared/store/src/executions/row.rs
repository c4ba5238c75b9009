//! The row of an execution, as the engine reads and writes it.

use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::visibility::Visibility;
use windlass_core::{Error, Result, Scope, Timestamp, params};

use super::Status;
use crate::audit;

/// One execution, as the engine sees it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Execution {
    /// The order of creation; 0 for one that was not inserted yet.
    pub key: i64,
    /// UUID version 4, or what a restored execution was called before.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant_name: String,
    /// The user in whose name it runs.
    pub created_by: String,
    /// Who sees it, with all that belongs to it.
    pub visibility: Visibility,
    /// When it was made.
    pub created_at: Timestamp,
    /// The deployment's key; none for system workflows.
    pub deployment_key: Option<i64>,
    /// The deployment's id, which stays when the deployment is gone.
    pub deployment_id: Option<String>,
    /// The blueprint at the time it was made.
    pub blueprint_id: Option<String>,
    /// The workflow's name.
    pub workflow_id: String,
    /// The group it runs in.
    pub execution_group_key: Option<i64>,
    /// Where it stands.
    pub status: Status,
    /// Why it failed.
    pub error: Option<String>,
    /// The parameters, defaults filled in.
    pub parameters: Map<String, Value>,
    /// Whether it is one of the system's own.
    pub is_system_workflow: bool,
    /// Whether operations are passed over.
    pub is_dry_run: bool,
    /// Whether parameters that are not declared are allowed.
    pub allow_custom_parameters: bool,
    /// Whether checks were skipped.
    pub force: bool,
    /// Whether it was resumed.
    pub resume: bool,
    /// When it is to start.
    pub scheduled_for: Option<Timestamp>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How many operations it has.
    pub total_operations: i64,
    /// How many of them have ended.
    pub finished_operations: i64,
}

/// An [`Execution`] as one JSON object.
pub(super) const ROW: &str = "json_object('key', key, 'id', id, 'tenant_name', tenant_name,
     'created_by', created_by, 'visibility', visibility, 'created_at', created_at,
     'deployment_key', deployment_key, 'deployment_id', deployment_id,
     'blueprint_id', blueprint_id, 'workflow_id', workflow_id,
     'execution_group_key', execution_group_key, 'status', status, 'error', error,
     'parameters', json(parameters),
     'is_system_workflow', json(iif(is_system_workflow, 'true', 'false')),
     'is_dry_run', json(iif(is_dry_run, 'true', 'false')),
     'allow_custom_parameters', json(iif(allow_custom_parameters, 'true', 'false')),
     'force', json(iif(force, 'true', 'false')), 'resume', json(iif(resume, 'true', 'false')),
     'scheduled_for', scheduled_for, 'started_at', started_at, 'ended_at', ended_at,
     'total_operations', total_operations, 'finished_operations', finished_operations)";

/// An execution that the caller can see.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Execution> {
    find_if_any(db, scope, id)
        .await?
        .ok_or_else(|| Error::not_found("Execution", id))
}

/// The same for those to whom an execution that is gone is nothing unusual: it may have been
/// deleted with its deployment while its work was in the queue.
pub async fn find_if_any(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Execution>> {
    let sql = format!(
        "select {ROW} from executions where {} and id = ?4",
        Scope::VISIBLE
    );
    db.first_json(&sql, &scope.with(&[id.into()])).await
}

/// Inserts an execution that a caller wants, and answers its key.
///
/// # Errors
/// Internal, with [`Error::is_unique_violation`] when the id is taken.
pub async fn start(tx: &impl Tx, scope: &Scope, execution: &Execution) -> Result<i64> {
    let key = insert(tx, execution).await?;
    audit::insert(tx, scope, "execution_start", "Execution", &execution.id).await?;
    Ok(key)
}

/// Inserts an execution that came with something else, whose audit row names that: a new
/// deployment, an upload. Answers its key.
pub async fn insert(tx: &impl Tx, execution: &Execution) -> Result<i64> {
    let row = tx
        .first(
            "insert into executions
                 (id, tenant_name, created_by, visibility, created_at, deployment_key,
                  deployment_id, blueprint_id, workflow_id, status, error, parameters,
                  is_system_workflow, is_dry_run, allow_custom_parameters, force, resume,
                  scheduled_for, started_at, ended_at, total_operations, finished_operations,
                  execution_group_key)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                  ?18, ?19, ?20, ?21, ?22, ?23)
             returning key",
            params![
                &execution.id,
                &execution.tenant_name,
                &execution.created_by,
                execution.visibility,
                execution.created_at,
                execution.deployment_key,
                execution.deployment_id.as_deref(),
                execution.blueprint_id.as_deref(),
                &execution.workflow_id,
                execution.status,
                execution.error.as_deref(),
                parameters(execution)?,
                execution.is_system_workflow,
                execution.is_dry_run,
                execution.allow_custom_parameters,
                execution.force,
                execution.resume,
                execution.scheduled_for,
                execution.started_at,
                execution.ended_at,
                execution.total_operations,
                execution.finished_operations,
                execution.execution_group_key,
            ],
        )
        .await?;
    row.ok_or_else(|| Error::internal("an insert answered no key"))?
        .integer(0)
}

fn parameters(execution: &Execution) -> Result<String> {
    serde_json::to_string(&execution.parameters).map_err(Error::internal)
}

/// Writes what changes while an execution runs: status, error, times, progress, parameters.
/// `was` is the status that was read.
///
/// # Errors
/// Conflict, when the status is another one by now.
pub async fn save(tx: &impl Tx, execution: &Execution, was: Status) -> Result<()> {
    let row = tx
        .first(
            "update executions set status = ?3, error = ?4, started_at = ?5, ended_at = ?6,
                 resume = ?7, total_operations = ?8, finished_operations = ?9, parameters = ?10
             where key = ?1 and status = ?2 returning key",
            params![
                execution.key,
                was,
                execution.status,
                execution.error.as_deref(),
                execution.started_at,
                execution.ended_at,
                execution.resume,
                execution.total_operations,
                execution.finished_operations,
                parameters(execution)?,
            ],
        )
        .await?;
    if row.is_none() {
        return Err(Error::conflict(format!(
            "The execution `{}` changed in the meantime",
            execution.id
        )));
    }
    Ok(())
}

/// The same for a change that a caller asked for: `action` is its name in the audit trail.
///
/// # Errors
/// As [`save`].
pub async fn save_for(
    tx: &impl Tx,
    scope: &Scope,
    action: &str,
    execution: &Execution,
    was: Status,
) -> Result<()> {
    save(tx, execution, was).await?;
    audit::insert(tx, scope, action, "Execution", &execution.id).await
}

/// Records that a caller asked to look again whether an execution may start, which changes nothing
/// in its own row.
pub async fn note_requeue(tx: &impl Tx, scope: &Scope, execution: &Execution) -> Result<()> {
    let action = "execution_requeue";
    audit::insert(tx, scope, action, "Execution", &execution.id).await
}
