//! Reports: what a monitor says of a component, and what becomes of the incidents because of it.
//!
//! What to do is decided by [`decide`], a pure function of what is going on. A report that changes
//! nothing is answered from one statement without waiting for the write lock: that statement sees one
//! state of the database, and in it the answer was right at a moment between request and answer. Whatever
//! changes something is decided again inside a transaction that nobody else writes beside, so reports
//! that arrive together open one incident.
//!
//! Nothing here ends or lowers an incident because a component is well again: people do that.

use super::components::{Attribute, Component, attributes_key};
use super::events::{
    self, EFFECTIVE_MAINTENANCE, EventKind, EventRef, Member, NewEvent, NewUpdate, Origin, PUBLIC,
    SYSTEM, escape, impact_name, tell_of_move,
};
use super::lifecycle::IncidentStatus;
use serde::Deserialize;
use serde_json::json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// The component that a report is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// By its number.
    Id(i64),
    /// By its name and some of its attributes: the component with just these, else the first that
    /// has them among others.
    Named(&'a str, &'a [Attribute]),
}

/// What is reported.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The component that is not well.
    pub subject: Subject<'a>,
    /// How bad it is, 1 to 3.
    pub impact: i64,
    /// The title of an incident, should one be opened.
    pub text: &'a str,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its component is now on this incident.
    Taken(i64),
    /// This maintenance is the reason, and nothing was changed.
    UnderMaintenance(i64),
    /// An incident tells as much already, and nothing was changed.
    Known {
        /// The incident's number.
        incident: i64,
        /// The incident's title.
        title: String,
        /// The component's name and the values of its attributes.
        component: String,
    },
}

/// Something that is going on, as far as a report about one component has to know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Active {
    /// Which one it is.
    pub event: EventRef,
    /// 0 for a maintenance.
    pub impact: i64,
    /// Whether a monitor made it, and no person had a hand in it.
    pub is_system: bool,
    /// Whether the component is on it.
    pub has_component: bool,
    /// Whether others are.
    pub has_others: bool,
}

/// What a report leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Nothing: the component is under this maintenance.
    UnderMaintenance(&'a Active),
    /// Nothing: this incident of the component is as bad already.
    Known(&'a Active),
    /// A new incident.
    Open,
    /// The component joins the incident of the others.
    Join(&'a Active),
    /// The component leaves an incident it is not alone in for a worse one.
    Move {
        /// The one it leaves.
        from: &'a Active,
        /// The one it joins.
        to: &'a Active,
    },
    /// The same, into a new incident.
    MoveToNew {
        /// The one it leaves.
        from: &'a Active,
    },
    /// The component joins a worse incident, and the one it was alone in ends. It stays listed
    /// there, so that one can see what that was about.
    MoveAndClose {
        /// The one that ends.
        from: &'a Active,
        /// The one it joins.
        to: &'a Active,
    },
    /// The incident that the component is alone in gets worse.
    Raise(&'a Active),
}

/// What a report of this impact leads to, given what is going on in the order of the events' numbers.
/// Maintenances are given only where they are of the component.
pub fn decide(active: &[Active], impact: i64) -> Decision<'_> {
    let of_component = || active.iter().filter(|event| event.has_component);
    if let Some(maintenance) = of_component().find(|event| event.impact == 0) {
        return Decision::UnderMaintenance(maintenance);
    }
    // What people tell is never changed here, only left alone where it is bad enough.
    let told = of_component().find(|event| !event.is_system && impact <= event.impact);
    if let Some(told) = told {
        return Decision::Known(told);
    }
    let as_bad = active
        .iter()
        .find(|event| event.is_system && event.impact == impact);
    let Some(current) = of_component().find(|event| event.is_system) else {
        return as_bad.map_or(Decision::Open, Decision::Join);
    };
    if impact <= current.impact {
        return Decision::Known(current);
    }
    match (current.has_others, as_bad) {
        (false, Some(to)) => Decision::MoveAndClose { from: current, to },
        (false, None) => Decision::Raise(current),
        (true, Some(to)) => Decision::Move { from: current, to },
        (true, None) => Decision::MoveToNew { from: current },
    }
}

/// Takes a report. The scope says who reports.
///
/// # Errors
/// 400 when there is no such component.
pub async fn report(db: &impl Db, scope: &Scope, report: &Report<'_>) -> Result<Outcome> {
    let seen = Seen::read(db, report.subject, Timestamp::now()).await?;
    if let Some(outcome) = seen.unchanged(report.impact) {
        return Ok(outcome);
    }
    db.transaction(async |tx| {
        // Whoever had to wait for others begins after them.
        let now = Timestamp::now();
        let seen = Seen::read(tx, report.subject, now).await?;
        match seen.unchanged(report.impact) {
            Some(outcome) => Ok(outcome),
            None => seen.apply(tx, scope, report, now).await,
        }
    })
    .await
}

/// A component and what is going on, at one moment.
#[derive(Deserialize)]
struct Seen {
    component: Component,
    active: Vec<Active>,
}

/// All of it in one statement. An incident counts while it has no end, whatever its beginning: the
/// clocks of two hosts may differ, and both must see the same incident. A monitor sees what the public
/// sees. `{..}` stand for conditions and for the component.
const SEEN: &str = "select json_object('component', {JSON}, 'active', json((
         select json_group_array(json_object(
             'event', json_object('id', a.id, 'title', a.title), 'impact', a.impact,
             'is_system', json(iif(a.is_system, 'true', 'false')),
             'has_component', json(iif(a.has_component, 'true', 'false')),
             'has_others', json(iif(a.has_others, 'true', 'false'))))
         from (
             select i.id, i.title, i.impact, i.is_system,
                 exists (select 1 from status_incident_components l
                     where l.incident_id = i.id and l.component_id = c.id) as has_component,
                 exists (select 1 from status_incident_components l
                     where l.incident_id = i.id and l.component_id <> c.id) as has_others
             from status_incidents i
             where i.id in (select id from status_incidents where ended_at is null
                     union all select id from status_incidents where ended_at > ?4)
                 and case i.kind when 'incident' then i.ended_at is null and {PUBLIC}
                     else {MAINTENANCE} and i.started_at <= ?4 end
                 and ((i.kind = 'incident' and i.is_system) or has_component)
             order by i.id) a)))
     from status_components c where c.retired_at is null and c.id = {COMPONENT}";

/// The component with exactly the attributes `?3`, else the first with all of `?2`.
const BY_NAME: &str = "(select o.id from status_components o
     where o.name = ?1 and o.retired_at is null and not exists (
         select 1 from json_each(?2) wanted where not exists (
             select 1 from json_each(o.attributes) has
             where has.value ->> 'name' = wanted.value ->> 'name'
                 and has.value ->> 'value' = wanted.value ->> 'value'))
     order by o.attributes_key = ?3 desc, o.id limit 1)";

/// The number of the component that a report of this subject would be about.
pub(crate) async fn find_component(db: &impl Db, subject: Subject<'_>) -> Result<Option<i64>> {
    let (name, attributes) = match subject {
        Subject::Id(id) => return Ok(Some(id)),
        Subject::Named(name, attributes) => (name, attributes),
    };
    let sql = format!("select {BY_NAME}");
    let key = attributes_key(attributes);
    let row = db
        .first(&sql, params![name, &json!(attributes), key])
        .await?;
    row.map_or(Ok(None), |row| row.optional_integer(0))
}

impl Seen {
    async fn read(db: &impl Db, subject: Subject<'_>, now: Timestamp) -> Result<Self> {
        let sql = SEEN
            .replace("{JSON}", Component::JSON)
            .replace("{PUBLIC}", PUBLIC)
            .replace("{MAINTENANCE}", EFFECTIVE_MAINTENANCE);
        let seen = match subject {
            Subject::Id(id) => {
                let sql = sql.replace("{COMPONENT}", "?1");
                db.first_json(&sql, params![id, None::<i64>, None::<i64>, now])
                    .await?
            }
            Subject::Named(name, attributes) => {
                let sql = sql.replace("{COMPONENT}", BY_NAME);
                let key = attributes_key(attributes);
                db.first_json(&sql, params![name, &json!(attributes), key, now])
                    .await?
            }
        };
        seen.ok_or_else(|| Error::bad_parameters("Component not found"))
    }

    /// What is answered to a report that changes nothing.
    fn unchanged(&self, impact: i64) -> Option<Outcome> {
        match decide(&self.active, impact) {
            Decision::UnderMaintenance(event) => Some(Outcome::UnderMaintenance(event.event.id)),
            Decision::Known(event) => Some(Outcome::Known {
                incident: event.event.id,
                title: event.event.title.clone(),
                component: self.component.label(),
            }),
            _ => None,
        }
    }

    /// Writes what a report leads to.
    async fn apply(
        &self,
        tx: &impl Tx,
        scope: &Scope,
        report: &Report<'_>,
        now: Timestamp,
    ) -> Result<Outcome> {
        let member = Member {
            component: &self.component,
            by: scope.username(),
            now,
        };
        let component = &self.component;
        let event = match decide(&self.active, report.impact) {
            // Answered by whoever asked before, without writing anything.
            Decision::UnderMaintenance(active) | Decision::Known(active) => active.event.clone(),
            Decision::Open => open(tx, &member, report).await?,
            Decision::Join(Active { event: to, .. }) => {
                events::add_component(tx, to, component).await?;
                let told = format!("added to {}", escape(&to.title));
                member.tell(tx, to, &told).await?;
                to.clone()
            }
            Decision::Move { from, to } => {
                let (from, to) = (&from.event, &to.event);
                events::remove_component(tx, from, component).await?;
                events::add_component(tx, to, component).await?;
                tell_of_move(tx, &member, from, to).await?;
                to.clone()
            }
            Decision::MoveToNew { from } => {
                events::remove_component(tx, &from.event, component).await?;
                let new = open(tx, &member, report).await?;
                tell_of_move(tx, &member, &from.event, &new).await?;
                new
            }
            Decision::MoveAndClose { from, to } => {
                let (from, to) = (&from.event, &to.event);
                events::add_component(tx, to, component).await?;
                tell_of_move(tx, &member, from, to).await?;
                tell(tx, &member, from, "CLOSED BY SYSTEM").await?;
                events::close(tx, from, now, now).await?;
                to.clone()
            }
            Decision::Raise(Active { event, impact, .. }) => {
                let (old, new) = (impact_name(*impact), impact_name(report.impact));
                let text = format!("impact changed from {old} to {new}");
                tell(tx, &member, event, &text).await?;
                events::set_impact(tx, event, report.impact, now).await?;
                event.clone()
            }
        };
        let target = event.id.to_string();
        audit::insert(tx, scope, "status_report", "Incident", &target).await?;
        Ok(Outcome::Taken(event.id))
    }
}

/// Opens an incident of one component.
async fn open(tx: &impl Tx, member: &Member<'_>, report: &Report<'_>) -> Result<EventRef> {
    let new = NewEvent {
        kind: EventKind::Incident,
        title: report.text,
        description: None,
        impact: report.impact,
        started_at: member.now,
        ended_at: None,
        contact_email: None,
        components: &[member.component.id],
    };
    let origin = Origin {
        status: IncidentStatus::Analysing.name(),
        is_system: true,
        by: member.by,
    };
    events::insert(tx, &new, &origin, member.now).await
}

/// Adds an update that is plain text.
async fn tell(tx: &impl Tx, member: &Member<'_>, event: &EventRef, text: &str) -> Result<()> {
    let update = NewUpdate {
        status: SYSTEM,
        text,
        is_markup: false,
        at: member.now,
    };
    events::add_update(tx, event, &update, member.by, member.now).await
}

#[cfg(test)]
mod tests;
