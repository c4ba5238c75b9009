//! What feed readers and calendars fetch: the latest events of a region or a component, and the
//! maintenances of a year.

use super::events::{EventKind, visible};
use serde::Deserialize;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp, params};
use windlass_store::pieces;

/// How many events a feed has.
const ITEMS: i64 = 10;

/// How many maintenances a calendar has at most.
const DATES: i64 = 500;

/// How long a maintenance that is over stays in the calendar, in seconds.
const PAST: i64 = 366 * 86_400;

/// Whose events a feed is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only those on components of this region.
    pub region: Option<&'a str>,
    /// Only those on components of this name.
    pub component: Option<&'a str>,
}

/// An event as a feed shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// The event's number.
    pub id: i64,
    /// Its title, plain text.
    pub title: String,
    /// What it is.
    pub kind: EventKind,
    /// How bad it is: 1 minor, 2 major, 3 outage; 0 for what is no incident.
    pub impact: i64,
    /// When it was made known.
    pub created_at: Timestamp,
    /// When it begins or began.
    pub started_at: Timestamp,
    /// When it ends or ended, if that is known.
    pub ended_at: Option<Timestamp>,
    /// What was told of it, the latest first.
    pub updates: Vec<ItemUpdate>,
}

/// An update as a feed shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ItemUpdate {
    /// Where the event stood.
    pub status: String,
    /// What was told.
    pub text: String,
    /// Whether the text is markup that was made here.
    pub is_markup: bool,
    /// When that happened.
    pub at: Timestamp,
}

/// A maintenance as a calendar shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Date {
    /// The event's number.
    pub id: i64,
    /// Its title, plain text.
    pub title: String,
    /// What it is about, plain text.
    pub description: Option<String>,
    /// Where it stands, such as `planned`.
    pub status: String,
    /// When it begins or began.
    pub started_at: Timestamp,
    /// When it ends or ended, if that is known.
    pub ended_at: Option<Timestamp>,
    /// When it was announced.
    pub created_at: Timestamp,
    /// When it was changed for the last time.
    pub updated_at: Timestamp,
    /// How often people changed it, counted from 1.
    pub version: i64,
    /// What it is on, as people read it.
    pub components: Vec<String>,
}

/// Whether some component of the catalogue fits.
pub async fn is_known(db: &impl Db, filter: &Filter<'_>) -> Result<bool> {
    let sql = "select 1 from status_components where retired_at is null
               and (?1 is null or region = ?1) and (?2 is null or name = ?2) limit 1";
    let row = db
        .first(sql, params![filter.region, filter.component])
        .await?;
    Ok(row.is_some())
}

/// The condition that an event `i` is on a component that fits `?1` and `?2`.
const ON_COMPONENT: &str = "exists (select 1 from status_incident_components x
    join status_components c on c.id = x.component_id
    where x.incident_id = i.id and (?1 is null or c.region = ?1) and (?2 is null or c.name = ?2))";

/// The same for a filter; everything is also what is on no component any more.
fn on_component(filter: &Filter<'_>) -> &'static str {
    match (filter.region, filter.component) {
        (None, None) => "(?1 is null and ?2 is null)",
        _ => ON_COMPONENT,
    }
}

/// The latest events, the newest beginning first.
pub async fn latest(db: &impl Db, scope: &Scope, filter: &Filter<'_>) -> Result<Vec<Item>> {
    let on_component = on_component(filter);
    let sql = format!(
        "select json_object('id', i.id, 'title', i.title, 'kind', i.kind, 'impact', i.impact,
                 'created_at', i.created_at, 'started_at', i.started_at, 'ended_at', i.ended_at,
                 'updates', json((select json_group_array(json_object('status', u.status,
                     'text', u.text, 'is_markup', json(iif(u.is_markup, 'true', 'false')), 'at', u.at))
                     from (select * from status_updates where incident_id = i.id
                         order by at desc, id desc) u))) as item
             from status_incidents i where {} and {on_component}
             order by i.started_at desc, i.id desc limit ?3",
        visible(scope)
    );
    let values = params![filter.region, filter.component, ITEMS];
    pieces::read_few(db, &sql, values).await
}

/// The maintenances to come, those going on, and those of the last year, in the order of time.
pub async fn maintenances(
    db: &impl Db,
    scope: &Scope,
    filter: &Filter<'_>,
    now: Timestamp,
) -> Result<Vec<Date>> {
    let on_component = on_component(filter);
    let sql = format!(
        "select json_object('id', i.id, 'title', i.title, 'description', i.description,
                 'status', i.status, 'started_at', i.started_at, 'ended_at', i.ended_at,
                 'created_at', i.created_at, 'updated_at', i.updated_at, 'version', i.version,
                 'components', json((select json_group_array(label) from (
                     select iif(c.region is null, c.name, c.name || ' (' || c.region || ')') as label
                     from status_incident_components x join status_components c on c.id = x.component_id
                     where x.incident_id = i.id order by c.position, c.id)))) as item
             from (select * from status_incidents i
                 where i.kind = 'maintenance' and i.started_at > ?3 and {}
                     and {on_component}
                 order by i.started_at desc, i.id desc limit ?4) i
             order by i.started_at, i.id",
        visible(scope)
    );
    let past = now.plus_seconds(-PAST);
    let values = params![filter.region, filter.component, past, DATES];
    pieces::read_few(db, &sql, values).await
}

#[cfg(test)]
mod tests;
