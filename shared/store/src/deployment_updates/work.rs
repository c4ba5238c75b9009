//! What an update has to do with node instances.
//!
//! It is found out once, when the update begins, and stays until the update has succeeded: whatever is
//! killed goes on with it, and what a failed update left undone is taken over by the next one.

use serde::{Deserialize, Serialize};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, params};

use crate::pieces::{self, batches};

/// What is to be done with an instance, or with a relationship of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is new.
    Added,
    /// It goes.
    Removed,
    /// Something of its node is different.
    Changed,
    /// It gets a relationship to another one that stays.
    Extended,
    /// It loses one.
    Reduced,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub role: Role,
    /// The instance.
    pub instance_id: String,
    /// The other end, for a relationship; else empty.
    #[serde(default)]
    pub target_id: String,
    /// The relationship's type; else empty.
    #[serde(default, rename = "type")]
    pub type_name: String,
}

impl Item {
    /// Something to do with an instance itself.
    pub fn of(role: Role, instance_id: impl Into<String>) -> Self {
        Self {
            role,
            instance_id: instance_id.into(),
            target_id: String::new(),
            type_name: String::new(),
        }
    }
}

/// Says what an update has to do.
pub async fn insert(tx: &impl Tx, update: i64, items: &[Item]) -> Result<()> {
    let sql = "insert or ignore into deployment_update_instances
                   (update_key, role, instance_id, target_id, type)
               select ?1, value ->> 'role', value ->> 'instance_id', value ->> 'target_id',
                   value ->> 'type' from json_each(?2)";
    for batch in batches(items) {
        tx.execute(sql, params![update, batch?]).await?;
    }
    Ok(())
}

/// All that an update has to do.
pub async fn find(db: &impl Db, update: i64) -> Result<Vec<Item>> {
    let select = "select json_object('role', role, 'instance_id', instance_id,
                      'target_id', target_id, 'type', type) as item
                  from deployment_update_instances where update_key = ?1
                  order by role, instance_id, target_id, type";
    pieces::read(db, select, params![update]).await
}

/// Forgets what the updates of a deployment up to one had to do: it is done, or somebody else's.
pub async fn forget(tx: &impl Tx, deployment: i64, up_to: i64) -> Result<()> {
    let sql = "delete from deployment_update_instances where update_key in (
                   select key from deployment_updates where deployment_key = ?1 and key <= ?2)";
    tx.execute(sql, params![deployment, up_to]).await
}
