//! The row of a schedule: made, changed and deleted by clients.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, Visibility, params};

use super::SCHEDULES;
use crate::deployments::Owner;
use crate::queue::{self, Work};
use crate::{audit, json_text};

/// How the executions of a schedule are started, as clients read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arguments {
    /// Whether parameters that are not declared are allowed.
    pub allow_custom_parameters: bool,
    /// Whether checks are passed over.
    pub force: bool,
    /// Whether operations are passed over.
    pub is_dry_run: bool,
    /// For how many seconds what runs is waited for after a failure.
    pub wait_after_fail: i64,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            allow_custom_parameters: false,
            force: false,
            is_dry_run: false,
            wait_after_fail: 600,
        }
    }
}

/// A schedule to be stored.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// What clients will call it.
    pub id: String,
    /// In whose name its executions run.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The workflow that it starts.
    pub workflow_id: String,
    /// Parameters over the defaults of the workflow.
    pub parameters: Map<String, Value>,
    /// How executions are started.
    pub arguments: Arguments,
    /// When it occurs, as clients read it.
    pub rule: Value,
    /// By how many minutes an occurrence may be late.
    pub slip: i64,
    /// Whether it ends with the first execution that fails.
    pub stop_on_fail: bool,
    /// Whether it starts anything.
    pub enabled: bool,
    /// The first moment there may be.
    pub since: Timestamp,
    /// The last one.
    pub until: Option<Timestamp>,
    /// The next one, computed from all this.
    pub next_occurrence: Option<Timestamp>,
}

/// A schedule that may be changed: what an update does not say stays as it is here.
#[derive(Clone, Debug, Deserialize)]
pub struct Schedule {
    /// The row.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// Its tenant, which is its deployment's.
    pub tenant_name: String,
    /// Who sees it, which is who sees its deployment.
    pub visibility: Visibility,
    /// The deployment's row.
    pub deployment_key: i64,
    /// The workflow that it starts.
    pub workflow_id: String,
    /// When it occurs.
    pub rule: Value,
    /// By how many minutes an occurrence may be late.
    pub slip: i64,
    /// Whether it ends with the first execution that fails.
    pub stop_on_fail: bool,
    /// Whether it starts anything.
    pub enabled: bool,
    /// The first moment there may be.
    pub since: Timestamp,
    /// The last one.
    pub until: Option<Timestamp>,
    /// The next one.
    pub next_occurrence: Option<Timestamp>,
}

/// A schedule of the caller's tenant, by its id and its deployment's.
///
/// # Errors
/// 404; 400 for one of a global deployment of another tenant.
pub async fn find_own(db: &impl Db, scope: &Scope, deployment: &str, id: &str) -> Result<Schedule> {
    let sql = format!(
        "select json_object('key', key, 'id', id, 'tenant_name', tenant_name,
             'visibility', visibility, 'deployment_key', deployment_key,
             'workflow_id', workflow_id, 'rule', json(rule), 'slip', slip,
             'stop_on_fail', json(iif(stop_on_fail, 'true', 'false')),
             'enabled', json(iif(enabled, 'true', 'false')), 'since', since, 'until', until,
             'next_occurrence', next_occurrence)
         from execution_schedules where deployment_id = ?4 and id = ?5 and {}
         order by tenant_name = ?1 desc limit 1",
        Scope::VISIBLE
    );
    let values = scope.with(&[deployment.into(), id.into()]);
    let found: Option<Schedule> = db.first_json(&sql, &values).await?;
    let schedule = found.ok_or_else(|| Error::not_found(SCHEDULES.name, id))?;
    scope.demand_own_tenant(id, &schedule.tenant_name)?;
    Ok(schedule)
}

/// Stores a schedule of a deployment, which is seen by those who see the deployment.
///
/// # Errors
/// 409 when the deployment has one of this id.
pub async fn insert(tx: &impl Tx, scope: &Scope, owner: &Owner, new: &NewSchedule) -> Result<()> {
    let row = tx
        .first(
            "insert into execution_schedules (id, deployment_key, deployment_id, tenant_name,
                 created_by, visibility, created_at, workflow_id, rule, parameters,
                 execution_arguments, slip, stop_on_fail, enabled, since, until, next_occurrence)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
             returning key",
            params![
                &new.id,
                owner.key,
                &owner.id,
                &owner.tenant_name,
                &new.created_by,
                owner.visibility,
                new.created_at,
                &new.workflow_id,
                &new.rule,
                json_text(&new.parameters)?,
                json_text(&new.arguments)?,
                new.slip,
                new.stop_on_fail,
                new.enabled,
                new.since,
                new.until,
                new.next_occurrence
            ],
        )
        .await
        .map_err(|error| match error.is_unique_violation() {
            true => Error::conflict(format!(
                "Execution schedule with ID `{}` already exists for the deployment `{}`",
                new.id, owner.id
            )),
            false => error,
        })?;
    let key = row.ok_or_else(|| Error::internal("an insert answered no key"))?;
    let key = key.integer(0)?;
    await_occurrence(tx, key, new.next_occurrence.filter(|_| new.enabled)).await?;
    audit::insert(
        tx,
        scope,
        "execution_schedule_create",
        SCHEDULES.name,
        &new.id,
    )
    .await
}

/// Saves a schedule that was changed.
pub async fn save(tx: &impl Tx, scope: &Scope, schedule: &Schedule) -> Result<()> {
    tx.execute(
        "update execution_schedules set workflow_id = ?2, rule = ?3, slip = ?4, stop_on_fail = ?5,
             enabled = ?6, since = ?7, until = ?8, next_occurrence = ?9 where key = ?1",
        params![
            schedule.key,
            &schedule.workflow_id,
            &schedule.rule,
            schedule.slip,
            schedule.stop_on_fail,
            schedule.enabled,
            schedule.since,
            schedule.until,
            schedule.next_occurrence
        ],
    )
    .await?;
    let next = schedule.next_occurrence.filter(|_| schedule.enabled);
    await_occurrence(tx, schedule.key, next).await?;
    let (action, id) = ("execution_schedule_update", &schedule.id);
    audit::insert(tx, scope, action, SCHEDULES.name, id).await
}

/// Deletes a schedule. What it started goes on.
pub async fn delete(tx: &impl Tx, scope: &Scope, schedule: &Schedule) -> Result<()> {
    let sql = "delete from execution_schedules where key = ?1";
    tx.execute(sql, params![schedule.key]).await?;
    let (action, id) = ("execution_schedule_delete", &schedule.id);
    audit::insert(tx, scope, action, SCHEDULES.name, id).await
}

/// Puts the next occurrence into the queue in the place of the one that is there.
pub(super) async fn await_occurrence(
    tx: &impl Tx,
    key: i64,
    next: Option<Timestamp>,
) -> Result<()> {
    let subject = key.to_string();
    queue::remove_all(tx, Work::ExecutionSchedule, &[&subject]).await?;
    let Some(next) = next else { return Ok(()) };
    let now = Timestamp::now();
    queue::push(
        tx,
        Work::ExecutionSchedule,
        &subject,
        &Value::Null,
        next,
        now,
    )
    .await
}
