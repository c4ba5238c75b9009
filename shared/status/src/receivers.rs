//! Receivers: programs that watch something else (Alertmanager, or whatever can send JSON) tell what fires
//! and what is resolved, and rules of the receiver say which component that is about and how bad it is.
//!
//! Each alert is a signal (see [`crate::signals`]), known by its fingerprint: told again it changes
//! nothing, resolved it ends what it began. What an alert says names what is inside, so the public reads
//! the rule's own title, or only that the component has a problem.

mod alerts;
mod settings;
mod taking;

pub use alerts::{Alert, read};
pub use settings::{Kind, Settings};
pub use taking::{Taken, take};

use crate::signals::{self, Source};
use crate::{Page, demand_insider};
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// The most receivers there are.
const MOST: i64 = 100;

/// A receiver as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// What it is called in its URL.
    pub id: String,
    /// Which alerts mean what.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When its settings were written the last time.
    pub updated_at: Timestamp,
}

/// A receiver of `status_receivers` as JSON, which [`Receiver`] is read from.
const JSON: &str = "json_object('id', id, 'settings', json(settings), 'created_at', created_at,
    'created_by', created_by, 'updated_at', updated_at)";

/// A receiver by its id.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, id: &str) -> Result<Receiver> {
    let sql = format!("select {JSON} from status_receivers where id = ?1");
    let found = db.first_json(&sql, params![id]).await?;
    found.ok_or_else(|| Error::not_found("Receiver", id))
}

/// All receivers by their ids; there are few.
///
/// # Errors
/// 403 for the public.
pub async fn list(db: &impl Db, scope: &Scope, limit: i64, offset: i64) -> Result<Page> {
    demand_insider(scope)?;
    let items =
        format!("select {JSON} as item from status_receivers order by id limit ?1 offset ?2");
    let total = "select count(*) from status_receivers";
    Page::read(db, &items, total, params![limit, offset]).await
}

/// Makes a receiver, or gives the one of this id other settings; what it told before stays.
///
/// # Errors
/// 409 when there are too many.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    settings: &Settings,
    now: Timestamp,
) -> Result<()> {
    let text = json!(settings).to_string();
    let saved = tx
        .first(
            "insert into status_receivers (id, kind, settings, created_at, created_by, updated_at)
             select ?1, ?2, ?3, ?4, ?5, ?4
             where (select count(*) from status_receivers where id <> ?1) < ?6
             on conflict (id) do update set kind = excluded.kind, settings = excluded.settings,
                 updated_at = excluded.updated_at
             returning 1",
            params![id, settings.kind, text, now, scope.username(), MOST],
        )
        .await?;
    if saved.is_none() {
        return Err(Error::conflict(format!(
            "There are {MOST} receivers already, no more are kept"
        )));
    }
    audit::insert(tx, scope, "status_receiver_set", "Receiver", id).await
}

/// Deletes a receiver and forgets what fires. Incidents that it opened stay as they are.
pub async fn delete(tx: &impl Tx, scope: &Scope, receiver: &Receiver) -> Result<()> {
    let id = receiver.id.as_str();
    signals::forget(tx, Source::Receiver, id).await?;
    tx.execute("delete from status_receivers where id = ?1", params![id])
        .await?;
    audit::insert(tx, scope, "status_receiver_delete", "Receiver", id).await
}

/// What fires at a receiver, by fingerprint.
///
/// # Errors
/// 403 for the public.
pub async fn list_firing(
    db: &impl Db,
    scope: &Scope,
    receiver: &Receiver,
    limit: i64,
    offset: i64,
) -> Result<Page> {
    demand_insider(scope)?;
    signals::list_of(db, Source::Receiver, &receiver.id, limit, offset).await
}

#[cfg(test)]
mod tests;
