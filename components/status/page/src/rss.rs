//! `/rss/`: the latest incidents of a region, or of one component in it, for feed readers.

use crate::feed;
use crate::view::in_query;
use rss::extension::{Extension, ExtensionMap};
use rss::{Channel, Guid, Item};
use std::collections::BTreeMap;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Response, Result, Scope, Timestamp};
use windlass_delivery::public_url;
use windlass_status::events::{escape, impact_name};
use windlass_status::feeds::{self, Filter};

/// What the original says to whoever asks for nothing in particular.
const HELP: &str = "Status Dashboard RSS feed<br>Please read the documentation to<br>make the \
                    correct request";

/// `GET /rss/`: the feed of a region (`mt`), or of a component in it (`srv`).
pub async fn rss(ctx: &Context<impl Db>) -> Result<Response> {
    let request = &ctx.request;
    if !request.path.ends_with('/') {
        let query: Vec<String> = request
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", in_query(name), in_query(value)))
            .collect();
        let mut place = "/rss/".to_owned();
        if !query.is_empty() {
            place.push('?');
            place.push_str(&query.join("&"));
        }
        return Ok(Response::empty(308).header("location", place));
    }
    let given = |name| request.query_value(name).filter(|text| !text.is_empty());
    let Some(region) = given("mt") else {
        return Ok(refusal(HELP.to_owned()));
    };
    let of_region = Filter {
        region: Some(region),
        component: None,
    };
    if !feeds::is_known(&ctx.db, &of_region).await? {
        return Ok(refusal(format!(
            "{} is not a supported region",
            escape(region)
        )));
    }
    let filter = Filter {
        component: given("srv"),
        ..of_region
    };
    if let Some(component) = filter.component
        && !feeds::is_known(&ctx.db, &filter).await?
    {
        return Ok(refusal(format!(
            "Component: {} is not found",
            escape(component)
        )));
    }
    feed::tagged(ctx, "application/rss+xml; charset=utf-8", async || {
        let base = public_url().await;
        let items = feeds::latest(&ctx.db, &Scope::public(), &filter).await?;
        channel(&base, region, filter.component, &items)
            .write_to(Vec::new())
            .map_err(Error::internal)
    })
    .await
}

/// The original's refusals are pages of one line.
fn refusal(markup: String) -> Response {
    Response::bytes(404, "text/html; charset=utf-8", markup.into_bytes())
        .header("content-security-policy", "default-src 'none'")
        .header("x-content-type-options", "nosniff")
}

fn channel(base: &str, region: &str, component: Option<&str>, items: &[feeds::Item]) -> Channel {
    let mut own = format!("{base}/rss/?mt={}", in_query(region));
    let subject = match component {
        Some(component) => {
            own.push_str(&format!("&srv={}", in_query(component)));
            format!("{component} ({region})")
        }
        None => region.to_owned(),
    };
    let newest = items.iter().map(told_at).max();
    let mut channel = Channel::default();
    channel.set_title(clean(&format!("{subject} - Incidents | Status Dashboard")));
    channel.set_link(format!("{base}/status"));
    channel.set_description(clean(&format!("{region} - Incidents")));
    channel.set_language("en".to_owned());
    channel.set_last_build_date(newest.map(rfc_2822));
    channel.set_items(
        items
            .iter()
            .map(|item| entry(base, item))
            .collect::<Vec<_>>(),
    );
    let link = Extension {
        name: "atom:link".into(),
        attrs: BTreeMap::from([
            ("href".into(), own),
            ("rel".into(), "self".into()),
            ("type".into(), "application/rss+xml".into()),
        ]),
        ..Extension::default()
    };
    let mut atom = ExtensionMap::new();
    atom.insert("atom".into(), BTreeMap::from([("link".into(), vec![link])]));
    channel.set_extensions(atom);
    let name = "http://www.w3.org/2005/Atom".to_owned();
    channel.set_namespaces(BTreeMap::from([("atom".to_owned(), name)]));
    channel
}

fn told_at(item: &feeds::Item) -> Timestamp {
    item.updates
        .first()
        .map_or(item.started_at, |update| update.at)
}

fn entry(base: &str, item: &feeds::Item) -> Item {
    let place = format!("{base}/incidents/{}", item.id);
    let mut entry = Item::default();
    entry.set_title(clean(&item.title));
    entry.set_link(place.clone());
    entry.set_guid(Guid {
        value: place,
        permalink: false,
    });
    entry.set_pub_date(rfc_2822(told_at(item)));
    entry.set_description(clean(&description(base, item)));
    entry
}

/// What is told, as markup; the feed carries it escaped.
fn description(base: &str, item: &feeds::Item) -> String {
    let mut parts: Vec<String> = item
        .updates
        .iter()
        .map(|update| {
            // What was made here was escaped there; its links begin at the root.
            let text = if update.is_markup {
                let absolute = format!("<a href='{}/", escape(base));
                update.text.replace("<a href='/", &absolute)
            } else {
                escape(&update.text)
            };
            format!(
                "<small>{}</small><br><strong>{} - </strong>{text}",
                minutes(update.at),
                escape(&update.status)
            )
        })
        .collect();
    parts.push(format!("Incident impact: {}", impact_name(item.impact)));
    parts.push(format!(
        "Incident has started on: {}",
        minutes(item.started_at)
    ));
    if let Some(end) = item.ended_at {
        parts.push(format!("Incident end date: {}", minutes(end)));
    }
    parts.push(
        "We apologize for the inconvenience and will tell more as soon as there is more to tell."
            .to_owned(),
    );
    parts.join("<br><br>")
}

/// A text without what XML 1.0 cannot hold.
fn clean(text: &str) -> String {
    let is_allowed = |letter: &char| matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(is_allowed).collect()
}

fn minutes(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M UTC")
}

fn rfc_2822(time: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(time.millis())
        .unwrap_or_default()
        .to_rfc2822()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_holds_texts_as_they_were_written() {
        let at = Timestamp::parse("at", "2026-05-01T10:00:00Z").unwrap();
        let item = feeds::Item {
            id: 7,
            title: "Disks & <b>\u{1}</b>".into(),
            impact: 2,
            started_at: at,
            ended_at: None,
            updates: vec![feeds::ItemUpdate {
                status: "SYSTEM".into(),
                text: "A moved to <a href='/incidents/8'>B &amp; C</a>".into(),
                is_markup: true,
                at,
            }],
        };
        let channel = channel(
            "https://status.example.com",
            "EU & US",
            Some("Disk"),
            &[item],
        );
        let text = String::from_utf8(channel.write_to(Vec::new()).unwrap()).unwrap();
        let read = Channel::read_from(text.as_bytes()).unwrap();
        assert_eq!(
            read.title(),
            "Disk (EU & US) - Incidents | Status Dashboard"
        );
        let item = &read.items()[0];
        assert_eq!(item.title(), Some("Disks & <b></b>"));
        assert_eq!(item.pub_date(), Some("Fri, 1 May 2026 10:00:00 +0000"));
        let description = item.description().unwrap();
        assert!(
            description.contains("<a href='https://status.example.com/incidents/8'>B &amp; C</a>"),
            "{description}"
        );
        assert!(
            description.contains("Incident impact: major"),
            "{description}"
        );
        assert!(
            text.contains("atom:link") && text.contains("rel=\"self\""),
            "{text}"
        );
        assert!(text.contains("mt=EU%20%26%20US&amp;srv=Disk"), "{text}");
    }
}
