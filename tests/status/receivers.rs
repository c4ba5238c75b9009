//! Receivers: `/v2/receivers`, alerts of other programs that open and close incidents.

use super::subscribers::dashboard;
use windlass_tests::{Value, Windlass, json, monitor_token};

fn settings() -> Value {
    json!({ "type": "alertmanager", "rules": [
        { "match": { "severity": "critical", "service": "*" }, "component_from": "service",
          "attributes_from": { "region": "region" }, "impact": "outage" },
        { "match": { "service": "Volumes" }, "component_id": 1, "impact": "minor" },
    ] })
}

/// What Alertmanager 0.28 posts, as far as it matters.
fn message(status: &str, alerts: &[(&str, &str, &str)]) -> Value {
    let alerts = alerts.iter().map(|(fingerprint, severity, status)| {
        json!({
            "status": status, "fingerprint": fingerprint,
            "labels": { "alertname": "Slow", "service": "Volumes", "severity": severity, "region": "EU" },
            "annotations": { "summary": "disk-7.internal answers after 9 s" },
            "startsAt": "2026-01-01T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.internal:9090/graph",
        })
    });
    json!({
        "version": "4", "groupKey": "{}:{alertname=\"Slow\"}", "truncatedAlerts": 0, "status": status,
        "receiver": "windlass", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.internal:9093", "alerts": alerts.collect::<Vec<_>>(),
    })
}

fn incidents(windlass: &Windlass) -> Vec<Value> {
    let list = windlass.passer_by().get("/api/v1/incidents").expect(200);
    list.as_array().expect("a list").clone()
}

#[test]
fn what_alertmanager_tells_opens_once_and_closes() {
    let windlass = dashboard(&[("Volumes", "EU"), ("Mail", "EU")]);
    let operator = windlass
        .user("olga")
        .with_role_in("operations", "default_tenant");
    let token = operator.own_token();
    let operator = windlass.passer_by().with_bearer(&token);
    let path = "/v2/receivers/prometheus";
    operator.get(path).expect(404);
    operator.put(path, settings()).expect(200);
    let alerts = format!("{path}/alerts");
    let monitor = monitor_token("alertmanager");
    let manager = windlass.passer_by().with_bearer(&monitor);

    let fires = message("firing", &[("c0ffee", "critical", "firing")]);
    let taken = manager.post(&alerts, fires.clone()).expect(200);
    let told =
        json!({ "result": [{ "fingerprint": "c0ffee", "status": "firing", "incident_id": 1 }] });
    assert_eq!(taken, told);
    assert_eq!(manager.post(&alerts, fires).expect(200), told, "told again");
    let opened = incidents(&windlass);
    assert_eq!(opened.len(), 1);
    assert_eq!(
        opened[0]["text"], "Volumes (EU) has a problem",
        "nothing of the inside"
    );
    assert_eq!(
        (&opened[0]["impact"], &opened[0]["end_date"]),
        (&json!(3), &Value::Null)
    );
    let page = windlass.passer_by().get("/incidents/1").expect_answer(200);
    assert!(!String::from_utf8_lossy(&page.body).contains("disk-7"));
    let firing = operator.get(&alerts).expect(200);
    assert_eq!(
        firing["data"][0]["title"],
        "disk-7.internal answers after 9 s"
    );
    assert_eq!(firing["pagination"]["total"], 1);

    let two = [
        ("c0ffee", "critical", "resolved"),
        ("beef", "warning", "firing"),
    ];
    manager.post(&alerts, message("firing", &two)).expect(200);
    assert_ne!(
        incidents(&windlass)[0]["end_date"],
        Value::Null,
        "nothing held it any more"
    );
    let over = message("resolved", &[("beef", "warning", "resolved")]);
    manager.post(&alerts, over).expect(200);
    assert!(
        incidents(&windlass)
            .iter()
            .all(|each| !each["end_date"].is_null())
    );
    assert_eq!(operator.get(&alerts).expect(200)["pagination"]["total"], 0);
}

#[test]
fn whoever_may_report_sends_and_operators_decide() {
    let windlass = dashboard(&[("Volumes", "EU")]);
    let token = |name: &str, role: &str| {
        let user = windlass.user(name).with_role_in(role, "default_tenant");
        user.own_token()
    };
    let (operator, viewer) = (token("olga", "operations"), token("vera", "viewer"));
    let as_ = |token| windlass.passer_by().with_bearer(token);
    let monitor = monitor_token("probe");
    let path = "/v2/receivers/prometheus";
    for (token, status) in [(&viewer, 403), (&monitor, 403), (&operator, 200)] {
        as_(token).put(path, settings()).expect(status);
    }
    let (alerts, fires) = (
        format!("{path}/alerts"),
        message("firing", &[("a", "critical", "firing")]),
    );
    windlass
        .passer_by()
        .post(&alerts, fires.clone())
        .expect(401);
    for (token, status) in [(&viewer, 403), (&monitor, 200), (&operator, 200)] {
        as_(token).post(&alerts, fires.clone()).expect(status);
    }
    let with_password = windlass.admin().without_tenant().at_root();
    with_password.post(&alerts, fires).expect(200);
    let unknown = json!({ "type": "generic", "rules": [{ "match": {}, "component_id": 77 }] });
    let refused = as_(&operator)
        .put("/v2/receivers/other", unknown)
        .expect(400);
    assert!(
        refused.to_string().contains("component_id: 77"),
        "{refused}"
    );
    as_(&operator).get("/v2/receivers/other").expect(404);
    as_(&operator)
        .put("/v2/receivers/7up", settings())
        .expect(400);
    as_(&operator).delete(path).expect(204);
    as_(&operator).delete(path).expect(404);
    assert_eq!(
        incidents(&windlass)[0]["end_date"],
        Value::Null,
        "its incident stays"
    );
}

#[test]
fn an_alert_that_is_none_is_refused_alone_and_a_message_of_them_as_a_whole() {
    let windlass = dashboard(&[("Volumes", "EU")]);
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    admin
        .put("/v2/receivers/prometheus", settings())
        .expect(200);
    let mut half = message(
        "firing",
        &[("a", "critical", "firing"), ("b", "critical", "firing")],
    );
    half["alerts"][0]["status"] = json!("burning");
    half["alerts"][1]["status"] = json!(null);
    admin
        .post("/v2/receivers/prometheus/alerts", half.clone())
        .expect(400);
    assert_eq!(incidents(&windlass).len(), 0);

    half["alerts"][1]["status"] = json!("firing");
    let taken = admin
        .post("/v2/receivers/prometheus/alerts", half)
        .expect(200);
    let told = json!({ "result": [
        { "status": "refused", "index": 0, "error": "The status of an alert is `firing` or `resolved`" },
        { "fingerprint": "b", "status": "firing", "incident_id": 1 },
    ] });
    assert_eq!(taken, told);
    assert_eq!(incidents(&windlass).len(), 1);
}

#[test]
fn an_alert_that_is_never_resolved_is_closed_in_time() {
    let windlass = dashboard(&[("Volumes", "EU")]);
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let path = "/v2/receivers/prometheus";
    admin.put(path, settings()).expect(200);
    let fires = message("firing", &[("a", "critical", "firing")]);
    let alerts = format!("{path}/alerts");
    admin.post(&alerts, fires).expect(200);
    let firing = admin.get(&alerts).expect(200);
    assert_eq!(firing["data"][0]["last_seen"], firing["data"][0]["since"]);
    windlass.run_pending_work();
    assert_eq!(incidents(&windlass)[0]["end_date"], Value::Null);

    windlass
        .open_database()
        .execute_batch("update status_signals set last_seen = '2020-01-01T00:00:00.000Z'")
        .expect("SQL");
    // Chores are done when an instance begins.
    let windlass = windlass.kill().start();
    windlass.run_pending_work();
    let over = &incidents(&windlass)[0];
    assert_ne!(over["end_date"], Value::Null);
    let updates = over["updates"].to_string();
    assert!(
        updates.contains("The alert was not repeated for 7 days"),
        "{updates}"
    );
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    assert_eq!(admin.get(&alerts).expect(200)["pagination"]["total"], 0);
}

#[test]
fn a_firing_alert_survives_a_kill_and_is_still_the_same() {
    let windlass = dashboard(&[("Volumes", "EU")]);
    let monitor = monitor_token("probe");
    let alerts = "/v2/receivers/prometheus/alerts";
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    admin
        .put("/v2/receivers/prometheus", settings())
        .expect(200);
    let tell = |windlass: &Windlass, status| {
        let body = message(status, &[("a", "critical", status)]);
        let manager = windlass.passer_by().with_bearer(&monitor);
        manager.post(alerts, body).expect(200)
    };
    let told = tell(&windlass, "firing");
    let windlass = windlass.kill().start();
    assert_eq!(tell(&windlass, "firing"), told);
    tell(&windlass, "resolved");
    let all = incidents(&windlass);
    assert_eq!(all.len(), 1);
    assert_ne!(all[0]["end_date"], Value::Null);
}
