//! The row of a subscription, and every write to it after it was asked for.

use super::{Channel, Format, LIFETIME, Secret};
use crate::demand_insider;
use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::audit;
use windlass_store::queue::{self, Work};

/// A subscription: who is told, how, and whether that works.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// How its subscriber is told.
    pub channel: Channel,
    /// In which form a webhook is told.
    pub format: Format,
    /// The address or the URL.
    pub target: String,
    /// What its tokens are derived from, encrypted. See [`Self::open_secret`].
    sealed_secret: String,
    /// When it was asked for the last time.
    pub requested_at: Timestamp,
    /// How often a request to confirm it was sent, or failed to be.
    pub asked_times: i64,
    /// Whether it was confirmed.
    pub is_confirmed: bool,
    /// Since when nothing could be delivered.
    pub failing_since: Option<Timestamp>,
    /// Whether it was given up.
    pub is_disabled: bool,
}

/// A subscription of `status_subscriptions` as JSON, which [`Subscription`] is read from.
pub(super) const JSON: &str =
    "json_object('id', id, 'channel', kind, 'format', format, 'target', target,
    'sealed_secret', secret, 'requested_at', requested_at, 'asked_times', asked_times,
    'is_confirmed', json(iif(confirmed_at is null, 'false', 'true')),
    'failing_since', failing_since,
    'is_disabled', json(iif(disabled_at is null, 'false', 'true')))";

impl Subscription {
    /// What its tokens are derived from.
    ///
    /// # Errors
    /// Internal, when it was encrypted with another key.
    pub async fn open_secret(&self) -> Result<Secret> {
        Secret::open(&self.sealed_secret).await
    }

    /// Whether its subscriber is to be told what happens.
    pub fn is_active(&self) -> bool {
        self.is_confirmed && !self.is_disabled
    }
}

/// A subscription by its id, for administrators and the application's own work.
///
/// # Errors
/// 403 for the public; 404 when there is none.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Subscription> {
    demand_insider(scope)?;
    let sql = format!("select {JSON} from status_subscriptions where id = ?1");
    let found = db.first_json(&sql, params![id]).await?;
    found.ok_or_else(|| Error::not_found("Subscription", id))
}

/// Confirms a subscription; one that is confirmed stays so. No transaction is demanded: a webhook
/// confirms itself where none may be held, and each of the statements may be repeated.
pub async fn confirm(db: &impl Db, subscription: &Subscription, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_subscriptions set confirmed_at = ?2, last_error = null
         where id = ?1 and confirmed_at is null",
        params![subscription.id.as_str(), now],
    )
    .await?;
    stop_asking(db, subscription).await
}

async fn stop_asking(db: &impl Db, subscription: &Subscription) -> Result<()> {
    queue::remove_all(db, Work::StatusSubscriptionExpiry, &[&subscription.id]).await?;
    queue::remove_all(db, Work::StatusConfirmation, &[&subscription.id]).await
}

/// Deletes a subscription in the name of an administrator.
pub async fn delete(tx: &impl Tx, scope: &Scope, subscription: &Subscription) -> Result<()> {
    unsubscribe(tx, subscription).await?;
    let id = &subscription.id;
    audit::insert(tx, scope, "status_subscription_delete", "Subscription", id).await
}

/// Deletes a subscription and what waits for it, as its subscriber wants or because it was never
/// confirmed.
pub async fn unsubscribe(tx: &impl Tx, subscription: &Subscription) -> Result<()> {
    stop_asking(tx, subscription).await?;
    let id = subscription.id.as_str();
    tx.execute(
        "delete from queue where kind = ?2 and subject in
             (select id from status_deliveries where subscription_id = ?1)",
        params![id, Work::StatusDelivery],
    )
    .await?;
    let sql = "delete from status_subscriptions where id = ?1";
    tx.execute(sql, params![id]).await
}

/// Deletes a subscription that was never confirmed, if its time is over. Answers when it will be,
/// for one that still waits.
pub(crate) async fn expire(
    tx: &impl Tx,
    subscription: &Subscription,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    if subscription.is_confirmed {
        return Ok(None);
    }
    let end = subscription.requested_at.plus_seconds(LIFETIME);
    if end > now {
        return Ok(Some(end));
    }
    unsubscribe(tx, subscription).await?;
    Ok(None)
}

/// Notes that a request to confirm was sent, or why it was not.
pub(crate) async fn note_request(
    db: &impl Db,
    subscription: &Subscription,
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    db.execute(
        "update status_subscriptions set last_error = ?2, asked_times = asked_times + 1,
             asked_at = case when ?2 is null then ?3 else asked_at end
         where id = ?1",
        params![subscription.id.as_str(), error, now],
    )
    .await
}

/// Notes that something was delivered.
pub(crate) async fn note_success(db: &impl Db, subscription: &Subscription) -> Result<()> {
    db.execute(
        "update status_subscriptions set failing_since = null, last_error = null
         where id = ?1 and (failing_since is not null or last_error is not null)",
        params![subscription.id.as_str()],
    )
    .await
}

/// Notes that something could not be delivered, and why.
pub(crate) async fn note_failure(
    db: &impl Db,
    subscription: &Subscription,
    error: &str,
    now: Timestamp,
) -> Result<()> {
    db.execute(
        "update status_subscriptions set failing_since = coalesce(failing_since, ?3), last_error = ?2
         where id = ?1",
        params![subscription.id.as_str(), error, now],
    )
    .await
}

/// Stops telling a subscriber.
pub(crate) async fn disable(
    db: &impl Db,
    subscription: &Subscription,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    db.execute(
        "update status_subscriptions set disabled_at = ?3, disabled_reason = ?2
         where id = ?1 and disabled_at is null",
        params![subscription.id.as_str(), reason, now],
    )
    .await
}
