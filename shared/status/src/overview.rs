//! What the public pages show: the components, what goes on now, and what is over.
//!
//! Nothing here selects what only people who are logged in may see. Which events there are depends on
//! the scope: the public ones leave out what is under review.

use super::components::Attribute;
use super::events::{EventKind, visible};
use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp, params};
use windlass_store::pieces;

/// The most events of one page of the history.
pub const PAGE: usize = 50;

/// Events that are not over. The `+` keeps SQLite from following the index of beginnings, which would
/// lead through everything that ever happened.
const CURRENT: &str = "(i.ended_at is null or i.ended_at > ?1) and i.status <> 'cancelled'";
const CURRENT_ORDER: &str = "+i.started_at, i.id";

/// Events that ended in a period, but not later than now.
const ENDED: &str = "i.ended_at >= ?1 and i.ended_at < ?2 and i.ended_at <= ?3";

windlass_core::named_enum! {
    /// How a component is, from best to worst.
    #[derive(PartialOrd, Ord)]
    pub enum State {
        /// It works.
        Available = "available",
        /// Somebody works on it, as announced.
        Maintenance = "maintenance",
        /// Something about it is slow or fails now and then.
        Minor = "minor",
        /// A part of it does not work.
        Major = "major",
        /// It does not work.
        Outage = "outage",
    }
}

impl State {
    /// What an impact makes of a component.
    pub const fn of_impact(impact: i64) -> Self {
        match impact {
            0 => Self::Maintenance,
            1 => Self::Minor,
            2 => Self::Major,
            _ => Self::Outage,
        }
    }
}

/// A component that is in the catalogue.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    /// Its number.
    pub id: i64,
    /// Its name, which components of several regions share.
    pub name: String,
    /// Where it runs.
    pub region: Option<String>,
    /// What it belongs to.
    pub category: Option<String>,
    /// Everything that tells it from others of its name.
    pub attributes: Vec<Attribute>,
    /// Since when it is in the catalogue.
    pub created_at: Timestamp,
}

/// A component that an event is on; it may be out of the catalogue since.
#[derive(Clone, Debug, Deserialize)]
pub struct Affected {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub region: Option<String>,
}

/// What was told about an event.
#[derive(Clone, Debug, Deserialize)]
pub struct Update {
    /// Where the event stood.
    pub status: String,
    /// What was told: plain text, or markup that was made here.
    pub text: String,
    /// Whether the text is markup.
    pub is_markup: bool,
    /// When it happened.
    pub at: Timestamp,
}

/// An incident, a maintenance or an information.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub kind: EventKind,
    /// Its title, plain text.
    pub title: String,
    /// What it is about, plain text.
    pub description: Option<String>,
    /// 1 minor, 2 major, 3 outage; 0 for what is no incident.
    pub impact: i64,
    /// Since when, or from when on.
    pub started_at: Timestamp,
    /// Until when, where that is known.
    pub ended_at: Option<Timestamp>,
    /// Where it stands, such as `analysing`.
    pub status: String,
    /// What it is on, in the order of the catalogue.
    pub components: Vec<Affected>,
    /// What was told about it, the latest first. Those that are going on carry the latest only.
    pub updates: Vec<Update>,
}

/// When an event is, as the clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It was announced.
    Planned,
    /// It goes on.
    Active,
    /// It is over, or will not be.
    Over,
}

impl Event {
    /// When it is, seen from `now`.
    pub fn stage(&self, now: Timestamp) -> Stage {
        if self.status == "cancelled" || self.ended_at.is_some_and(|end| end <= now) {
            Stage::Over
        } else if self.started_at > now {
            Stage::Planned
        } else {
            Stage::Active
        }
    }

    /// What it makes of its components while it goes on; nothing, for an information.
    pub fn state(&self) -> Option<State> {
        match self.kind {
            EventKind::Incident => Some(State::of_impact(self.impact)),
            EventKind::Maintenance => Some(State::Maintenance),
            EventKind::Info => None,
        }
    }
}

/// What goes on and what is planned.
#[derive(Clone, Debug, Default)]
pub struct Current {
    /// Open incidents, the worst first.
    pub incidents: Vec<Event>,
    /// Maintenances under way, the one that ends first first.
    pub maintenances: Vec<Event>,
    /// Maintenances and information for later, the next one first.
    pub planned: Vec<Event>,
    /// What is worth knowing now.
    pub information: Vec<Event>,
}

impl Current {
    /// How everything is: the worst of the open incidents, else whether there is a maintenance.
    pub fn overall(&self) -> State {
        let worst = self.incidents.iter().filter_map(Event::state).max();
        match worst {
            Some(worst) => worst,
            None if self.maintenances.is_empty() => State::Available,
            None => State::Maintenance,
        }
    }

    /// How the components are; those that work are not named. A maintenance explains whatever
    /// happens to its components, so it counts before any incident.
    pub fn states(&self) -> BTreeMap<i64, State> {
        let mut states: BTreeMap<i64, State> = BTreeMap::new();
        for incident in &self.incidents {
            let Some(state) = incident.state() else {
                continue;
            };
            for component in &incident.components {
                let known = states.entry(component.id).or_insert(state);
                *known = state.max(*known);
            }
        }
        for maintenance in &self.maintenances {
            for component in &maintenance.components {
                states.insert(component.id, State::Maintenance);
            }
        }
        states
    }
}

/// The components of the catalogue, in its order.
pub async fn components(db: &impl Db) -> Result<Vec<Listed>> {
    let sql = "select json_object('id', id, 'name', name, 'region', region, 'category', category,
                   'attributes', json(attributes), 'created_at', created_at) as item
               from status_components where retired_at is null order by position, id";
    pieces::read_few(db, sql, &[]).await
}

/// What goes on now and what is planned.
pub async fn current(db: &impl Db, scope: &Scope, now: Timestamp) -> Result<Current> {
    let sql = events_statement(scope, CURRENT, CURRENT_ORDER, "limit 1");
    let events: Vec<Event> = pieces::read_few(db, &sql, params![now]).await?;
    let mut current = Current::default();
    for event in events {
        match (event.kind, event.stage(now)) {
            (_, Stage::Over) => {}
            (EventKind::Incident, Stage::Active) => current.incidents.push(event),
            (EventKind::Maintenance, Stage::Active) => current.maintenances.push(event),
            (EventKind::Info, Stage::Active) => current.information.push(event),
            (EventKind::Maintenance | EventKind::Info, Stage::Planned) => {
                current.planned.push(event);
            }
            // An incident of the future is a mistake of a clock: it shows when its time has come.
            (EventKind::Incident, Stage::Planned) => {}
        }
    }
    // The sort keeps the order of equals: the newest of the worst comes first.
    current.incidents.reverse();
    current.incidents.sort_by_key(|event| -event.impact);
    current
        .maintenances
        .sort_by_key(|event| event.ended_at.map_or(i64::MAX, Timestamp::millis));
    Ok(current)
}

/// How many incidents each component was in since a moment; those without any are not named.
pub async fn incidents_since(
    db: &impl Db,
    scope: &Scope,
    since: Timestamp,
    now: Timestamp,
) -> Result<BTreeMap<i64, i64>> {
    let sql = format!(
        "select json_array(ic.component_id, count(*)) as item
         from status_incidents as i
         join status_incident_components as ic on ic.incident_id = i.id
         where i.kind = 'incident' and i.started_at <= ?2
             and (i.ended_at is null or i.ended_at > ?1) and {}
         group by ic.component_id",
        visible(scope)
    );
    let pairs: Vec<(i64, i64)> = pieces::read_few(db, &sql, params![since, now]).await?;
    Ok(pairs.into_iter().collect())
}

/// An event with everything that was told about it.
pub async fn find(db: &impl Db, scope: &Scope, id: i64) -> Result<Option<Event>> {
    let sql = events_statement(scope, "i.id = ?1", "i.id", "");
    let found: Vec<Event> = pieces::read_few(db, &sql, params![id]).await?;
    Ok(found.into_iter().next())
}

/// What ended from one moment until before another, the latest first: at most [`PAGE`] events after
/// the first `skipped`, and whether there are more.
pub async fn ended(
    db: &impl Db,
    scope: &Scope,
    from: Timestamp,
    until: Timestamp,
    now: Timestamp,
    skipped: i64,
) -> Result<(Vec<Event>, bool)> {
    let order = format!(
        "i.ended_at desc, i.id desc limit {} offset ?4",
        PAGE.saturating_add(1)
    );
    let sql = events_statement(scope, ENDED, &order, "");
    let values = params![from, until, now, skipped];
    let mut events: Vec<Event> = pieces::read_few(db, &sql, values).await?;
    let are_more = events.len() > PAGE;
    events.truncate(PAGE);
    Ok((events, are_more))
}

/// When the last event ended before a moment, and when the next one did from another on.
pub async fn ends_around(
    db: &impl Db,
    scope: &Scope,
    before: Timestamp,
    from: Timestamp,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let visible = visible(scope);
    let sql = format!(
        "select json_array(
             (select max(ended_at) from status_incidents as i
                 where i.ended_at < ?1 and i.ended_at <= ?3 and {visible}),
             (select min(ended_at) from status_incidents as i
                 where i.ended_at >= ?2 and i.ended_at <= ?3 and {visible}))"
    );
    let found = db.first_json(&sql, params![before, from, now]).await?;
    Ok(found.unwrap_or_default())
}

/// The events as JSON texts, see [`pieces::read`].
fn events_statement(scope: &Scope, condition: &str, order: &str, updates: &str) -> String {
    format!(
        "select json_object('id', i.id, 'kind', i.kind, 'title', i.title,
                 'description', i.description, 'impact', i.impact, 'started_at', i.started_at,
                 'ended_at', i.ended_at, 'status', i.status,
                 'components', json((select json_group_array(
                         json_object('id', id, 'name', name, 'region', region)) from (
                     select c.id, c.name, c.region from status_incident_components as ic
                     join status_components as c on c.id = ic.component_id
                     where ic.incident_id = i.id order by c.position, c.id))),
                 'updates', json((select json_group_array(json_object('status', status, 'text', text,
                         'is_markup', json(iif(is_markup, 'true', 'false')), 'at', at)) from (
                     select u.status, u.text, u.is_markup, u.at from status_updates as u
                     where u.incident_id = i.id order by u.at desc, u.id desc {updates})))) as item
             from status_incidents as i
             where {condition} and {} order by {order}",
        visible(scope)
    )
}

#[cfg(test)]
mod tests;
