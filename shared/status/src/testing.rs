//! What tests write without a report or a person: by number, each write in a transaction of its own.

use crate::components::Component;
use crate::events::{self, EventKind, EventRef, NewEvent, NewUpdate, Origin};
use windlass_core::db::{Db, NativeDb, NativeTransaction};
use windlass_core::{Result, Scope, Timestamp};

/// An event and how it comes to be.
#[derive(Clone)]
pub struct NewIncident<'a> {
    pub kind: EventKind,
    pub title: &'a str,
    pub description: Option<&'a str>,
    pub impact: i64,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub is_system: bool,
    pub status: &'a str,
    pub contact_email: Option<&'a str>,
    pub components: &'a [i64],
}

pub async fn insert(db: &NativeDb, new: &NewIncident<'_>, by: &str, now: Timestamp) -> Result<i64> {
    let event = NewEvent {
        kind: new.kind,
        title: new.title,
        description: new.description,
        impact: new.impact,
        started_at: new.started_at,
        ended_at: new.ended_at,
        contact_email: new.contact_email,
        components: new.components,
    };
    let origin = Origin {
        status: new.status,
        is_system: new.is_system,
        by,
    };
    db.transaction(async |tx| events::insert(tx, &event, &origin, now).await)
        .await
        .map(|event| event.id)
}

async fn with(
    db: &NativeDb,
    id: i64,
    work: impl AsyncFnOnce(&NativeTransaction, &EventRef) -> Result<()>,
) -> Result<()> {
    db.transaction(async |tx| {
        let event = events::find(tx, &Scope::engine(), id).await?;
        work(tx, &event.reference).await
    })
    .await
}

pub async fn add_update(
    db: &NativeDb,
    id: i64,
    update: &NewUpdate<'_>,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    with(db, id, async |tx, event| {
        events::add_update(tx, event, update, by, now).await
    })
    .await
}

pub async fn close(db: &NativeDb, id: i64, at: Timestamp, now: Timestamp) -> Result<()> {
    with(db, id, async |tx, event| {
        events::close(tx, event, at, now).await
    })
    .await
}

pub async fn set_impact(db: &NativeDb, id: i64, impact: i64, now: Timestamp) -> Result<()> {
    with(db, id, async |tx, event| {
        events::set_impact(tx, event, impact, now).await
    })
    .await
}

pub async fn add_component(db: &NativeDb, id: i64, component: i64) -> Result<()> {
    with(db, id, async |tx, event| {
        events::add_component(tx, event, &component_of(component)).await
    })
    .await
}

/// A component as far as its number.
pub fn component_of(id: i64) -> Component {
    Component {
        id,
        name: String::new(),
        attributes: Vec::new(),
    }
}
