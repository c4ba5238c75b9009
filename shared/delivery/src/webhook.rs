//! Signed webhooks, as the Standard Webhooks specification describes them: id, time and signature
//! are headers.

use crate::Sent;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::time::Duration;
use windlass_core::Timestamp;
use windlass_core::platform::{OutboundRequest, OutboundResponse};

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A message to one receiver.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m> {
    /// Its id, the same at each attempt: a receiver drops what it had already.
    pub id: &'m str,
    /// The receiver's URL.
    pub url: &'m str,
    /// The key that this receiver checks signatures with.
    pub key: &'m [u8],
    /// What the request says of who sends it.
    pub user_agent: &'m str,
    /// What is told. It is sent and signed as this JSON.
    pub body: &'m Value,
}

impl Message<'_> {
    /// The request that brings it, signed at this moment.
    pub fn request(&self, now: Timestamp) -> OutboundRequest {
        let body = self.body.to_string();
        let time = (now.millis() / 1000).to_string();
        let signature = signature(self.key, self.id, &time, &body);
        OutboundRequest {
            method: "POST".into(),
            url: self.url.to_owned(),
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("user-agent".into(), self.user_agent.to_owned()),
                ("webhook-id".into(), self.id.to_owned()),
                ("webhook-timestamp".into(), time),
                ("webhook-signature".into(), signature),
            ],
            body: body.into_bytes(),
            timeout: Some(TIMEOUT),
        }
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
        json.get("challenge")
            .is_some_and(|given| given == challenge)
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
