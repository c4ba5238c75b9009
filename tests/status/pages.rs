//! The public pages: what a visitor without a browser's help can rely on. How they look and read is
//! tried in a real browser, in `tests/browser`.
//!
//! What lies in the past is written into the database, because no URL moves the clock.

use windlass_tests::{Answer, Options, Outgoing, Value, Windlass, json, monitor_token};

/// A Windlass whose monitors can report, with these components: name, region, category.
fn dashboard(components: &[(&str, &str, &str)]) -> Windlass {
    let windlass = Options::default().with_monitors().start();
    windlass.set_catalogue(
        components.iter().map(|(name, region, category)| {
            (name, json!({ "region": region, "category": category }))
        }),
    );
    windlass
}

fn report(windlass: &Windlass, name: &str, impact: i64, title: &str) -> i64 {
    let token = monitor_token("probe");
    let monitor = windlass.nobody().without_tenant().with_bearer(&token);
    let body = json!({ "name": name, "impact": impact, "text": title });
    let incident = monitor.post("/api/v1/component_status", body).expect(201);
    incident["id"].as_i64().expect("an incident has a number")
}

fn get(windlass: &Windlass, path: &str, headers: &[(&str, &str)]) -> Answer {
    let headers = headers.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    windlass.send(&Outgoing {
        method: "GET".into(),
        path: path.into(),
        headers: headers.collect(),
        body: None,
    })
}

/// The text of a page with this status.
#[track_caller]
fn page(windlass: &Windlass, path: &str, status: u16) -> String {
    let answer = get(windlass, path, &[]);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{path}: {text}");
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8"),
        "{path}"
    );
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for part in [
        "default-src 'none'",
        "style-src 'sha256-",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("referrer-policy").is_some());
    assert!(!without_own_script(&text).contains("<script"), "{path}");
    text
}

/// A page without the one script that belongs there.
pub fn without_own_script(page: &str) -> String {
    let own = "<script src=\"/status/times.js\" defer></script>";
    page.replacen(own, "", 1)
}

/// An incident of the past, written as it would be there had it been reported then.
fn remember(windlass: &Windlass, title: &str, impact: i64, from: &str, until: &str) {
    let database = windlass.open_database();
    database
        .execute(
            "insert into status_incidents (kind, title, impact, started_at, ended_at, is_system,
                 status, created_at, created_by, updated_at)
             values ('incident', ?1, ?2, ?3, ?4, 0, 'resolved', ?3, 'admin', ?4)",
            (title, impact, from, until),
        )
        .expect("incidents are rows");
    database
        .execute(
            "insert into status_incident_components (incident_id, component_id)
             values (last_insert_rowid(), (select min(id) from status_components))",
            [],
        )
        .expect("so is what they are on");
}

#[test]
fn the_page_is_right_the_moment_something_was_reported() {
    let windlass = dashboard(&[
        ("Volumes", "EU-DE", "Storage"),
        ("Volumes", "EU-NL", "Storage"),
        ("DNS", "EU-DE", "Network"),
    ]);
    let before = page(&windlass, "/status", 200);
    assert!(before.contains("All systems running"));
    assert!(before.contains("All 3 components are available."));

    // Many requests share an instance that remembers the page; none may see the old one.
    for number in 0..5 {
        let title = format!("Outage {number}");
        let name = if number == 0 { "DNS" } else { "Volumes" };
        if number < 2 {
            report(&windlass, name, 3, &title);
        }
        let now = page(&windlass, "/status", 200);
        assert!(now.contains("Service outage"), "{now}");
    }
    let summary = get(&windlass, "/status/summary.json", &[]);
    let summary: Value = serde_json::from_slice(&summary.body).expect("JSON");
    assert_eq!(summary["overall"], "outage");
    let states: Vec<&Value> = summary["components"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|component| &component["state"])
        .collect();
    assert_eq!(states, ["outage", "available", "outage"]);
}

#[test]
fn an_unchanged_page_is_not_sent_again() {
    let windlass = dashboard(&[("Volumes", "EU-DE", "Storage")]);
    for path in [
        "/status",
        "/history",
        "/availability",
        "/status/summary.json",
        "/status/badge.svg",
    ] {
        let first = get(&windlass, path, &[]);
        assert_eq!(first.status, 200, "{path}");
        assert_eq!(first.header("cache-control"), Some("no-cache"), "{path}");
        let tag = first.header("etag").expect("a tag").to_owned();
        let again = get(&windlass, path, &[("if-none-match", &tag)]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), Some(tag.as_str()), "{path}");
    }
    let tag = get(&windlass, "/status", &[])
        .header("etag")
        .map(str::to_owned);
    report(&windlass, "Volumes", 1, "Slow");
    let changed = get(
        &windlass,
        "/status",
        &[("if-none-match", &tag.unwrap_or_default())],
    );
    assert_eq!(changed.status, 200);
}

#[test]
fn what_people_write_is_text_on_every_page() {
    let windlass = dashboard(&[
        ("<b>Volumes</b>", "\"EU\" & <DE>", "<i>Storage</i>"),
        ("DNS", "US", "Network"),
    ]);
    let title = "<script>alert('1')</script> \"quoted\" & <a href='/incidents/1'>x</a>";
    let id = report(&windlass, "<b>Volumes</b>", 2, title);
    report(&windlass, "DNS", 2, "Slow names");
    let region = "%22EU%22+%26+%3CDE%3E";
    for path in [
        "/status".to_owned(),
        format!("/status?region={region}"),
        format!("/incidents/{id}"),
        "/availability".to_owned(),
        "/status?region=%3Cscript%3E".to_owned(),
        "/status/%3Cscript%3E".to_owned(),
        "/history?month=%3Cscript%3E".to_owned(),
        "/incidents/%3Cscript%3E".to_owned(),
    ] {
        let answer = get(&windlass, &path, &[]);
        let text = without_own_script(&String::from_utf8_lossy(&answer.body));
        for raw in ["<script", "<b>V", "<i>", "<DE>"] {
            assert!(!text.contains(raw), "{path}: {raw} in {text}");
        }
    }
    // What the application wrote itself links to the other incident, with that title as text.
    let told = page(&windlass, &format!("/incidents/{id}"), 200);
    assert!(
        told.contains("&lt;script&gt;alert('1')&lt;/script&gt;"),
        "{told}"
    );
}

#[test]
fn an_empty_catalogue_says_how_to_fill_it() {
    let windlass = Windlass::start();
    let text = page(&windlass, "/status", 200);
    assert!(
        text.contains("No components yet") && text.contains("/api/v1/catalogue"),
        "{text}"
    );
    assert!(page(&windlass, "/history", 200).contains("No incidents yet."));
    assert!(page(&windlass, "/availability", 200).contains("No components yet."));
    let badge = get(&windlass, "/status/badge.svg", &[]);
    assert_eq!(badge.header("content-type"), Some("image/svg+xml"));
    assert!(String::from_utf8_lossy(&badge.body).contains("All systems running"));
}

#[test]
fn the_history_is_told_by_the_month_things_ended_in() {
    let windlass = dashboard(&[("Volumes", "EU-DE", "Storage")]);
    remember(
        &windlass,
        "In March",
        1,
        "2025-02-27T00:00:00.000Z",
        "2025-03-01T00:00:00.000Z",
    );
    remember(
        &windlass,
        "In May",
        3,
        "2025-05-01T00:00:00.000Z",
        "2025-05-01T02:00:00.000Z",
    );
    let newest = page(&windlass, "/history", 200);
    assert!(
        newest.contains("In May") && !newest.contains("In March"),
        "{newest}"
    );
    assert!(newest.contains("/history?month=2025-03"), "{newest}");
    let march = page(&windlass, "/history?month=2025-03", 200);
    assert!(
        march.contains("In March") && march.contains("/history?month=2025-05"),
        "{march}"
    );
    let april = page(&windlass, "/history?month=2025-04", 200);
    assert!(april.contains("No incidents in April 2025."), "{april}");
    for number in 0..60 {
        let title = format!("Number {number:02}");
        let ended = format!("2025-06-02T00:{number:02}:00.000Z");
        remember(&windlass, &title, 1, "2025-06-01T00:00:00.000Z", &ended);
    }
    let june = page(&windlass, "/history", 200);
    assert!(
        june.contains("Number 59") && !june.contains("Number 09"),
        "{june}"
    );
    assert!(june.contains("/history?month=2025-06&amp;page=2"), "{june}");
    assert!(page(&windlass, "/history?month=2025-06&page=2", 200).contains("Number 09"));
    for wrong in [
        "month=2025",
        "month=2025-13",
        "month=yesterday",
        "page=0",
        "page=x",
        "month=",
    ] {
        page(&windlass, &format!("/history?{wrong}"), 400);
    }
}

#[test]
fn ninety_days_are_told_in_words_and_bars() {
    let windlass = dashboard(&[("Volumes", "EU-DE", "Storage")]);
    let database = windlass.open_database();
    database
        .execute_batch("update status_components set created_at = '2020-01-01T00:00:00.000Z'")
        .expect("components are rows");
    let hours_ago = |hours: i64| -> String {
        let sql = "select strftime('%Y-%m-%dT%H:00:00.000Z', 'now', ?1)";
        let row = database.query_row(sql, [format!("-{hours} hours")], |row| row.get(0));
        row.expect("SQLite knows the time")
    };
    remember(&windlass, "Down", 3, &hours_ago(50), &hours_ago(40));
    let text = page(&windlass, "/status", 200);
    // Ten hours of ninety days; of the last day only what has passed.
    assert!(text.contains("99.53 % over 90 days, 1 incident"), "{text}");
    assert!(
        text.contains("class=\"outage\"") && text.contains("Outage, "),
        "{text}"
    );
}

#[test]
fn pages_that_are_not_there_say_so_in_html() {
    let windlass = dashboard(&[("Volumes", "EU-DE", "Storage")]);
    for path in [
        "/incidents/1",
        "/incidents/x",
        "/incidents/99999999999999999999",
        "/incidents/01",
        "/incidents/%00",
        "/status?region=MARS",
        "/availability?region=MARS",
        "/status/nothing",
    ] {
        assert!(page(&windlass, path, 404).contains("not found"), "{path}");
    }
    for path in [
        "/status/badge.svg?region=MARS",
        "/status/badge.svg?component=77",
    ] {
        assert_eq!(get(&windlass, path, &[]).status, 404, "{path}");
    }
}

#[test]
fn the_operators_list_is_refused_as_the_original_does() {
    let windlass = Windlass::start();
    let answer = get(&windlass, "/incidents", &[]);
    assert_eq!(answer.status, 401);
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body, json!({ "message": "Invalid token!" }));
    let answer = get(
        &windlass,
        "/incidents",
        &[("accept", "text/html,*/*;q=0.8")],
    );
    assert_eq!(answer.status, 401);
    assert!(String::from_utf8_lossy(&answer.body).contains("/history"));
}

#[test]
fn whoever_opens_the_address_is_led_to_the_status_page() {
    let windlass = Windlass::start();
    for headers in [&[][..], &[("accept", "text/html")][..]] {
        let answer = get(&windlass, "/", headers);
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some("/status"))
        );
    }
    let answer = get(&windlass, "/", &[("accept", "application/json")]);
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body["links"]["status_page"], "/status");
}

#[test]
fn maintenances_under_way_stand_above_the_components_with_what_they_are_about() {
    let windlass = dashboard(&[("Volumes", "EU-DE", "Storage")]);
    let database = windlass.open_database();
    for (title, about, from, until) in [
        ("Now", "Disks are exchanged", "-1 hour", "+1 hour"),
        ("Later", "Firmware", "+1 day", "+2 days"),
    ] {
        database
            .execute(
                "insert into status_incidents (kind, title, description, impact, started_at, ended_at,
                     is_system, status, created_at, created_by, updated_at)
                 values ('maintenance', ?1, ?2, 0, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?3),
                     strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?4), 0, 'planned',
                     '2026-01-01T00:00:00.000Z', 'admin', '2026-01-01T00:00:00.000Z')",
                (title, about, from, until),
            )
            .expect("maintenances are rows");
        database
            .execute(
                "insert into status_incident_components (incident_id, component_id)
                 values (last_insert_rowid(), (select min(id) from status_components))",
                [],
            )
            .expect("so is what they are on");
        database
            .execute(
                "insert into status_updates (incident_id, status, text, at, created_at, created_by)
                 values ((select max(id) from status_incidents), 'planned', 'It was announced', ?1, ?1,
                     'admin')",
                ["2026-01-01T00:00:00.000Z"],
            )
            .expect("so are updates");
    }
    let text = page(&windlass, "/status", 200);
    let place = |part: &str| {
        text.find(part)
            .unwrap_or_else(|| panic!("{part} in {text}"))
    };
    assert!(place("Disks are exchanged") < place("class=\"components\""));
    assert!(place("class=\"components\"") < place("Firmware"));

    let told = get(&windlass, "/api/v2/summary.json", &[]);
    let told: Value = serde_json::from_slice(&told.body).expect("JSON");
    assert_eq!(told["status"]["indicator"], "maintenance");
    let planned: Vec<_> = told["scheduled_maintenances"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (&one["name"], &one["status"]))
        .collect();
    assert_eq!(planned.len(), 2);
    assert_eq!(planned[0].1, "in_progress");
    assert_eq!(planned[1].1, "scheduled");
    assert_eq!(told["components"][1]["status"], "under_maintenance");
    let alone = get(&windlass, "/api/v2/status.json", &[]);
    let alone: Value = serde_json::from_slice(&alone.body).expect("JSON");
    assert_eq!(alone["status"], told["status"]);
}

#[test]
fn the_page_bears_the_operators_name_colour_logo_and_link() {
    let windlass = Options::default()
        .variable("status_name", "Harbour & Co")
        .variable("status_colour", "#0a7b3c")
        .variable("status_logo", "https://cdn.example/logo.svg")
        .variable("status_link", "https://harbour.example/help")
        .start();
    for (path, status) in [
        ("/status", 200),
        ("/status/subscribe", 200),
        ("/history", 200),
        ("/status/nowhere", 404),
    ] {
        let text = page(&windlass, path, status);
        for part in [
            " · Harbour &amp; Co</title>",
            "header{border-top:4px solid #0a7b3c}",
            "<img class=\"logo\" src=\"https://cdn.example/logo.svg\" alt=\"\">",
            "<a href=\"https://harbour.example/help\">Harbour &amp; Co</a>",
        ] {
            assert!(text.contains(part), "{path}: {part} in {text}");
        }
        let answer = get(&windlass, path, &[]);
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.contains("img-src 'self' data: https://cdn.example;"),
            "{policy}"
        );
    }
}
