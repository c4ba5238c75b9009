//! `/status/subscriptions/confirm` and `.../unsubscribe`: where the links of mails lead.
//!
//! Opening a link only shows a button: programs that look for malware open every link of a mail. The
//! token is in the query, which is not logged. Mail programs post to the second one by themselves
//! (RFC 8058).

use crate::subscriptions::told;
use crate::view::{self, Section};
use maud::html;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Timestamp};
use windlass_status::subscriptions::{self, Link};

/// `GET /status/subscriptions/confirm`: the button.
pub async fn show_confirm(ctx: &Context<impl Db>) -> Result<Response> {
    view::brand::load().await;
    show(ctx, Link::Confirm).await
}

/// `POST /status/subscriptions/confirm`: begin the subscription.
pub async fn confirm(ctx: &Context<impl Db>) -> Result<Response> {
    view::brand::load().await;
    let now = Timestamp::now();
    let token = token(ctx);
    let found = ctx
        .db
        .transaction(async |tx| {
            let found = subscriptions::find_by_token(tx, Link::Confirm, token, now).await?;
            if let Some(found) = &found {
                subscriptions::confirm(tx, found, now).await?;
            }
            Ok(found)
        })
        .await?;
    Ok(match found {
        Some(found) => {
            let text = format!("From now on {} is told what happens.", found.target);
            told(200, "The subscription is confirmed", &text)
        }
        None => gone(Link::Confirm),
    })
}

/// `GET /status/subscriptions/unsubscribe`: the button.
pub async fn show_unsubscribe(ctx: &Context<impl Db>) -> Result<Response> {
    view::brand::load().await;
    show(ctx, Link::Unsubscribe).await
}

/// `POST /status/subscriptions/unsubscribe`: end the subscription. Doing it again is fine.
pub async fn unsubscribe(ctx: &Context<impl Db>) -> Result<Response> {
    view::brand::load().await;
    let now = Timestamp::now();
    let token = token(ctx);
    let found = ctx
        .db
        .transaction(async |tx| {
            let found = subscriptions::find_by_token(tx, Link::Unsubscribe, token, now).await?;
            if let Some(found) = &found {
                subscriptions::unsubscribe(tx, found).await?;
            }
            Ok(found)
        })
        .await?;
    Ok(match found {
        Some(found) => {
            let text = format!("{} is not told anything any more.", found.target);
            told(200, "The subscription has ended", &text)
        }
        None => gone(Link::Unsubscribe),
    })
}

async fn show<D: Db>(ctx: &Context<D>, link: Link) -> Result<Response> {
    let token = token(ctx);
    let found = subscriptions::find_by_token(&ctx.db, link, token, Timestamp::now()).await?;
    let Some(found) = found else {
        return Ok(gone(link));
    };
    let (title, question, button, path) = match link {
        Link::Confirm => (
            "Confirm the subscription",
            "Shall this be told what happens?",
            "Confirm",
            "confirm",
        ),
        Link::Unsubscribe => (
            "End the subscription",
            "Shall this not be told anything any more?",
            "End it",
            "unsubscribe",
        ),
    };
    let body = html! {
        h1 { (title) }
        p { (question) }
        p { strong { (found.target) } }
        form method="post" action={ "/status/subscriptions/" (path) "?token=" (view::in_query(token)) } {
            p { button type="submit" { (button) } }
        }
    };
    Ok(view::page(200, Section::Subscribe, title, &body))
}

fn token<D: Db>(ctx: &Context<D>) -> &str {
    ctx.request.query_value("token").unwrap_or_default()
}

fn gone(link: Link) -> Response {
    let text = match link {
        Link::Confirm => {
            "The link was not used within two days, or is not whole. Subscribe again to get another."
        }
        Link::Unsubscribe => "There is no such subscription, or it has ended already.",
    };
    told(404, "This link leads nowhere", text)
}
