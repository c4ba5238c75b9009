//! `/status/calendar.ics`: the maintenances, for calendars.

use crate::feed;
use chrono::{DateTime, Utc};
use icalendar::{Calendar, Component, Event, EventLike, EventStatus, Property};
use windlass_core::db::Db;
use windlass_core::http::Uri;
use windlass_core::{Context, Error, Response, Result, Scope, Timestamp};
use windlass_delivery::public_url;
use windlass_status::direction::without_turns;
use windlass_status::feeds::{self, Date, Filter};

/// `GET /status/calendar.ics`: the maintenances to come and those of the last year, of all components or
/// of those in a `region`, or with the name `component`.
pub async fn calendar(ctx: &Context<impl Db>) -> Result<Response> {
    let given = |name| {
        ctx.request
            .query_value(name)
            .filter(|text| !text.is_empty())
    };
    let filter = Filter {
        region: given("region"),
        component: given("component"),
    };
    let is_filtered = filter.region.is_some() || filter.component.is_some();
    if is_filtered && !feeds::is_known(&ctx.db, &filter).await? {
        let what = match (filter.component, filter.region) {
            (Some(name), _) => return Err(Error::not_found("Component", name)),
            (None, region) => region.unwrap_or_default(),
        };
        return Err(Error::not_found("Region", what));
    }
    feed::tagged(ctx, "text/calendar; charset=utf-8", async || {
        let base = public_url().await;
        let dates =
            feeds::maintenances(&ctx.db, &Scope::public(), &filter, Timestamp::now()).await?;
        let subject = match (filter.component, filter.region) {
            (Some(component), Some(region)) => format!("{component} ({region})"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => "Status Dashboard".to_owned(),
        };
        Ok(calendar_of(&base, &subject, &dates).into_bytes())
    })
    .await
}

fn calendar_of(base: &str, subject: &str, dates: &[Date]) -> String {
    let mut calendar = Calendar::empty();
    calendar
        .append_property(Property::new("VERSION", "2.0"))
        .append_property(Property::new("PRODID", "-//Windlass//Status Dashboard//EN"))
        .append_property(Property::new("CALSCALE", "GREGORIAN"))
        .append_property(Property::new("METHOD", "PUBLISH"));
    calendar.name(&format!("{} - Maintenances", clean(subject)));
    calendar.ttl(&chrono::Duration::minutes(30));
    // The host tells the maintenances of several installations apart.
    let uri: Option<Uri> = base.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or("localhost");
    for date in dates {
        calendar.push(event(base, host, date));
    }
    calendar.to_string()
}

fn event(base: &str, host: &str, date: &Date) -> Event {
    let mut description = Vec::new();
    if let Some(text) = &date.description {
        description.push(clean(text));
    }
    if !date.components.is_empty() {
        description.push(format!(
            "Components: {}",
            clean(&date.components.join(", "))
        ));
    }
    let place = format!("{base}/incidents/{}", date.id);
    description.push(place.clone());
    let status = if date.status == "cancelled" {
        EventStatus::Cancelled
    } else {
        EventStatus::Confirmed
    };
    let changed = moment(date.updated_at);
    let mut event = Event::new();
    event
        .uid(&format!("maintenance-{}@{host}", date.id))
        .timestamp(changed)
        .created(moment(date.created_at))
        .last_modified(changed)
        .sequence(u32::try_from(date.version.saturating_sub(1)).unwrap_or(0))
        .summary(&clean(&date.title))
        .description(&description.join("\n\n"))
        .starts(moment(date.started_at))
        .status(status);
    event.add_property("URL", place);
    if let Some(end) = date.ended_at {
        event.ends(moment(end));
    }
    event.done()
}

/// A text without control characters but line ends, and without what turns the text around it.
fn clean(text: &str) -> String {
    without_turns(text)
        .replace("\r\n", "\n")
        .chars()
        .filter(|letter| !letter.is_control() || *letter == '\n')
        .collect()
}

fn moment(time: Timestamp) -> DateTime<Utc> {
    // Calendars know no fractions of a second.
    DateTime::from_timestamp(time.millis().div_euclid(1000), 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maintenance_keeps_its_id_and_counts_its_changes() {
        let at = Timestamp::parse("at", "2026-05-01T10:00:00.123Z").unwrap();
        let date = Date {
            id: 7,
            title: "Disks, again; and\\more".into(),
            description: Some("One\nBEGIN:VEVENT".into()),
            status: "cancelled".into(),
            started_at: at,
            ended_at: Some(at.plus_seconds(3600)),
            created_at: at,
            updated_at: at,
            version: 3,
            components: vec!["Disk (EU)".into()],
        };
        let text = calendar_of("https://status.example.com:8443", "EU", &[date]);
        for line in [
            "UID:maintenance-7@status.example.com",
            "SEQUENCE:2",
            "STATUS:CANCELLED",
            "DTSTART:20260501T100000Z",
            "DTEND:20260501T110000Z",
            "LAST-MODIFIED:20260501T100000Z",
            "SUMMARY:Disks\\, again\\; and\\\\more",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert_eq!(text.matches("\nBEGIN:VEVENT").count(), 1, "{text}");
    }
}
