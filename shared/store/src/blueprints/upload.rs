//! What an upload found, in one transaction: at its end, or, when its client does not wait for
//! that, at its beginning.

use super::under_way;
use super::{
    Archive, BLUEPRINTS, Blueprint, COLUMNS, State, dependent_deployments, exists_elsewhere,
};
use crate::audit;
use crate::blobs;
use crate::labels::{self, LabelOwner};
use serde_json::{Value, json};
use windlass_core::db::{Db, Value as SqlValue};
use windlass_core::{Error, Result, Scope, Timestamp, Visibility, ids, params, visibility};

/// A plan as text, in both forms that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanTexts {
    /// As clients see it.
    pub full: String,
    /// As `Plan::to_stored` writes it.
    pub stored: String,
    /// The blueprints it imports.
    pub imports: Vec<String>,
}

/// The `upload_blueprint` execution of an upload.
#[derive(Clone, Debug)]
pub struct UploadExecution {
    /// When it began.
    pub started_at: Timestamp,
    /// What it was asked to do.
    pub parameters: Value,
}

/// What an upload found.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The blueprint's id.
    pub id: String,
    /// Who will see it.
    pub visibility: Visibility,
    /// Where the upload ended.
    pub state: State,
    /// Why it failed.
    pub error: Option<String>,
    /// The main file.
    pub main_file_name: Option<String>,
    /// What the plan says about itself.
    pub description: Option<String>,
    /// What deployments will need.
    pub requirements: Option<Value>,
    /// The plan.
    pub plan: Option<PlanTexts>,
    /// The labels, checked.
    pub labels: Vec<(String, String)>,
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
    let sql = format!(
        "select {COLUMNS} from blueprints where id = ?1 and (tenant_name = ?2 or visibility = 'global')
         order by tenant_name = ?2 desc limit 1"
    );
    let Some(row) = db.first(&sql, params![id, scope.tenant()]).await? else {
        return Ok(None);
    };
    let holder = Blueprint::from_row(&row)?;
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
pub async fn insert_validation(db: &impl Db, scope: &Scope, upload: &Upload) -> Result<Value> {
    demand_absent(db, scope, &upload.id, upload.visibility).await?;
    let validating = Upload {
        state: State::Validating,
        ..upload.clone()
    };
    insert(db, scope, &validating).await?;
    let condition = "t.id = {} and t.tenant_name = {}";
    let (id, tenant) = (SqlValue::from(&upload.id), SqlValue::from(scope.tenant()));
    let statement = BLUEPRINTS.find_statement(scope, None, condition, [id.clone(), tenant.clone()]);
    let shown = db.first_json(&statement.sql, &statement.parameters).await?;
    db.execute(
        "delete from blueprints where id = ?1 and tenant_name = ?2",
        &[id, tenant],
    )
    .await?;
    shown.ok_or_else(|| Error::internal("what was inserted can be read"))
}

/// Stores what an upload found, in place of a failed one of the same id, whose archive it
/// answers: its blob is to be removed after the commit.
///
/// # Errors
/// 409 as [`demand_free`]: somebody else may have been faster; 503 when its blob was swept.
pub async fn insert(db: &impl Db, scope: &Scope, upload: &Upload) -> Result<Option<Archive>> {
    let replaced = demand_free(db, scope, &upload.id, upload.visibility).await?;
    if let Some(old) = &replaced {
        db.execute("delete from blueprints where key = ?1", params![old.key])
            .await?;
    }
    let now = Timestamp::now();
    let created_by = upload.created_by.as_deref().unwrap_or(scope.username());
    let execution = match &upload.execution {
        Some(execution) => Some(insert_execution(db, scope, upload, execution, created_by).await?),
        None => None,
    };
    let archive = upload.archive.as_ref();
    if let Some(archive) = archive {
        blobs::keep(db, &archive.blob).await?;
    }
    let row = db
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
                upload.state.name(),
                upload.main_file_name.as_deref(),
                execution,
                archive.map(|archive| archive.blob.as_str()),
                archive.map(|archive| archive.format.as_str()),
                archive.map(|archive| archive.size),
                archive.map(|archive| archive.sha256.as_str()),
                upload.description.as_deref(),
                upload.requirements.as_ref(),
                upload.error.as_deref(),
            ],
        )
        .await?;
    let row = row.ok_or_else(|| Error::internal("an insert answers its key"))?;
    let key = row.integer(0)?;
    if let Some(plan) = &upload.plan {
        save_plan(db, key, plan).await?;
    }
    insert_labels(db, scope, key, &upload.labels).await?;
    if upload.goes_on {
        under_way::push(db, scope, key, upload).await?;
    }
    audit::insert(db, scope, "blueprint_upload", BLUEPRINTS.name, &upload.id).await?;
    Ok(replaced.and_then(|old| old.archive))
}

/// Gives a new blueprint its labels.
pub(super) async fn insert_labels(
    db: &impl Db,
    scope: &Scope,
    key: i64,
    labels: &[(String, String)],
) -> Result<()> {
    labels::add(db, LabelOwner::Blueprint, key, labels, scope).await
}

/// Replaces a blueprint's plan.
pub(super) async fn save_plan(db: &impl Db, key: i64, plan: &PlanTexts) -> Result<()> {
    db.execute(
        "insert into blueprint_plans (blueprint_key, plan, stored) values (?1, ?2, ?3)
         on conflict (blueprint_key) do update set plan = excluded.plan, stored = excluded.stored",
        params![key, plan.full.as_str(), plan.stored.as_str()],
    )
    .await?;
    db.execute(
        "delete from blueprint_imports where blueprint_key = ?1",
        params![key],
    )
    .await?;
    if plan.imports.is_empty() {
        return Ok(());
    }
    db.execute(
        "insert or ignore into blueprint_imports (blueprint_key, imported_id)
         select ?1, value from json_each(?2)",
        params![key, &json!(plan.imports)],
    )
    .await
}

/// The execution of an upload, which has ended unless the upload goes on, and its id.
async fn insert_execution(
    db: &impl Db,
    scope: &Scope,
    upload: &Upload,
    execution: &UploadExecution,
    created_by: &str,
) -> Result<String> {
    let id = ids::new_uuid();
    let (status, ended_at) = match upload.error {
        _ if upload.goes_on => ("started", None),
        Some(_) => ("failed", Some(Timestamp::now())),
        None => ("terminated", Some(Timestamp::now())),
    };
    db.execute(
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
            status,
            upload.error.as_deref(),
            &execution.parameters,
            ended_at,
        ],
    )
    .await?;
    Ok(id)
}
