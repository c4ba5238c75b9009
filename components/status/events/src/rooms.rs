//! `POST /subscriptions`: rooms of chats that are told what happens. For administrators.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::outbound::address;
use windlass_core::{Body, Context, Permission, Response, Result, Timestamp};
use windlass_status::TENANT;
use windlass_status::body::refusal;
use windlass_status::subscriptions::{self, Channel, Format, NewSubscription, Secret};

/// The longest URL, in bytes.
const URL: usize = 2000;
/// The most components of one subscription.
const COMPONENTS: usize = 200;
/// The fields of a request.
const KNOWN: [&str; 4] = ["kind", "url", "region", "components"];

/// `POST /subscriptions`: tell a room of Slack, Teams or Discord. It is told at once: no room can answer a
/// challenge, so whoever adds it answers for it.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_in(TENANT, Permission::StatusSubscriptionManage)?;
    let body = Body::of(ctx)?;
    if let Some(unknown) = body.names().find(|name| !KNOWN.contains(name)) {
        return Err(refusal(unknown, format!("Unknown field `{unknown}`")));
    }
    let format = format(body.required_text("kind")?)?;
    let target = body.required_text("url")?.trim();
    check_url(target, address::allows_private().await)?;
    let components = components(&body)?;
    let new = NewSubscription {
        channel: Channel::Webhook,
        format,
        target,
        region: body.filled_text("region")?,
        components: &components,
    };
    let secret = Secret::new().await?;
    let id = ctx
        .db
        .transaction(async |tx| {
            subscriptions::demand_in_catalogue(tx, new.region, new.components).await?;
            subscriptions::add_room(tx, &scope, &new, &secret, Timestamp::now()).await
        })
        .await?;
    Response::json(
        201,
        &json!({ "id": id, "kind": format.name(), "state": "active" }),
    )
}

fn format(kind: &str) -> Result<Format> {
    Format::named(kind)
        .filter(|format| *format != Format::Standard)
        .ok_or_else(|| {
            let text = "kind must be `slack`, `teams` or `discord`; others subscribe on the page";
            refusal("kind", text.to_owned())
        })
}

fn check_url(url: &str, allow_private: bool) -> Result<()> {
    if url.len() > URL {
        let text = format!("The URL is longer than {URL} bytes");
        return Err(refusal("url", text));
    }
    address::check(url, allow_private).map_err(|text| refusal("url", text))?;
    // What follows the host is a key, so it is not shown; without a path it could not be told apart.
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let path = rest.strip_prefix(host).unwrap_or_default();
    if path.len() < 2 || !path.starts_with('/') {
        let text = "The URL of a room has a path";
        return Err(refusal("url", text.to_owned()));
    }
    Ok(())
}

/// The components that it is about, each once; all where none is named.
fn components(body: &Body) -> Result<Vec<i64>> {
    let given = body.list("components")?.map_or(&[][..], Vec::as_slice);
    if given.len() > COMPONENTS {
        let text = format!("More than {COMPONENTS} components; leave them out to mean all");
        return Err(refusal("components", text));
    }
    let number = |item: &serde_json::Value| {
        let text = "Components are named by their numbers";
        item.as_i64()
            .ok_or_else(|| refusal("components", text.to_owned()))
    };
    let mut components: Vec<i64> = given.iter().map(number).collect::<Result<_>>()?;
    components.sort_unstable();
    components.dedup();
    Ok(components)
}
