//! Webhooks, as Standard Webhooks describes them: id, time and signature are headers.

use super::{Sent, Settings, texts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::Duration;
use windlass_core::Timestamp;
use windlass_core::platform::{OutboundRequest, OutboundResponse};
use windlass_store::status::incidents::impact_name;
use windlass_store::status::outbox::{Delivery, Notice};
use windlass_store::status::subscriptions::Subscription;

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The request that delivers a notice.
pub fn request(
    subscription: &Subscription,
    delivery: &Delivery,
    settings: &Settings,
    now: Timestamp,
) -> OutboundRequest {
    let body = json!({
        "type": delivery.notice.event,
        "timestamp": delivery.notice.created_at,
        "data": data(&delivery.notice, &settings.public_url),
    });
    signed(subscription, &delivery.id, &body, now)
}

/// The request that asks a receiver to prove that it wants to be told.
pub fn challenge(subscription: &Subscription, now: Timestamp) -> OutboundRequest {
    let body = json!({
        "type": "subscription.confirmation",
        "timestamp": subscription.requested_at,
        "data": {
            "subscription_id": subscription.id,
            "challenge": subscription.secret.confirm_token(),
        },
    });
    signed(
        subscription,
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

fn signed(subscription: &Subscription, id: &str, body: &Value, now: Timestamp) -> OutboundRequest {
    let body = body.to_string();
    let time = (now.millis() / 1000).to_string();
    let signature = signature(&subscription.secret.signing_key(), id, &time, &body);
    OutboundRequest {
        method: "POST".into(),
        url: subscription.target.clone(),
        headers: vec![
            ("content-type".into(), "application/json".into()),
            ("user-agent".into(), "windlass-status".into()),
            ("webhook-id".into(), id.into()),
            ("webhook-timestamp".into(), time),
            ("webhook-signature".into(), signature),
        ],
        body: body.into_bytes(),
        timeout: Some(TIMEOUT),
    }
}

/// The signature of a body, as the header carries it.
fn signature(key: &[u8], id: &str, time: &str, body: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// What an answer means.
pub fn conclude(answer: Result<OutboundResponse, String>) -> Sent {
    match answer {
        Err(why) => Sent::Later(why, None),
        Ok(answer) => match answer.status {
            200..=299 => Sent::Delivered,
            410 => Sent::Gone("the receiver answered 410".into()),
            status => Sent::Later(
                format!("the receiver answered {status}"),
                retry_after(&answer),
            ),
        },
    }
}

/// What an answer to a challenge means: it has to hold the challenge, as JSON or as text.
pub fn conclude_challenge(answer: Result<OutboundResponse, String>, challenge: &str) -> Sent {
    let echoes = answer.as_ref().is_ok_and(|answer| {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        json["challenge"] == challenge
            || json == challenge
            || answer.body.trim_ascii() == challenge.as_bytes()
    });
    match conclude(answer) {
        Sent::Delivered if !echoes => Sent::Later(
            "the receiver did not answer with the challenge".into(),
            None,
        ),
        sent => sent,
    }
}

fn retry_after(answer: &OutboundResponse) -> Option<i64> {
    let (_, value) = answer
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn a_signature_is_the_specifications() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let got = signature(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(got, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn answers_say_what_to_do_next() {
        let answer = |status: u16, body: &str| {
            Ok(OutboundResponse {
                status,
                headers: vec![("Retry-After".into(), "120".into())],
                body: body.as_bytes().to_vec(),
            })
        };
        assert_eq!(conclude(answer(204, "")), Sent::Delivered);
        assert!(matches!(conclude(answer(410, "")), Sent::Gone(_)));
        assert!(matches!(
            conclude(answer(503, "")),
            Sent::Later(_, Some(120))
        ));
        assert!(matches!(conclude(answer(302, "")), Sent::Later(..)));
        assert!(matches!(
            conclude(Err("refused".into())),
            Sent::Later(_, None)
        ));
        for (status, body, confirmed) in [
            (200, r#"{"challenge": "c"}"#, true),
            (200, " c\n", true),
            (200, r#""c""#, true),
            (200, "{}", false),
            (200, "cc", false),
            (500, "c", false),
        ] {
            let sent = conclude_challenge(answer(status, body), "c");
            assert_eq!(sent == Sent::Delivered, confirmed, "{status} {body}");
        }
    }
}
