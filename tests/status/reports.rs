//! What monitors report: `/api/v1/component_status` and `/api/v1/incidents`.

use windlass_tests::{
    Caller, MONITORS_SECRET, Options, Value, Windlass, at_once, claims_of, json, jwt, monitor_token,
};

const STATUS: &str = "/api/v1/component_status";
const INCIDENTS: &str = "/api/v1/incidents";

/// A Windlass that knows its monitors' secret, with these components: a name and a region each.
fn dashboard(components: &[(&str, &str)]) -> Windlass {
    let windlass = Options::default().with_monitors().start();
    let with_region =
        |(name, region): &(&str, &str)| (name.to_string(), json!({ "region": region }));
    windlass.set_catalogue(components.iter().map(with_region));
    windlass
}

/// A token that a user makes for what these scopes name.
fn token_for(user: Caller<'_>, scopes: &[&str]) -> String {
    let token = user
        .post("/tokens", json!({ "scopes": scopes }))
        .expect(200);
    token["value"].as_str().expect("a token").to_owned()
}

fn list<'a>(of: &'a Value, what: &str) -> &'a Vec<Value> {
    of.as_array().unwrap_or_else(|| panic!("{what}: {of}"))
}

#[test]
fn an_incident_grows_and_splits_as_monitors_report() {
    let windlass = dashboard(&[("Volumes", "EU"), ("Volumes", "US"), ("Mail", "EU")]);
    let token = monitor_token("probe");
    let monitor = windlass.passer_by().with_bearer(&token);
    let report = |name: &str, impact: Value| {
        let body = json!({ "name": name, "impact": impact, "text": "Slow <disks>" });
        monitor.post(STATUS, body)
    };

    let opened = report("Volumes", json!("minor")).expect(201);
    let id = opened["id"].clone();
    assert_eq!(opened["impact"], 1);
    assert_eq!(opened["text"], "Slow <disks>");
    assert_eq!(opened["end_date"], Value::Null);
    assert_eq!(opened["updates"], json!([]));
    let start = opened["start_date"].as_str().unwrap_or_default();
    assert_eq!(start.len(), "2026-11-21 01:07".len(), "{start}");

    let conflict = report("Volumes", json!(1)).expect(409);
    assert_eq!(
        conflict,
        json!({
            "details": "Check your request parameters",
            "existingIncidentId": id,
            "existingIncidentTitle": "Slow <disks>",
            "message": "Incident with this the component already exists",
            "targetComponent": "Volumes (EU)"
        })
    );

    let joined = report("Mail", json!("1")).expect(201);
    assert_eq!(joined["id"], id);
    assert_eq!(joined["updates"][0]["status"], "SYSTEM");
    assert_eq!(
        joined["updates"][0]["text"],
        "Mail (EU) added to Slow &lt;disks&gt;"
    );

    let american = json!({
        "name": "Volumes", "impact": 3, "attributes": [{ "name": "region", "value": "US" }]
    });
    let outage = monitor.post(STATUS, american).expect(201);
    assert_eq!(outage["text"], "Incident");
    let moved = report("Mail", json!("OUTAGE")).expect(201);
    assert_eq!(moved["id"], outage["id"]);
    let link = format!("<a href='/incidents/{id}'>Slow &lt;disks&gt;</a>");
    assert_eq!(
        moved["updates"][0]["text"],
        format!("Mail (EU) moved from {link}")
    );

    // What everybody may read.
    let incidents = windlass.passer_by().get(INCIDENTS).expect(200);
    let ids: Vec<&Value> = list(&incidents, "incidents")
        .iter()
        .map(|i| &i["id"])
        .collect();
    assert_eq!(ids, [&id, &outage["id"]]);
    let mail = windlass
        .passer_by()
        .get("/api/v1/component_status?name=Ma")
        .expect(200);
    assert_eq!(mail[0]["name"], "Mail");
    assert_eq!(
        mail[0]["attributes"],
        json!([{ "name": "region", "value": "EU" }])
    );
    assert_eq!(
        list(&mail[0]["incidents"], "incidents of one")[0]["id"],
        outage["id"]
    );
    let one = "/api/v1/component_status?name=Volumes&attribute_name=region&attribute_value=US";
    assert_eq!(windlass.passer_by().get(one).expect(200)["id"], 2);
    let named =
        "select group_concat(distinct username) from audit_log where action = 'status_report'";
    let by: String = windlass
        .open_database()
        .query_row(named, [], |row| row.get(0))
        .expect("the audit trail is a table");
    assert_eq!(by, "monitor:probe");
}

#[test]
fn a_report_of_a_component_under_maintenance_changes_nothing() {
    let windlass = dashboard(&[("Mail", "EU")]);
    // A maintenance that goes on, which is for people to announce; here as the row it becomes.
    windlass
        .open_database()
        .execute_batch(
            "insert into status_incidents (kind, title, impact, started_at, ended_at, is_system, status,
                 created_at, created_by, updated_at)
             values ('maintenance', 'New disks', 0, '2020-01-01T00:00:00.000Z', '2999-01-01T00:00:00.000Z', 0,
                 'in_progress', '2020-01-01T00:00:00.000Z', 'ann', '2020-01-01T00:00:00.000Z');
             insert into status_incident_components select 1, id from status_components",
        )
        .expect("a maintenance is a row");
    let token = monitor_token("probe");
    let monitor = windlass.passer_by().with_bearer(&token);
    let answer = monitor
        .post(STATUS, json!({ "name": "Mail", "impact": 3 }))
        .expect(201);
    assert_eq!(answer["text"], "New disks");
    assert_eq!(answer["impact"], 0);
    assert_eq!(answer["end_date"], "2999-01-01 00:00");
    let all = windlass.passer_by().get(INCIDENTS).expect(200);
    assert_eq!(list(&all, "incidents").len(), 1);
    let active = windlass
        .passer_by()
        .get("/api/v1/incidents?active=true")
        .expect(200);
    assert_eq!(list(&active, "active ones").len(), 1);
    let over = windlass
        .passer_by()
        .get("/api/v1/incidents?active=false")
        .expect(200);
    assert_eq!(over, json!([]));
}

#[test]
fn reports_that_arrive_together_open_one_incident() {
    let names: Vec<String> = (0..10)
        .map(|number| format!("Component {number}"))
        .collect();
    let components: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "EU")).collect();
    let windlass = dashboard(&components);
    let token = monitor_token("probe");
    // First one component, then all ten of them five times each.
    for (round, impact) in [(1, 2), (10, 3)] {
        let answers: Vec<(u16, Value)> = at_once(50, |number| {
            let monitor = windlass.passer_by().with_bearer(&token);
            let body = json!({ "name": names[number % round], "impact": impact });
            let reply = monitor.post(STATUS, body);
            let status = reply.status();
            (status, reply.expect(status))
        });
        let taken = answers.iter().filter(|(status, _)| *status == 201).count();
        let known = answers.iter().filter(|(status, _)| *status == 409).count();
        assert_eq!((taken, known), (round, 50 - round), "{answers:?}");
        let mut ids: Vec<i64> = answers
            .iter()
            .filter_map(|(_, body)| body["id"].as_i64().or(body["existingIncidentId"].as_i64()))
            .collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "{answers:?}");
    }
    let open = windlass
        .passer_by()
        .get("/api/v1/incidents?active=true")
        .expect(200);
    assert_eq!(list(&open, "open ones").len(), 1, "{open}");
    let all = windlass.passer_by().get(STATUS).expect(200);
    for component in list(&all, "components") {
        let open = list(&component["incidents"], "its incidents");
        let open = open
            .iter()
            .filter(|incident| incident["end_date"].is_null());
        assert_eq!(open.count(), 1, "{component}");
    }
}

#[test]
fn what_a_report_lacks_is_told_in_the_order_of_the_original() {
    let windlass = dashboard(&[("Mail", "EU")]);
    let token = monitor_token("probe");
    let monitor = windlass.passer_by().with_bearer(&token);
    let missing = json!(["Missing data for required field."]);
    let bad_request =
        |message: &str| json!({ "code": 400, "status": "Bad Request", "message": message });
    let unprocessable = |errors: Value| json!({ "code": 422, "status": "Unprocessable Entity", "errors": { "json": errors } });
    for (content_type, body, want) in [
        (
            "application/json",
            "{\"name\"",
            json!({ "code": 400, "status": "Bad Request", "errors": { "json": ["Invalid JSON body."] } }),
        ),
        (
            "text/plain",
            "{\"name\":\"Mail\",\"impact\":1}",
            unprocessable(json!({ "impact": missing, "name": missing })),
        ),
        (
            "application/json",
            "{\"name\":\"Nobody\",\"impact\":true,\"x\":1}",
            unprocessable(json!({ "impact": ["Not a valid integer."], "x": ["Unknown field."] })),
        ),
        (
            "application/json",
            "[]",
            unprocessable(json!({ "_schema": ["Invalid input type."] })),
        ),
        (
            "application/json",
            "{\"name\":\"Nobody\",\"impact\":0}",
            bad_request("Incident impact is not allowed by configuration"),
        ),
        (
            "application/json",
            "{\"name\":\"Nobody\",\"impact\":1}",
            bad_request("Component not found"),
        ),
        (
            "application/json",
            "{\"name\":\"Mail\",\"impact\":1,\"attributes\":[{\"name\":\"region\",\"value\":\"eu\"}]}",
            bad_request("Component not found"),
        ),
    ] {
        let status = u16::try_from(want["code"].as_u64().unwrap_or_default()).unwrap_or_default();
        let got = monitor
            .raw("POST", STATUS, content_type, body)
            .expect(status);
        assert_eq!(got, want, "{body}");
        // Who calls is asked before what they say.
        let reply = windlass.passer_by().raw("POST", STATUS, content_type, body);
        let answer = reply.expect_answer(401);
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, Some("Bearer realm=\"Authentication Required\""));
    }
    assert_eq!(windlass.passer_by().get(INCIDENTS).expect(200), json!([]));
}

#[test]
fn only_what_a_monitor_signed_makes_a_monitor() {
    let windlass = dashboard(&[("Mail", "EU")]);
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let good = claims_of("probe", 600);
    let signed = |header: &Value, claims: &Value| jwt(header, claims, MONITORS_SECRET);
    let none = signed(&json!({ "alg": "none", "typ": "JWT" }), &good);
    let unsigned = none.rsplit_once('.').map(|(head, _)| format!("{head}."));
    let exp = good["exp"].clone();
    let body = json!({ "name": "Mail", "impact": 1 });
    for (what, token) in [
        ("alg none", none.clone()),
        ("alg none without a signature", unsigned.unwrap_or_default()),
        ("alg RS256", signed(&json!({ "alg": "RS256" }), &good)),
        (
            "another secret",
            jwt(&header, &good, "a secret of somebody else's, just as long"),
        ),
        ("expired", signed(&header, &claims_of("probe", -600))),
        (
            "without an end",
            signed(&header, &json!({ "stackmon": "probe" })),
        ),
        (
            "another claim",
            signed(&header, &json!({ "sub": "probe", "exp": exp })),
        ),
        (
            "an empty claim",
            signed(&header, &json!({ "stackmon": "", "exp": exp })),
        ),
        (
            "not yet",
            signed(&header, &json!({ "stackmon": "a", "exp": exp, "nbf": exp })),
        ),
        ("no token", "nonsense".into()),
    ] {
        let monitor = windlass.passer_by().with_bearer(&token);
        let refusal = monitor.post(STATUS, body.clone());
        assert_eq!(refusal.status(), 401, "{what}: {}", refusal.text());
        assert_eq!(
            refusal.expect(401),
            json!({ "code": 401, "status": "Unauthorized", "message": "Unauthorized Access" }),
            "{what}"
        );
    }
    assert_eq!(windlass.passer_by().get(INCIDENTS).expect(200), json!([]));
    // The value of the claim may be anything that is true.
    let token = signed(&header, &json!({ "stackmon": true, "exp": exp }));
    windlass
        .passer_by()
        .with_bearer(&token)
        .post(STATUS, body)
        .expect(201);
}

#[test]
fn people_report_with_the_permission_and_a_token_that_is_for_it() {
    let windlass = dashboard(&[("Mail", "EU"), ("Disks", "EU")]);
    let report = |token: &str, name: &str, status: u16| {
        let caller = windlass.passer_by().with_bearer(token);
        caller
            .post(STATUS, json!({ "name": name, "impact": 1 }))
            .expect(status)
    };
    let operator = windlass
        .user("operator")
        .with_role_in("operations", "default_tenant");
    let scoped = token_for(operator, &["status-dashboard"]);
    report(&scoped, "Mail", 201);
    report(&operator.own_token(), "Disks", 201);
    let foreign = token_for(operator, &["pipeline"]);
    assert_eq!(report(&foreign, "Mail", 403)["code"], 403);
    let viewer = windlass
        .user("viewer")
        .with_role_in("viewer", "default_tenant");
    report(&viewer.own_token(), "Mail", 403);
    // A role somewhere else does not count here.
    let elsewhere = windlass.user("stranger").with_role_in("manager", "quay");
    report(&elsewhere.own_token(), "Mail", 403);
}

#[test]
fn lists_are_never_stale_and_tell_when_nothing_has_changed() {
    let windlass = dashboard(&[("Mail", "EU"), ("Disks", "EU")]);
    let token = monitor_token("probe");
    let monitor = windlass.passer_by().with_bearer(&token);
    let ask = |path: &str, tag: Option<&str>| {
        let mut request = windlass.passer_by().compose("GET", path, None, None);
        if let Some(tag) = tag {
            request.headers.push(("if-none-match".into(), tag.into()));
        }
        windlass.send(&request)
    };
    for path in [STATUS, INCIDENTS, "/api/v1/catalogue"] {
        let first = ask(path, None);
        assert_eq!(first.header("cache-control"), Some("no-cache"), "{path}");
        let tag = first
            .header("etag")
            .unwrap_or_else(|| panic!("{path} has no tag"));
        let again = ask(path, Some(tag));
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), Some(tag), "{path}");
        monitor
            .post(STATUS, json!({ "name": "Mail", "impact": 1 }))
            .status();
        windlass
            .open_database()
            .execute("update status_incidents set title = title || '!'", [])
            .expect("an incident is a row");
        let changed = ask(path, Some(tag));
        assert_eq!(changed.status, 200, "{path}");
        assert_ne!(changed.header("etag"), Some(tag), "{path}");
    }
    let titles = windlass.passer_by().get(INCIDENTS).expect(200);
    assert_eq!(titles[0]["text"], "Incident!!!");
    // A change between any two reads is seen by the second, in whatever instance.
    for number in 0..20 {
        let title = format!("title {number}");
        windlass
            .open_database()
            .execute("update status_incidents set title = ?1", [&title])
            .expect("an incident is a row");
        for path in [STATUS, INCIDENTS] {
            let body = ask(path, None).body;
            let text = String::from_utf8_lossy(&body);
            assert!(text.contains(&title), "{path}: {text}");
        }
    }
}

#[test]
fn lists_refuse_what_they_cannot_mean() {
    let windlass = dashboard(&[("Mail", "EU")]);
    for (path, status, message) in [
        (
            "/api/v1/incidents?limit=-1",
            400,
            "limit must be a number from 0 on, got -1",
        ),
        (
            "/api/v1/incidents?limit=x",
            400,
            "limit must be a number from 0 on, got x",
        ),
        (
            "/api/v1/incidents?limit=1001",
            400,
            "limit: at most 1000, got 1001",
        ),
        (
            "/api/v1/incidents?offset=1e9",
            400,
            "offset must be a number from 0 on, got 1e9",
        ),
        (
            "/api/v1/incidents?active=1",
            400,
            "active must be <true/false>, got 1",
        ),
        (
            "/api/v1/component_status?name=Mail&attribute_name=region&attribute_value=US",
            404,
            "Component does not exist",
        ),
        (
            "/api/v1/component_status?attribute_name=region&attribute_value=EU",
            404,
            "Component does not exist",
        ),
    ] {
        let refusal = windlass.passer_by().get(path).expect(status);
        assert_eq!(refusal["message"], message, "{path}");
        assert_eq!(refusal["code"], status, "{path}");
    }
    // One of the two parameters alone filters nothing, as in the original; unknown ones do not matter.
    for path in [
        "/api/v1/component_status?attribute_name=region&x=y",
        "/api/v1/component_status?name=M",
        "/api/v1/incidents?limit=0&x=y",
        "/api/v1/incidents?offset=9223372036854775807",
    ] {
        let found = windlass.passer_by().get(path).expect(200);
        assert!(found.is_array(), "{path}: {found}");
    }
    for name in ["m", "%25", "ail"] {
        let path = format!("/api/v1/component_status?name={name}");
        assert_eq!(
            windlass.passer_by().get(&path).expect(200),
            json!([]),
            "{name}"
        );
    }
    let refusal = windlass.passer_by().delete(INCIDENTS).expect_answer(405);
    assert_eq!(refusal.header("allow"), Some("GET"));
    let body: Value = serde_json::from_slice(&refusal.body).expect("JSON");
    assert_eq!(body, json!({ "code": 405, "status": "Method Not Allowed" }));
}
