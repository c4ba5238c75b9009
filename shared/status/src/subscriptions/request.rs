//! Requests for subscriptions: what is checked, stored and asked.

use super::{Channel, Format, LIFETIME, PEACE, Secret};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, hashing, ids, params};
use windlass_store::audit;
use windlass_store::queue::{self, Work};

/// How many unconfirmed subscriptions an address or a URL has at most.
pub(super) const UNCONFIRMED: i64 = 3;

/// A subscription that somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct NewSubscription<'a> {
    /// How its subscriber is to be told.
    pub channel: Channel,
    /// In which form a webhook is told.
    pub format: Format,
    /// The address or the URL.
    pub target: &'a str,
    /// Only about components of this region.
    pub region: Option<&'a str>,
    /// Only about these components; about all when empty.
    pub components: &'a [i64],
}

/// Refuses a region and components that the catalogue does not have.
///
/// # Errors
/// 400, naming what is unknown.
pub async fn demand_in_catalogue(
    db: &impl Db,
    region: Option<&str>,
    components: &[i64],
) -> Result<()> {
    if let Some(region) = region {
        let sql =
            "select 1 from status_components where region = ?1 and retired_at is null limit 1";
        if db.first(sql, params![region]).await?.is_none() {
            let text = format!("There is no region `{region}`");
            return Err(Error::bad_parameters(text.clone()).field("region", text));
        }
    }
    let unknown = db
        .first(
            "select value from json_each(?1) where value not in
                 (select id from status_components where retired_at is null) limit 1",
            params![&Value::from(components)],
        )
        .await?;
    match unknown {
        Some(row) => {
            let text = format!("There is no component {}", row.integer(0)?);
            Err(Error::bad_parameters(text.clone()).field("components", text))
        }
        None => Ok(()),
    }
}

/// Stores a request for a subscription and queues asking for its confirmation. An address that has
/// this subscription already is asked again if it has not confirmed, but never twice within
/// [`PEACE`]. Answers the id of a new one; nothing when there is one already, or too many wait.
pub async fn request(
    tx: &impl Tx,
    new: &NewSubscription<'_>,
    secret: &Secret,
    now: Timestamp,
) -> Result<Option<String>> {
    let (key, filter) = (target_key(new), filter_key(new));
    if new.channel == Channel::Email
        && let Some(known) = find_known(tx, &key, &filter).await?
    {
        ask_again(tx, &known, &key, now).await?;
        return Ok(None);
    }
    let waiting = tx
        .first(
            "select count(*) from status_subscriptions
             where kind = ?1 and target_key = ?2 and confirmed_at is null",
            params![new.channel, key.as_str()],
        )
        .await?;
    if waiting.map_or(Ok(0), |row| row.integer(0))? >= UNCONFIRMED {
        return Ok(None);
    }
    let id = insert(tx, new, secret, now).await?;
    let at = match new.channel {
        Channel::Email => when_in_peace(tx, &key, now).await?,
        Channel::Webhook => now,
    };
    queue_confirmation(tx, &id, at, now).await?;
    Ok(Some(id))
}

/// The most subscriptions of rooms.
const ROOMS: i64 = 100;

/// Stores a subscription of a room in a chat, which cannot confirm anything: the administrator who makes it
/// answers for it. Answers its id.
///
/// # Errors
/// 409 when the room is told already, or there are too many.
pub async fn add_room(
    tx: &impl Tx,
    scope: &Scope,
    new: &NewSubscription<'_>,
    secret: &Secret,
    now: Timestamp,
) -> Result<String> {
    let (key, filter) = (target_key(new), filter_key(new));
    let known = tx
        .first(
            "select coalesce(sum(target_key = ?1 and filter_key = ?2), 0), count(*)
             from status_subscriptions where kind = 'webhook' and format <> 'standard'",
            params![key.as_str(), filter.as_str()],
        )
        .await?;
    if let Some(known) = known {
        if known.integer(0)? > 0 {
            return Err(Error::conflict("This room is told already"));
        }
        if known.integer(1)? >= ROOMS {
            let text = format!("There are {ROOMS} rooms already, no more are told");
            return Err(Error::conflict(text));
        }
    }
    let id = insert(tx, new, secret, now).await?;
    tx.execute(
        "update status_subscriptions set confirmed_at = ?2 where id = ?1",
        params![id.as_str(), now],
    )
    .await?;
    audit::insert(tx, scope, "status_subscription_create", "Subscription", &id).await?;
    Ok(id)
}

/// Stores a new subscription. Answers its id.
async fn insert(
    tx: &impl Tx,
    new: &NewSubscription<'_>,
    secret: &Secret,
    now: Timestamp,
) -> Result<String> {
    let id = ids::new_uuid();
    tx.execute(
        "insert into status_subscriptions (id, kind, target, target_key, region, filter_key, secret,
             confirm_hash, unsubscribe_hash, created_at, requested_at, format)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11)",
        params![
            id.as_str(),
            new.channel,
            new.target,
            target_key(new),
            new.region,
            filter_key(new),
            secret.sealed.as_str(),
            hashing::digest(&secret.confirm_token()),
            hashing::digest(&secret.unsubscribe_token()),
            now,
            new.format
        ],
    )
    .await?;
    tx.execute(
        "insert or ignore into status_subscription_components (subscription_id, component_id)
         select ?1, value from json_each(?2)",
        params![id.as_str(), &Value::from(new.components)],
    )
    .await?;
    Ok(id)
}

/// Queues asking for a confirmation at a moment, and the end of waiting for it.
async fn queue_confirmation(tx: &impl Tx, id: &str, at: Timestamp, now: Timestamp) -> Result<()> {
    queue::push(tx, Work::StatusConfirmation, id, &json!({}), at, now).await?;
    let end = now.plus_seconds(LIFETIME);
    queue::push(tx, Work::StatusSubscriptionExpiry, id, &json!({}), end, now).await
}

/// The subscription that an address has already.
#[derive(Deserialize)]
struct Known {
    id: String,
    is_confirmed: bool,
    is_disabled: bool,
}

async fn find_known(db: &impl Db, key: &str, filter: &str) -> Result<Option<Known>> {
    db.first_json(
        "select json_object('id', id,
             'is_confirmed', json(iif(confirmed_at is null, 'false', 'true')),
             'is_disabled', json(iif(disabled_at is null, 'false', 'true')))
         from status_subscriptions
         where kind = 'email' and target_key = ?1 and filter_key = ?2",
        params![key, filter],
    )
    .await
}

async fn ask_again(tx: &impl Tx, known: &Known, key: &str, now: Timestamp) -> Result<()> {
    if known.is_confirmed && !known.is_disabled {
        return Ok(());
    }
    tx.execute(
        "update status_subscriptions set requested_at = ?2, confirmed_at = null, disabled_at = null,
             disabled_reason = null, failing_since = null, asked_times = 0 where id = ?1",
        params![known.id.as_str(), now],
    )
    .await?;
    let at = when_in_peace(tx, key, now).await?;
    queue_confirmation(tx, &known.id, at, now).await
}

/// When an address may be asked to confirm something: now, or [`PEACE`] after the last time, also
/// when that lies ahead.
async fn when_in_peace(db: &impl Db, key: &str, now: Timestamp) -> Result<Timestamp> {
    let last = db
        .first_json(
            "select json_array(max(s.asked_at), max(q.not_before)) from status_subscriptions s
             left join queue q on q.kind = ?2 and q.subject = s.id
             where s.kind = 'email' and s.target_key = ?1",
            params![key, Work::StatusConfirmation],
        )
        .await?;
    let (sent, queued): (Option<Timestamp>, Option<i64>) = last.unwrap_or_default();
    let last = sent.max(queued.map(Timestamp::from_millis));
    let after = |last: Timestamp| now.max(last.plus_seconds(PEACE));
    Ok(last.map_or(now, after))
}

/// Mail servers may tell letters of the local part apart, people do not; hosts never do. URLs are
/// compared as they are.
fn target_key(new: &NewSubscription<'_>) -> String {
    match new.channel {
        Channel::Email => new.target.to_lowercase(),
        Channel::Webhook => new.target.to_owned(),
    }
}

fn filter_key(new: &NewSubscription<'_>) -> String {
    let mut components = new.components.to_vec();
    components.sort_unstable();
    components.dedup();
    json!([new.region, components]).to_string()
}
