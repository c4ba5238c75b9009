//! Schedules that a deployment has from its blueprint, and has anew after an update.

use serde::Deserialize;
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, params};

use super::SCHEDULES;
use super::row::{NewSchedule, await_occurrence, insert};
use crate::deployments::Owner;
use crate::pieces;
use crate::{audit, json_text};

/// A schedule of a deployment, by what its blueprint says of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Known {
    /// The row.
    pub key: i64,
    /// What clients call it.
    pub id: String,
    /// What the blueprint says; null for one that people made.
    pub definition: Value,
}

/// The schedules of a deployment.
///
/// # Errors
/// Of the database.
pub async fn known(db: &impl Db, owner: &Owner) -> Result<Vec<Known>> {
    let sql = "select json_object('key', key, 'id', id, 'definition', json(definition)) as item
               from execution_schedules where deployment_key = ?1 order by id";
    pieces::read(db, sql, params![owner.key]).await
}

/// Stores a schedule that a blueprint gives.
///
/// # Errors
/// 409 when the deployment has one of this id.
pub async fn insert_default(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    (new, definition): (&NewSchedule, &Value),
) -> Result<()> {
    insert(tx, scope, owner, new).await?;
    let sql =
        "update execution_schedules set definition = ?3 where deployment_key = ?1 and id = ?2";
    tx.execute(sql, params![owner.key, &new.id, definition])
        .await
}

/// Gives a schedule all that a blueprint now says of it. What it started before stays known.
///
/// # Errors
/// Of the database.
pub async fn redefine(
    tx: &impl Tx,
    scope: &Scope,
    known: &Known,
    (new, definition): (&NewSchedule, &Value),
) -> Result<()> {
    tx.execute(
        "update execution_schedules set workflow_id = ?2, rule = ?3, parameters = ?4,
             execution_arguments = ?5, slip = ?6, stop_on_fail = ?7, enabled = ?8, since = ?9,
             until = ?10, next_occurrence = ?11, definition = ?12 where key = ?1",
        params![
            known.key,
            &new.workflow_id,
            &new.rule,
            json_text(&new.parameters)?,
            json_text(&new.arguments)?,
            new.slip,
            new.stop_on_fail,
            new.enabled,
            new.since,
            new.until,
            new.next_occurrence,
            definition
        ],
    )
    .await?;
    await_occurrence(tx, known.key, new.next_occurrence.filter(|_| new.enabled)).await?;
    let (action, id) = ("execution_schedule_update", &known.id);
    audit::insert(tx, scope, action, SCHEDULES.name, id).await
}

/// Deletes a schedule that the blueprint does not give any more.
///
/// # Errors
/// Of the database.
pub async fn delete_default(tx: &impl Tx, scope: &Scope, known: &Known) -> Result<()> {
    await_occurrence(tx, known.key, None).await?;
    let sql = "delete from execution_schedules where key = ?1";
    tx.execute(sql, params![known.key]).await?;
    let (action, id) = ("execution_schedule_delete", &known.id);
    audit::insert(tx, scope, action, SCHEDULES.name, id).await
}
