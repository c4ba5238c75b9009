//! `/rss/`: the latest events of everything, of a region, or of a component, for feed readers.

use crate::feed;
use crate::view::in_query;
use rss::extension::{Extension, ExtensionMap};
use rss::{Channel, Guid, Item};
use std::collections::BTreeMap;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Response, Result, Scope, Timestamp};
use windlass_delivery::public_url;
use windlass_status::direction::without_turns;
use windlass_status::events::{EventKind, escape, impact_name};
use windlass_status::feeds::{self, Filter};

/// `GET /rss/`: the feed of everything, of a region (`mt`), of a component in any region or in that
/// one (`srv`). The original explains itself to whoever names no region; readers want a feed.
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
    let of_region = Filter {
        region: given("mt"),
        component: None,
    };
    if let Some(region) = of_region.region
        && !feeds::is_known(&ctx.db, &of_region).await?
    {
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
        channel(&base, &filter, &items, Timestamp::now())
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

fn channel(base: &str, filter: &Filter<'_>, items: &[feeds::Item], now: Timestamp) -> Channel {
    let parameters: Vec<String> = [("mt", filter.region), ("srv", filter.component)]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", in_query(value?))))
        .collect();
    let own = match parameters.is_empty() {
        true => format!("{base}/rss/"),
        false => format!("{base}/rss/?{}", parameters.join("&")),
    };
    let subject = match (filter.component, filter.region) {
        (Some(component), Some(region)) => format!("{component} ({region})"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "All components".to_owned(),
    };
    let newest = items.iter().map(told_at).max();
    let mut channel = Channel::default();
    channel.set_title(clean(&format!("{subject} - Incidents | Status Dashboard")));
    channel.set_link(format!("{base}/status"));
    let place = filter.region.unwrap_or(&subject);
    channel.set_description(clean(&format!("{place} - Incidents")));
    channel.set_language("en".to_owned());
    channel.set_last_build_date(newest.map(rfc_2822));
    channel.set_items(
        items
            .iter()
            .map(|item| entry(base, item, now))
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

/// When the latest thing about it was told. What is announced was told before it begins.
fn told_at(item: &feeds::Item) -> Timestamp {
    let update = item.updates.first().map(|update| update.at);
    update.unwrap_or_else(|| item.started_at.min(item.created_at))
}

fn entry(base: &str, item: &feeds::Item, now: Timestamp) -> Item {
    let place = format!("{base}/incidents/{}", item.id);
    let mut entry = Item::default();
    entry.set_title(clean(&item.title));
    entry.set_link(place.clone());
    entry.set_guid(Guid {
        value: place,
        permalink: false,
    });
    entry.set_pub_date(rfc_2822(told_at(item)));
    entry.set_description(clean(&description(base, item, now)));
    entry
}

/// What is told, as markup; the feed carries it escaped.
fn description(base: &str, item: &feeds::Item, now: Timestamp) -> String {
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
    let what = match item.kind {
        EventKind::Incident => "Incident",
        EventKind::Maintenance => "Maintenance",
        EventKind::Info => "Information",
    };
    if item.kind == EventKind::Incident {
        parts.push(format!("Incident impact: {}", impact_name(item.impact)));
    }
    let begins = match item.started_at <= now {
        true => "has started on",
        false => "starts on",
    };
    parts.push(format!("{what} {begins}: {}", minutes(item.started_at)));
    if let Some(end) = item.ended_at {
        parts.push(format!("{what} end date: {}", minutes(end)));
    }
    parts.push(
        "We apologize for the inconvenience and will tell more as soon as there is more to tell."
            .to_owned(),
    );
    parts.join("<br><br>")
}

/// A text without what XML 1.0 cannot hold, and without what turns the text around it.
fn clean(text: &str) -> String {
    let is_allowed = |letter: &char| matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    without_turns(text).chars().filter(is_allowed).collect()
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

    const BASE: &str = "https://status.example.com";

    fn at(text: &str) -> Timestamp {
        Timestamp::parse("at", text).unwrap()
    }

    fn incident() -> feeds::Item {
        feeds::Item {
            id: 7,
            title: "Disks & <b>\u{1}</b>".into(),
            kind: EventKind::Incident,
            impact: 2,
            created_at: at("2026-05-01T10:00:00Z"),
            started_at: at("2026-05-01T10:00:00Z"),
            ended_at: None,
            updates: Vec::new(),
        }
    }

    #[test]
    fn what_is_planned_has_not_started() {
        let now = at("2026-05-01T12:00:00Z");
        let planned = feeds::Item {
            kind: EventKind::Maintenance,
            impact: 0,
            started_at: at("2026-05-09T10:00:00Z"),
            ended_at: Some(at("2026-05-09T11:00:00Z")),
            ..incident()
        };
        let told = description(BASE, &planned, now);
        assert!(
            told.contains("Maintenance starts on: 2026-05-09 10:00 UTC"),
            "{told}"
        );
        assert!(
            !told.contains("has started") && !told.contains("impact"),
            "{told}"
        );
        assert_eq!(told_at(&planned), planned.created_at);
        let told = description(BASE, &planned, at("2026-05-09T10:30:00Z"));
        assert!(
            told.contains("Maintenance has started on: 2026-05-09"),
            "{told}"
        );
        assert!(
            told.contains("Maintenance end date: 2026-05-09 11:00 UTC"),
            "{told}"
        );
        let told = description(BASE, &incident(), now);
        assert!(
            told.contains("Incident has started on: 2026-05-01 10:00 UTC"),
            "{told}"
        );
    }

    #[test]
    fn a_feed_is_of_everything_a_region_or_a_component() {
        for (region, component, title, own) in [
            (None, None, "All components", "/rss/"),
            (Some("EU"), None, "EU", "/rss/?mt=EU"),
            (None, Some("Disk"), "Disk", "/rss/?srv=Disk"),
            (
                Some("EU"),
                Some("Disk"),
                "Disk (EU)",
                "/rss/?mt=EU&amp;srv=Disk",
            ),
        ] {
            let filter = Filter { region, component };
            let channel = channel(BASE, &filter, &[], Timestamp::now());
            let text = String::from_utf8(channel.write_to(Vec::new()).unwrap()).unwrap();
            let title = format!("<title>{title} - Incidents | Status Dashboard</title>");
            assert!(text.contains(&title), "{filter:?}: {text}");
            assert!(
                text.contains(&format!("href=\"{BASE}{own}\"")),
                "{filter:?}: {text}"
            );
        }
    }

    #[test]
    fn a_feed_holds_texts_as_they_were_written() {
        let item = feeds::Item {
            updates: vec![feeds::ItemUpdate {
                status: "SYSTEM".into(),
                text: "A moved to <a href='/incidents/8'>B &amp; C</a>".into(),
                is_markup: true,
                at: at("2026-05-01T10:00:00Z"),
            }],
            ..incident()
        };
        let filter = Filter {
            region: Some("EU & US"),
            component: Some("Disk"),
        };
        let channel = channel(BASE, &filter, &[item], Timestamp::now());
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
