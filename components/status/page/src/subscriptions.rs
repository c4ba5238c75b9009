//! `/status/subscribe` and `/status/subscriptions`: asking to be told.
//!
//! Everybody may ask, so an answer about an address never tells whether it is known already: it is
//! the same for all of them, and what happens next arrives as mail.

mod form;

pub use form::{form, told};

use crate::view;
use windlass_core::db::Db;
use windlass_core::outbound::address;
use windlass_core::platform;
use windlass_core::request::parse_query;
use windlass_core::{Body, Context, Error, Kind, Response, Result, Timestamp};
use windlass_delivery::{Settings, mail};
use windlass_identity::client_address;
use windlass_status::notices::texts;
use windlass_status::subscriptions::{self, Channel, Format, NewSubscription, Secret};

/// What is answered about every address.
const MAIL_COMES: &str = "If this address can be subscribed, a mail with a link is on its way. The \
                          subscription begins when the link was followed and confirmed.";

/// The longest URL, in bytes.
const URL: usize = 2000;

/// The most components of one subscription.
const COMPONENTS: usize = 200;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    channel: Channel,
    target: String,
    region: Option<String>,
    components: Vec<i64>,
}

/// What is answered.
enum Answer {
    MailComes,
    Webhook {
        id: String,
        secret: String,
        unsubscribe_url: String,
    },
}

/// `POST /status/subscriptions`: ask to be told by mail or webhook, from the form or as JSON.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    view::brand::load().await;
    let content_type = ctx.request.get_header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let wanted = of_json(&Body::of(ctx)?)?;
        return respond(&ask(ctx, &wanted).await?);
    }
    let answer = match of_form(&ctx.request.body) {
        Ok(wanted) => ask(ctx, &wanted).await,
        Err(refusal) => Err(refusal),
    };
    // Whoever sent the form looks at a page, whatever came of it.
    answer
        .map(|answer| form::answered(&answer))
        .or_else(form::refused)
}

fn respond(answer: &Answer) -> Result<Response> {
    match answer {
        Answer::MailComes => Response::json(202, &serde_json::json!({ "message": MAIL_COMES })),
        Answer::Webhook {
            id,
            secret,
            unsubscribe_url,
        } => Response::json(
            201,
            &serde_json::json!({
                "id": id,
                "state": "unconfirmed",
                "secret": secret,
                "unsubscribe_url": unsubscribe_url,
                "message": "The URL is sent a signed subscription.confirmation now, and has to answer with its challenge.",
            }),
        ),
    }
}

/// Stores what was asked for, and has the scheduler ask for the confirmation.
async fn ask(ctx: &Context<impl Db>, wanted: &Wanted) -> Result<Answer> {
    let settings = Settings::load().await;
    check_target(wanted, &settings)?;
    let now = Timestamp::now();
    let client = client_address(&ctx.request).await;
    let client = client.unwrap_or_else(|| "unknown".to_owned());
    ctx.db
        .transaction(async |tx| subscriptions::count_request(tx, &client, now).await)
        .await?;
    let secret = Secret::new().await?;
    let new = NewSubscription {
        channel: wanted.channel,
        format: Format::Standard,
        target: &wanted.target,
        region: wanted.region.as_deref(),
        components: &wanted.components,
    };
    let requested = ctx
        .db
        .transaction(async |tx| {
            subscriptions::demand_in_catalogue(tx, new.region, new.components).await?;
            subscriptions::request(tx, &new, &secret, now).await
        })
        .await?;
    platform::nudge();
    match (wanted.channel, requested) {
        (Channel::Email, _) => Ok(Answer::MailComes),
        (Channel::Webhook, Some(id)) => Ok(Answer::Webhook {
            id,
            secret: secret.signing_secret(),
            unsubscribe_url: texts::unsubscribe_url(
                &settings.public_url,
                &secret.unsubscribe_token(),
            ),
        }),
        (Channel::Webhook, None) => Err(Error::conflict(
            "Several subscriptions of this URL wait for their confirmation already",
        )),
    }
}

fn check_target(wanted: &Wanted, settings: &Settings) -> Result<()> {
    match wanted.channel {
        Channel::Email => {
            if settings.mail.is_err() {
                return Err(refusal(
                    "kind",
                    "Subscriptions by e-mail are not offered here",
                ));
            }
            if !mail::is_address(&wanted.target) {
                return Err(refusal("email", "This is not an e-mail address"));
            }
        }
        Channel::Webhook => {
            if wanted.target.len() > URL {
                let text = format!("The URL is longer than {URL} bytes");
                return Err(refusal("url", &text));
            }
            address::check(&wanted.target, settings.allow_private)
                .map_err(|text| refusal("url", &text))?;
        }
    }
    if wanted.components.len() > COMPONENTS {
        let text = format!("More than {COMPONENTS} components; leave them out to mean all");
        return Err(refusal("components", &text));
    }
    Ok(())
}

/// Whether somebody can be told by mail here.
async fn offers_mail() -> bool {
    Settings::load().await.mail.is_ok()
}

fn refusal(field: &str, text: &str) -> Error {
    Error::bad_parameters(text.to_owned()).field(field, text)
}

fn of_json(body: &Body) -> Result<Wanted> {
    const KNOWN: [&str; 5] = ["kind", "email", "url", "region", "components"];
    if let Some(unknown) = body.names().find(|name| !KNOWN.contains(name)) {
        return Err(refusal(unknown, &format!("Unknown field `{unknown}`")));
    }
    let channel = channel(body.required_text("kind")?)?;
    let field = field_of(channel);
    let components = body.list("components")?.map_or(Ok(Vec::new()), |items| {
        items
            .iter()
            .map(|item| {
                item.as_i64()
                    .ok_or_else(|| refusal("components", "Components are named by their numbers"))
            })
            .collect()
    })?;
    Ok(Wanted {
        channel,
        target: body.required_text(field)?.trim().to_owned(),
        region: body.filled_text("region")?.map(str::to_owned),
        components: sorted(components),
    })
}

fn of_form(body: &[u8]) -> Result<Wanted> {
    let text =
        std::str::from_utf8(body).map_err(|_| Error::bad_parameters("The form is not UTF-8"))?;
    let fields = parse_query(text);
    let value = |name: &str| {
        let found = fields.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.trim())
    };
    let channel = channel(value("kind"))?;
    let components = fields.iter().filter(|(name, _)| name == "component");
    let components = components.map(|(_, value)| {
        value
            .parse()
            .map_err(|_| refusal("component", "Components are named by their numbers"))
    });
    let region = value("region");
    Ok(Wanted {
        channel,
        target: value(field_of(channel)).to_owned(),
        region: (!region.is_empty()).then(|| region.to_owned()),
        components: sorted(components.collect::<Result<_>>()?),
    })
}

fn channel(name: &str) -> Result<Channel> {
    Channel::named(name).ok_or_else(|| refusal("kind", "kind must be `email` or `webhook`"))
}

const fn field_of(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "email",
        Channel::Webhook => "url",
    }
}

fn sorted(mut components: Vec<i64>) -> Vec<i64> {
    components.sort_unstable();
    components.dedup();
    components
}

/// Whether a refusal is one that its sender can do something about.
fn is_expected(refusal: &Error) -> bool {
    !matches!(refusal.kind(), Kind::Internal | Kind::Unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn form_and_json_say_the_same() {
        let form = b"kind=email&email=ann%2Bx%40example.com&region=EU-DE&component=2&component=1&component=2&url=";
        let body = Body::inner(
            &json!({
                "kind": "email", "email": " ann+x@example.com", "region": "EU-DE",
                "components": [2, 1], "url": null,
            }),
            "body",
        );
        let wanted = of_form(form).unwrap();
        assert_eq!(wanted, of_json(&body.unwrap()).unwrap());
        assert_eq!(wanted.components, [1, 2]);
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (body, field) in [
            (json!({}), "kind"),
            (json!({ "kind": "pigeon" }), "kind"),
            (json!({ "kind": "email" }), "email"),
            (json!({ "kind": "email", "email": 7 }), "email"),
            (
                json!({ "kind": "webhook", "email": "ann@example.com" }),
                "url",
            ),
            (
                json!({ "kind": "email", "email": "a@b.c", "name": "Ann" }),
                "name",
            ),
            (
                json!({ "kind": "email", "email": "a@b.c", "components": ["1"] }),
                "components",
            ),
        ] {
            let refusal = of_json(&Body::inner(&body, "body").unwrap()).unwrap_err();
            assert_eq!(refusal.fields()[0].field, field, "{body}");
            assert_eq!(refusal.kind(), Kind::BadParameters, "{body}");
        }
        assert!(of_form(b"kind=email&component=x").is_err());
        assert!(of_form(b"\xff").is_err());
    }
}
