//! Incidents and maintenances: their rows, and every change that is made to them.
//!
//! Who decides what happens to an incident (a monitor's report, a person) uses the functions here,
//! inside one transaction of their own.

use windlass_core::db::Db;
use windlass_core::{Error, Result, Timestamp, params};

windlass_core::named_enum! {
    /// What an event is.
    pub enum EventKind {
        /// Something does not work.
        Incident = "incident",
        /// Work that was announced, with a beginning and an end.
        Maintenance = "maintenance",
        /// Something worth knowing.
        Info = "info",
    }
}

/// What impacts are called, by their number.
pub const IMPACTS: [&str; 4] = ["maintenance", "minor", "major", "outage"];

/// What an impact is called.
pub fn impact_name(impact: i64) -> &'static str {
    let place = usize::try_from(impact).unwrap_or(usize::MAX);
    IMPACTS.get(place).copied().unwrap_or("unknown")
}

/// The condition on `status_incidents i` for what the public may know of. A maintenance that was
/// called off before the public knew of it stays unknown.
pub const PUBLIC: &str = "(i.status not in ('pending_review', 'reviewed') \
     and (i.status <> 'cancelled' or i.kind <> 'maintenance' or exists ( \
         select 1 from status_updates known where known.incident_id = i.id \
         and known.status in ('planned', 'modified', 'in_progress'))))";

/// The condition on `status_incidents i` for maintenances that are not called off, over or yet to be
/// approved, whatever the clock says.
pub const EFFECTIVE_MAINTENANCE: &str = "i.kind = 'maintenance' \
     and i.status not in ('cancelled', 'completed', 'pending_review', 'reviewed')";

/// An event of `status_incidents i` as JSON in the shape of the monitors' API: times to the minute,
/// the latest update first. It shows 50 of them: where thousands of components join one incident,
/// each with an update, every answer would otherwise repeat all of that.
pub const JSON: &str = "json_object('end_date', replace(substr(i.ended_at, 1, 16), 'T', ' '), \
     'id', i.id, 'impact', i.impact, \
     'start_date', replace(substr(i.started_at, 1, 16), 'T', ' '), 'text', i.title, \
     'updates', json((select json_group_array(json_object('status', u.status, 'text', u.text, \
         'timestamp', replace(substr(u.at, 1, 16), 'T', ' '))) \
         from (select status, text, at from status_updates where incident_id = i.id \
             order by at desc, id desc limit 50) u)))";

/// An event in the shape of [`JSON`].
pub async fn find_json(db: &impl Db, id: i64) -> Result<String> {
    let sql = format!("select {JSON} from status_incidents i where i.id = ?1");
    match db.first(&sql, params![id]).await? {
        Some(row) => row.text(0).map(str::to_owned),
        None => Err(Error::not_found("Incident", id)),
    }
}

/// Which events a list shows, counted back from the newest.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Only those that are going on (or only those that are not) at a moment.
    pub active: Option<(bool, Timestamp)>,
    /// How many at most.
    pub limit: i64,
    /// How many of the newest to leave out.
    pub offset: i64,
}

/// Incidents and maintenances as a JSON list in the shape of [`JSON`], the oldest first.
pub async fn list_json(db: &impl Db, window: &Window) -> Result<String> {
    let sql = format!(
        "select '[' || coalesce(group_concat(body, ','), '') || ']' from (
             select {JSON} as body from (
                 select * from status_incidents i where i.kind <> 'info' and {PUBLIC}
                     and (?1 is null or ?1 = case i.kind
                         when 'incident' then i.ended_at is null
                         else {EFFECTIVE_MAINTENANCE} and i.started_at <= ?2
                             and (i.ended_at is null or i.ended_at > ?2) end)
                 order by i.id desc limit ?3 offset ?4) i
             order by i.id)"
    );
    let (active, now) = window.active.unzip();
    let row = db
        .first(&sql, params![active, now, window.limit, window.offset])
        .await?;
    let row = row.ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    row.text(0).map(str::to_owned)
}

/// A link to an event for texts that are markup.
pub fn link(id: i64, title: &str) -> String {
    format!("<a href='/incidents/{id}'>{}</a>", escape(title))
}

/// A text as it stands in markup.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The status of updates that nobody wrote.
pub const SYSTEM: &str = "SYSTEM";

/// An event to be stored.
#[derive(Clone, Debug)]
pub struct NewIncident<'a> {
    /// What it is.
    pub kind: EventKind,
    /// Its title, plain text.
    pub title: &'a str,
    /// What a maintenance is about, plain text.
    pub description: Option<&'a str>,
    /// 1 minor, 2 major, 3 outage; 0 for what is no incident.
    pub impact: i64,
    /// Since when, or from when on.
    pub started_at: Timestamp,
    /// Until when, where that is known.
    pub ended_at: Option<Timestamp>,
    /// Whether no person had a hand in it.
    pub is_system: bool,
    /// Where it stands, such as `analysing` or `planned`.
    pub status: &'a str,
    /// Whom to ask; shown to logged-in callers only.
    pub contact_email: Option<&'a str>,
    /// The components it is on.
    pub components: &'a [i64],
}

/// What is told about an event.
#[derive(Clone, Copy, Debug)]
pub struct NewUpdate<'a> {
    /// Where the event stands, or [`SYSTEM`].
    pub status: &'a str,
    /// What is told.
    pub text: &'a str,
    /// Whether the text is markup made here, with everything from outside escaped.
    pub is_markup: bool,
    /// When it happened.
    pub at: Timestamp,
}

/// Stores an event and the components it is on. Answers its number.
pub async fn insert(db: &impl Db, new: &NewIncident<'_>, by: &str, now: Timestamp) -> Result<i64> {
    let row = db
        .first(
            "insert into status_incidents (kind, title, description, impact, started_at, ended_at,
                 is_system, status, contact_email, created_at, created_by, updated_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?10) returning id",
            params![
                new.kind,
                new.title,
                new.description,
                new.impact,
                new.started_at,
                new.ended_at,
                new.is_system,
                new.status,
                new.contact_email,
                now,
                by
            ],
        )
        .await?;
    let id = row
        .ok_or_else(|| Error::internal("an insert answers its key"))?
        .integer(0)?;
    for component in new.components {
        add_component(db, id, *component).await?;
    }
    Ok(id)
}

/// Puts a component into an event; one that is in it already stays.
pub async fn add_component(db: &impl Db, incident: i64, component: i64) -> Result<()> {
    db.execute(
        "insert or ignore into status_incident_components (incident_id, component_id) values (?1, ?2)",
        params![incident, component],
    )
    .await
}

/// Takes a component out of an event.
pub async fn remove_component(db: &impl Db, incident: i64, component: i64) -> Result<()> {
    db.execute(
        "delete from status_incident_components where incident_id = ?1 and component_id = ?2",
        params![incident, component],
    )
    .await
}

/// Adds what is told about an event. Answers its number.
pub async fn add_update(
    db: &impl Db,
    incident: i64,
    update: &NewUpdate<'_>,
    by: &str,
    now: Timestamp,
) -> Result<i64> {
    let row = db
        .first(
            "insert into status_updates (incident_id, status, text, is_markup, at, created_at, created_by)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7) returning id",
            params![
                incident,
                update.status,
                update.text,
                update.is_markup,
                update.at,
                now,
                by
            ],
        )
        .await?;
    row.ok_or_else(|| Error::internal("an insert answers its key"))?
        .integer(0)
}

/// Changes how bad an incident is.
pub async fn set_impact(db: &impl Db, incident: i64, impact: i64, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_incidents set impact = ?2, updated_at = ?3 where id = ?1",
        params![incident, impact, now],
    )
    .await
}

/// Ends an event.
pub async fn close(db: &impl Db, incident: i64, at: Timestamp, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_incidents set ended_at = ?2, status = 'resolved', updated_at = ?3 where id = ?1",
        params![incident, at, now],
    )
    .await
}
