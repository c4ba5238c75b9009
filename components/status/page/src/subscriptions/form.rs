//! The page with the form, and the pages that answer it.

use super::{Answer, MAIL_COMES, is_expected, offers_mail};
use crate::view::{self, Section};
use maud::{Markup, html};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Response, Result};
use windlass_status::components::Component;
use windlass_status::subscriptions;

/// `GET /status/subscribe`: the form.
pub async fn form(ctx: &Context<impl Db>) -> Result<Response> {
    view::brand::load().await;
    let subscriptions::Choices {
        regions,
        components,
    } = subscriptions::choices(&ctx.db).await?;
    let offers_mail = offers_mail().await;
    let body = html! {
        h1 { "Subscribe" }
        p { "Be told when an incident begins, changes or ends, and when maintenance is planned." }
        section.card {
            h2 { "By e-mail" }
            @if offers_mail {
                form method="post" action="/status/subscriptions" {
                    input type="hidden" name="kind" value="email";
                    p {
                        label for="email" { "E-mail address" }
                        input #email type="email" name="email" required maxlength="254" autocomplete="email";
                    }
                    (choices("email", &regions, &components))
                    p { button type="submit" { "Subscribe" } }
                    p { "A mail with a link comes first. The subscription begins when you confirm it there." }
                }
            } @else {
                p { "E-mail is not offered here." }
            }
        }
        section.card {
            h2 { "By webhook" }
            form method="post" action="/status/subscriptions" {
                input type="hidden" name="kind" value="webhook";
                p {
                    label for="url" { "URL" }
                    input #url type="url" name="url" required maxlength="2000" placeholder="https://";
                }
                (choices("webhook", &regions, &components))
                p { button type="submit" { "Subscribe" } }
                p {
                    "The URL is sent a signed request (Standard Webhooks) of the type "
                    code { "subscription.confirmation" }
                    ", and has to answer it with its " code { "challenge" } "."
                }
            }
        }
        section.card {
            h2 { "By feed reader or calendar" }
            ul {
                li { a href="/rss/" { "RSS feed of everything" } }
                @for region in &regions {
                    li { a href={ "/rss/?mt=" (view::in_query(region)) } { "RSS feed of " bdi { (region) } } }
                }
                li { a href="/status/calendar.ics" { "Calendar of maintenances" } }
            }
        }
    };
    Ok(view::page(200, Section::Subscribe, "Subscribe", &body))
}

/// What a subscription can be narrowed to.
fn choices(prefix: &str, regions: &[String], components: &[Component]) -> Markup {
    html! {
        @if regions.len() > 1 {
            p {
                label for={ (prefix) "-region" } { "Region" }
                select id={ (prefix) "-region" } name="region" {
                    option value="" { "All regions" }
                    @for region in regions { option value=(region) dir="auto" { (region) } }
                }
            }
        }
        @if !components.is_empty() {
            details {
                summary { "Only some components" }
                ul {
                    @for component in components {
                        li {
                            label {
                                input type="checkbox" name="component" value=(component.id);
                                " " bdi { (component.label()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The page for what was taken.
pub fn answered(answer: &Answer) -> Response {
    match answer {
        Answer::MailComes => told(202, "Look into your mail", MAIL_COMES),
        Answer::Webhook {
            secret,
            unsubscribe_url,
            ..
        } => {
            let body = html! {
                h1 { "Waiting for the webhook" }
                p { "The URL is sent a signed request now, and has to answer with its challenge." }
                p { "Requests are signed with this secret. It is shown this once:" }
                pre { code { (secret) } }
                p { "This address ends the subscription. Keep it:" }
                pre { code { (unsubscribe_url) } }
            };
            view::page(201, Section::Subscribe, "Waiting for the webhook", &body)
                .header("cache-control", "no-store")
        }
    }
}

/// The page for what was refused.
///
/// # Errors
/// What is no fault of the form.
pub fn refused(refusal: Error) -> Result<Response> {
    if !is_expected(&refusal) {
        return Err(refusal);
    }
    let (status, _) = refusal.kind().wire();
    let body = html! {
        h1 { "This did not work" }
        p role="alert" { (refusal.message()) }
        p { a.button href="/status/subscribe" { "Back to the form" } }
    };
    let page = view::page(status, Section::Subscribe, "This did not work", &body);
    Ok(if status == 429 {
        page.header("retry-after", refusal.seconds_to_wait().to_string())
    } else {
        page
    })
}

/// A page of one sentence.
pub fn told(status: u16, title: &str, text: &str) -> Response {
    let body = html! {
        h1 { (title) }
        p { (text) }
        p { a.button href="/status" { "To the status page" } }
    };
    view::page(status, Section::Subscribe, title, &body)
}
