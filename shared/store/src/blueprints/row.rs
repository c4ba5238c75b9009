//! One blueprint's row: how it is found and read.

use super::{BLUEPRINTS, State};
use serde::Deserialize;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Visibility, params};

/// An archive in the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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

/// The JSON from which [`Blueprint`] is read, of a row `b`.
pub(super) const RECORD: &str = "json_object('key', b.key, 'id', b.id,
    'tenant_name', b.tenant_name, 'created_by', b.created_by, 'visibility', b.visibility,
    'state', b.state, 'main_file_name', b.main_file_name, 'description', b.description,
    'error', b.error, 'archive', json(iif(b.archive_blob is null, 'null',
        json_object('blob', b.archive_blob, 'format', b.archive_format,
            'size', b.archive_size, 'sha256', b.archive_sha256))))";

/// The statement of [`find`]: their tenant's own before a global one of another.
/// The id of the execution that uploaded a blueprint.
pub async fn upload_execution(db: &impl Db, blueprint: &Blueprint) -> Result<Option<String>> {
    let sql = "select upload_execution from blueprints where key = ?1";
    let row = db.first(sql, params![blueprint.key]).await?;
    row.map_or(Ok(None), |row| Ok(row.optional_text(0)?.map(str::to_owned)))
}

pub(super) fn find_sql() -> String {
    format!(
        "select {RECORD} from blueprints b where b.id = ?4 and {} \
         order by b.tenant_name = ?1 desc limit 1",
        Scope::visible("b")
    )
}

/// A blueprint the caller can see: their tenant's own before a global one of another.
///
/// # Errors
/// 404; one of another tenant is not found, never forbidden.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Blueprint> {
    let found = find_optional(db, scope, id).await?;
    found.ok_or_else(|| Error::not_found(BLUEPRINTS.name, id))
}

/// As [`find`], with nothing instead of a refusal.
pub async fn find_optional(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Blueprint>> {
    db.first_json(&find_sql(), &scope.with(&[id.into()])).await
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

/// Whether another tenant has a blueprint of this id, which keeps one here from being global.
pub async fn exists_elsewhere(db: &impl Db, scope: &Scope, id: &str) -> Result<bool> {
    let sql = "select 1 from blueprints where id = ?1 and tenant_name <> ?2 limit 1";
    Ok(db.first(sql, params![id, scope.tenant()]).await?.is_some())
}
