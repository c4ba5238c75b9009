//! Feeds: `/rss/` and `/status/calendar.ics`.

use super::subscribers::{dashboard, report};
use windlass_tests::{Answer, Outgoing, Windlass, json};

fn fetch(windlass: &Windlass, path: &str, tag: Option<&str>) -> Answer {
    let headers = tag.map(|tag| ("if-none-match".to_owned(), tag.to_owned()));
    windlass.send(&Outgoing {
        method: "GET".into(),
        path: path.into(),
        headers: headers.into_iter().collect(),
        body: None,
    })
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[test]
fn a_region_and_a_component_have_a_feed() {
    let windlass = dashboard(&[("Volumes", "EU"), ("Mail", "EU"), ("Volumes", "US")]);
    report(&windlass, "Volumes", 1, "Slow <b>disks</b>");
    report(&windlass, "Mail", 1, "Mail is late");

    let feed = fetch(&windlass, "/rss/?mt=EU", None);
    assert_eq!(feed.status, 200, "{}", text(&feed));
    assert_eq!(
        feed.header("content-type"),
        Some("application/rss+xml; charset=utf-8")
    );
    let body = text(&feed);
    assert!(
        body.contains("<title>EU - Incidents | Status Dashboard</title>"),
        "{body}"
    );
    assert!(body.contains("Slow &lt;b&gt;disks&lt;/b&gt;"), "{body}");
    assert!(body.contains("isPermaLink=\"false\""), "{body}");
    assert_eq!(
        body.matches("<item>").count(),
        1,
        "both are in one incident: {body}"
    );

    let tag = feed.header("etag").expect("a tag");
    assert_eq!(fetch(&windlass, "/rss/?mt=EU", Some(tag)).status, 304);
    report(&windlass, "Mail", 3, "Mail is down");
    assert_eq!(fetch(&windlass, "/rss/?mt=EU", Some(tag)).status, 200);
    let mail = text(&fetch(&windlass, "/rss/?mt=EU&srv=Mail", None));
    assert!(mail.contains("Mail (EU) - Incidents"), "{mail}");
    let count = |path| {
        text(&fetch(&windlass, path, None))
            .matches("<item>")
            .count()
    };
    assert_eq!(count("/rss/?mt=US"), 0);
    for path in ["/rss/", "/rss/?srv=Volumes"] {
        assert!(count(path) > 0, "{path}");
    }
}

#[test]
fn a_feed_that_does_not_exist_says_what_is_wrong() {
    let windlass = dashboard(&[("Volumes", "EU")]);
    let moved = fetch(&windlass, "/rss?mt=EU%26", None);
    assert_eq!(
        (moved.status, moved.header("location")),
        (308, Some("/rss/?mt=EU%26"))
    );
    for (path, part) in [
        ("/rss/?srv=Mail", "Component: Mail is not found"),
        ("/rss/?mt=Mars", "Mars is not a supported region"),
        ("/rss/?mt=EU&srv=Mail", "Component: Mail is not found"),
        (
            "/rss/?mt=%3Cscript%3E",
            "&lt;script&gt; is not a supported region",
        ),
    ] {
        let answer = fetch(&windlass, path, None);
        assert_eq!(answer.status, 404, "{path}");
        assert!(text(&answer).contains(part), "{path}: {}", text(&answer));
    }
}

#[test]
fn maintenances_are_in_the_calendar() {
    let windlass = dashboard(&[("Volumes", "EU"), ("Volumes", "US")]);
    let event = json!({
        "title": "Disks are replaced", "type": "maintenance", "impact": 0, "components": [1],
        "description": "Volumes cannot be made meanwhile.", "contact_email": "ops@example.com",
        "start_date": "2099-05-01T10:00:00Z", "end_date": "2099-05-01T12:00:00Z"
    });
    windlass
        .admin()
        .post("/api/v2/status/events", event)
        .expect(200);
    let calendar = fetch(&windlass, "/status/calendar.ics", None);
    let body = text(&calendar);
    assert_eq!(
        calendar.header("content-type"),
        Some("text/calendar; charset=utf-8")
    );
    for line in [
        "BEGIN:VEVENT",
        "DTSTART:20990501T100000Z",
        "DTEND:20990501T120000Z",
        "SUMMARY:Disks are replaced",
        "SEQUENCE:0",
        "STATUS:CONFIRMED",
    ] {
        assert!(body.lines().any(|found| found == line), "{line}: {body}");
    }
    assert!(!body.contains("ops@example.com"), "{body}");
    let of = |query: &str| {
        text(&fetch(
            &windlass,
            &format!("/status/calendar.ics?{query}"),
            None,
        ))
    };
    assert!(of("region=EU").contains("BEGIN:VEVENT"));
    assert!(!of("region=US").contains("BEGIN:VEVENT"));
    assert!(of("component=Volumes&region=EU").contains("BEGIN:VEVENT"));
    let refusal = fetch(&windlass, "/status/calendar.ics?region=Mars", None);
    assert_eq!(refusal.status, 404, "{}", text(&refusal));
    let tag = calendar.header("etag").expect("a tag");
    assert_eq!(
        fetch(&windlass, "/status/calendar.ics", Some(tag)).status,
        304
    );
}
