//! Notices: what is told of an event. A notice never changes again, so every attempt to deliver it
//! says the same.

use super::make_due;
use crate::components::Component;
use crate::events::{EventKind, SYSTEM};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Timestamp, params};
use windlass_store::{config, pieces};

/// The settings that say for how many days deliveries that have ended are kept, with its first value, and of how
/// many notices; 0 of all.
const DAYS_SETTING: &str = "notice_retention_days";
const COUNT_SETTING: &str = "notice_retention_count";
const KEPT_DAYS: i64 = 30;

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
    /// How bad it is: 1 minor, 2 major, 3 outage; 0 for what is no incident.
    pub impact: i64,
    /// Where it stands, such as `analysing`.
    pub status: String,
    /// When it begins or began.
    pub start_date: String,
    /// When it ends or ended, if that is known.
    pub end_date: Option<String>,
    /// The components it is on.
    pub components: Vec<ToldComponent>,
    /// The updates that are new, in their order.
    pub updates: Vec<ToldUpdate>,
    /// When it was noticed.
    pub created_at: String,
}

/// A component as subscribers are told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToldComponent {
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
    /// What was told.
    pub text: String,
    /// Whether the text is markup made here.
    #[serde(default)]
    pub is_markup: bool,
    /// When it happened.
    pub timestamp: String,
}

/// What an event is like: what a change of it is told by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State {
    kind: EventKind,
    title: String,
    description: Option<String>,
    impact: i64,
    status: String,
    started_at: String,
    ended_at: Option<String>,
}

/// How far subscribers were told about it.
#[derive(Deserialize)]
struct Before {
    update: i64,
    is_public: bool,
    state: Option<State>,
}

/// What the trigger says of the change that it noticed.
#[derive(Debug, Deserialize)]
struct Cause {
    /// 1 when the event was opened.
    #[serde(default)]
    opened: i64,
    /// When the change was made.
    #[serde(default)]
    since: String,
}

/// An update with its number in the table.
#[derive(Deserialize)]
struct NumberedUpdate {
    number: i64,
    update: ToldUpdate,
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
/// The payload is that of the queue's row.
pub(crate) async fn fan_out(
    tx: &impl Tx,
    incident: i64,
    payload: &Value,
    now: Timestamp,
) -> Result<usize> {
    sweep(tx, now).await?;
    let Some(state) = state_of(tx, incident).await? else {
        return Ok(0);
    };
    let before = before(tx, incident, payload).await?;
    let updates = updates_after(tx, incident, before.update).await?;
    let newest = updates.last().map_or(before.update, |last| last.number);
    let is_public = is_public(&state, &before);
    // Nobody was told of what was not public: then everything about it is new.
    let seen = if is_public { newest } else { before.update };
    remember(tx, incident, seen, is_public, &state).await?;
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
        components: components_of(tx, incident).await?,
        updates: updates.into_iter().map(|one| one.update).collect(),
        created_at: now.to_string(),
    };
    insert(tx, &notice, now).await
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
    let sql = "select json_object('update', update_id,
                   'is_public', json(iif(is_public, 'true', 'false')), 'state', json(state))
               from status_told where incident_id = ?1";
    if let Some(before) = db.first_json(sql, params![incident]).await? {
        return Ok(before);
    }
    let cause = Cause::deserialize(payload).map_err(Error::internal)?;
    if cause.opened == 1 {
        return Ok(Before {
            update: 0,
            is_public: false,
            state: None,
        });
    }
    let sql = "select coalesce(max(id), 0) from status_updates
               where incident_id = ?1 and created_at < ?2";
    let row = db.first(sql, params![incident, cause.since]).await?;
    Ok(Before {
        update: row.map_or(Ok(0), |row| row.integer(0))?,
        is_public: true,
        state: None,
    })
}

async fn updates_after(db: &impl Db, incident: i64, update: i64) -> Result<Vec<NumberedUpdate>> {
    let sql = "select json_object('number', id, 'update', json_object(
                   'status', status, 'text', text, 'timestamp', at,
                   'is_markup', json(iif(is_markup, 'true', 'false')))) as item
               from status_updates where incident_id = ?1 and id > ?2 order by id";
    pieces::read_few(db, sql, params![incident, update]).await
}

async fn remember(
    tx: &impl Tx,
    incident: i64,
    update: i64,
    is_public: bool,
    state: &State,
) -> Result<()> {
    let state = serde_json::to_value(state).map_err(Error::internal)?;
    tx.execute(
        "insert into status_told (incident_id, update_id, is_public, state) values (?1, ?2, ?3, ?4)
         on conflict (incident_id) do update set update_id = excluded.update_id,
             is_public = excluded.is_public, state = excluded.state",
        params![incident, update, is_public, &state],
    )
    .await
}

/// The name of what happened, in the words that receivers of webhooks compare.
fn event_name(before: &Before, state: &State, updates: &[NumberedUpdate]) -> String {
    let is_new = !before.is_public;
    let had_ended = match &before.state {
        Some(old) => old.ended_at.is_some(),
        // Only the change itself can tell.
        None => state.ended_at.is_some() && !updates.iter().any(|one| closes(&one.update.status)),
    };
    use EventKind::{Incident, Info, Maintenance};
    let what = match (state.kind, state.status.as_str()) {
        (Incident, _) if is_new => "opened",
        (Incident, _) if state.ended_at.is_some() && !had_ended => "closed",
        (Incident, _) if state.ended_at.is_none() && had_ended => "reopened",
        (Maintenance, "cancelled") => "cancelled",
        (Maintenance, "completed") => "completed",
        (Maintenance, _) if is_new => "planned",
        (Maintenance, "in_progress" | "in progress")
            if before
                .state
                .as_ref()
                .is_some_and(|old| old.status != state.status) =>
        {
            "started"
        }
        (Info, _) if is_new => "published",
        _ => "updated",
    };
    format!("{}.{what}", state.kind.name())
}

fn closes(status: &str) -> bool {
    matches!(status, "resolved" | "completed" | SYSTEM)
}

async fn components_of(db: &impl Db, incident: i64) -> Result<Vec<ToldComponent>> {
    let sql = format!(
        "select {} as item
         from status_incident_components x join status_components c on c.id = x.component_id
         where x.incident_id = ?1 order by c.position, c.id",
        Component::JSON
    );
    let found: Vec<Component> = pieces::read_few(db, &sql, params![incident]).await?;
    let told = |component: Component| ToldComponent {
        id: component.id,
        region: component.attribute("region").map(str::to_owned),
        label: component.label(),
        name: component.name,
    };
    Ok(found.into_iter().map(told).collect())
}

async fn insert(tx: &impl Tx, notice: &Notice, now: Timestamp) -> Result<usize> {
    let content = serde_json::to_value(notice).map_err(Error::internal)?;
    let row = tx
        .first(
            "insert into status_notices (incident_id, event, content, created_at)
             values (?1, ?2, ?3, ?4) returning id",
            params![notice.id, notice.event.as_str(), &content, now],
        )
        .await?;
    let id = row
        .ok_or_else(|| Error::internal("an insert answers its key"))?
        .integer(0)?;
    let sql = "insert or ignore into status_deliveries (id, notice_id, subscription_id, created_at)
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
         returning id";
    make_due(tx, sql, params![id, notice.id, now], now).await
}

/// Forgets a piece of what was told longer ago than the settings keep.
pub async fn forget_old(db: &impl Db, now: Timestamp) -> Result<()> {
    // Mostly there is nothing, and then nobody should wait for the database.
    let sql = "select 1 from status_notices where created_at < ?1 limit 1";
    let old = kept_since(db, now).await?;
    match db.first(sql, params![old]).await? {
        Some(_) => db.transaction(async |tx| sweep(tx, now).await).await,
        None => Ok(()),
    }
}

/// Since when notices are kept: for some days, and not from before the newest ones, of which settings say how
/// many.
async fn kept_since(db: &impl Db, now: Timestamp) -> Result<Timestamp> {
    let days = config::integer(db, DAYS_SETTING).await?;
    let days = days.unwrap_or(KEPT_DAYS).max(1);
    let since = now.plus_seconds(days.saturating_mul(-86_400));
    let most = config::integer(db, COUNT_SETTING).await?.unwrap_or(0);
    if most <= 0 {
        return Ok(since);
    }
    let sql = "select created_at from status_notices
         where (select max(id) from status_notices) - (select min(id) from status_notices) >= ?1
         order by id desc limit 1 offset ?1 - 1";
    let Some(row) = db.first(sql, params![most]).await? else {
        return Ok(since);
    };
    Ok(since.max(Timestamp::parse("created_at", row.text(0)?)?))
}

async fn sweep(tx: &impl Tx, now: Timestamp) -> Result<()> {
    let old = kept_since(tx, now).await?;
    tx.execute(
        "delete from status_deliveries where id in (select id from status_deliveries
             where state in ('delivered', 'failed') and created_at < ?1 limit ?2)",
        params![old, SWEEP],
    )
    .await?;
    tx.execute(
        "delete from status_notices where id in (select id from status_notices n
             where created_at < ?1 and not exists (
                 select 1 from status_deliveries where notice_id = n.id) limit ?2)",
        params![old, SWEEP],
    )
    .await
}
