//! Opening incidents and planning maintenances.

use super::clock;
use super::extraction::{Member, tell_of_move};
use crate::components::Component;
use crate::components::list;
use crate::incidents::{
    self, EFFECTIVE_MAINTENANCE, EventKind, NewIncident, NewUpdate, PUBLIC, SYSTEM,
};
use crate::lifecycle;
use serde::Serialize;
use serde_json::Value as Json;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp, params};
use windlass_store::audit;

/// What a person wants to tell, checked already.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// What it is.
    pub kind: EventKind,
    /// Its title.
    pub title: &'a str,
    /// What it is about.
    pub description: Option<&'a str>,
    /// How bad it is.
    pub impact: i64,
    /// When it begins.
    pub started_at: Timestamp,
    /// When it ends.
    pub ended_at: Option<Timestamp>,
    /// Whom to ask.
    pub contact_email: Option<&'a str>,
    /// The components it is on, each once.
    pub components: &'a [i64],
}

/// Where a component of a new event ended up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// The component.
    pub component_id: i64,
    /// The event that it is on.
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

/// Stores an event. The components of an incident leave the other open incidents they are in. To be
/// called inside a transaction.
///
/// # Errors
/// 400 naming a component that there is not.
pub async fn open(
    db: &impl Db,
    scope: &Scope,
    new: &NewEvent<'_>,
    is_operator: bool,
    now: Timestamp,
) -> Result<Opened> {
    let components = list::find_all(db, new.components).await?;
    if new.kind == EventKind::Incident {
        let maintained = under_maintenance(db, new.components, now).await?;
        if !maintained.is_empty() {
            return Ok(Opened::UnderMaintenance(maintained));
        }
    }
    let (status, text) = lifecycle::beginning(new.kind, is_operator);
    let row = NewIncident {
        kind: new.kind,
        title: new.title,
        description: new.description,
        impact: new.impact,
        started_at: new.started_at,
        ended_at: new.ended_at,
        is_system: false,
        status,
        contact_email: new.contact_email,
        components: new.components,
    };
    let by = scope.username();
    let id = incidents::insert(db, &row, by, now).await?;
    let update = NewUpdate {
        status,
        text,
        is_markup: false,
        // What began before it was told was noticed then. Whole seconds, so that what clients say within
        // this one stands after it.
        at: new.started_at.min(whole_second(now)),
    };
    incidents::add_update(db, id, &update, by, now).await?;
    if new.kind == EventKind::Incident {
        take_from_others(db, scope, id, new.title, &components, now).await?;
    }
    let target = id.to_string();
    audit::insert(db, scope, "status_event_create", "Event", &target).await?;
    clock::schedule(db, id, now).await?;
    let placed = |component: &Component| Placed::on(component.id, id);
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
        "select l.component_id, min(i.id) from status_incident_components l
         join status_incidents i on i.id = l.incident_id
         where l.component_id in (select value from json_each(?1)) and {EFFECTIVE_MAINTENANCE}
             and i.started_at <= ?2 and (i.ended_at is null or i.ended_at > ?2)
         group by l.component_id order by l.component_id"
    );
    let rows = db
        .query(&sql, params![&Json::from(components), now])
        .await?;
    rows.iter()
        .map(|row| Ok(Placed::under_maintenance(row.integer(0)?, row.integer(1)?)))
        .collect()
}

/// Moves the components out of the open incidents they were in. An incident that loses its last
/// one ends instead, and keeps it, so that one can see what that was about.
async fn take_from_others(
    db: &impl Db,
    scope: &Scope,
    new: i64,
    title: &str,
    components: &[Component],
    now: Timestamp,
) -> Result<()> {
    let sql = format!(
        "select l.component_id, i.id, i.title from status_incidents i
         join status_incident_components l on l.incident_id = i.id
         where i.ended_at is null and i.kind = 'incident' and i.id <> ?1 and {PUBLIC}
             and l.component_id in (select value from json_each(?2))
         order by i.id, l.component_id"
    );
    let ids: Vec<i64> = components.iter().map(|component| component.id).collect();
    let rows = db.query(&sql, params![new, &Json::from(ids)]).await?;
    for row in &rows {
        let (component, from, from_title) = (row.integer(0)?, row.integer(1)?, row.text(2)?);
        let Some(component) = components.iter().find(|known| known.id == component) else {
            continue;
        };
        let member = Member {
            component,
            by: scope.username(),
            now,
        };
        tell_of_move(db, &member, (from, from_title), (new, title)).await?;
        let left = db
            .first(
                "select count(*) from status_incident_components where incident_id = ?1",
                params![from],
            )
            .await?
            .map_or(Ok(0), |row| row.integer(0))?;
        if left > 1 {
            incidents::remove_component(db, from, component.id).await?;
            continue;
        }
        let closing = NewUpdate {
            status: SYSTEM,
            text: "Incident closed by system",
            is_markup: false,
            at: now,
        };
        incidents::add_update(db, from, &closing, scope.username(), now).await?;
        incidents::close(db, from, now, now).await?;
    }
    Ok(())
}
