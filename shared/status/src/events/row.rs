//! The rows of an event, its updates and the components it is on, and every write to them.
//!
//! Who decides what happens to an event (a monitor's report, a person, the clock) writes with the
//! functions here, in the transaction in which it was found.

use super::kind::EventKind;
use super::unknown;
use super::visibility::visible;
use crate::components::Component;
use crate::lifecycle::Standing;
use serde::Deserialize;
use serde_json::Value as Json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};

/// The status of updates that nobody wrote.
pub const SYSTEM: &str = "SYSTEM";

/// An event that is in the table: its number, and the title that links to it show.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EventRef {
    /// The event's number.
    pub id: i64,
    /// Its title, plain text.
    pub title: String,
}

/// An event with what a change of it has to know.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// Which one it is.
    pub reference: EventRef,
    /// Where it stands.
    pub standing: Standing,
    /// What it is about, plain text.
    pub description: Option<String>,
    /// Whom to ask.
    pub contact_email: Option<String>,
    /// Who opened it.
    pub created_by: String,
    /// How often people changed it, counted from 1.
    pub version: i64,
}

/// The event with this number. The update that it began with does not count as one that others must
/// follow: clients that write whole seconds could not say anything within the first.
///
/// # Errors
/// 404 when there is none that can be seen.
pub async fn find(db: &impl Db, scope: &Scope, id: i64) -> Result<Event> {
    let sql = format!(
        "select json_object('reference', json_object('id', i.id, 'title', i.title),
             'standing', json_object('kind', i.kind, 'status', i.status, 'impact', i.impact,
                 'started_at', i.started_at, 'ended_at', i.ended_at, 'last_update', (
                     select max(u.at) from status_updates u where u.incident_id = i.id
                         and u.status <> ?2 and u.created_at > i.created_at)),
             'description', i.description, 'contact_email', i.contact_email,
             'created_by', i.created_by, 'version', i.version)
         from status_incidents i where i.id = ?1 and {}",
        visible(scope)
    );
    let found = db.first_json(&sql, params![id, SYSTEM]).await?;
    found.ok_or_else(unknown)
}

/// An event to be stored, checked already.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// What it is.
    pub kind: EventKind,
    /// Its title, plain text.
    pub title: &'a str,
    /// What it is about, plain text.
    pub description: Option<&'a str>,
    /// How bad it is: 1 minor, 2 major, 3 outage; 0 for what is no incident.
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

/// How a new event comes to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// Where it stands at first, such as `analysing` or `planned`.
    pub(crate) status: &'a str,
    /// Whether no person had a hand in it.
    pub(crate) is_system: bool,
    /// Who opens it.
    pub(crate) by: &'a str,
}

/// What is told about an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewUpdate<'a> {
    /// Where the event stands, or [`SYSTEM`].
    pub(crate) status: &'a str,
    /// What is told.
    pub(crate) text: &'a str,
    /// Whether the text is markup made here, with everything from outside escaped.
    pub(crate) is_markup: bool,
    /// When it happened.
    pub(crate) at: Timestamp,
}

/// Stores an event and the components it is on.
pub(crate) async fn insert(
    tx: &impl Tx,
    new: &NewEvent<'_>,
    origin: &Origin<'_>,
    now: Timestamp,
) -> Result<EventRef> {
    let found = tx
        .first_json(
            "insert into status_incidents (kind, title, description, impact, started_at, ended_at,
                 is_system, status, contact_email, created_at, created_by, updated_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?10)
             returning json_object('id', id, 'title', title)",
            params![
                new.kind,
                new.title,
                new.description,
                new.impact,
                new.started_at,
                new.ended_at,
                origin.is_system,
                origin.status,
                new.contact_email,
                now,
                origin.by
            ],
        )
        .await?;
    let event: EventRef = found.ok_or_else(|| Error::internal("an insert answers its row"))?;
    tx.execute(
        "insert or ignore into status_incident_components (incident_id, component_id)
         select ?1, value from json_each(?2) order by key",
        params![event.id, &Json::from(new.components)],
    )
    .await?;
    Ok(event)
}

/// Puts a component into an event. One that is in it already stays.
pub(crate) async fn add_component(
    tx: &impl Tx,
    event: &EventRef,
    component: &Component,
) -> Result<()> {
    tx.execute(
        "insert or ignore into status_incident_components (incident_id, component_id) values (?1, ?2)",
        params![event.id, component.id],
    )
    .await
}

/// Takes a component out of an event.
pub(crate) async fn remove_component(
    tx: &impl Tx,
    event: &EventRef,
    component: &Component,
) -> Result<()> {
    tx.execute(
        "delete from status_incident_components where incident_id = ?1 and component_id = ?2",
        params![event.id, component.id],
    )
    .await
}

/// Adds what is told about an event.
pub(crate) async fn add_update(
    tx: &impl Tx,
    event: &EventRef,
    update: &NewUpdate<'_>,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "insert into status_updates (incident_id, status, text, is_markup, at, created_at, created_by)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            event.id,
            update.status,
            update.text,
            update.is_markup,
            update.at,
            now,
            by
        ],
    )
    .await
}

/// Changes how bad an incident is.
pub(crate) async fn set_impact(
    tx: &impl Tx,
    event: &EventRef,
    impact: i64,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "update status_incidents set impact = ?2, updated_at = ?3 where id = ?1",
        params![event.id, impact, now],
    )
    .await
}

/// Ends an event.
pub(crate) async fn close(
    tx: &impl Tx,
    event: &EventRef,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "update status_incidents set ended_at = ?2, status = 'resolved', updated_at = ?3 where id = ?1",
        params![event.id, at, now],
    )
    .await
}

/// Notes that a person changed an event: no monitor does any more.
pub(super) async fn touch(tx: &impl Tx, event: &EventRef, now: Timestamp) -> Result<()> {
    tx.execute(
        "update status_incidents set is_system = 0, version = version + 1, updated_at = ?2
         where id = ?1",
        params![event.id, now],
    )
    .await
}
