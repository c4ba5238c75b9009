//! One deployment's row: how it is found and read.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::ops::Deref;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Visibility, params};

use super::DEPLOYMENT;
use crate::plan_parts::{object_part_sql, part_sql};

/// Which deployment it is, and what the rows of its nodes and instances repeat of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Owner {
    /// The row.
    pub key: i64,
    /// The id.
    pub id: String,
    /// The tenant.
    pub tenant_name: String,
    /// Who made it.
    pub created_by: String,
    /// Who sees it.
    pub visibility: Visibility,
}

/// A deployment as far as code needs it. It can be used wherever an [`Owner`] is wanted.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployment {
    /// Which one it is.
    pub owner: Owner,
    /// The name shown to people.
    pub display_name: String,
    /// The blueprint's row.
    pub blueprint_key: i64,
    /// The blueprint's id.
    pub blueprint_id: String,
    /// The text from the plan.
    pub description: Option<String>,
    /// The inputs' values.
    pub inputs: Map<String, Json>,
    /// The outputs' definitions.
    pub outputs: Json,
    /// The capabilities' definitions.
    pub capabilities: Json,
    /// Tags from the plan.
    pub resource_tags: Option<Json>,
    /// Whether functions are left alone until somebody asks for their values.
    #[serde(deserialize_with = "number_as_bool")]
    pub runtime_only_evaluation: bool,
}

fn number_as_bool<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    i64::deserialize(deserializer).map(|number| number != 0)
}

impl Deref for Deployment {
    type Target = Owner;

    fn deref(&self) -> &Owner {
        &self.owner
    }
}

/// The JSON from which [`Owner`] is read, of a row `d`.
pub(super) const OWNER_RECORD: &str = "json_object('key', d.key, 'id', d.id,
    'tenant_name', d.tenant_name, 'created_by', d.created_by, 'visibility', d.visibility)";

/// The JSON from which [`Deployment`] is read, of a row `d`.
fn record() -> String {
    format!(
        "json_object('owner', {OWNER_RECORD}, 'display_name', d.display_name,
             'blueprint_key', d.blueprint_key, 'blueprint_id', d.blueprint_id,
             'description', {description}, 'inputs', json(d.inputs), 'outputs', json({outputs}),
             'capabilities', json({capabilities}), 'resource_tags', json({resource_tags}),
             'runtime_only_evaluation', d.runtime_only_evaluation)",
        description = part_sql!("d", "description"),
        outputs = object_part_sql!("d", "outputs"),
        capabilities = object_part_sql!("d", "capabilities"),
        resource_tags = part_sql!("d", "resource_tags"),
    )
}

/// A deployment that the caller can see. One of another tenant is not found, never forbidden.
///
/// # Errors
/// 404.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Deployment> {
    find_optional(db, scope, id)
        .await?
        .ok_or_else(|| Error::not_found(DEPLOYMENT.name, id))
}

/// As [`find`], with nothing instead of a refusal.
pub async fn find_optional(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Deployment>> {
    let sql = format!(
        "select {} from deployments d where {} and d.id = ?4
         order by d.tenant_name = ?1 desc limit 1",
        record(),
        Scope::visible("d")
    );
    db.first_json(&sql, &scope.with(params![id])).await
}

/// A deployment that the caller may change: one they can see, of their own tenant.
///
/// # Errors
/// 404; 400 for a global one of another tenant.
pub async fn find_own(db: &impl Db, scope: &Scope, id: &str) -> Result<Deployment> {
    let deployment = find(db, scope, id).await?;
    scope.demand_own_tenant(&deployment.id, &deployment.tenant_name)?;
    Ok(deployment)
}

/// A deployment by its row, which another row that was found refers to.
pub async fn find_by_key(db: &impl Db, scope: &Scope, key: i64) -> Result<Option<Deployment>> {
    let sql = format!(
        "select {} from deployments d where {} and d.key = ?4",
        record(),
        Scope::visible("d")
    );
    db.first_json(&sql, &scope.with(params![key])).await
}

/// The installation status of a deployment that was found, and its status.
pub async fn statuses(db: &impl Db, deployment: &Deployment) -> Result<(String, String)> {
    let sql = "select json_array(installation_status, deployment_status) from deployments
               where key = ?1";
    let found = db.first_json(sql, params![deployment.key]).await?;
    found.ok_or_else(|| Error::not_found(DEPLOYMENT.name, &deployment.id))
}

/// Whether the id is in use in the scope's tenant, or by a global deployment of any; for a new
/// global one, in any tenant at all.
pub async fn is_taken(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    visibility: Visibility,
) -> Result<bool> {
    let row = db
        .first(
            "select 1 from deployments
             where id = ?1 and (tenant_name = ?2 or visibility = 'global' or ?3)",
            params![id, scope.tenant(), visibility == Visibility::Global],
        )
        .await?;
    Ok(row.is_some())
}

/// Whether other tenants than the deployment's have one of its id.
pub async fn exists_elsewhere(db: &impl Db, deployment: &Deployment) -> Result<bool> {
    let row = db
        .first(
            "select 1 from deployments where id = ?1 and tenant_name <> ?2",
            params![&deployment.id, &deployment.tenant_name],
        )
        .await?;
    Ok(row.is_some())
}
