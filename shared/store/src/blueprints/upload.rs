//! What an upload found, in one transaction: at its end, or, when its client does not wait for
//! that, at its beginning.

use super::row::RECORD;
use super::{Archive, BLUEPRINTS, Blueprint, PlanTexts, State};
use super::{dependent_deployments, exists_elsewhere};
use super::{plans, removal, under_way};
use crate::audit;
use crate::blobs;
use crate::executions::Status;
use crate::labels::{self, Label, LabelOwner, Labelled};
use crate::quotas::{self, Limited};
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx, Value as SqlValue};
use windlass_core::{Error, Result, Scope, Timestamp, Visibility, ids, params, visibility};

/// The `upload_blueprint` execution of an upload.
#[derive(Clone, Debug)]
pub struct UploadExecution {
    /// When it began.
    pub started_at: Timestamp,
    /// What it was asked to do.
    pub parameters: Value,
}

/// What an archive turned out to be.
#[derive(Clone, Debug)]
pub struct Found {
    /// How far the upload came: `uploaded`, or how it failed.
    pub state: State,
    /// Why it failed.
    pub error: Option<String>,
    /// What the plan says about itself.
    pub description: Option<String>,
    /// What deployments will need.
    pub requirements: Option<Value>,
    /// The plan, if it did not fail.
    pub plan: Option<PlanTexts>,
    /// The labels that the blueprint gives itself.
    pub labels: Vec<Label>,
}

impl Found {
    /// Nothing but a state.
    pub const fn nothing(state: State) -> Self {
        Self {
            state,
            error: None,
            description: None,
            requirements: None,
            plan: None,
            labels: Vec::new(),
        }
    }

    /// Nothing but a failure.
    pub fn failed(state: State, error: impl Into<String>) -> Self {
        Self {
            error: Some(error.into()),
            ..Self::nothing(state)
        }
    }
}

/// What an upload is stored with.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The blueprint's id.
    pub id: String,
    /// Who will see it.
    pub visibility: Visibility,
    /// The main file.
    pub main_file_name: Option<String>,
    /// The labels of the request, checked. When there are none, those that were found count.
    pub labels: Vec<Label>,
    /// What its archive turned out to be, as far as that is known.
    pub found: Found,
    /// The archive, whose blob was written and is nobody's until this is stored.
    pub archive: Option<Archive>,
    /// The execution, if there was one.
    pub execution: Option<UploadExecution>,
    /// Another time of creation than now, for restored blueprints.
    pub created_at: Option<Timestamp>,
    /// Another creator than the caller, for restored blueprints.
    pub created_by: Option<String>,
    /// Whether the rest is work for the queue.
    pub goes_on: bool,
}

/// Demands that a blueprint of this id and visibility can be made, and answers the failed one
/// that it would replace.
///
/// # Errors
/// 409 when the id is taken here or by something global, or taken elsewhere and this is global.
pub async fn demand_free(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    visibility: Visibility,
) -> Result<Option<Blueprint>> {
    if visibility == Visibility::Global && exists_elsewhere(db, scope, id).await? {
        return Err(visibility::exists_elsewhere(id));
    }
    // Also private ones that the caller does not see: their ids are taken too.
    let sql = format!(
        "select {RECORD} from blueprints b
         where b.id = ?1 and (b.tenant_name = ?2 or b.visibility = 'global')
         order by b.tenant_name = ?2 desc limit 1"
    );
    let holder: Option<Blueprint> = db.first_json(&sql, params![id, scope.tenant()]).await?;
    let Some(holder) = holder else {
        return Ok(None);
    };
    // A tool may have set the state of a blueprint that has deployments.
    let is_replaceable = holder.state.is_failed()
        && holder.tenant_name == scope.tenant()
        && dependent_deployments(db, &holder).await?.is_empty();
    if is_replaceable {
        return Ok(Some(holder));
    }
    Err(taken(scope, id))
}

/// As [`demand_free`], and not even a failed one is there: a validation replaces nothing.
pub async fn demand_absent(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    visibility: Visibility,
) -> Result<()> {
    match demand_free(db, scope, id, visibility).await? {
        Some(_) => Err(taken(scope, id)),
        None => Ok(()),
    }
}

fn taken(scope: &Scope, id: &str) -> Error {
    Error::conflict(format!(
        "blueprint with id={id} already exists on tenant {} or with global visibility",
        scope.tenant()
    ))
}

/// Stores that an upload was tried: its execution stays, its blueprint is shown as `validating`
/// and gone again before anybody else could see it.
///
/// # Errors
/// 409 as [`demand_absent`].
pub async fn insert_validation(
    tx: &impl Tx,
    scope: &Scope,
    upload: &Upload,
) -> Result<Map<String, Value>> {
    demand_absent(tx, scope, &upload.id, upload.visibility).await?;
    let mut validating = upload.clone();
    validating.found.state = State::Validating;
    insert(tx, scope, &validating).await?;
    let condition = "t.id = {} and t.tenant_name = {}";
    let (id, tenant) = (SqlValue::from(&upload.id), SqlValue::from(scope.tenant()));
    let statement = BLUEPRINTS.find_statement(scope, None, condition, [id.clone(), tenant.clone()]);
    let shown = tx.first_json(&statement.sql, &statement.parameters).await?;
    tx.execute(
        "delete from blueprints where id = ?1 and tenant_name = ?2",
        &[id, tenant],
    )
    .await?;
    shown.ok_or_else(|| Error::internal("what was inserted can be read"))
}

/// Stores what an upload found, in place of a failed one of the same id.
///
/// # Errors
/// 409 as [`demand_free`]: somebody else may have been faster; 503 when its blob was swept.
pub async fn insert(tx: &impl Tx, scope: &Scope, upload: &Upload) -> Result<()> {
    let replaced = demand_free(tx, scope, &upload.id, upload.visibility).await?;
    if let Some(old) = replaced {
        removal::remove(tx, &old).await?;
    }
    // What is only looked at does not stay.
    if upload.found.state != State::Validating {
        quotas::demand_room(tx, scope.tenant(), Limited::Blueprints).await?;
    }
    let now = Timestamp::now();
    let created_by = upload.created_by.as_deref().unwrap_or(scope.username());
    let execution = match &upload.execution {
        Some(execution) => Some(insert_execution(tx, scope, upload, execution, created_by).await?),
        None => None,
    };
    let found = &upload.found;
    let archive = upload.archive.as_ref();
    if let Some(archive) = archive {
        blobs::keep(tx, &archive.blob).await?;
    }
    let row = tx
        .first(
            "insert into blueprints (id, tenant_name, created_by, visibility, created_at,
                 updated_at, state, main_file_name, upload_execution, archive_blob,
                 archive_format, archive_size, archive_sha256, description, requirements, error)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
             returning key",
            params![
                upload.id.as_str(),
                scope.tenant(),
                created_by,
                upload.visibility,
                upload.created_at.unwrap_or(now),
                now,
                found.state,
                upload.main_file_name.as_deref(),
                execution,
                archive.map(|archive| archive.blob.as_str()),
                archive.map(|archive| archive.format.as_str()),
                archive.map(|archive| archive.size),
                archive.map(|archive| archive.sha256.as_str()),
                found.description.as_deref(),
                found.requirements.as_ref(),
                found.error.as_deref(),
            ],
        )
        .await?;
    let row = row.ok_or_else(|| Error::internal("an insert answers its key"))?;
    let key = row.integer(0)?;
    if let Some(plan) = &found.plan {
        plans::save(tx, key, plan).await?;
    }
    let labels = match upload.labels.is_empty() {
        true => &found.labels,
        false => &upload.labels,
    };
    let blueprint = Labelled::new(LabelOwner::Blueprint, key);
    labels::add(tx, scope, blueprint, labels).await?;
    if upload.goes_on {
        under_way::push(tx, scope, key, upload).await?;
    }
    audit::insert(tx, scope, "blueprint_upload", BLUEPRINTS.name, &upload.id).await
}

/// The execution of an upload, which has ended unless the upload goes on, and its id.
async fn insert_execution(
    tx: &impl Tx,
    scope: &Scope,
    upload: &Upload,
    execution: &UploadExecution,
    created_by: &str,
) -> Result<String> {
    let id = ids::new_uuid();
    let (status, ended_at) = match upload.found.error {
        _ if upload.goes_on => (Status::Started, None),
        Some(_) => (Status::Failed, Some(Timestamp::now())),
        None => (Status::Terminated, Some(Timestamp::now())),
    };
    tx.execute(
        "insert into executions (id, tenant_name, created_by, visibility, created_at, blueprint_id,
             workflow_id, status, error, parameters, started_at, ended_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, 'upload_blueprint', ?7, ?8, ?9, ?5, ?10)",
        params![
            id.as_str(),
            scope.tenant(),
            created_by,
            upload.visibility,
            execution.started_at,
            upload.id.as_str(),
            status.name(),
            upload.found.error.as_deref(),
            &execution.parameters,
            ended_at,
        ],
    )
    .await?;
    Ok(id)
}
