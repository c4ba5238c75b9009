//! Components that leave an incident for one of their own.

use super::kind::EventKind;
use super::moves::{Member, tell_of_move};
use super::row::{self, Event, EventRef, NewEvent, Origin};
use crate::components::Component;
use crate::components::list::find_all_ever;
use crate::lifecycle::IncidentStatus;
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// The most characters of a title.
const TITLE: usize = 200;

/// Takes components, each given once, out of an open incident and into a new one that began when
/// it did and is as bad. Answers the new one.
///
/// # Errors
/// 400 when it is closed, does not have one of the components, or would have
/// none left; 403 when it is no incident.
pub async fn extract(
    tx: &impl Tx,
    scope: &Scope,
    event: &Event,
    components: &[i64],
    now: Timestamp,
) -> Result<EventRef> {
    let standing = &event.standing;
    if standing.kind != EventKind::Incident {
        return Err(Error::forbidden(
            "extract is only available for incident type events",
        ));
    }
    if standing.ended_at.is_some() {
        return Err(Error::bad_parameters("wrong status for closed incident"));
    }
    let has = tx
        .first_json(
            "select json_group_array(component_id) from status_incident_components
             where incident_id = ?1",
            params![event.reference.id],
        )
        .await?;
    let has: Vec<i64> = has.unwrap_or_default();
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
    let components = find_all_ever(tx, components).await?;
    let title = title_of_part(&event.reference.title, &components);
    let ids: Vec<i64> = components.iter().map(|component| component.id).collect();
    let status = IncidentStatus::named(&standing.status)
        .filter(|status| status.is_for(true))
        .unwrap_or(IncidentStatus::Analysing);
    let new = NewEvent {
        kind: EventKind::Incident,
        title: &title,
        description: event.description.as_deref(),
        impact: standing.impact,
        started_at: standing.started_at,
        ended_at: None,
        contact_email: event.contact_email.as_deref(),
        components: &ids,
    };
    let by = scope.username();
    let origin = Origin {
        status: status.name(),
        is_system: false,
        by,
    };
    let part = row::insert(tx, &new, &origin, now).await?;
    for component in &components {
        let member = Member { component, by, now };
        tell_of_move(tx, &member, &event.reference, &part).await?;
        row::remove_component(tx, &event.reference, component).await?;
    }
    row::touch(tx, &event.reference, now).await?;
    let target = event.reference.id.to_string();
    audit::insert(tx, scope, "status_event_extract", "Event", &target).await?;
    Ok(part)
}

/// The title with the components' names, shortened before them where it would be too long.
fn title_of_part(title: &str, components: &[Component]) -> String {
    let names: Vec<&str> = components.iter().map(|c| c.name.as_str()).collect();
    let names: String = names.join(", ").chars().take(TITLE / 2).collect();
    let room = TITLE.saturating_sub(names.chars().count() + " ()".len());
    let title: String = title.chars().take(room).collect();
    format!("{title} ({names})")
}
