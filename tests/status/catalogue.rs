//! `/api/v1/catalogue`: which components there are.

use windlass_tests::{Options, Value, Windlass, json, monitor_token};

const CATALOGUE: &str = "/api/v1/catalogue";

fn dashboard() -> Windlass {
    Options::default().with_monitors().start()
}

/// The token of somebody who operates the installation.
fn operator(windlass: &Windlass) -> String {
    let operator = windlass
        .user("operator")
        .with_role_in("operations", "default_tenant");
    let token = operator.post("/tokens", json!({ "scopes": ["status-dashboard"] }));
    token.expect(200)["value"]
        .as_str()
        .expect("a token")
        .to_owned()
}

fn component(name: &str, region: &str) -> Value {
    json!({ "name": name, "attributes": { "region": region, "category": "Storage" } })
}

#[test]
fn an_empty_catalogue_takes_nothing_away_unless_it_is_meant() {
    let windlass = dashboard();
    let token = operator(&windlass);
    let operator = windlass.passer_by().with_bearer(&token);
    let none = json!({ "components": [] });
    operator.put(CATALOGUE, none.clone()).expect(200);
    let some = json!({ "components": [component("Volumes", "EU")] });
    operator.put(CATALOGUE, some.clone()).expect(200);
    for path in [CATALOGUE.to_owned(), format!("{CATALOGUE}?prune=false")] {
        let refusal = operator.put(&path, none.clone()).expect(422);
        assert!(refusal.to_string().contains("prune=true"), "{refusal}");
    }
    assert_eq!(windlass.passer_by().get(CATALOGUE).expect(200), some);
    let pruned = operator.put(&format!("{CATALOGUE}?prune=true"), none.clone());
    assert_eq!(pruned.expect(200)["changes"]["deleted"], 1);
    assert_eq!(windlass.passer_by().get(CATALOGUE).expect(200), none);
}

#[test]
fn a_catalogue_is_set_as_a_whole_and_as_often_as_one_likes() {
    let windlass = dashboard();
    let token = operator(&windlass);
    let operator = windlass.passer_by().with_bearer(&token);
    let all = json!({ "components": [component("Volumes", "EU"), component("Mail", "EU")] });
    assert_eq!(
        windlass.passer_by().get(CATALOGUE).expect(200),
        json!({ "components": [] })
    );

    let answer = operator.put(CATALOGUE, all.clone()).expect(200);
    assert_eq!(answer["changes"]["created"], 2);
    assert_eq!(answer["components"], all["components"]);
    // What is read can be set again, and then nothing is different.
    let read = windlass.passer_by().get(CATALOGUE).expect(200);
    assert_eq!(read, all);
    let version = || -> i64 {
        let sql = "select version from status_version";
        let database = windlass.open_database();
        database
            .query_row(sql, [], |row| row.get(0))
            .expect("a number")
    };
    let before = version();
    let answer = operator.put(CATALOGUE, read).expect(200);
    assert_eq!(answer["changes"]["unchanged"], 2);
    assert_eq!(version(), before);

    // One of two had an incident, and both are gone from the catalogue.
    let monitor = monitor_token("probe");
    let monitor = windlass.passer_by().with_bearer(&monitor);
    let report = json!({ "name": "Mail", "impact": 1 });
    monitor
        .post("/api/v1/component_status", report.clone())
        .expect(201);
    let other = json!({ "components": [component("Volumes", "US")] });
    let answer = operator.put(CATALOGUE, other.clone()).expect(200);
    assert_eq!(
        (&answer["changes"]["deleted"], &answer["changes"]["retired"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(windlass.passer_by().get(CATALOGUE).expect(200), other);
    let shown = windlass
        .passer_by()
        .get("/api/v1/component_status")
        .expect(200);
    assert_eq!(shown.as_array().map(Vec::len), Some(1), "{shown}");
    monitor
        .post("/api/v1/component_status", report.clone())
        .expect(400);

    let answer = operator.put(CATALOGUE, all).expect(200);
    assert_eq!(answer["changes"]["returned"], 1);
    let mail = windlass
        .passer_by()
        .get("/api/v1/component_status?name=Mail")
        .expect(200);
    assert_eq!(
        mail[0]["incidents"][0]["impact"], 1,
        "its past is back: {mail}"
    );
    monitor.post("/api/v1/component_status", report).expect(409);
}

#[test]
fn yaml_is_as_good_as_json() {
    let windlass = dashboard();
    let token = operator(&windlass);
    let operator = windlass.passer_by().with_bearer(&token);
    let sample = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/status-catalogue.yaml"
    ));
    let sample = sample.expect("the sample is in the repository");
    for content_type in ["application/yaml", "application/x-www-form-urlencoded"] {
        let reply = operator.raw("PUT", CATALOGUE, content_type, sample.clone());
        let answer = reply.expect(200);
        let count = answer["components"].as_array().map_or(0, Vec::len);
        assert!(count > 3, "{answer}");
    }
    let read = windlass.passer_by().get(CATALOGUE).expect(200);
    let first = &read["components"][0];
    assert!(first["attributes"]["region"].is_string(), "{first}");
}

#[test]
fn a_catalogue_with_a_mistake_is_refused_as_a_whole() {
    let windlass = dashboard();
    let token = operator(&windlass);
    let operator = windlass.passer_by().with_bearer(&token);
    let good = json!({ "components": [component("Volumes", "EU")] });
    operator.put(CATALOGUE, good.clone()).expect(200);
    let long = "x".repeat(51);
    for (components, message) in [
        (
            json!([component("A", "EU"), { "name": "B", "attributes": { "region": long } }]),
            "components[1].attributes.region is longer than 50 characters",
        ),
        (
            json!([component("A", "EU"), component("A", "EU")]),
            "components[1] `A` is there before with the same attributes",
        ),
        (
            json!([{ "attributes": {} }]),
            "components[0].name is missing",
        ),
        (
            json!([{ "name": ["A"] }]),
            "components[0].name must be a text, not a list",
        ),
        (json!("A"), "components must be a list, not a text"),
    ] {
        let refusal = operator
            .put(CATALOGUE, json!({ "components": components }))
            .expect(422);
        let want = json!({ "code": 422, "status": "Unprocessable Entity", "message": message });
        assert_eq!(refusal, want);
    }
    for (content_type, body, status) in [
        ("application/json", "{\"components\": [".to_owned(), 400),
        ("application/yaml", "components: [".to_owned(), 400),
        ("application/yaml", String::new(), 422),
        (
            "application/json",
            format!("{{\"components\":[]}}{}", " ".repeat(1 << 20)),
            413,
        ),
    ] {
        let reply = operator.raw("PUT", CATALOGUE, content_type, body);
        let refusal = reply.expect(status);
        assert_eq!(refusal["code"], status, "{refusal}");
    }
    assert_eq!(windlass.passer_by().get(CATALOGUE).expect(200), good);
}

#[test]
fn the_administrator_sets_a_catalogue_with_name_and_password() {
    let windlass = dashboard();
    let good = json!({ "components": [component("Volumes", "EU")] });
    let admin = windlass.admin().without_tenant();
    admin.put(CATALOGUE, good.clone()).expect(200);
    admin
        .with_password("wrong")
        .put(CATALOGUE, good)
        .expect(401);
}
