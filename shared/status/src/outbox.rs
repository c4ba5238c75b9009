//! The outbox: what subscribers are told about incidents and maintenances, and whether it arrived.
//!
//! Triggers on the tables of events queue one row for an event that changed, where there is anybody
//! to tell. [`fan_out`] makes of it a notice, which never changes again, and one delivery for each
//! subscription that it concerns.

use super::components::Component;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Error, Result, Timestamp, params};
use windlass_store::queue;

/// Something happened to an event. Subject: its number. Triggers write this word.
pub const NOTIFICATION: &str = "status_notification";

/// A notice is to be brought to a subscriber. Subject: the delivery's id.
pub const DELIVERY: &str = "status_delivery";

/// How long deliveries that have ended are kept, in seconds.
const KEPT: i64 = 30 * 86_400;

/// How many old deliveries one notice cleans up after.
const SWEEP: i64 = 500;

/// What is told of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Such as `incident.opened`.
    pub event: String,
    /// The event's number.
    pub id: i64,
    /// Its title, plain text.
    pub title: String,
    /// Its description, plain text.
    pub description: Option<String>,
    /// 0 to 3.
    pub impact: i64,
    /// Where it stands.
    pub status: String,
    /// Its beginning.
    pub start_date: String,
    /// Its end, if it is known.
    pub end_date: Option<String>,
    /// The components it is on.
    pub components: Vec<Told>,
    /// The updates that are new, in their order.
    pub updates: Vec<ToldUpdate>,
    /// When it was noticed.
    pub created_at: String,
}

/// A component as subscribers are told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: Option<String>,
    /// Its name with its attributes.
    pub label: String,
}

/// An update as subscribers are told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToldUpdate {
    /// Where the event stood.
    pub status: String,
    /// What was said.
    pub text: String,
    /// Whether the text is markup made here.
    #[serde(default)]
    pub is_markup: bool,
    /// When it happened.
    pub timestamp: String,
}

/// What a delivery is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its id, which goes out with it.
    pub id: String,
    /// Whom to.
    pub subscription: String,
    /// Failed attempts so far.
    pub attempts: i64,
    /// What is told.
    pub notice: Notice,
}

/// What an event is like: what a change of it is told by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State {
    kind: String,
    title: String,
    description: Option<String>,
    impact: i64,
    status: String,
    started_at: String,
    ended_at: Option<String>,
}

/// How far subscribers were told about it.
struct Before {
    update: i64,
    is_public: bool,
    state: Option<State>,
}

/// What waits for a review is not for the public, nor that it was called off before it was shown.
fn is_public(state: &State, before: &Before) -> bool {
    match state.status.as_str() {
        "pending_review" | "reviewed" => false,
        "cancelled" => before.is_public,
        _ => true,
    }
}

/// Makes a notice of what is new about an event, and its deliveries. Answers how many there are.
/// To be called inside the transaction that finishes the row of the queue, whose payload this is.
pub async fn fan_out(db: &impl Db, incident: i64, payload: &Value, now: Timestamp) -> Result<i64> {
    sweep(db, now).await?;
    let Some(state) = state_of(db, incident).await? else {
        return Ok(0);
    };
    let before = before(db, incident, payload).await?;
    let updates = updates_after(db, incident, before.update).await?;
    let newest = updates.last().map_or(before.update, |(id, _)| *id);
    let is_public = is_public(&state, &before);
    // Nobody was told of what was not public: then everything about it is new.
    let seen = if is_public { newest } else { before.update };
    remember(db, incident, seen, is_public, &state).await?;
    if !is_public
        || (updates.is_empty() && before.is_public && before.state.as_ref() == Some(&state))
    {
        return Ok(0);
    }
    let event = event_name(&before, &state, &updates);
    let notice = Notice {
        event: event.clone(),
        id: incident,
        title: state.title,
        description: state.description,
        impact: state.impact,
        status: state.status,
        start_date: state.started_at,
        end_date: state.ended_at,
        components: components_of(db, incident).await?,
        updates: updates.into_iter().map(|(_, update)| update).collect(),
        created_at: now.to_string(),
    };
    insert(db, &notice, now).await
}

async fn state_of(db: &impl Db, incident: i64) -> Result<Option<State>> {
    db.first_json(
        "select json_object('kind', kind, 'title', title, 'description', description,
             'impact', impact, 'status', status, 'started_at', started_at, 'ended_at', ended_at)
         from status_incidents where id = ?1",
        params![incident],
    )
    .await
}

/// What subscribers know. Of an event that is older than the first subscription, they know all that
/// was there before the change that the queue tells.
async fn before(db: &impl Db, incident: i64, payload: &Value) -> Result<Before> {
    let sql = "select update_id, is_public, state from status_told where incident_id = ?1";
    if let Some(row) = db.first(sql, params![incident]).await? {
        return Ok(Before {
            update: row.integer(0)?,
            is_public: row.boolean(1)?,
            state: Some(row.json(2)?),
        });
    }
    if payload["opened"].as_i64() == Some(1) {
        return Ok(Before {
            update: 0,
            is_public: false,
            state: None,
        });
    }
    let since = payload["since"].as_str().unwrap_or_default();
    let sql = "select coalesce(max(id), 0) from status_updates
               where incident_id = ?1 and created_at < ?2";
    let row = db.first(sql, params![incident, since]).await?;
    Ok(Before {
        update: row.map_or(Ok(0), |row| row.integer(0))?,
        is_public: true,
        state: None,
    })
}

async fn updates_after(db: &impl Db, incident: i64, update: i64) -> Result<Vec<(i64, ToldUpdate)>> {
    let rows = db
        .query(
            "select id, status, text, is_markup, at from status_updates
             where incident_id = ?1 and id > ?2 order by id",
            params![incident, update],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let update = ToldUpdate {
                status: row.text(1)?.to_owned(),
                text: row.text(2)?.to_owned(),
                is_markup: row.boolean(3)?,
                timestamp: row.text(4)?.to_owned(),
            };
            Ok((row.integer(0)?, update))
        })
        .collect()
}

async fn remember(
    db: &impl Db,
    incident: i64,
    update: i64,
    is_public: bool,
    state: &State,
) -> Result<()> {
    let state = serde_json::to_value(state).map_err(Error::internal)?;
    db.execute(
        "insert into status_told (incident_id, update_id, is_public, state) values (?1, ?2, ?3, ?4)
         on conflict (incident_id) do update set update_id = excluded.update_id,
             is_public = excluded.is_public, state = excluded.state",
        params![incident, update, is_public, &state],
    )
    .await
}

/// The name of what happened, in the words that receivers of webhooks compare.
fn event_name(before: &Before, state: &State, updates: &[(i64, ToldUpdate)]) -> String {
    let is_new = !before.is_public;
    let had_ended = match &before.state {
        Some(old) => old.ended_at.is_some(),
        // Only the change itself can tell.
        None => {
            state.ended_at.is_some() && !updates.iter().any(|(_, update)| closes(&update.status))
        }
    };
    let what = match (state.kind.as_str(), state.status.as_str()) {
        ("incident", _) if is_new => "opened",
        ("incident", _) if state.ended_at.is_some() && !had_ended => "closed",
        ("incident", _) if state.ended_at.is_none() && had_ended => "reopened",
        ("maintenance", "cancelled") => "cancelled",
        ("maintenance", "completed") => "completed",
        ("maintenance", _) if is_new => "planned",
        ("maintenance", "in_progress" | "in progress")
            if before
                .state
                .as_ref()
                .is_some_and(|old| old.status != state.status) =>
        {
            "started"
        }
        ("info", _) if is_new => "published",
        _ => "updated",
    };
    format!("{}.{what}", state.kind)
}

fn closes(status: &str) -> bool {
    matches!(status, "resolved" | "completed" | super::incidents::SYSTEM)
}

async fn components_of(db: &impl Db, incident: i64) -> Result<Vec<Told>> {
    let sql = format!(
        "select {} from status_incident_components x join status_components c on c.id = x.component_id
         where x.incident_id = ?1 order by c.position, c.id",
        Component::COLUMNS
    );
    let rows = db.query(&sql, params![incident]).await?;
    rows.iter()
        .map(|row| {
            let component = Component::from_row(row)?;
            Ok(Told {
                id: component.id,
                region: component.attribute("region").map(str::to_owned),
                label: component.label(),
                name: component.name,
            })
        })
        .collect()
}

async fn insert(db: &impl Db, notice: &Notice, now: Timestamp) -> Result<i64> {
    let content = serde_json::to_value(notice).map_err(Error::internal)?;
    let row = db
        .first(
            "insert into status_notices (incident_id, event, content, created_at)
             values (?1, ?2, ?3, ?4) returning id",
            params![notice.id, notice.event.as_str(), &content, now],
        )
        .await?;
    let id = row
        .ok_or_else(|| Error::internal("an insert answers its key"))?
        .integer(0)?;
    let rows = db
        .query(
            "insert or ignore into status_deliveries (id, notice_id, subscription_id, created_at)
             select 'dlv_' || lower(hex(randomblob(16))), ?1, s.id, ?3 from status_subscriptions s
             where s.confirmed_at is not null and s.disabled_at is null
               and (s.region is null or exists (
                   select 1 from status_incident_components x
                   join status_components c on c.id = x.component_id
                   where x.incident_id = ?2 and c.region = s.region))
               and (not exists (select 1 from status_subscription_components w where w.subscription_id = s.id)
                   or exists (
                   select 1 from status_subscription_components w
                   join status_incident_components x on x.component_id = w.component_id
                   where w.subscription_id = s.id and x.incident_id = ?2))
             returning id",
            params![id, notice.id, now],
        )
        .await?;
    let due = now.millis();
    let items: Vec<Value> = rows
        .iter()
        .map(|row| row.text(0).map(|id| json!([id, due])))
        .collect::<Result<_>>()?;
    queue::push_all(db, DELIVERY, &items, now).await?;
    Ok(i64::try_from(items.len()).unwrap_or(i64::MAX))
}

/// Forgets what was told long ago.
async fn sweep(db: &impl Db, now: Timestamp) -> Result<()> {
    let old = now.plus_seconds(-KEPT);
    db.execute(
        "delete from status_deliveries where id in (select id from status_deliveries
             where state in ('delivered', 'failed') and created_at < ?1 limit ?2)",
        params![old, SWEEP],
    )
    .await?;
    db.execute(
        "delete from status_notices where id in (select id from status_notices n
             where created_at < ?1 and not exists (
                 select 1 from status_deliveries where notice_id = n.id) limit ?2)",
        params![old, SWEEP],
    )
    .await
}

/// A delivery that is still to be made.
pub async fn find_pending(db: &impl Db, id: &str) -> Result<Option<Delivery>> {
    let row = db
        .first(
            "select d.id, d.subscription_id, d.attempts, n.content from status_deliveries d
             join status_notices n on n.id = d.notice_id where d.id = ?1 and d.state = 'pending'",
            params![id],
        )
        .await?;
    row.map(|row| {
        Ok(Delivery {
            id: row.text(0)?.to_owned(),
            subscription: row.text(1)?.to_owned(),
            attempts: row.integer(2)?,
            notice: row.json(3)?,
        })
    })
    .transpose()
}

/// Records that a delivery arrived.
pub async fn delivered(db: &impl Db, id: &str, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_deliveries set state = 'delivered', attempts = attempts + 1,
             finished_at = ?2, last_error = null where id = ?1 and state = 'pending'",
        params![id, now],
    )
    .await
}

/// Records that an attempt failed, with another to follow.
pub async fn postponed(db: &impl Db, id: &str, error: &str) -> Result<()> {
    db.execute(
        "update status_deliveries set attempts = attempts + 1, last_error = ?2 where id = ?1",
        params![id, error],
    )
    .await
}

/// Records that a delivery was given up.
pub async fn failed(db: &impl Db, id: &str, error: &str, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_deliveries set state = 'failed', attempts = attempts + 1, last_error = ?2,
             finished_at = ?3 where id = ?1 and state = 'pending'",
        params![id, error, now],
    )
    .await
}

/// Makes failed deliveries due again: all of them, or one. Answers how many.
pub async fn redrive(db: &impl Db, id: Option<&str>, now: Timestamp) -> Result<usize> {
    let rows = db
        .query(
            "update status_deliveries set state = 'pending', attempts = 0, finished_at = null
             where state = 'failed' and (?1 is null or id = ?1) returning id",
            params![id],
        )
        .await?;
    let due = now.millis();
    let items: Vec<Value> = rows
        .iter()
        .map(|row| row.text(0).map(|id| json!([id, due])))
        .collect::<Result<_>>()?;
    queue::push_all(db, DELIVERY, &items, now).await?;
    Ok(items.len())
}

/// How many deliveries are in which state, and subscriptions, as JSON text.
pub async fn stats(db: &impl Db) -> Result<String> {
    let row = db
        .first(
            "select json_object(
                 'pending', (select count(*) from status_deliveries where state = 'pending'),
                 'delivered', (select count(*) from status_deliveries where state = 'delivered'),
                 'failed', (select count(*) from status_deliveries where state = 'failed'),
                 'oldest_pending', (select min(created_at) from status_deliveries where state = 'pending'),
                 'subscriptions', json_object(
                     'active', (select count(*) from status_subscriptions
                         where confirmed_at is not null and disabled_at is null),
                     'unconfirmed', (select count(*) from status_subscriptions
                         where confirmed_at is null and disabled_at is null),
                     'disabled', (select count(*) from status_subscriptions
                         where disabled_at is not null)))",
            &[],
        )
        .await?
        .ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    Ok(row.text(0)?.to_owned())
}

/// One page of the failed deliveries, the newest first: JSON text of a list, and how many there are.
pub async fn list_failed(db: &impl Db, limit: i64, offset: i64) -> Result<(String, i64)> {
    let row = db
        .first(
            "select (select count(*) from status_deliveries where state = 'failed'),
                 coalesce((select json_group_array(json(item)) from (
                     select json_object('id', d.id, 'event', n.event, 'incident_id', n.incident_id,
                         'subscription_id', d.subscription_id, 'kind', s.kind, 'target', s.target,
                         'attempts', d.attempts, 'last_error', d.last_error,
                         'created_at', d.created_at, 'finished_at', d.finished_at) as item
                     from status_deliveries d join status_notices n on n.id = d.notice_id
                     join status_subscriptions s on s.id = d.subscription_id
                     where d.state = 'failed' order by d.created_at desc, d.id desc
                     limit ?1 offset ?2)), '[]')",
            params![limit, offset],
        )
        .await?
        .ok_or_else(|| Error::internal("a page is one row"))?;
    Ok((row.text(1)?.to_owned(), row.integer(0)?))
}

#[cfg(test)]
mod tests;
