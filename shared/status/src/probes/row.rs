//! The row of a probe, and who makes and deletes it.

use super::Settings;
use crate::components::Component;
use crate::signals::{self, Key, Source};
use crate::{Page, demand_insider};
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::audit;
use windlass_store::queue::{self, Work};

/// The most probes there are.
const MOST: i64 = 100;

/// A probe as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What it is called in its URL.
    pub id: String,
    /// The number of the component that it is about.
    pub component_id: i64,
    /// What it asks.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When its settings were written the last time.
    pub updated_at: Timestamp,
    /// Failures in a row, up to now.
    pub failures: i64,
    /// Successes in a row, up to now.
    pub successes: i64,
    /// Whether the component counts as down because of it.
    pub is_down: bool,
    /// When it asked the last time.
    pub checked_at: Option<Timestamp>,
    /// How long the last good answer took.
    pub last_millis: Option<i64>,
    /// What was wrong with the last answer; nothing when it was good.
    pub last_error: Option<String>,
}

/// A probe of `status_probes` as JSON, which [`Probe`] is read from.
const JSON: &str = "json_object('id', id, 'component_id', component_id, 'settings', json(settings),
    'created_at', created_at, 'created_by', created_by, 'updated_at', updated_at,
    'failures', failures, 'successes', successes,
    'is_down', json(iif(is_down, 'true', 'false')), 'checked_at', checked_at,
    'last_millis', last_millis, 'last_error', last_error)";

impl Probe {
    /// Its signal. There is one of each probe.
    pub(super) fn key(&self) -> Key<'_> {
        Key {
            source: Source::Probe,
            source_id: &self.id,
            fingerprint: "",
        }
    }
}

/// A probe by its id.
///
/// # Errors
/// 403 for the public; 404 when there is none.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Probe> {
    demand_insider(scope)?;
    let found = find_any(db, id).await?;
    found.ok_or_else(|| Error::not_found("Probe", id))
}

/// The same for the queue's work, whose probe may be gone.
pub(super) async fn find_any(db: &impl Db, id: &str) -> Result<Option<Probe>> {
    let sql = format!("select {JSON} from status_probes where id = ?1");
    db.first_json(&sql, params![id]).await
}

/// All probes by their ids; there are few.
///
/// # Errors
/// 403 for the public.
pub async fn list(db: &impl Db, scope: &Scope, limit: i64, offset: i64) -> Result<Page> {
    demand_insider(scope)?;
    let items = format!("select {JSON} as item from status_probes order by id limit ?1 offset ?2");
    let total = "select count(*) from status_probes";
    Page::read(db, &items, total, params![limit, offset]).await
}

/// Makes a probe, or gives the one of this id other settings; it is asked at once, and counts from the
/// beginning. What it measured stays.
///
/// # Errors
/// 409 when there are too many.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    component: &Component,
    settings: &Settings,
    now: Timestamp,
) -> Result<()> {
    if let Some(known) = find_any(tx, id).await?
        && known.component_id != component.id
    {
        signals::lower(tx, scope, known.key(), now).await?;
    }
    let text = json!(settings).to_string();
    let saved = tx
        .first(
            "insert into status_probes
                 (id, component_id, settings, created_at, created_by, updated_at)
             select ?1, ?2, ?3, ?4, ?5, ?4
             where (select count(*) from status_probes where id <> ?1) < ?6
             on conflict (id) do update set settings = excluded.settings,
                 is_down = iif(component_id = excluded.component_id, is_down, 0),
                 component_id = excluded.component_id, updated_at = excluded.updated_at,
                 failures = 0, successes = 0
             returning 1",
            params![id, component.id, text, now, scope.username(), MOST],
        )
        .await?;
    if saved.is_none() {
        return Err(Error::conflict(format!(
            "There are {MOST} probes already, no more are kept"
        )));
    }
    queue::push(tx, Work::StatusProbe, id, &json!({}), now, now).await?;
    audit::insert(tx, scope, "status_probe_set", "Probe", id).await
}

/// Deletes a probe with what it measured. An incident that it opened ends, if nothing else holds it.
pub async fn delete(tx: &impl Tx, scope: &Scope, probe: &Probe, now: Timestamp) -> Result<()> {
    let id = probe.id.as_str();
    signals::lower(tx, scope, probe.key(), now).await?;
    queue::remove_all(tx, Work::StatusProbe, &[id]).await?;
    tx.execute("delete from status_probes where id = ?1", params![id])
        .await?;
    audit::insert(tx, scope, "status_probe_delete", "Probe", id).await
}
