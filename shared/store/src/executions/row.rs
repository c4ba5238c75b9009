//! The row of an execution, as the engine reads and writes it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_core::db::{Db, Row};
use windlass_core::{Error, Result, Scope, params};

use super::Status;

/// One execution, as the engine sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// The order of creation; 0 for one that was not inserted yet.
    pub key: i64,
    /// UUID version 4.
    pub id: String,
    /// Its tenant.
    pub tenant_name: String,
    /// Who started it.
    pub created_by: String,
    /// `private`, `tenant` or `global`.
    pub visibility: String,
    /// When it was made.
    pub created_at: String,
    /// The deployment's key; none for system workflows.
    pub deployment_key: Option<i64>,
    /// The deployment's id.
    pub deployment_id: Option<String>,
    /// The blueprint at the time it was made.
    pub blueprint_id: Option<String>,
    /// The workflow's name.
    pub workflow_id: String,
    /// A word of [`Status`].
    pub status: String,
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
    pub scheduled_for: Option<String>,
    /// When it started.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// How many operations it has.
    pub total_operations: i64,
    /// How many of them have ended.
    pub finished_operations: i64,
}

impl Execution {
    /// Where it stands.
    ///
    /// # Errors
    /// Internal, for a word that no version of this code wrote.
    pub fn status(&self) -> Result<Status> {
        Status::named(&self.status).ok_or_else(|| {
            Error::internal(format!(
                "execution {} has the status {}",
                self.id, self.status
            ))
        })
    }

    pub(super) fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            key: row.integer(0)?,
            id: row.text(1)?.to_owned(),
            tenant_name: row.text(2)?.to_owned(),
            created_by: row.text(3)?.to_owned(),
            visibility: row.text(4)?.to_owned(),
            created_at: row.text(5)?.to_owned(),
            deployment_key: row.optional_integer(6)?,
            deployment_id: row.optional_text(7)?.map(str::to_owned),
            blueprint_id: row.optional_text(8)?.map(str::to_owned),
            workflow_id: row.text(9)?.to_owned(),
            status: row.text(10)?.to_owned(),
            error: row.optional_text(11)?.map(str::to_owned),
            parameters: row.json(12)?,
            is_system_workflow: row.boolean(13)?,
            is_dry_run: row.boolean(14)?,
            allow_custom_parameters: row.boolean(15)?,
            force: row.boolean(16)?,
            resume: row.boolean(17)?,
            scheduled_for: row.optional_text(18)?.map(str::to_owned),
            started_at: row.optional_text(19)?.map(str::to_owned),
            ended_at: row.optional_text(20)?.map(str::to_owned),
            total_operations: row.integer(21)?,
            finished_operations: row.integer(22)?,
        })
    }
}

pub(super) const COLUMNS: &str = "key, id, tenant_name, created_by, visibility, created_at, deployment_key, \
     deployment_id, blueprint_id, workflow_id, status, error, parameters, is_system_workflow, \
     is_dry_run, allow_custom_parameters, force, resume, scheduled_for, started_at, ended_at, \
     total_operations, finished_operations";

/// An execution that the caller can see.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Execution> {
    let sql = format!(
        "select {COLUMNS} from executions where {} and id = ?4",
        Scope::VISIBLE
    );
    let row = db.first(&sql, &scope.with(&[id.into()])).await?;
    row.map_or_else(
        || Err(Error::not_found("Execution", id)),
        |row| Execution::from_row(&row),
    )
}

/// An execution by its id, for the engine itself: whoever could see it has been asked before.
pub async fn find_for_engine(db: &impl Db, id: &str) -> Result<Option<Execution>> {
    let sql = format!("select {COLUMNS} from executions where id = ?1");
    db.first(&sql, params![id])
        .await?
        .map(|row| Execution::from_row(&row))
        .transpose()
}

/// Inserts an execution and answers its key.
pub async fn insert(db: &impl Db, execution: &Execution) -> Result<i64> {
    let row = db
        .first(
            "insert into executions
                 (id, tenant_name, created_by, visibility, created_at, deployment_key,
                  deployment_id, blueprint_id, workflow_id, status, error, parameters,
                  is_system_workflow, is_dry_run, allow_custom_parameters, force, resume,
                  scheduled_for, started_at, ended_at, total_operations, finished_operations)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                  ?18, ?19, ?20, ?21, ?22)
             returning key",
            params![
                &execution.id,
                &execution.tenant_name,
                &execution.created_by,
                &execution.visibility,
                &execution.created_at,
                execution.deployment_key,
                execution.deployment_id.as_deref(),
                execution.blueprint_id.as_deref(),
                &execution.workflow_id,
                &execution.status,
                execution.error.as_deref(),
                Value::Object(execution.parameters.clone()).to_string(),
                execution.is_system_workflow,
                execution.is_dry_run,
                execution.allow_custom_parameters,
                execution.force,
                execution.resume,
                execution.scheduled_for.as_deref(),
                execution.started_at.as_deref(),
                execution.ended_at.as_deref(),
                execution.total_operations,
                execution.finished_operations,
            ],
        )
        .await?;
    row.ok_or_else(|| Error::internal("an insert answered no key"))?
        .integer(0)
}

/// Writes what changes while an execution runs: status, error, times, progress, parameters.
/// `was` is the status that was read.
///
/// # Errors
/// Conflict, when the status is another one by now.
pub async fn save(db: &impl Db, execution: &Execution, was: &str) -> Result<()> {
    let row = db
        .first(
            "update executions set status = ?3, error = ?4, started_at = ?5, ended_at = ?6,
                 resume = ?7, total_operations = ?8, finished_operations = ?9, parameters = ?10
             where key = ?1 and status = ?2 returning key",
            params![
                execution.key,
                was,
                &execution.status,
                execution.error.as_deref(),
                execution.started_at.as_deref(),
                execution.ended_at.as_deref(),
                execution.resume,
                execution.total_operations,
                execution.finished_operations,
                Value::Object(execution.parameters.clone()).to_string(),
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
