//! Labels of blueprints and deployments: two tables of one shape, so one module.
//!
//! What a label may be is decided in [`parse`]; what is stored is what it answers. A set of
//! labels is always replaced as a whole: those that stay keep the time at which they were given.

mod list;
mod parse;

pub use list::{keys, values};
pub use parse::{CONSUMER_ID, OBJECT_PARENT, RESERVED, check, check_key, parse};

use serde_json::json;
use windlass_core::db::{Db, Value};
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

/// Key and value of every label of one owner, ordered.
pub async fn find(db: &impl Db, owner: LabelOwner, key: i64) -> Result<Vec<(String, String)>> {
    let (table, column, _) = owner.tables();
    let sql = format!("select key, value from {table} where {column} = ?1 order by key, value");
    let rows = db.query(&sql, params![key]).await?;
    rows.iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())))
        .collect()
}

/// Makes these the labels of one owner: missing ones go, present ones keep their `created_at`.
/// A deployment's `csys-consumer-id` is the server's own and stays as it is.
pub async fn replace(
    db: &impl Db,
    owner: LabelOwner,
    key: i64,
    labels: &[(String, String)],
    scope: &Scope,
) -> Result<()> {
    let (table, column, _) = owner.tables();
    let sql = format!(
        "delete from {table} where {column} = ?1 and (key <> ?3 or ?4)
             and (key, value) not in
                 (select value ->> 0, value ->> 1 from json_each(?2))"
    );
    let is_blueprint = owner == LabelOwner::Blueprint;
    db.execute(
        &sql,
        params![key, &json!(labels), CONSUMER_ID, is_blueprint],
    )
    .await?;
    let mut given = labels.to_vec();
    given.retain(|(label, _)| is_blueprint || label != CONSUMER_ID);
    add(db, owner, key, &given, scope).await
}

/// Adds labels to one owner. Those it has already stay as they are.
pub async fn add(
    db: &impl Db,
    owner: LabelOwner,
    key: i64,
    labels: &[(String, String)],
    scope: &Scope,
) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    let (table, column, _) = owner.tables();
    let sql = format!(
        "insert or ignore into {table} ({column}, key, value, created_at, created_by)
         select ?1, value ->> 0, value ->> 1, ?3, ?4 from json_each(?2)"
    );
    db.execute(
        &sql,
        params![key, &json!(labels), Timestamp::now(), scope.username()],
    )
    .await
}

/// Removes labels from one owner. Those it does not have are no error.
pub async fn remove(
    db: &impl Db,
    owner: LabelOwner,
    key: i64,
    labels: &[(String, String)],
) -> Result<()> {
    let (table, column, _) = owner.tables();
    let sql = format!(
        "delete from {table} where {column} = ?1
             and (key, value) in (select value ->> 0, value ->> 1 from json_each(?2))"
    );
    let parameters: [Value; 2] = [key.into(), (&json!(labels)).into()];
    db.execute(&sql, &parameters).await
}

#[cfg(test)]
#[path = "labels/tests.rs"]
mod tests;
