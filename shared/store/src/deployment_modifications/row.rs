//! One modification's row.

use super::DEPLOYMENT_MODIFICATION;
use crate::deployments::Owner;
use crate::{audit, json_text};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Permission, Result, Scope, Timestamp, ids, params};

windlass_core::named_enum! {
    /// Where a modification stands.
    pub enum Status {
        /// What is new is there, what goes is still there.
        Started = "started",
        /// What was to go has gone.
        Finished = "finished",
        /// The deployment is as it was before.
        RolledBack = "rolledback",
    }
}

/// What is wanted of a node or a scaling group, as clients say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct New {
    /// How many instances there are to be in each instance of the container.
    pub instances: u32,
    /// What goes first.
    #[serde(default)]
    pub removed_ids_include_hint: Vec<String>,
    /// What goes last.
    #[serde(default)]
    pub removed_ids_exclude_hint: Vec<String>,
}

/// A modification, to end it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DeploymentModification {
    /// The order of creation.
    pub key: i64,
    /// What clients call it, a UUID.
    pub id: String,
    /// Its tenant, which is its deployment's.
    pub tenant_name: String,
    /// The deployment.
    pub deployment_key: i64,
    /// Where it stands.
    pub status: String,
    /// What was asked for, by node or scaling group.
    pub modified_nodes: BTreeMap<String, New>,
}

const ROW: &str = "json_object('key', key, 'id', id, 'tenant_name', tenant_name,
     'deployment_key', deployment_key, 'status', status, 'modified_nodes', json(modified_nodes))";

/// A modification that the caller can see.
///
/// # Errors
/// 404.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<DeploymentModification> {
    let sql = format!(
        "select {ROW} from deployment_modifications where {} and id = ?4",
        Scope::VISIBLE
    );
    let found = db.first_json(&sql, &scope.with(params![id])).await?;
    found.ok_or_else(|| Error::not_found(DEPLOYMENT_MODIFICATION.name, id))
}

/// A modification that the caller may end: one they can see, of their own tenant.
///
/// # Errors
/// 404; 400 for one of a global deployment of another tenant.
pub async fn find_own(db: &impl Db, scope: &Scope, id: &str) -> Result<DeploymentModification> {
    let found = find(db, scope, id).await?;
    scope.demand_own_tenant(id, &found.tenant_name)?;
    Ok(found)
}

/// The modification of a deployment that is under way.
pub async fn started(db: &impl Db, owner: &Owner) -> Result<Option<DeploymentModification>> {
    let sql = format!(
        "select {ROW} from deployment_modifications
         where deployment_key = ?1 and status = 'started'"
    );
    db.first_json(&sql, params![owner.key]).await
}

/// Refuses a second modification of a deployment at the same time.
///
/// # Errors
/// 400, naming the one that is under way.
pub async fn demand_none_started(db: &impl Db, owner: &Owner) -> Result<()> {
    let Some(other) = started(db, owner).await? else {
        return Ok(());
    };
    let text = format!(
        "Cannot start deployment modification while there are existing started deployment \
         modifications. Currently started deployment modifications: ['{}']",
        other.id
    );
    let kind = Kind::ExistingStartedDeploymentModification;
    Err(Error::new(kind, text))
}

/// Stores a modification that begins now, and answers it. It is seen by those who see its deployment.
///
/// # Errors
/// 400 when the deployment has one under way.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    modified: &BTreeMap<String, New>,
    context: &Map<String, Value>,
) -> Result<DeploymentModification> {
    demand_none_started(tx, owner).await?;
    let id = ids::new_uuid();
    let sql = format!(
        "insert into deployment_modifications (id, tenant_name, created_by, visibility, created_at,
             deployment_key, deployment_id, status, modified_nodes, context)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'started', ?8, ?9) returning {ROW}"
    );
    let values = params![
        &id,
        &owner.tenant_name,
        scope.username(),
        owner.visibility,
        Timestamp::now(),
        owner.key,
        &owner.id,
        json_text(modified)?,
        json_text(context)?
    ];
    let inserted = tx.first_json(&sql, values).await?;
    let inserted = inserted.ok_or_else(|| Error::internal("an insert answered no row"))?;
    let action = Permission::DeploymentModify.name();
    audit::insert(tx, scope, action, DEPLOYMENT_MODIFICATION.name, &id).await?;
    Ok(inserted)
}

/// Ends a modification. What that means for the instances is in the same transaction.
pub async fn save_end(
    tx: &impl Tx,
    scope: &Scope,
    modification: &DeploymentModification,
    status: Status,
) -> Result<()> {
    tx.execute(
        "update deployment_modifications set status = ?2, ended_at = ?3 where key = ?1",
        params![modification.key, status.name(), Timestamp::now()],
    )
    .await?;
    let action = match status {
        Status::RolledBack => Permission::DeploymentModificationRollback,
        Status::Started | Status::Finished => Permission::DeploymentModificationFinish,
    };
    let kind = DEPLOYMENT_MODIFICATION.name;
    audit::insert(tx, scope, action.name(), kind, &modification.id).await
}

/// Whether one of these ids is in use in a tenant, by a node instance.
pub async fn any_in_use(db: &impl Db, tenant: &str, ids: &[&str]) -> Result<bool> {
    let sql = "select 1 from json_each(?1) given
               cross join node_instances t on t.tenant_name = ?2 and t.id = given.value limit 1";
    for batch in crate::pieces::batches(ids) {
        if db.first(sql, params![batch?, tenant]).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
