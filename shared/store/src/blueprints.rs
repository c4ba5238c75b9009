//! Blueprints: what was uploaded, how far that came, and the plan it was found to mean.
//!
//! An upload ends in one transaction, so a row is never half of one; while it goes on in the
//! background its state says how far it is. One that failed stays, with
//! the reason, until an upload of the same id replaces it. The plan is kept in a table of its own
//! and twice: as clients see it, and in the small form that deployments are made from.

mod change;
mod delete;
mod under_way;
mod upload;

pub use change::{Changes, demand_execution, save, save_archive, set_visibility};
pub use delete::{delete, dependent_deployments, is_imported};
pub use under_way::{UPLOAD_WORK, UnderWay, advance, end, find_under_way, give_up, take_archive};
pub use upload::{
    PlanTexts, Upload, UploadExecution, demand_absent, demand_free, insert, insert_validation,
};

use crate::labels::LabelOwner;
use crate::resource::{Head, TenantRow};
use serde_json::Value;
use windlass_core::db::{Db, Row};
use windlass_core::list::{COMMON, Field, Resource, concat};
use windlass_core::{Error, Result, Scope, Visibility, params};

/// The `upload_blueprint` execution, nested as clients expect it.
const UPLOAD_EXECUTION: &str = "(select json_object('id', e.id, 'workflow_id', e.workflow_id, \
     'deployment_id', e.deployment_id, 'deployment_display_name', null, \
     'blueprint_id', e.blueprint_id, 'status', e.status, \
     'status_display', case e.status when 'terminated' then 'completed' else e.status end, \
     'error', e.error, 'parameters', json(e.parameters), \
     'is_system_workflow', json(iif(e.is_system_workflow, 'true', 'false')), \
     'is_dry_run', json(iif(e.is_dry_run, 'true', 'false')), \
     'created_at', e.created_at, 'started_at', e.started_at, 'ended_at', e.ended_at, \
     'scheduled_for', e.scheduled_for, \
     'allow_custom_parameters', json(iif(e.allow_custom_parameters, 'true', 'false')), \
     'resume', json(iif(e.resume, 'true', 'false')), \
     'total_operations', e.total_operations, 'finished_operations', e.finished_operations, \
     'created_by', e.created_by, 'tenant_name', e.tenant_name, 'visibility', e.visibility, \
     'private_resource', json(iif(e.visibility = 'private', 'true', 'false')), \
     'resource_availability', e.visibility) from executions e where e.id = t.upload_execution)";

static FIELDS: [Field; 18] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("main_file_name", "t.main_file_name"),
        Field::json(
            "plan",
            "(select p.plan from blueprint_plans p where p.blueprint_key = t.key)",
        ),
        Field::json("requirements", "t.requirements"),
        Field::text("description", "t.description"),
        Field::text("created_at", "t.created_at"),
        Field::text("updated_at", "t.updated_at"),
        Field::json("labels", LabelOwner::Blueprint.json_sql()),
        Field::text("state", "t.state"),
        Field::text("error", "t.error"),
        Field::text("error_traceback", "t.error_traceback"),
        Field::boolean("is_hidden", "t.is_hidden"),
        Field::json("upload_execution", UPLOAD_EXECUTION),
    ],
    &COMMON,
);

/// Blueprints as the API shows them. Lists leave hidden ones out, see [`NOT_HIDDEN`].
pub static BLUEPRINTS: Resource = Resource {
    name: "Blueprint",
    table: "blueprints t",
    fields: &FIELDS,
    search: Some("t.id"),
    of_tenant: true,
};

/// The condition that every list of blueprints carries.
pub const NOT_HIDDEN: &str = "t.is_hidden = 0";

/// How far an upload came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names are the states of the table in `name`"
)]
pub enum State {
    Pending,
    Uploading,
    Extracting,
    Parsing,
    Uploaded,
    Validating,
    FailedUploading,
    FailedExtracting,
    FailedParsing,
    FailedExtractingToFileServer,
    Invalid,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Uploading,
        Self::Extracting,
        Self::Parsing,
        Self::Uploaded,
        Self::Validating,
        Self::FailedUploading,
        Self::FailedExtracting,
        Self::FailedParsing,
        Self::FailedExtractingToFileServer,
        Self::Invalid,
    ];

    /// The word in the API and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Uploading => "uploading",
            Self::Extracting => "extracting",
            Self::Parsing => "parsing",
            Self::Uploaded => "uploaded",
            Self::Validating => "validating",
            Self::FailedUploading => "failed_uploading",
            Self::FailedExtracting => "failed_extracting",
            Self::FailedParsing => "failed_parsing",
            Self::FailedExtractingToFileServer => "failed_extracting_to_file_server",
            Self::Invalid => "invalid",
        }
    }

    /// Reads a state.
    ///
    /// # Errors
    /// 400, naming all of them.
    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.name() == text)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name);
                Error::bad_parameters(format!(
                    "Invalid state: `{text}`. Valid blueprint state values are: {}",
                    windlass_core::list::python_list(&names)
                ))
            })
    }

    /// Whether the upload failed, so that another of the same id may replace it.
    pub const fn is_failed(self) -> bool {
        match self {
            Self::FailedUploading
            | Self::FailedExtracting
            | Self::FailedParsing
            | Self::FailedExtractingToFileServer
            | Self::Invalid => true,
            Self::Pending
            | Self::Uploading
            | Self::Extracting
            | Self::Parsing
            | Self::Uploaded
            | Self::Validating => false,
        }
    }

    /// Whether the upload is still on its way.
    pub const fn is_under_way(self) -> bool {
        match self {
            Self::Pending | Self::Uploading | Self::Extracting | Self::Parsing => true,
            Self::Uploaded
            | Self::Validating
            | Self::FailedUploading
            | Self::FailedExtracting
            | Self::FailedParsing
            | Self::FailedExtractingToFileServer
            | Self::Invalid => false,
        }
    }

    /// Whether deployments can be made from the blueprint.
    pub fn is_usable(self) -> bool {
        self == Self::Uploaded
    }
}

/// An archive in the blob store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The blob's name.
    pub blob: String,
    /// The extension of a file of this format, without the dot in front.
    pub format: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A blueprint's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blueprint {
    /// What other rows refer to.
    pub key: i64,
    /// What clients say.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant_name: String,
    /// Who uploaded it.
    pub created_by: String,
    /// Who sees it.
    pub visibility: Visibility,
    /// How far its upload came.
    pub state: State,
    /// The main file, inside the archive's directory.
    pub main_file_name: Option<String>,
    /// The plan's description.
    pub description: Option<String>,
    /// Why the upload failed.
    pub error: Option<String>,
    /// Its archive, if there is one.
    pub archive: Option<Archive>,
}

impl TenantRow for Blueprint {
    const RESOURCE: &'static Resource = &BLUEPRINTS;

    fn head(&self) -> Head {
        Head {
            key: self.key,
            id: self.id.clone(),
            tenant_name: self.tenant_name.clone(),
            created_by: self.created_by.clone(),
            visibility: self.visibility,
        }
    }
}

const COLUMNS: &str = "key, id, tenant_name, created_by, visibility, state, main_file_name, \
     description, error, archive_blob, archive_format, archive_size, archive_sha256";

impl Blueprint {
    fn from_row(row: &Row) -> Result<Self> {
        let text = |column| {
            row.optional_text(column)
                .map(|text| text.map(str::to_owned))
        };
        let archive = match (text(9)?, text(10)?, row.optional_integer(11)?, text(12)?) {
            (Some(blob), Some(format), Some(size), Some(sha256)) => {
                let size = u64::try_from(size).map_err(Error::internal)?;
                Some(Archive {
                    blob,
                    format,
                    size,
                    sha256,
                })
            }
            _ => None,
        };
        Ok(Self {
            key: row.integer(0)?,
            id: row.text(1)?.to_owned(),
            tenant_name: row.text(2)?.to_owned(),
            created_by: row.text(3)?.to_owned(),
            visibility: Visibility::parse(row.text(4)?, &Visibility::ALL)?,
            state: State::parse(row.text(5)?)?,
            main_file_name: text(6)?,
            description: text(7)?,
            error: text(8)?,
            archive,
        })
    }
}

/// A blueprint the caller can see: their tenant's own before a global one of another.
///
/// # Errors
/// 404; one of another tenant is not found, never forbidden.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Blueprint> {
    let sql = format!(
        "select {COLUMNS} from blueprints where id = ?4 and {} \
         order by tenant_name = ?1 desc limit 1",
        Scope::VISIBLE
    );
    match db.first(&sql, &scope.with(&[id.into()])).await? {
        Some(row) => Blueprint::from_row(&row),
        None => Err(Error::not_found(BLUEPRINTS.name, id)),
    }
}

/// A blueprint that the caller may change: one they can see, of their own tenant.
///
/// # Errors
/// 404; 400 for a global one of another tenant.
pub async fn find_own(db: &impl Db, scope: &Scope, id: &str) -> Result<Blueprint> {
    let blueprint = find(db, scope, id).await?;
    scope.demand_own_tenant(&blueprint.id, &blueprint.tenant_name)?;
    Ok(blueprint)
}

/// The plan of a blueprint in the form that `Plan::from_stored` (and serde's `Plan`) reads; null
/// when there is none. To be called with the key of a blueprint that was found.
pub async fn plan(db: &impl Db, key: i64) -> Result<Value> {
    let sql = "select stored from blueprint_plans where blueprint_key = ?1";
    Ok(db.first_json(sql, params![key]).await?.unwrap_or_default())
}

/// Whether another tenant has a blueprint of this id, which keeps one here from being global.
pub async fn exists_elsewhere(db: &impl Db, scope: &Scope, id: &str) -> Result<bool> {
    let sql = "select 1 from blueprints where id = ?1 and tenant_name <> ?2 limit 1";
    Ok(db.first(sql, params![id, scope.tenant()]).await?.is_some())
}

#[cfg(test)]
#[path = "blueprints/tests.rs"]
mod tests;
