//! Labels of blueprints, deployments and their groups: tables of one shape, so one module.
//!
//! What a label may be is decided in [`parse`]; what is stored is what it answers. A set of
//! labels is always replaced as a whole: those that stay keep the time at which they were given.

mod list;
mod parse;

pub use list::{keys, values};
pub use parse::{CONSUMER_ID, OBJECT_PARENT, RESERVED, check, check_key, parse};

use crate::blueprints::Blueprint;
use crate::deployments::{Deployment, Owner};
use crate::pieces;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};

/// What a label is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOwner {
    /// A blueprint.
    Blueprint,
    /// A deployment.
    Deployment,
}

impl LabelOwner {
    /// The table of the labels, its column for their owner, and the owners' table.
    const fn tables(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Blueprint => ("blueprint_labels", "blueprint_key", "blueprints"),
            Self::Deployment => ("deployment_labels", "deployment_key", "deployments"),
        }
    }

    /// The labels of the owner's row `t` as a JSON array, for its declaration of fields.
    pub const fn json_sql(self) -> &'static str {
        match self {
            Self::Blueprint => {
                "(select json_group_array(json_object('key', l.key, 'value', l.value, \
                 'created_at', l.created_at, 'created_by', l.created_by, 'creator_id', \
                 (select u.id from users u where u.username = l.created_by))) \
                 from blueprint_labels l where l.blueprint_key = t.key)"
            }
            Self::Deployment => {
                "(select json_group_array(json_object('key', l.key, 'value', l.value, \
                 'created_at', l.created_at, 'created_by', l.created_by, 'creator_id', \
                 (select u.id from users u where u.username = l.created_by))) \
                 from deployment_labels l where l.deployment_key = t.key)"
            }
        }
    }
}

/// A label as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Label {
    /// The key, in lower case.
    pub key: String,
    /// The value, normalised.
    pub value: String,
}

impl Label {
    /// A label of texts that are known to be usable.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }
}

/// A row that has labels: a blueprint, deployment or group that was found, or was just made.
#[derive(Clone, Copy, Debug)]
pub struct Labelled {
    /// The table of the labels, and its column for their owner.
    table: &'static str,
    column: &'static str,
    key: i64,
}

impl Labelled {
    /// The row of this key. Other crates have to find the row first.
    pub(crate) const fn new(owner: LabelOwner, key: i64) -> Self {
        let (table, column, _) = owner.tables();
        Self { table, column, key }
    }

    /// The deployment group of this key, whose labels nobody lists by themselves.
    pub(crate) const fn group(key: i64) -> Self {
        let (table, column) = ("deployment_group_labels", "group_key");
        Self { table, column, key }
    }
}

impl From<&Blueprint> for Labelled {
    fn from(blueprint: &Blueprint) -> Self {
        Self::new(LabelOwner::Blueprint, blueprint.key)
    }
}

impl From<&Deployment> for Labelled {
    fn from(deployment: &Deployment) -> Self {
        Self::new(LabelOwner::Deployment, deployment.key)
    }
}

impl From<&Owner> for Labelled {
    fn from(deployment: &Owner) -> Self {
        Self::new(LabelOwner::Deployment, deployment.key)
    }
}

/// Every label of one row, ordered by key and value.
pub async fn find(db: &impl Db, of: impl Into<Labelled>) -> Result<Vec<Label>> {
    ordered(db, of.into(), "key, value").await
}

/// Every label of one row, in the order in which they were given.
pub async fn find_oldest_first(db: &impl Db, of: impl Into<Labelled>) -> Result<Vec<Label>> {
    ordered(db, of.into(), "created_at, value").await
}

async fn ordered(db: &impl Db, of: Labelled, order: &'static str) -> Result<Vec<Label>> {
    let Labelled { table, column, .. } = of;
    let sql = format!(
        "select json_object('key', key, 'value', value) as item
         from {table} where {column} = ?1 order by {order}"
    );
    pieces::read_few(db, &sql, params![of.key]).await
}

/// Makes these the labels of one row: missing ones go, present ones keep their `created_at`.
/// A deployment's `csys-consumer-id` is the server's own and stays as it is.
pub async fn replace(
    tx: &impl Tx,
    scope: &Scope,
    of: impl Into<Labelled>,
    labels: &[Label],
) -> Result<()> {
    let of = of.into();
    let Labelled { table, column, .. } = of;
    let sql = format!(
        "delete from {table} where {column} = ?1 and (key <> ?3 or ?4)
             and (key, value) not in
                 (select value ->> '$.key', value ->> '$.value' from json_each(?2))"
    );
    let is_blueprint = table == LabelOwner::Blueprint.tables().0;
    tx.execute(
        &sql,
        params![of.key, &json!(labels), CONSUMER_ID, is_blueprint],
    )
    .await?;
    let mut own = labels.to_vec();
    own.retain(|label| is_blueprint || label.key != CONSUMER_ID);
    add(tx, scope, of, &own).await
}

/// Adds labels to one row. Those it has already stay as they are.
pub async fn add(
    tx: &impl Tx,
    scope: &Scope,
    to: impl Into<Labelled>,
    labels: &[Label],
) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    let to = to.into();
    let Labelled { table, column, .. } = to;
    let sql = format!(
        "insert or ignore into {table} ({column}, key, value, created_at, created_by)
         select ?1, value ->> '$.key', value ->> '$.value', ?3, ?4 from json_each(?2)"
    );
    tx.execute(
        &sql,
        params![to.key, &json!(labels), Timestamp::now(), scope.username()],
    )
    .await
}

/// Removes labels from one row. Those it does not have are no error.
pub async fn remove(tx: &impl Tx, from: impl Into<Labelled>, labels: &[Label]) -> Result<()> {
    let from = from.into();
    let Labelled { table, column, .. } = from;
    let sql = format!(
        "delete from {table} where {column} = ?1 and (key, value) in
             (select value ->> '$.key', value ->> '$.value' from json_each(?2))"
    );
    tx.execute(&sql, params![from.key, &json!(labels)]).await
}

#[cfg(test)]
mod tests;
