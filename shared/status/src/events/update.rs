//! What people change about an event.

use super::clock;
use super::kind::EventKind;
use super::list::updates_json;
use super::row::{self, Event, NewUpdate};
use crate::lifecycle::{Patch, check_message};
use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// Changes an event as a person says, and stores what they tell about it. Whoever is no operator may
/// change only what they opened. `version` is the one that the person saw.
///
/// # Errors
/// 403 for somebody else's; 409 when it was changed since, or does not stand so that
/// this could follow; 400 naming what is wrong.
pub async fn change(
    tx: &impl Tx,
    scope: &Scope,
    event: &Event,
    patch: &Patch<'_>,
    version: Option<i64>,
    is_operator: bool,
    now: Timestamp,
) -> Result<()> {
    if !is_operator && event.created_by != scope.username() {
        return Err(Error::forbidden(
            "only operators may change an event of somebody else",
        ));
    }
    demand_version(event, version)?;
    let change = event.standing.apply(patch, is_operator, now)?;
    let changed = tx
        .first(
            "update status_incidents set title = coalesce(?3, title),
                 description = coalesce(?4, description),
                 contact_email = coalesce(?5, contact_email), status = ?6, impact = ?7,
                 started_at = ?8, ended_at = ?9, is_system = 0, version = version + 1,
                 updated_at = ?10
             where id = ?1 and version = ?2 returning version",
            params![
                event.reference.id,
                event.version,
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
    row::add_update(tx, &event.reference, &update, scope.username(), now).await?;
    clock::schedule(tx, &event.reference, now).await?;
    let target = event.reference.id.to_string();
    audit::insert(tx, scope, "status_event_update", "Event", &target).await
}

/// Puts other words into an update, called by its place. Answers all updates as a JSON list.
///
/// # Errors
/// 404 for the update; 400 for a text of the wrong length.
pub async fn rewrite_update(
    tx: &impl Tx,
    scope: &Scope,
    event: &Event,
    place: Option<i64>,
    text: &str,
    now: Timestamp,
) -> Result<String> {
    check_message("text", text)?;
    let place = place.filter(|place| *place >= 0);
    let changed = tx
        .first(
            "update status_updates set text = ?3, is_markup = 0
             where ?2 is not null and id = (select id from status_updates
                 where incident_id = ?1 order by at, id limit 1 offset coalesce(?2, 0))
             returning id",
            params![event.reference.id, place, text.trim()],
        )
        .await?;
    if changed.is_none() {
        return Err(Error::new(Kind::NotFound, "update does not exist"));
    }
    row::touch(tx, &event.reference, now).await?;
    let target = event.reference.id.to_string();
    audit::insert(tx, scope, "status_update_rewrite", "Event", &target).await?;
    updates_json(tx, scope, &event.reference).await
}

/// Refuses a change by somebody who saw another version. Only a maintenance's must be named: two people
/// who plan it at once would undo each other's window.
fn demand_version(event: &Event, version: Option<i64>) -> Result<()> {
    match version {
        None if event.standing.kind == EventKind::Maintenance => Err(Error::bad_parameters(
            "version is required for maintenance events",
        )),
        Some(version) if version != event.version => Err(stale()),
        _ => Ok(()),
    }
}

fn stale() -> Error {
    Error::conflict("version conflict: event has been modified by another user")
}
