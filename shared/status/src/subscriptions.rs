//! Subscriptions: who wants to be told, how, and about what.
//!
//! Nobody is told anything before they confirmed it: whoever reads the address's mail with a link, a
//! webhook by answering with a challenge. What is not confirmed within [`LIFETIME`] is dropped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windlass_core::db::{Db, Row};
use windlass_core::{Error, Kind, Result, Timestamp, hashing, ids, params, secretbox};
use windlass_store::queue;

/// A confirmation is to be asked for. Subject: the subscription's id.
pub const CONFIRMATION: &str = "status_confirmation";

/// A subscription may have waited long enough for its confirmation. Subject: its id.
pub const EXPIRY: &str = "status_subscription_expiry";

/// How long a subscription waits for its confirmation, in seconds.
pub const LIFETIME: i64 = 48 * 3600;

/// How long an address is left in peace between two requests to confirm, in seconds.
pub const PEACE: i64 = 3600;

/// How many unconfirmed subscriptions an address or a URL has at most.
const UNCONFIRMED: i64 = 3;

/// More requests than these within [`WINDOW`] seconds make a client wait.
const REQUESTS: i64 = 20;
const WINDOW: i64 = 3600;

windlass_core::named_enum! {
    /// How a subscriber is told.
    pub enum Channel {
        /// By a mail to an address.
        Email = "email",
        /// By a signed request to a URL.
        Webhook = "webhook",
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct NewSubscription<'a> {
    /// How.
    pub channel: Channel,
    /// The address or the URL.
    pub target: &'a str,
    /// Only about components of this region.
    pub region: Option<&'a str>,
    /// Only about these components; about all when empty.
    pub components: &'a [i64],
}

/// A subscription as the engine needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// How.
    pub channel: Channel,
    /// The address or the URL.
    pub target: String,
    /// What its tokens are derived from.
    pub secret: Secret,
    /// When it was asked for the last time.
    pub requested_at: Timestamp,
    /// How often a request to confirm it failed to be sent.
    pub asked_times: i64,
    /// Whether it was confirmed.
    pub is_confirmed: bool,
    /// Since when nothing could be delivered.
    pub failing_since: Option<Timestamp>,
    /// Whether it was given up.
    pub is_disabled: bool,
}

/// The random bytes of a subscription, encrypted, and what is derived from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    sealed: String,
    key: String,
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// Internal, when the application has no encryption key.
    pub async fn new() -> Result<Self> {
        let key = ids::random_text(43);
        Ok(Self {
            sealed: secretbox::seal(key.as_bytes()).await?,
            key,
        })
    }

    async fn open(sealed: &str) -> Result<Self> {
        let key = String::from_utf8(secretbox::open(sealed).await?).map_err(Error::internal)?;
        Ok(Self {
            sealed: sealed.to_owned(),
            key,
        })
    }

    /// What confirms the subscription; a webhook's challenge.
    pub fn confirm_token(&self) -> String {
        hashing::mac(&self.key, &["confirm"])
    }

    /// What ends the subscription.
    pub fn unsubscribe_token(&self) -> String {
        hashing::mac(&self.key, &["unsubscribe"])
    }

    /// The same key as receivers configure it, in the form of Standard Webhooks.
    pub fn signing_secret(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.signing_key()))
    }

    /// What a webhook's requests are signed with.
    pub fn signing_key(&self) -> [u8; 32] {
        hashing::keyed(&self.key, &["signing"])
    }
}

/// What became of a request for a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The new one's id; nothing when there is one already, or too many wait.
    pub id: Option<String>,
}

/// Counts a request of a client.
///
/// # Errors
/// 429 for one that asked too often.
pub async fn count_request(db: &impl Db, address: &str, now: Timestamp) -> Result<()> {
    db.execute(
        "delete from status_subscription_requests where at <= ?1",
        params![now.plus_seconds(-WINDOW)],
    )
    .await?;
    let row = db
        .first(
            "select count(*), min(at) from status_subscription_requests where address = ?1",
            params![address],
        )
        .await?
        .ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    if row.integer(0)? >= REQUESTS {
        let oldest = Timestamp::parse("at", row.optional_text(1)?.unwrap_or_default())?;
        let left = oldest.plus_seconds(WINDOW).millis() - now.millis();
        let text = "Too many requests for subscriptions from this address, try again later";
        return Err(Error::new(Kind::TooManyRequests, text)
            .retry_after(u32::try_from(left.max(0) / 1000).unwrap_or_default() + 1));
    }
    db.execute(
        "insert into status_subscription_requests (address, at) values (?1, ?2)",
        params![address, now],
    )
    .await
}

/// Refuses a region and components that the catalogue does not have.
///
/// # Errors
/// 400, naming what is unknown.
pub async fn demand_known(db: &impl Db, region: Option<&str>, components: &[i64]) -> Result<()> {
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
/// [`PEACE`]. To be called inside a transaction.
pub async fn ask(
    db: &impl Db,
    new: &NewSubscription<'_>,
    secret: &Secret,
    now: Timestamp,
) -> Result<Asked> {
    let (key, filter) = (target_key(new), filter_key(new));
    if new.channel == Channel::Email
        && let Some(known) = find_known(db, &key, &filter).await?
    {
        ask_again(db, &known, &key, now).await?;
        return Ok(Asked { id: None });
    }
    let waiting = db
        .first(
            "select count(*) from status_subscriptions
             where kind = ?1 and target_key = ?2 and confirmed_at is null",
            params![new.channel, key.as_str()],
        )
        .await?;
    if waiting.map_or(Ok(0), |row| row.integer(0))? >= UNCONFIRMED {
        return Ok(Asked { id: None });
    }
    let id = ids::new_uuid();
    db.execute(
        "insert into status_subscriptions (id, kind, target, target_key, region, filter_key, secret,
             confirm_hash, unsubscribe_hash, created_at, requested_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)",
        params![
            id.as_str(),
            new.channel,
            new.target,
            key.as_str(),
            new.region,
            filter,
            secret.sealed.as_str(),
            hashing::digest(&secret.confirm_token()),
            hashing::digest(&secret.unsubscribe_token()),
            now
        ],
    )
    .await?;
    db.execute(
        "insert or ignore into status_subscription_components (subscription_id, component_id)
         select ?1, value from json_each(?2)",
        params![id.as_str(), &Value::from(new.components)],
    )
    .await?;
    let at = match new.channel {
        Channel::Email => when_in_peace(db, &key, now).await?,
        Channel::Webhook => now,
    };
    queue::push(db, CONFIRMATION, &id, &json!({}), at, now).await?;
    let end = now.plus_seconds(LIFETIME);
    queue::push(db, EXPIRY, &id, &json!({}), end, now).await?;
    Ok(Asked { id: Some(id) })
}

struct Known {
    id: String,
    is_confirmed: bool,
    is_disabled: bool,
}

async fn find_known(db: &impl Db, key: &str, filter: &str) -> Result<Option<Known>> {
    let row = db
        .first(
            "select id, confirmed_at is not null, disabled_at is not null from status_subscriptions
             where kind = 'email' and target_key = ?1 and filter_key = ?2",
            params![key, filter],
        )
        .await?;
    row.map(|row| {
        Ok(Known {
            id: row.text(0)?.to_owned(),
            is_confirmed: row.boolean(1)?,
            is_disabled: row.boolean(2)?,
        })
    })
    .transpose()
}

async fn ask_again(db: &impl Db, known: &Known, key: &str, now: Timestamp) -> Result<()> {
    if known.is_confirmed && !known.is_disabled {
        return Ok(());
    }
    db.execute(
        "update status_subscriptions set requested_at = ?2, confirmed_at = null, disabled_at = null,
             disabled_reason = null, failing_since = null, asked_times = 0 where id = ?1",
        params![known.id.as_str(), now],
    )
    .await?;
    let at = when_in_peace(db, key, now).await?;
    queue::push(db, CONFIRMATION, &known.id, &json!({}), at, now).await?;
    let end = now.plus_seconds(LIFETIME);
    queue::push(db, EXPIRY, &known.id, &json!({}), end, now).await
}

/// When an address may be asked to confirm something: now, or [`PEACE`] after the last time, also
/// when that lies ahead.
async fn when_in_peace(db: &impl Db, key: &str, now: Timestamp) -> Result<Timestamp> {
    let row = db
        .first(
            "select max(coalesce(s.asked_at, '')), max(coalesce(q.not_before, 0))
             from status_subscriptions s
             left join queue q on q.kind = ?2 and q.subject = s.id
             where s.kind = 'email' and s.target_key = ?1",
            params![key, CONFIRMATION],
        )
        .await?;
    let Some(row) = row else { return Ok(now) };
    let sent = match row.optional_text(0)?.filter(|text| !text.is_empty()) {
        Some(text) => Timestamp::parse("asked_at", text)?.millis(),
        None => 0,
    };
    let queued = row.optional_integer(1)?.unwrap_or(0);
    let last = sent.max(queued);
    if last == 0 {
        return Ok(now);
    }
    Ok(now.max(Timestamp::from_millis(last).plus_seconds(PEACE)))
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

/// Which of a subscription's two tokens a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The one that confirms.
    Confirm,
    /// The one that ends it.
    Unsubscribe,
}

impl Link {
    const fn column(self) -> &'static str {
        match self {
            Self::Confirm => "confirm_hash",
            Self::Unsubscribe => "unsubscribe_hash",
        }
    }
}

/// The subscription that a link's token belongs to, if it is of use any more: its id, its target.
pub async fn find_by_token(
    db: &impl Db,
    link: Link,
    token: &str,
    now: Timestamp,
) -> Result<Option<(String, String)>> {
    let sql = format!(
        "select id, target from status_subscriptions
         where {} = ?1 and (?2 or confirmed_at is not null or requested_at > ?3)",
        link.column()
    );
    let parameters = params![
        hashing::digest(token),
        link == Link::Unsubscribe,
        now.plus_seconds(-LIFETIME)
    ];
    let row = db.first(&sql, parameters).await?;
    row.map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())))
        .transpose()
}

/// Confirms a subscription; one that is confirmed stays so.
pub async fn confirm(db: &impl Db, id: &str, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_subscriptions set confirmed_at = ?2, last_error = null
         where id = ?1 and confirmed_at is null",
        params![id, now],
    )
    .await?;
    queue::remove_all(db, EXPIRY, &[id]).await?;
    queue::remove_all(db, CONFIRMATION, &[id]).await
}

/// Deletes a subscription and what waits for it. Answers whether there was one.
pub async fn delete(db: &impl Db, id: &str) -> Result<bool> {
    queue::remove_all(db, EXPIRY, &[id]).await?;
    queue::remove_all(db, CONFIRMATION, &[id]).await?;
    let sql = "delete from queue where kind = ?2 and subject in
                   (select id from status_deliveries where subscription_id = ?1)";
    db.execute(sql, params![id, super::outbox::DELIVERY])
        .await?;
    let sql = "delete from status_subscriptions where id = ?1 returning id";
    Ok(db.first(sql, params![id]).await?.is_some())
}

/// Deletes a subscription that was never confirmed, if its time is over. Answers when it will be,
/// for one that still waits.
pub async fn expire(db: &impl Db, id: &str, now: Timestamp) -> Result<Option<Timestamp>> {
    let sql =
        "select requested_at from status_subscriptions where id = ?1 and confirmed_at is null";
    let Some(row) = db.first(sql, params![id]).await? else {
        return Ok(None);
    };
    let end = Timestamp::parse("requested_at", row.text(0)?)?.plus_seconds(LIFETIME);
    if end > now {
        return Ok(Some(end));
    }
    delete(db, id).await?;
    Ok(None)
}

/// A subscription by its id, its secret decrypted.
pub async fn find(db: &impl Db, id: &str) -> Result<Option<Subscription>> {
    let row = db
        .first(
            "select id, kind, target, secret, requested_at, asked_times, confirmed_at is not null,
                 failing_since, disabled_at is not null
             from status_subscriptions where id = ?1",
            params![id],
        )
        .await?;
    match row {
        Some(row) => from_row(&row).await.map(Some),
        None => Ok(None),
    }
}

async fn from_row(row: &Row) -> Result<Subscription> {
    let kind = row.text(1)?;
    let failing_since = row.optional_text(7)?;
    Ok(Subscription {
        id: row.text(0)?.to_owned(),
        channel: Channel::named(kind)
            .ok_or_else(|| Error::internal(format!("a subscription of the kind `{kind}`")))?,
        target: row.text(2)?.to_owned(),
        secret: Secret::open(row.text(3)?).await?,
        requested_at: Timestamp::parse("requested_at", row.text(4)?)?,
        asked_times: row.integer(5)?,
        is_confirmed: row.boolean(6)?,
        failing_since: failing_since
            .map(|text| Timestamp::parse("failing_since", text))
            .transpose()?,
        is_disabled: row.boolean(8)?,
    })
}

/// Notes that a request to confirm was sent, or why it was not.
pub async fn note_asked(db: &impl Db, id: &str, error: Option<&str>, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_subscriptions set last_error = ?2, asked_times = asked_times + 1,
             asked_at = case when ?2 is null then ?3 else asked_at end
         where id = ?1",
        params![id, error, now],
    )
    .await
}

/// Notes that something was delivered.
pub async fn note_success(db: &impl Db, id: &str) -> Result<()> {
    db.execute(
        "update status_subscriptions set failing_since = null, last_error = null
         where id = ?1 and (failing_since is not null or last_error is not null)",
        params![id],
    )
    .await
}

/// Notes that something could not be delivered, and why.
pub async fn note_failure(db: &impl Db, id: &str, error: &str, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_subscriptions set failing_since = coalesce(failing_since, ?3), last_error = ?2
         where id = ?1",
        params![id, error, now],
    )
    .await
}

/// Stops telling a subscriber.
pub async fn disable(db: &impl Db, id: &str, reason: &str, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_subscriptions set disabled_at = ?3, disabled_reason = ?2
         where id = ?1 and disabled_at is null",
        params![id, reason, now],
    )
    .await
}

/// One page of all subscriptions, the newest first, as the administrator sees them: JSON text of a
/// list, and how many there are.
pub async fn list(db: &impl Db, limit: i64, offset: i64) -> Result<(String, i64)> {
    let row = db
        .first(
            "select (select count(*) from status_subscriptions),
                 coalesce((select json_group_array(json(item)) from (
                     select json_object('id', s.id, 'kind', s.kind, 'target', s.target,
                         'region', s.region,
                         'components', json(coalesce((select json_group_array(component_id)
                             from status_subscription_components where subscription_id = s.id), '[]')),
                         'state', case when s.disabled_at is not null then 'disabled'
                             when s.confirmed_at is null then 'unconfirmed' else 'active' end,
                         'created_at', s.created_at, 'confirmed_at', s.confirmed_at,
                         'failing_since', s.failing_since, 'last_error', s.last_error,
                         'disabled_at', s.disabled_at, 'disabled_reason', s.disabled_reason) as item
                     from status_subscriptions s order by s.created_at desc, s.id desc
                     limit ?1 offset ?2)), '[]')",
            params![limit, offset],
        )
        .await?
        .ok_or_else(|| Error::internal("a page is one row"))?;
    Ok((row.text(1)?.to_owned(), row.integer(0)?))
}

/// What the form offers: regions, and components by their number and label.
pub async fn choices(db: &impl Db) -> Result<(Vec<String>, Vec<super::components::Component>)> {
    let regions = db
        .query(
            "select region from status_components where retired_at is null and region is not null
             group by region order by min(position), region",
            &[],
        )
        .await?;
    let regions = regions.iter().map(|row| row.text(0).map(str::to_owned));
    let sql = format!(
        "select {} from status_components c where retired_at is null order by position, id",
        super::components::Component::COLUMNS
    );
    let components = db.query(&sql, &[]).await?;
    let components = components
        .iter()
        .map(super::components::Component::from_row);
    Ok((
        regions.collect::<Result<_>>()?,
        components.collect::<Result<_>>()?,
    ))
}

#[cfg(test)]
pub(crate) mod tests;
