//! One node instance, as clients read, change and delete it.
//!
//! Two writers never overwrite each other unseen: every change raises `version`, and one that was
//! made on an older version is refused.

use serde::Deserialize;
use serde_json::Value as Json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, params};

use crate::audit;

/// One instance, to change it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Record {
    /// The order of creation.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant_name: String,
    /// The row of the deployment it is a part of.
    pub deployment_key: i64,
    /// Any text; workflows write words such as `started`.
    pub state: String,
    /// Raised by every change.
    pub version: i64,
    /// What operations have written.
    pub runtime_properties: Json,
    /// What the server has found out.
    pub system_properties: Json,
    /// The relationships to other instances.
    pub relationships: Json,
}

/// An instance that the caller can see.
///
/// # Errors
/// 404.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Record> {
    let sql = format!(
        "select json_object('key', key, 'id', id, 'tenant_name', tenant_name, 'deployment_key', deployment_key,
             'state', state, 'version', version, 'runtime_properties', json(runtime_properties),
             'system_properties', json(system_properties), 'relationships', json(relationships))
         from node_instances where {} and id = ?4 order by tenant_name = ?1 desc",
        Scope::VISIBLE
    );
    db.first_json(&sql, &scope.with(params![id]))
        .await?
        .ok_or_else(|| Error::not_found("NodeInstance", id))
}

/// Saves an instance that was read before, and raises its version.
///
/// # Errors
/// 409 when somebody else was faster.
pub async fn save(tx: &impl Tx, scope: &Scope, record: &Record) -> Result<()> {
    let row = tx
        .first(
            "update node_instances set state = ?3, runtime_properties = ?4, system_properties = ?5,
                 relationships = ?6, version = version + 1
             where key = ?1 and version = ?2 returning version",
            params![
                record.key,
                record.version,
                &record.state,
                &record.runtime_properties,
                &record.system_properties,
                &record.relationships
            ],
        )
        .await?;
    if row.is_none() {
        return Err(Error::conflict("Node instance update conflict"));
    }
    let action = "node_instance_update";
    audit::insert(tx, scope, action, "NodeInstance", &record.id).await
}

/// Deletes an instance.
pub async fn delete(tx: &impl Tx, scope: &Scope, record: &Record) -> Result<()> {
    tx.execute(
        "delete from node_instances where key = ?1",
        params![record.key],
    )
    .await?;
    let action = "node_instance_delete";
    audit::insert(tx, scope, action, "NodeInstance", &record.id).await
}
