//! Signals: reasons why a component is not well, as long as they last. Receivers raise one for an alert,
//! and probes while they fail.
//!
//! A signal that is raised is a report, by the rules of [`crate::reports`]. When the last one of a
//! component is lowered, the component leaves the incident that they put it in, and the incident ends with
//! its last component. What a person has touched, or a monitor opened, is theirs to end; what a person
//! ended stays ended as long as the signal lasts.

mod expiry;

pub use expiry::forget_silent;

use crate::components::Component;
use crate::events::{self, EventRef, NewUpdate, SYSTEM};
use crate::reports::{self, Outcome, Report, Subject};
use crate::{Page, TENANT};
use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};
use windlass_store::{audit, pieces};

windlass_core::named_enum! {
    /// Who raises signals.
    pub enum Source {
        /// A receiver of alerts.
        Receiver = "receiver",
        /// A probe of this installation.
        Probe = "probe",
    }
}

/// Which signal is meant: who raised it, and what it is called there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// What kind of thing raises it.
    pub source: Source,
    /// The id of that thing.
    pub source_id: &'a str,
    /// Its name for the reason.
    pub fingerprint: &'a str,
}

/// A reason why a component is not well.
#[derive(Clone, Copy, Debug)]
pub struct Signal<'a> {
    /// What it is called.
    pub key: Key<'a>,
    /// The component's number.
    pub component: i64,
    /// How bad it is, 1 to 3.
    pub impact: i64,
    /// What operators read.
    pub title: &'a str,
    /// What everybody reads: the title of an incident, should one be opened.
    pub public_title: &'a str,
}

/// A signal that lasts.
#[derive(Clone, Debug, Deserialize)]
struct Lasting {
    component_id: i64,
    impact: i64,
    incident_id: Option<i64>,
    is_ours: bool,
}

async fn find(db: &impl Db, key: Key<'_>) -> Result<Option<Lasting>> {
    db.first_json(
        "select json_object('component_id', component_id, 'impact', impact,
             'incident_id', incident_id, 'is_ours', json(iif(is_ours, 'true', 'false')))
         from status_signals where source = ?1 and source_id = ?2 and fingerprint = ?3",
        params![key.source, key.source_id, key.fingerprint],
    )
    .await
}

/// Raises a signal in the name of a scope. Answers the incident that tells of it; none while the component
/// is under maintenance. Of one that lasts already is noted that it was told again; nothing else changes,
/// unless it got worse or told of nothing yet.
///
/// # Errors
/// 400 when there is no such component.
pub async fn raise(
    tx: &impl Tx,
    scope: &Scope,
    signal: &Signal<'_>,
    now: Timestamp,
) -> Result<Option<i64>> {
    let mut held = None;
    if let Some(known) = find(tx, signal.key).await? {
        if known.component_id != signal.component {
            lower(tx, scope, signal.key, now).await?;
        } else if known.incident_id.is_some() && known.impact >= signal.impact {
            note_seen(tx, signal.key, now).await?;
            return Ok(known.incident_id);
        } else if known.is_ours {
            held = known.incident_id;
        }
    }
    let was_in = open_incident_of(tx, signal.component).await?;
    let was_held = match was_in {
        Some(incident) => is_held(tx, signal.component, incident).await?,
        None => false,
    };
    let report = Report {
        subject: Subject::Id(signal.component),
        impact: signal.impact,
        text: signal.public_title,
    };
    let (incident, is_ours) = match reports::report(tx, scope, &report).await? {
        Outcome::Taken(incident) => (Some(incident), was_in.is_none() || was_held),
        Outcome::Known { incident, .. } => {
            let is_ours = was_held && was_in == Some(incident);
            (Some(incident), is_ours)
        }
        Outcome::UnderMaintenance(_) => (None, false),
    };
    // What it put into an incident it takes out again, so it goes on saying so.
    if !is_ours && held.is_some() && held == was_in {
        note_seen(tx, signal.key, now).await?;
        return Ok(held);
    }
    save(tx, signal, incident, is_ours, now).await?;
    if let (Some(from), Some(to)) = (was_in, incident)
        && is_ours
    {
        follow(tx, signal.component, from, to).await?;
    }
    Ok(incident)
}

/// Notes that a signal was told of again.
async fn note_seen(tx: &impl Tx, key: Key<'_>, now: Timestamp) -> Result<()> {
    tx.execute(
        "update status_signals set last_seen = ?4
         where source = ?1 and source_id = ?2 and fingerprint = ?3",
        params![key.source, key.source_id, key.fingerprint, now],
    )
    .await
}

async fn save(
    tx: &impl Tx,
    signal: &Signal<'_>,
    incident: Option<i64>,
    is_ours: bool,
    now: Timestamp,
) -> Result<()> {
    let Key {
        source,
        source_id,
        fingerprint,
    } = signal.key;
    tx.execute(
        "insert into status_signals
             (source, source_id, fingerprint, component_id, impact, title, since, last_seen,
                 incident_id, is_ours)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)
         on conflict (source, source_id, fingerprint) do update set impact = excluded.impact,
             title = excluded.title, last_seen = excluded.last_seen,
             incident_id = excluded.incident_id, is_ours = excluded.is_ours",
        params![
            source,
            source_id,
            fingerprint,
            signal.component,
            signal.impact,
            signal.title,
            now,
            incident,
            is_ours
        ],
    )
    .await
}

/// Lowers a signal: its reason is gone. Answers the incident that it told of; one that was never raised
/// changes nothing.
pub async fn lower(
    tx: &impl Tx,
    scope: &Scope,
    key: Key<'_>,
    now: Timestamp,
) -> Result<Option<i64>> {
    end(tx, scope, key, None, now).await
}

/// As [`lower`], with the sentence about it.
async fn end(
    tx: &impl Tx,
    scope: &Scope,
    key: Key<'_>,
    why: Option<&str>,
    now: Timestamp,
) -> Result<Option<i64>> {
    let Some(known) = find(tx, key).await? else {
        return Ok(None);
    };
    tx.execute(
        "delete from status_signals where source = ?1 and source_id = ?2 and fingerprint = ?3",
        params![key.source, key.source_id, key.fingerprint],
    )
    .await?;
    if let Some(incident) = known.incident_id
        && known.is_ours
        && !is_held(tx, known.component_id, incident).await?
    {
        take_out(tx, scope, known.component_id, incident, why, now).await?;
    }
    Ok(known.incident_id)
}

/// Whether a signal was raised and not lowered.
pub(crate) async fn lasts(db: &impl Db, key: Key<'_>) -> Result<bool> {
    Ok(find(db, key).await?.is_some())
}

/// How many signals the source of one has raised.
pub(crate) async fn count(db: &impl Db, key: Key<'_>) -> Result<i64> {
    let row = db
        .first(
            "select count(*) from status_signals
             where source = ?1 and source_id = ?2",
            params![key.source, key.source_id],
        )
        .await?;
    row.map_or(Ok(0), |row| row.integer(0))
}

/// The signals of a source that last, by fingerprint.
pub(crate) async fn list_of(
    db: &impl Db,
    source: Source,
    source_id: &str,
    limit: i64,
    offset: i64,
) -> Result<Page> {
    let items = "select json_object('fingerprint', fingerprint, 'component_id', component_id,
             'impact', impact, 'title', title, 'since', since, 'last_seen', last_seen,
             'incident_id', incident_id) as item
         from status_signals where source = ?1 and source_id = ?2
         order by fingerprint limit ?3 offset ?4";
    let row = db
        .first(
            "select count(*) from status_signals where source = ?1 and source_id = ?2",
            params![source, source_id],
        )
        .await?;
    Ok(Page {
        items: pieces::read_list(db, items, params![source, source_id, limit, offset]).await?,
        total: row.map_or(Ok(0), |row| row.integer(0))?,
    })
}

/// Forgets all signals of a source that is no more. Incidents that they opened stay as they are.
pub(crate) async fn forget(tx: &impl Tx, source: Source, source_id: &str) -> Result<()> {
    tx.execute(
        "delete from status_signals where source = ?1 and source_id = ?2",
        params![source, source_id],
    )
    .await
}

/// Whether a signal or a binding put a component in an incident and still says that it is not well.
pub(crate) async fn is_held(db: &impl Db, component: i64, incident: i64) -> Result<bool> {
    let row = db
        .first(
            "select exists (select 1 from status_signals
                 where component_id = ?1 and incident_id = ?2 and is_ours)
             or exists (select 1 from status_bindings where component_id = ?1 and incident_id = ?2)",
            params![component, incident],
        )
        .await?;
    row.map_or(Ok(false), |row| Ok(row.integer(0)? == 1))
}

/// Notes that a component which signals and a binding put in an incident is in another one now.
pub(crate) async fn follow(tx: &impl Tx, component: i64, from: i64, to: i64) -> Result<()> {
    for sql in [
        "update status_signals set incident_id = ?3
         where component_id = ?1 and incident_id = ?2 and is_ours",
        "update status_bindings set incident_id = ?3 where component_id = ?1 and incident_id = ?2",
    ] {
        tx.execute(sql, params![component, from, to]).await?;
    }
    Ok(())
}

/// The open incident of monitors that a component is in.
pub(crate) async fn open_incident_of(db: &impl Db, component: i64) -> Result<Option<i64>> {
    let row = db
        .first(
            "select i.id from status_incidents i
             join status_incident_components x on x.incident_id = i.id
             where x.component_id = ?1 and i.ended_at is null and i.kind = 'incident'
                 and i.is_system order by i.id limit 1",
            params![component],
        )
        .await?;
    row.map(|row| row.integer(0)).transpose()
}

/// A component in an open incident that no person has touched.
#[derive(Deserialize)]
struct Membership {
    event: EventRef,
    component: Component,
    /// How many other components are in it.
    others: i64,
}

/// Takes a component out of an incident, and ends the incident when it was the last one in it. `why` is the
/// sentence about it. One that a person has touched or ended stays as it is.
pub(crate) async fn take_out(
    tx: &impl Tx,
    scope: &Scope,
    component: i64,
    incident: i64,
    why: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let by = scope.username();
    let sql = format!(
        "select json_object('event', json_object('id', i.id, 'title', i.title), 'component', {},
             'others', (select count(*) from status_incident_components o
                 where o.incident_id = i.id and o.component_id <> ?2))
         from status_incidents i join status_incident_components x on x.incident_id = i.id
         join status_components c on c.id = x.component_id
         where i.id = ?1 and x.component_id = ?2 and i.is_system and i.ended_at is null",
        Component::JSON
    );
    let found = tx.first_json(&sql, params![incident, component]).await?;
    let Some(Membership {
        event,
        component,
        others,
    }) = found
    else {
        return Ok(());
    };
    let label = component.label();
    let well = format!("{label} is well again");
    let why = why.unwrap_or(&well);
    let text = match others {
        0 => format!("{why}. Closed by system"),
        _ => format!("{why}. {label} left the incident"),
    };
    let update = NewUpdate {
        status: SYSTEM,
        text: &text,
        is_markup: false,
        at: now,
    };
    events::add_update(tx, &event, &update, by, now).await?;
    if others == 0 {
        events::close(tx, &event, now, now).await?;
    } else {
        events::remove_component(tx, &event, &component).await?;
    }
    let scope = Scope::system(by, TENANT).asked_by(scope.origin());
    let target = event.id.to_string();
    audit::insert(tx, &scope, "status_report", "Incident", &target).await
}

#[cfg(test)]
mod tests;
