//! Notifications: what needs an administrator.

use crate::filters::{self, Filter, Listed, Root};
use crate::tasks::plain_id;
use crate::wire::{boolean_sql, time_sql};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, ids, params};
use windlass_store::audit;

/// A row as answers show it.
pub(crate) fn item_sql() -> String {
    format!(
        "json_object('uuid', n.uuid, 'notes', json(n.notes), 'task', t.uuid, 'error', {},
             'acknowledged', {}, 'created_on', {})",
        boolean_sql("n.error"),
        boolean_sql("n.acknowledged"),
        time_sql("n.created_on")
    )
}

/// The refusal of a notification that is not there.
fn not_found() -> Error {
    Error::new(Kind::NotFound, "No notification with this id.")
}

/// Tells administrators something about a task.
pub(crate) async fn insert(
    tx: &impl Tx,
    task_key: i64,
    notes: &Value,
    error: bool,
    acknowledged: bool,
    now: Timestamp,
) -> Result<()> {
    let uuid = ids::new_uuid().replace('-', "");
    tx.execute(
        "insert into adjutant_notifications (uuid, task_key, notes, error, acknowledged, created_on)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![uuid, task_key, notes, error, acknowledged, now],
    )
    .await
}

/// One notification, as JSON text.
///
/// # Errors
/// 404 when there is none.
pub async fn show(db: &impl Db, scope: &Scope, uuid: &str) -> Result<String> {
    filters::demand_all(scope)?;
    let sql = format!(
        "select {} from adjutant_notifications n join adjutant_tasks t on t.key = n.task_key
         where n.uuid = ?1",
        item_sql()
    );
    match db.first(&sql, params![plain_id(uuid)]).await? {
        Some(row) => row.text(0).map(str::to_owned),
        None => Err(not_found()),
    }
}

/// One page of notifications, newest first.
pub async fn list(
    db: &impl Db,
    scope: &Scope,
    filter: &Filter,
    page: Listed,
) -> Result<filters::Page> {
    filters::page(db, scope, Root::Notifications, &item_sql(), filter, page).await
}

/// What became of acknowledging one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// It is now.
    Now,
    /// It was already.
    Before,
}

/// Whether a notification was acknowledged already.
///
/// # Errors
/// 404 when there is none.
pub async fn is_acknowledged(db: &impl Db, scope: &Scope, uuid: &str) -> Result<bool> {
    filters::demand_all(scope)?;
    let sql = "select acknowledged from adjutant_notifications where uuid = ?1";
    match db.first(sql, params![plain_id(uuid)]).await? {
        Some(row) => row.boolean(0),
        None => Err(not_found()),
    }
}

/// Acknowledges those that are there. Unknown ids are passed over.
pub async fn acknowledge(tx: &impl Tx, scope: &Scope, uuids: &[String]) -> Result<Acknowledged> {
    filters::demand_all(scope)?;
    let uuids: Vec<String> = uuids.iter().map(|uuid| plain_id(uuid)).collect();
    let rows = tx
        .query(
            "update adjutant_notifications set acknowledged = 1 where acknowledged = 0
                 and uuid in (select value from json_each(?1)) returning uuid",
            params![windlass_core::db::Value::json(&uuids)?],
        )
        .await?;
    let done: Vec<&str> = rows.iter().map(|row| row.text(0)).collect::<Result<_>>()?;
    audit::insert_each(tx, scope, "notification_acknowledge", "Notification", &done).await?;
    Ok(if done.is_empty() {
        Acknowledged::Before
    } else {
        Acknowledged::Now
    })
}
