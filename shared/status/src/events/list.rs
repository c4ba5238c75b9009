//! Events as people read them.
//!
//! Everybody may read. Whoever is logged in also sees who opened an event, whom to ask, its version,
//! and the maintenances that still have to be reviewed.

use super::kind::EventKind;
use super::row::EventRef;
use super::unknown;
use super::visibility::{EFFECTIVE_MAINTENANCE, is_insider, visible};
use crate::Page;
use serde_json::Value as Json;
use windlass_core::db::{Db, Value};
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::pieces;

/// The updates of `status_incidents i` as JSON, the oldest first; each is called by its place.
const UPDATES: &str = "select json_group_array(json_object('id', place, 'status', status,
         'text', text, 'timestamp', at)) from (
     select row_number() over (order by at, id) - 1 as place, status, text, at
     from status_updates where incident_id = i.id order by at, id)";

/// An event of `status_incidents i` as JSON, as this scope sees it.
fn json(scope: &Scope) -> String {
    let more = match is_insider(scope) {
        false => "",
        true => ", 'creator', i.created_by, 'contact_email', i.contact_email, 'version', i.version",
    };
    format!(
        "json_object('id', i.id, 'title', i.title, 'description', i.description,
             'impact', i.impact, 'components', json((
                 select json_group_array(component_id) from (
                     select component_id from status_incident_components
                     where incident_id = i.id order by component_id))),
             'start_date', i.started_at, 'end_date', i.ended_at,
             'system', json(iif(i.is_system, 'true', 'false')), 'type', i.kind,
             'status', i.status, 'updates', json(({UPDATES})){more})"
    )
}

/// Which events a list shows. What is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Of one of these kinds.
    pub kinds: Option<Vec<EventKind>>,
    /// Those that are going on.
    pub is_active: bool,
    /// With this status.
    pub status: Option<&'static str>,
    /// Not begun before.
    pub from: Option<Timestamp>,
    /// Not ended after.
    pub until: Option<Timestamp>,
    /// With this impact.
    pub impact: Option<i64>,
    /// Made by a monitor, or not.
    pub is_system: Option<bool>,
    /// On one of these components.
    pub components: Option<Vec<i64>>,
}

impl Filter {
    /// The condition on `status_incidents i`, with its parameters from `?4` on.
    fn condition(&self, scope: &Scope) -> (String, Vec<Value>) {
        let mut conditions = vec![visible(scope).to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            let place = format!("?{}", values.len() + 3);
            conditions.push(condition.replace("{}", &place));
        };
        if let Some(kinds) = &self.kinds {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            let kinds = Json::from(kinds);
            and(
                "i.kind in (select value from json_each({}))",
                (&kinds).into(),
            );
        }
        if let Some(status) = self.status {
            and("i.status = {}", status.into());
        }
        if let Some(from) = self.from {
            and("i.started_at >= {}", from.into());
        }
        if let Some(until) = self.until {
            and("i.ended_at <= {}", until.into());
        }
        if let Some(impact) = self.impact {
            and("i.impact = {}", impact.into());
        }
        if let Some(is_system) = self.is_system {
            and("i.is_system = {}", is_system.into());
        }
        if let Some(components) = &self.components {
            let components = Json::from(components.clone());
            and(
                "i.id in (select l.incident_id from status_incident_components l
                     where l.component_id in (select value from json_each({})))",
                (&components).into(),
            );
        }
        if self.is_active {
            // An announcement follows its window as a maintenance does.
            let effective = EFFECTIVE_MAINTENANCE.replace("i.kind = 'maintenance'", "true");
            conditions.push(format!(
                "case i.kind when 'incident' then i.ended_at is null
                     else {effective} and i.started_at <= ?3
                         and (i.ended_at is null or i.ended_at > ?3) end"
            ));
        }
        (conditions.join(" and "), values)
    }
}

/// The events that a filter leaves, those that began last first: `limit` of them after the first `offset`.
pub async fn list(
    db: &impl Db,
    scope: &Scope,
    filter: &Filter,
    limit: i64,
    offset: i64,
    now: Timestamp,
) -> Result<Page> {
    let (sql, values) = list_statement(scope, filter, limit, offset, now);
    let events: Vec<String> = pieces::read(db, &sql, &values).await?;
    let (condition, _) = filter.condition(scope);
    // All parameters have to be in a statement.
    let sql = format!("select count(*), ?1, ?2, ?3 from status_incidents i where {condition}");
    let row = db.first(&sql, &values).await?;
    let row = row.ok_or_else(|| Error::internal("a count is one row"))?;
    Ok(Page {
        items: format!("[{}]", events.join(",")),
        total: row.integer(0)?,
    })
}

pub(super) fn list_statement(
    scope: &Scope,
    filter: &Filter,
    limit: i64,
    offset: i64,
    now: Timestamp,
) -> (String, Vec<Value>) {
    let (condition, own) = filter.condition(scope);
    let mut values: Vec<Value> = vec![limit.into(), offset.into(), now.into()];
    values.extend(own);
    let sql = format!(
        "select json_quote({} || '') as item from status_incidents i
         where {condition} and ?3 is not null
         order by i.started_at desc, i.id desc limit ?1 offset ?2",
        json(scope)
    );
    (sql, values)
}

/// An event as JSON.
///
/// # Errors
/// 404 when there is none that can be seen.
pub async fn find_json(db: &impl Db, scope: &Scope, id: i64) -> Result<String> {
    let sql = format!(
        "select {} from status_incidents i where i.id = ?1 and {}",
        json(scope),
        visible(scope)
    );
    match db.first(&sql, params![id]).await? {
        Some(row) => row.text(0).map(str::to_owned),
        None => Err(unknown()),
    }
}

/// The updates of an event as a JSON list.
pub(super) async fn updates_json(db: &impl Db, scope: &Scope, event: &EventRef) -> Result<String> {
    let sql = format!(
        "select ({UPDATES}) from status_incidents i where i.id = ?1 and {}",
        visible(scope)
    );
    match db.first(&sql, params![event.id]).await? {
        Some(row) => row.text(0).map(str::to_owned),
        None => Err(unknown()),
    }
}
