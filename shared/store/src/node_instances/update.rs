//! Node instances as an update of their deployment reads and changes them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, params};

use crate::deployments::Owner;
use crate::pieces::{self, batches};

/// The instances of a deployment as an update compares them: objects with `id`, `node_id`, `host_id`,
/// `index`, `state`, `relationships`, `scaling_groups`.
pub async fn for_update<T: DeserializeOwned>(db: &impl Db, owner: &Owner) -> Result<Vec<T>> {
    let sql = "select json_object('id', id, 'node_id', node_id, 'host_id', host_id,
                   'index', \"index\", 'state', state, 'relationships', json(relationships),
                   'scaling_groups', json(scaling_groups)) as item
               from node_instances where deployment_key = ?1 order by key";
    pieces::read(db, sql, params![owner.key]).await
}

/// All relationships that an instance has from now on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewRelationships {
    /// Which instance, by its id.
    pub id: String,
    /// `{type, target_id, target_name}` of each.
    pub relationships: Value,
}

/// Replaces the relationships of some instances of a deployment. The record of what wanted it tells of
/// it.
pub async fn set_relationships(tx: &impl Tx, owner: &Owner, of: &[NewRelationships]) -> Result<()> {
    // The `+` keeps the tenant's index out, as in all changes of many instances.
    let sql = "update node_instances set relationships = new.value -> 'relationships',
                   version = version + 1
               from json_each(?3) as new
               where node_instances.id = new.value ->> 'id'
                 and +node_instances.tenant_name = ?2 and +node_instances.deployment_key = ?1";
    for batch in batches(of) {
        tx.execute(sql, params![owner.key, &owner.tenant_name, batch?])
            .await?;
    }
    Ok(())
}

/// Takes instances of these ids out of a deployment.
pub async fn remove(tx: &impl Tx, owner: &Owner, ids: &[&str]) -> Result<()> {
    let sql = "delete from node_instances where tenant_name = ?2 and +deployment_key = ?1
                   and id in (select value from json_each(?3))";
    for batch in batches(ids) {
        tx.execute(sql, params![owner.key, &owner.tenant_name, batch?])
            .await?;
    }
    Ok(())
}
