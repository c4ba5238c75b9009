//! What people change about an event.

use super::extraction::touch;
use super::row::{self, Stored};
use super::{clock, updates_json};
use crate::incidents::{self, EventKind, NewUpdate};
use crate::lifecycle::{Patch, check_message};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// Changes an event as a person says, and stores what they tell about it. Whoever is no operator may
/// change only what they opened. `version` is the one that the person saw. Answers what the event is. To
/// be called inside a transaction.
///
/// # Errors
/// 404 for the event; 403 for somebody else's; 409 when it was changed since, or does not stand so that
/// this could follow; 400 naming what is wrong.
pub async fn change(
    db: &impl Db,
    scope: &Scope,
    id: i64,
    patch: &Patch<'_>,
    version: Option<i64>,
    is_operator: bool,
    now: Timestamp,
) -> Result<EventKind> {
    let stored = row::find(db, id).await?;
    if !is_operator && stored.created_by != scope.username() {
        return Err(Error::forbidden(
            "only operators may change an event of somebody else",
        ));
    }
    demand_version(&stored, version)?;
    let change = stored.standing.apply(patch, is_operator, now)?;
    let changed = db
        .first(
            "update status_incidents set title = coalesce(?3, title),
                 description = coalesce(?4, description),
                 contact_email = coalesce(?5, contact_email), status = ?6, impact = ?7,
                 started_at = ?8, ended_at = ?9, is_system = 0, version = version + 1,
                 updated_at = ?10
             where id = ?1 and version = ?2 returning version",
            params![
                id,
                stored.version,
                patch.title.map(str::trim),
                patch.description,
                patch.contact_email,
                change.status,
                change.impact,
                change.started_at,
                change.ended_at,
                now
            ],
        )
        .await?;
    if changed.is_none() {
        return Err(stale());
    }
    let update = NewUpdate {
        status: change.update_status,
        text: patch.message.trim(),
        is_markup: false,
        at: change.at,
    };
    incidents::add_update(db, id, &update, scope.username(), now).await?;
    clock::schedule(db, id, now).await?;
    audit::insert(db, scope, "status_event_update", "Event", &id.to_string()).await?;
    Ok(stored.standing.kind)
}

/// Puts other words into an update, called by its place. Answers all updates as a JSON list. To be
/// called inside a transaction.
///
/// # Errors
/// 404 for the event or the update; 400 for a text of the wrong length.
pub async fn rewrite_update(
    db: &impl Db,
    scope: &Scope,
    id: i64,
    place: Option<i64>,
    text: &str,
    now: Timestamp,
) -> Result<String> {
    row::find(db, id).await?;
    check_message("text", text)?;
    let place = place.filter(|place| *place >= 0);
    let changed = db
        .first(
            "update status_updates set text = ?3, is_markup = 0
             where ?2 is not null and id = (select id from status_updates
                 where incident_id = ?1 order by at, id limit 1 offset coalesce(?2, 0))
             returning id",
            params![id, place, text.trim()],
        )
        .await?;
    if changed.is_none() {
        return Err(Error::new(Kind::NotFound, "update does not exist"));
    }
    touch(db, id, now).await?;
    let target = id.to_string();
    audit::insert(db, scope, "status_update_rewrite", "Event", &target).await?;
    updates_json(db, id).await
}

/// Refuses a change by somebody who saw another version. Only a maintenance's must be named: two people
/// who plan it at once would undo each other's window.
fn demand_version(stored: &Stored, version: Option<i64>) -> Result<()> {
    match version {
        None if stored.standing.kind == EventKind::Maintenance => Err(Error::bad_parameters(
            "version is required for maintenance events",
        )),
        Some(version) if version != stored.version => Err(stale()),
        _ => Ok(()),
    }
}

fn stale() -> Error {
    Error::conflict("version conflict: event has been modified by another user")
}
