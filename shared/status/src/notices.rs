//! Telling the status page's subscribers: asking for confirmations, fanning out, delivering.
//!
//! Everything here is work of the queue. What is sent carries an id that stays the same however often
//! it is tried, so a crash between sending and recording is a repetition that the receiver can
//! drop. Deliveries count their own attempts: a receiver may be away for a day.

mod chats;
pub mod texts;
mod webhook;

#[cfg(test)]
mod tests;

use crate::bindings;
use crate::outbox::{self, Delivery};
use crate::subscriptions::{self, Channel, Subscription};
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::outbound::address;
use windlass_core::outbound::{Clock, Outbound};
use windlass_core::{Kind, Result, Scope, Timestamp};
use windlass_delivery::webhook::{conclude, conclude_challenge};
use windlass_delivery::{Sent, Settings, mail};
use windlass_store::queue::{self, Leased};

/// How long after each failed attempt the next one comes, in seconds: about a day in all.
const DELAYS: [i64; 10] = [30, 120, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 36_000];

/// How often somebody is asked to confirm where asking fails.
const QUESTIONS: i64 = 8;

/// How long a webhook may fail before nobody calls it any more, in seconds.
const PATIENCE: i64 = 7 * 86_400;

/// Finds those who are to be told of what happened to an event.
///
/// # Errors
/// Of the database; the row is tried again.
pub async fn fan_out<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| match row.subject.parse() {
        Ok(incident) => outbox::fan_out(tx, incident, &row.payload, now)
            .await
            .map(drop),
        Err(_) => Ok(()),
    })
    .await
}

/// Lets components follow an execution that ended.
///
/// # Errors
/// Of the database; the row is tried again.
pub async fn follow_run<D: Db>(db: &D, holder: &str, row: &Leased) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        bindings::run_queued(tx, &row.payload).await
    })
    .await
}

/// Records that a delivery was given up, and finishes its row.
///
/// # Errors
/// Of the database.
pub async fn give_up_delivery<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        match outbox::find_pending(tx, &row.subject).await? {
            Some(delivery) => outbox::failed(tx, &delivery, why, now).await,
            None => Ok(()),
        }
    })
    .await
}

/// Ends a subscription that was not confirmed in time, or waits until it is time.
///
/// # Errors
/// Of the database; the row is tried again.
pub async fn expire<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        let Some(subscription) = find_subscription(tx, &row.subject).await? else {
            return Ok(());
        };
        if let Some(end) = subscriptions::expire(tx, &subscription, now).await? {
            queue::push(tx, row.work, &row.subject, &Value::Null, end, now).await?;
        }
        Ok(())
    })
    .await
}

/// The subscription that a row of the queue is about; it may have ended since.
async fn find_subscription(db: &impl Db, id: &str) -> Result<Option<Subscription>> {
    match subscriptions::find(db, &Scope::engine(), id).await {
        Ok(found) => Ok(Some(found)),
        Err(refusal) if refusal.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks for a confirmation: with a mail, or with a challenge.
///
/// # Errors
/// Of the database; the row is tried again. What the other side says is recorded, not an error.
pub async fn confirm(
    db: &impl Db,
    outbound: &impl Outbound,
    clock: &impl Clock,
    holder: &str,
    row: &Leased,
) -> Result<()> {
    let settings = &Settings::load().await;
    let subscription = match find_subscription(db, &row.subject).await? {
        Some(found) if !found.is_confirmed && !found.is_disabled => found,
        _ => return finish(db, holder, row).await,
    };
    let secret = subscription.open_secret().await?;
    let sent = match subscription.channel {
        Channel::Email => {
            let mail = texts::confirmation(&subscription, &secret, settings);
            mail::send(&mail, settings, outbound).await
        }
        Channel::Webhook => {
            let request = webhook::challenge(&subscription, &secret, clock.now());
            match allowed(&subscription, settings) {
                Ok(()) => {
                    let answer = outbound.send(request).await;
                    conclude_challenge(answer, &secret.confirm_token())
                }
                Err(why) => Sent::Never(why),
            }
        }
    };
    let now = clock.now();
    let (why, wait) = match &sent {
        Sent::Delivered => {
            subscriptions::note_request(db, &subscription, None, now).await?;
            if subscription.channel == Channel::Webhook {
                subscriptions::confirm(db, &subscription, now).await?;
            }
            return finish(db, holder, row).await;
        }
        Sent::Never(why) | Sent::Gone(why) => (why, None),
        Sent::Later(_, _) if subscription.asked_times + 1 >= QUESTIONS => {
            (&"it failed too often".to_owned(), None)
        }
        Sent::Later(why, wait) => (why, Some(delay(subscription.asked_times, *wait))),
    };
    subscriptions::note_request(db, &subscription, Some(why), now).await?;
    again_or_not(db, holder, row, wait, why, now).await
}

/// Brings a notice to one subscriber.
///
/// # Errors
/// Of the database; the row is tried again. What the other side says is recorded, not an error.
pub async fn deliver(
    db: &impl Db,
    outbound: &impl Outbound,
    clock: &impl Clock,
    holder: &str,
    row: &Leased,
) -> Result<()> {
    let settings = &Settings::load().await;
    let Some(delivery) = outbox::find_pending(db, &row.subject).await? else {
        return finish(db, holder, row).await;
    };
    let subscription = match find_subscription(db, &delivery.subscription).await? {
        Some(found) if found.is_active() => found,
        _ => {
            let why = "the subscription ended";
            outbox::failed(db, &delivery, why, clock.now()).await?;
            return finish(db, holder, row).await;
        }
    };
    let sent = attempt(outbound, clock, settings, &subscription, &delivery).await?;
    record(db, clock.now(), holder, row, &subscription, &delivery, sent).await
}

async fn attempt(
    outbound: &impl Outbound,
    clock: &impl Clock,
    settings: &Settings,
    subscription: &Subscription,
    delivery: &Delivery,
) -> Result<Sent> {
    let secret = subscription.open_secret().await?;
    Ok(match subscription.channel {
        Channel::Email => {
            let mail = texts::notice(subscription, &secret, delivery, settings);
            mail::send(&mail, settings, outbound).await
        }
        Channel::Webhook => match allowed(subscription, settings) {
            Ok(()) => {
                let request =
                    webhook::request(subscription, &secret, delivery, settings, clock.now());
                conclude(outbound.send(request).await)
            }
            Err(why) => Sent::Never(why),
        },
    })
}

/// The rule for users' URLs holds with every request: the operator may have changed it.
fn allowed(subscription: &Subscription, settings: &Settings) -> Result<(), String> {
    address::check(&subscription.target, settings.allow_private)
}

/// Records what came of an attempt, then finishes the row or gives it back. No transaction: see
/// `Run::Beside` of the engine. Whoever dies in between repeats an attempt, or finds it recorded.
async fn record<D: Db>(
    db: &D,
    now: Timestamp,
    holder: &str,
    row: &Leased,
    subscription: &Subscription,
    delivery: &Delivery,
    sent: Sent,
) -> Result<()> {
    let (why, wait) = match &sent {
        Sent::Delivered => {
            outbox::delivered(db, delivery, now).await?;
            subscriptions::note_success(db, subscription).await?;
            return finish(db, holder, row).await;
        }
        Sent::Later(why, _) if delivery.attempts + 1 >= attempts() => (why, None),
        Sent::Later(why, wait) => (why, Some(delay(delivery.attempts, *wait))),
        Sent::Never(why) | Sent::Gone(why) => (why, None),
    };
    match wait {
        Some(_) => outbox::postponed(db, delivery, why).await?,
        None => outbox::failed(db, delivery, why, now).await?,
    }
    subscriptions::note_failure(db, subscription, why, now).await?;
    if subscription.channel == Channel::Webhook {
        let failing = subscription.failing_since;
        if matches!(sent, Sent::Gone(_)) {
            let reason = "the receiver answered 410 Gone";
            subscriptions::disable(db, subscription, reason, now).await?;
        } else if failing.is_some_and(|since| since.plus_seconds(PATIENCE) <= now) {
            let reason = format!("nothing could be delivered for seven days: {why}");
            subscriptions::disable(db, subscription, &reason, now).await?;
        }
    }
    again_or_not(db, holder, row, wait, why, now).await
}

async fn finish(db: &impl Db, holder: &str, row: &Leased) -> Result<()> {
    queue::finish(db, holder, &[row.key]).await.map(drop)
}

/// Gives a row back to be tried again in so many seconds, or finishes it.
async fn again_or_not(
    db: &impl Db,
    holder: &str,
    row: &Leased,
    wait: Option<i64>,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    match wait {
        Some(seconds) => {
            let later = now.plus_seconds(seconds);
            queue::give_back(db, holder, row.key, later, Some(why), false).await
        }
        None => finish(db, holder, row).await,
    }
}

/// How often a delivery is attempted.
fn attempts() -> i64 {
    i64::try_from(DELAYS.len()).unwrap_or(i64::MAX) + 1
}

/// How long to wait after so many failed attempts and one more; longer if the other side asks for it.
fn delay(failed: i64, asked: Option<i64>) -> i64 {
    let place = usize::try_from(failed).unwrap_or(0);
    let longest = DELAYS.last().copied().unwrap_or(0);
    let delay = DELAYS.get(place).copied().unwrap_or(longest);
    delay.max(asked.unwrap_or(0).clamp(0, 86_400))
}
