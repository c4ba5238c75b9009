//! Opening incidents and planning maintenances.

use super::clock;
use super::kind::EventKind;
use super::moves::{Member, tell_of_move};
use super::row::{self, EventRef, NewEvent, NewUpdate, Origin, SYSTEM};
use super::visibility::{EFFECTIVE_MAINTENANCE, PUBLIC};
use crate::components::Component;
use crate::components::list::find_all;
use crate::lifecycle;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};
use windlass_store::audit;

/// Where a component of a new event ended up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// The component's number.
    pub component_id: i64,
    /// The number of the event that it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<i64>,
    /// Why that is not the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
}

impl Placed {
    /// A component that is on an event.
    pub fn on(component_id: i64, incident_id: i64) -> Self {
        Self {
            component_id,
            incident_id: Some(incident_id),
            error: None,
        }
    }

    /// A component that is on a maintenance, which stays the only thing told of it.
    pub fn under_maintenance(component_id: i64, maintenance: i64) -> Self {
        Self {
            error: Some(UNDER_MAINTENANCE),
            ..Self::on(component_id, maintenance)
        }
    }
}

const UNDER_MAINTENANCE: &str =
    "event creation failed, component has active or planned maintenance";

/// What became of a new event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is there, with its components.
    Taken(Vec<Placed>),
    /// It is not: these components are under maintenance.
    UnderMaintenance(Vec<Placed>),
}

/// Stores an event. The components of an incident leave the other open incidents they are in.
///
/// # Errors
/// 400 naming a component that there is not.
pub async fn open(
    tx: &impl Tx,
    scope: &Scope,
    new: &NewEvent<'_>,
    is_operator: bool,
    now: Timestamp,
) -> Result<Opened> {
    let components = find_all(tx, new.components).await?;
    if new.kind == EventKind::Incident {
        let maintained = under_maintenance(tx, new.components, now).await?;
        if !maintained.is_empty() {
            return Ok(Opened::UnderMaintenance(maintained));
        }
    }
    let (status, text) = lifecycle::beginning(new.kind, is_operator);
    let by = scope.username();
    let origin = Origin {
        status,
        is_system: false,
        by,
    };
    let event = row::insert(tx, new, &origin, now).await?;
    let update = NewUpdate {
        status,
        text,
        is_markup: false,
        // What began before it was told was noticed then. Whole seconds, so that what clients say within
        // this one stands after it.
        at: new.started_at.min(whole_second(now)),
    };
    row::add_update(tx, &event, &update, by, now).await?;
    if new.kind == EventKind::Incident {
        take_from_others(tx, scope, &event, &components, now).await?;
    }
    let target = event.id.to_string();
    audit::insert(tx, scope, "status_event_create", "Event", &target).await?;
    clock::schedule(tx, &event, now).await?;
    let placed = |component: &Component| Placed::on(component.id, event.id);
    Ok(Opened::Taken(components.iter().map(placed).collect()))
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.millis().div_euclid(1000) * 1000)
}

/// Those of the components that are under maintenance now.
async fn under_maintenance(
    db: &impl Db,
    components: &[i64],
    now: Timestamp,
) -> Result<Vec<Placed>> {
    let sql = format!(
        "select json_group_array(json_array(component, event)) from (
             select l.component_id as component, min(i.id) as event
             from status_incident_components l join status_incidents i on i.id = l.incident_id
             where l.component_id in (select value from json_each(?1)) and {EFFECTIVE_MAINTENANCE}
                 and i.started_at <= ?2 and (i.ended_at is null or i.ended_at > ?2)
             group by l.component_id order by l.component_id)"
    );
    let found: Option<Vec<(i64, i64)>> = db
        .first_json(&sql, params![&Json::from(components), now])
        .await?;
    let placed = |(component, event)| Placed::under_maintenance(component, event);
    Ok(found.unwrap_or_default().into_iter().map(placed).collect())
}

/// A component that is in an open incident.
#[derive(Deserialize)]
struct Membership {
    component: i64,
    event: EventRef,
}

/// Moves the components out of the open incidents they were in. An incident that loses its last
/// one ends instead, and keeps it, so that one can see what that was about.
async fn take_from_others(
    tx: &impl Tx,
    scope: &Scope,
    new: &EventRef,
    components: &[Component],
    now: Timestamp,
) -> Result<()> {
    let sql = format!(
        "select json_group_array(json_object('component', component,
             'event', json_object('id', id, 'title', title))) from (
             select l.component_id as component, i.id, i.title from status_incidents i
             join status_incident_components l on l.incident_id = i.id
             where i.ended_at is null and i.kind = 'incident' and i.id <> ?1 and {PUBLIC}
                 and l.component_id in (select value from json_each(?2))
             order by i.id, l.component_id)"
    );
    let ids: Vec<i64> = components.iter().map(|component| component.id).collect();
    let found: Option<Vec<Membership>> = tx
        .first_json(&sql, params![new.id, &Json::from(ids)])
        .await?;
    let by = scope.username();
    for Membership { component, event } in found.unwrap_or_default() {
        let Some(component) = components.iter().find(|known| known.id == component) else {
            continue;
        };
        let member = Member { component, by, now };
        tell_of_move(tx, &member, &event, new).await?;
        let left = tx
            .first(
                "select count(*) from status_incident_components where incident_id = ?1",
                params![event.id],
            )
            .await?
            .map_or(Ok(0), |row| row.integer(0))?;
        if left > 1 {
            row::remove_component(tx, &event, component).await?;
            continue;
        }
        let closing = NewUpdate {
            status: SYSTEM,
            text: "Incident closed by system",
            is_markup: false,
            at: now,
        };
        row::add_update(tx, &event, &closing, by, now).await?;
        row::close(tx, &event, now, now).await?;
    }
    Ok(())
}
