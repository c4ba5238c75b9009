//! Components that leave an incident for one of their own.

use super::row;
use crate::components::Component;
use crate::components::list;
use crate::incidents::{self, EventKind, NewIncident, NewUpdate, SYSTEM, escape, link};
use crate::lifecycle::IncidentStatus;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// The most characters of a title.
const TITLE: usize = 200;

/// A component on its way, and who moves it when.
pub(super) struct Member<'a> {
    pub component: &'a Component,
    pub by: &'a str,
    pub now: Timestamp,
}

/// Tells both incidents (number and title) of a component that left the one for the other.
pub(super) async fn tell_of_move(
    db: &impl Db,
    member: &Member<'_>,
    from: (i64, &str),
    to: (i64, &str),
) -> Result<()> {
    let label = escape(&member.component.label());
    for (event, text) in [
        (to.0, format!("{label} moved from {}", link(from.0, from.1))),
        (from.0, format!("{label} moved to {}", link(to.0, to.1))),
    ] {
        let update = NewUpdate {
            status: SYSTEM,
            text: &text,
            is_markup: true,
            at: member.now,
        };
        incidents::add_update(db, event, &update, member.by, member.now).await?;
    }
    Ok(())
}

/// Takes components, each given once, out of an open incident and into a new one that began when
/// it did and is as bad. Answers the new one's number. To be called inside a transaction.
///
/// # Errors
/// 404 for the event; 400 when it is closed, does not have one of the components, or would have
/// none left; 403 when it is no incident.
pub async fn extract(
    db: &impl Db,
    scope: &Scope,
    id: i64,
    components: &[i64],
    now: Timestamp,
) -> Result<i64> {
    let stored = row::find(db, id).await?;
    let standing = &stored.standing;
    if standing.kind != EventKind::Incident {
        return Err(Error::forbidden(
            "extract is only available for incident type events",
        ));
    }
    if standing.ended_at.is_some() {
        return Err(Error::bad_parameters("wrong status for closed incident"));
    }
    let rows = db
        .query(
            "select component_id from status_incident_components where incident_id = ?1",
            params![id],
        )
        .await?;
    let has: Vec<i64> = rows
        .iter()
        .map(|row| row.integer(0))
        .collect::<Result<_>>()?;
    if let Some(other) = components.iter().find(|id| !has.contains(id)) {
        return Err(Error::bad_parameters(format!(
            "component {other} is not in the incident"
        )));
    }
    if components.len() >= has.len() {
        return Err(Error::bad_parameters(
            "can not move all components to the new incident, keep at least one",
        ));
    }
    let components = list::find_all_ever(db, components).await?;
    let title = title_of_part(&stored.title, &components);
    let ids: Vec<i64> = components.iter().map(|component| component.id).collect();
    let status = IncidentStatus::named(&standing.status)
        .filter(|status| status.is_for(true))
        .unwrap_or(IncidentStatus::Analysing);
    let new = NewIncident {
        kind: EventKind::Incident,
        title: &title,
        description: stored.description.as_deref(),
        impact: standing.impact,
        started_at: standing.started_at,
        ended_at: None,
        is_system: false,
        status: status.name(),
        contact_email: stored.contact_email.as_deref(),
        components: &ids,
    };
    let by = scope.username();
    let part = incidents::insert(db, &new, by, now).await?;
    for component in &components {
        let member = Member { component, by, now };
        tell_of_move(db, &member, (stored.id, &stored.title), (part, &title)).await?;
        incidents::remove_component(db, id, component.id).await?;
    }
    touch(db, id, now).await?;
    audit::insert(db, scope, "status_event_extract", "Event", &id.to_string()).await?;
    Ok(part)
}

/// Notes that a person changed an event: no monitor does any more.
pub(super) async fn touch(db: &impl Db, id: i64, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_incidents set is_system = 0, version = version + 1, updated_at = ?2
         where id = ?1",
        params![id, now],
    )
    .await
}

/// The title with the components' names, shortened before them where it would be too long.
fn title_of_part(title: &str, components: &[Component]) -> String {
    let names: Vec<&str> = components.iter().map(|c| c.name.as_str()).collect();
    let names: String = names.join(", ").chars().take(TITLE / 2).collect();
    let room = TITLE.saturating_sub(names.chars().count() + " ()".len());
    let title: String = title.chars().take(room).collect();
    format!("{title} ({names})")
}
