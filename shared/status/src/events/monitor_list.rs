//! Events in the shape of the monitors' API, which is the one of the first status page.

use super::visibility::{EFFECTIVE_MAINTENANCE, visible};
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::pieces;

/// An event of `status_incidents i` as JSON in the shape of the monitors' API: times to the minute,
/// the latest update first. It shows 50 of them: where thousands of components join one incident,
/// each with an update, every answer would otherwise repeat all of that.
pub(crate) const JSON: &str = "json_object('end_date', replace(substr(i.ended_at, 1, 16), 'T', ' '), \
     'id', i.id, 'impact', i.impact, \
     'start_date', replace(substr(i.started_at, 1, 16), 'T', ' '), 'text', i.title, \
     'updates', json((select json_group_array(json_object('status', u.status, 'text', u.text, \
         'timestamp', replace(substr(u.at, 1, 16), 'T', ' '))) \
         from (select status, text, at from status_updates where incident_id = i.id \
             order by at desc, id desc limit 50) u)))";

/// An event in the shape of [`JSON`].
///
/// # Errors
/// 404 when there is none that can be seen.
pub async fn find_json(db: &impl Db, scope: &Scope, id: i64) -> Result<String> {
    let sql = format!(
        "select {JSON} from status_incidents i where i.id = ?1 and {}",
        visible(scope)
    );
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
pub async fn list_json(db: &impl Db, scope: &Scope, window: &Window) -> Result<String> {
    let visible = visible(scope);
    let sql = format!(
        "select json_quote({JSON} || '') as item from (
             select * from status_incidents i where i.kind <> 'info' and {visible}
                 and (?1 is null or ?1 = case i.kind
                     when 'incident' then i.ended_at is null
                     else {EFFECTIVE_MAINTENANCE} and i.started_at <= ?2
                         and (i.ended_at is null or i.ended_at > ?2) end)
             order by i.id desc limit ?3 offset ?4) i
         order by i.id"
    );
    let (active, now) = window.active.unzip();
    let values = params![active, now, window.limit, window.offset];
    let incidents: Vec<String> = pieces::read(db, &sql, values).await?;
    Ok(format!("[{}]", incidents.join(",")))
}
