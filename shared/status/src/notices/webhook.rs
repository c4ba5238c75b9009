//! What webhooks are told of the status page.

use super::{chats, texts};
use crate::events::impact_name;
use crate::outbox::{Delivery, Notice};
use crate::subscriptions::{Secret, Subscription};
use serde_json::{Value, json};
use windlass_core::Timestamp;
use windlass_core::platform::OutboundRequest;
use windlass_delivery::Settings;
use windlass_delivery::webhook::Message;

/// The request that delivers a notice.
pub fn request(
    subscription: &Subscription,
    secret: &Secret,
    delivery: &Delivery,
    settings: &Settings,
    now: Timestamp,
) -> OutboundRequest {
    let (notice, public_url) = (&delivery.notice, settings.public_url.as_str());
    let body = chats::body(subscription.format, notice, public_url).unwrap_or_else(|| {
        json!({
            "type": notice.event,
            "timestamp": notice.created_at,
            "data": data(notice, public_url),
        })
    });
    signed(subscription, secret, &delivery.id, &body, now)
}

/// The request that asks a receiver to prove that it wants to be told.
pub fn challenge(subscription: &Subscription, secret: &Secret, now: Timestamp) -> OutboundRequest {
    let body = json!({
        "type": "subscription.confirmation",
        "timestamp": subscription.requested_at,
        "data": {
            "subscription_id": subscription.id,
            "challenge": secret.confirm_token(),
        },
    });
    signed(
        subscription,
        secret,
        &format!("cnf_{}", subscription.id),
        &body,
        now,
    )
}

/// An event as receivers see it: plain text, no markup.
fn data(notice: &Notice, public_url: &str) -> Value {
    let components = notice.components.iter().map(|component| {
        json!({ "id": component.id, "name": component.name, "region": component.region })
    });
    let updates = notice.updates.iter().map(|update| {
        json!({
            "status": update.status,
            "text": texts::plain(&update.text, update.is_markup),
            "timestamp": update.timestamp,
        })
    });
    json!({
        "id": notice.id,
        "url": format!("{public_url}/incidents/{}", notice.id),
        "title": notice.title,
        "description": notice.description,
        "impact": notice.impact,
        "impact_name": impact_name(notice.impact),
        "status": notice.status,
        "start_date": notice.start_date,
        "end_date": notice.end_date,
        "components": components.collect::<Vec<_>>(),
        "updates": updates.collect::<Vec<_>>(),
    })
}

fn signed(
    subscription: &Subscription,
    secret: &Secret,
    id: &str,
    body: &Value,
    now: Timestamp,
) -> OutboundRequest {
    let message = Message {
        id,
        url: &subscription.target,
        key: &secret.signing_key(),
        user_agent: "windlass-status",
        body,
    };
    message.request(now)
}
