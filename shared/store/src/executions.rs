//! Executions: one run of a workflow on a deployment.
//!
//! Statuses are changed here only by their owner, the engine: everybody else asks it. What a
//! change means for the deployment is in [`deployment_status`].

pub mod deployment_status;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_core::db::{Db, Row};
use windlass_core::{Caller, Error, Permission, Result, Scope, params};

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

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of the API")]
pub enum Status {
    Scheduled,
    Queued,
    Pending,
    Started,
    Cancelling,
    ForceCancelling,
    KillCancelling,
    Terminated,
    Failed,
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Scheduled,
        Self::Queued,
        Self::Pending,
        Self::Started,
        Self::Cancelling,
        Self::ForceCancelling,
        Self::KillCancelling,
        Self::Terminated,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Cancelling => "cancelling",
            Self::ForceCancelling => "force_cancelling",
            Self::KillCancelling => "kill_cancelling",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether it is over.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Terminated | Self::Failed | Self::Cancelled)
    }

    /// Whether it keeps others of its deployment waiting.
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Pending
                | Self::Started
                | Self::Cancelling
                | Self::ForceCancelling
                | Self::KillCancelling
        )
    }

    /// Whether it is to end without having succeeded.
    pub const fn is_cancelling(self) -> bool {
        matches!(
            self,
            Self::Cancelling | Self::ForceCancelling | Self::KillCancelling
        )
    }
}

/// The active statuses as an SQL list.
const ACTIVE: &str = "('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')";

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

    fn from_row(row: &Row) -> Result<Self> {
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

const COLUMNS: &str = "key, id, tenant_name, created_by, visibility, created_at, deployment_key, \
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

/// What has to be known of a deployment to run something on it.
#[derive(Clone, Debug)]
pub struct DeploymentToRun {
    /// Its key.
    pub key: i64,
    /// Its id.
    pub id: String,
    /// Its tenant.
    pub tenant_name: String,
    /// Its visibility.
    pub visibility: String,
    /// Its blueprint.
    pub blueprint_id: String,
    /// The status of the execution that made its environment.
    pub create_status: Option<String>,
}

/// A deployment that the caller can see, to run something on it.
///
/// # Errors
/// 404 when there is none, 403 for a global one of another tenant.
pub async fn deployment_to_run(db: &impl Db, scope: &Scope, id: &str) -> Result<DeploymentToRun> {
    let sql = format!(
        "select key, id, tenant_name, visibility, blueprint_id,
             (select status from executions where executions.id = create_execution)
         from deployments where {} and id = ?4 order by tenant_name <> ?1 limit 1",
        Scope::VISIBLE
    );
    let row = db.first(&sql, &scope.with(&[id.into()])).await?;
    let row = row.ok_or_else(|| Error::not_found("Deployment", id))?;
    let deployment = DeploymentToRun {
        key: row.integer(0)?,
        id: row.text(1)?.to_owned(),
        tenant_name: row.text(2)?.to_owned(),
        visibility: row.text(3)?.to_owned(),
        blueprint_id: row.text(4)?.to_owned(),
        create_status: row.optional_text(5)?.map(str::to_owned),
    };
    let may = |caller: &Caller| caller.holds_in(scope.tenant(), Permission::ExecuteGlobalWorkflow);
    if deployment.tenant_name != scope.tenant() && !scope.caller().is_ok_and(may) {
        return Err(Error::forbidden(format!(
            "User `{}` is not permitted to execute workflows on the global deployment `{id}` of \
             the tenant `{}`",
            scope.username(),
            deployment.tenant_name
        )));
    }
    Ok(deployment)
}

/// A workflow of a deployment by its name, as it stands in the deployment.
pub async fn workflow(db: &impl Db, deployment_key: i64, name: &str) -> Result<Option<Value>> {
    db.first_json(
        "select workflow.value from deployments, json_each(deployments.workflows) as workflow
         where deployments.key = ?1
           and coalesce(workflow.value ->> '$.name', workflow.key) = ?2 limit 1",
        params![deployment_key, name],
    )
    .await
}

/// Whether a system workflow that all others wait for is active or queued.
pub async fn system_is_busy(db: &impl Db) -> Result<bool> {
    let sql = "select 1 from executions where is_system_workflow = 1
               and status in ('queued', 'pending', 'started', 'cancelling', 'force_cancelling',
                              'kill_cancelling') limit 1";
    Ok(db.first(sql, &[]).await?.is_some())
}

/// How many executions are active.
pub async fn count_active(db: &impl Db) -> Result<i64> {
    let sql = format!("select count(*) from executions where status in {ACTIVE}");
    db.first(&sql, &[])
        .await?
        .map_or(Ok(0), |row| row.integer(0))
}

/// The ids of a deployment's executions that are active, or queued before `before` (a key).
pub async fn in_the_way(
    db: &impl Db,
    deployment_key: i64,
    before: Option<i64>,
) -> Result<Vec<String>> {
    let sql = format!(
        "select id from executions where deployment_key = ?1 and key <> ?2
         and (status in {ACTIVE} or status = 'queued' and key < ?2) order by key"
    );
    let rows = db
        .query(&sql, params![deployment_key, before.unwrap_or(i64::MAX)])
        .await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// The queued executions that may start now, oldest first, at most `limit`: one of each
/// deployment, none of a deployment that has an active one; the making of a deployment's
/// environment before everything else. With `only_system`, system workflows alone.
pub async fn startable(db: &impl Db, limit: i64, only_system: bool) -> Result<Vec<Execution>> {
    let sql = format!(
        "select {COLUMNS} from executions as candidate
         where status = 'queued' and is_system_workflow = ?2
           and not exists (
               select 1 from executions as other
               where other.deployment_key = candidate.deployment_key
                 and other.key <> candidate.key
                 and (other.status in {ACTIVE}
                      or other.status = 'queued' and other.key < candidate.key))
         order by workflow_id <> 'create_deployment_environment', key limit ?1"
    );
    let rows = db.query(&sql, params![limit, only_system]).await?;
    rows.iter().map(Execution::from_row).collect()
}
