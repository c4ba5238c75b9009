//! Probes: `/v2/probes`, what the installation asks by itself, and the chart on the page.

use super::subscribers::dashboard;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use windlass_tests::{Recorder, Value, Windlass, json};

/// Makes the next check due, and has it made.
fn check(windlass: &Windlass) {
    let database = windlass.open_database();
    let hurry = "update queue set not_before = 0 where kind = 'status_probe'";
    database.execute(hurry, []).expect("the queue is there");
    windlass.run_pending_work();
}

fn incidents(windlass: &Windlass) -> Vec<Value> {
    let list = windlass.passer_by().get("/api/v1/incidents").expect(200);
    list.as_array().expect("a list").clone()
}

fn text(windlass: &Windlass, path: &str) -> String {
    let answer = windlass.passer_by().get(path).expect_answer(200);
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[test]
fn what_does_not_answer_is_an_incident_until_it_does() {
    let windlass = dashboard(&[("Volumes", "EU"), ("Mail", "EU")]);
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let is_well = Arc::new(AtomicBool::new(true));
    let switch = is_well.clone();
    let server = Recorder::answering(move |_| {
        let status = if switch.load(Relaxed) { 200 } else { 503 };
        (status, json!({ "state": "well" }))
    });
    let path = "/v2/probes/volumes";
    admin.get(path).expect(404);
    assert!(
        !text(&windlass, "/status").contains("response-times"),
        "nothing is measured"
    );
    let probe = json!({
        "component_id": 1, "type": "http", "url": format!("{}/health", server.url()),
        "contains": "well", "failures_to_open": 2, "successes_to_close": 1,
    });
    admin.put(path, probe.clone()).expect(200);
    windlass.run_pending_work();
    assert_eq!(server.requests().len(), 1, "at once");
    windlass.run_pending_work();
    assert_eq!(server.requests().len(), 1, "and then by its interval");
    assert_eq!(admin.get(path).expect(200)["successes"], 1);

    is_well.store(false, Relaxed);
    check(&windlass);
    assert_eq!(incidents(&windlass).len(), 0, "once is nothing");
    check(&windlass);
    let opened = incidents(&windlass);
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0]["text"], "Volumes (EU) does not answer");
    assert_eq!(opened[0]["impact"], 3);
    let stands = admin.get(path).expect(200);
    assert_eq!(
        (&stands["is_down"], &stands["last_error"]),
        (&json!(true), &json!("it answered 503"))
    );
    let windlass = windlass.restart();
    is_well.store(true, Relaxed);
    check(&windlass);
    assert_ne!(incidents(&windlass)[0]["end_date"], Value::Null);

    let history = windlass
        .passer_by()
        .get("/v2/components/1/response-times")
        .expect(200);
    let sum = |field: &str| -> i64 {
        let slots = history["data"].as_array().expect("a list");
        slots.iter().filter_map(|slot| slot[field].as_i64()).sum()
    };
    assert_eq!((sum("checks"), sum("failures")), (4, 2));
    let page = text(&windlass, "/status");
    assert!(
        page.contains("/status/response-times.svg?component=1"),
        "{page}"
    );
    assert!(!page.contains("response-times.svg?component=2"));
    let chart = text(&windlass, "/status/response-times.svg?component=1");
    assert!(chart.contains("2 of 4 checks failed"), "{chart}");
    windlass
        .passer_by()
        .get("/status/response-times.svg?component=9")
        .expect_answer(404);

    let admin = windlass.passer_by().with_bearer(&token);
    admin.delete(path).expect(204);
    admin.delete(path).expect(404);
    check(&windlass);
    assert!(!text(&windlass, "/status").contains("response-times"));
}

#[test]
fn a_port_that_nobody_listens_on_is_down() {
    let windlass = dashboard(&[("Database", "EU")]);
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let probe = json!({
        "component_id": 1, "type": "tcp", "address": address, "impact": "major",
        "failures_to_open": 1, "title": "The database is away",
    });
    admin.put("/v2/probes/database", probe).expect(200);
    windlass.run_pending_work();
    let stands = admin.get("/v2/probes/database").expect(200);
    assert_eq!(stands["successes"], 1, "{stands}");
    drop(listener);
    check(&windlass);
    let opened = incidents(&windlass);
    assert_eq!(opened[0]["text"], "The database is away");
    assert_eq!(opened[0]["impact"], 2);
    admin.delete("/v2/probes/database").expect(204);
    assert_ne!(
        incidents(&windlass)[0]["end_date"],
        Value::Null,
        "nobody asks any more"
    );
}

#[test]
fn probes_are_for_operators_and_keep_to_the_rule_for_urls() {
    let windlass = windlass_tests::Options::default().with_monitors().start();
    windlass.set_catalogue([("Volumes".to_owned(), json!({ "region": "EU" }))]);
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let creator = windlass
        .user("carl")
        .with_role_in("user", "default_tenant")
        .own_token();
    let path = "/v2/probes/volumes";
    let probe = |url: &str| json!({ "component_id": 1, "type": "http", "url": url });
    let good = probe("https://volumes.example.com/health");
    windlass.passer_by().put(path, good.clone()).expect(401);
    let carl = windlass.passer_by().with_bearer(&creator);
    carl.put(path, good.clone()).expect(403);
    carl.get("/v2/probes").expect(403);
    for bad in [
        probe("http://127.0.0.1/"),
        probe("http://10.0.0.1:8080/"),
        probe("file:///etc/passwd"),
    ] {
        admin.put(path, bad).expect(400);
    }
    let tcp = json!({ "component_id": 1, "type": "tcp", "address": "192.168.0.1:22" });
    admin.put(path, tcp).expect(400);
    let nobodys = json!({ "component_id": 9, "type": "tcp", "address": "example.com:22" });
    admin.put(path, nobodys).expect(400);
    admin.get(path).expect(404);
    assert_eq!(
        admin.get("/v2/probes").expect(200)["pagination"]["total"],
        0
    );
}
