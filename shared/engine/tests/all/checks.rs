//! check_status and check_drift: what is kept of them, and what a failure means.

use crate::common::{Answer, World, http, operation};
use serde_json::{Value, json};

const CHECK: &str = "validation.check_status";

/// A check whose result is what the answer has at `found`.
fn drift(name: &str) -> Value {
    let url = format!("https://api.example/{name}");
    operation(
        "windlass-http",
        name,
        json!({ "url": url, "result": "found" }),
    )
}

fn system(world: &World, instance: &str) -> Value {
    let sql = format!("select system_properties from node_instances where id = '{instance}'");
    serde_json::from_str(&world.text(&sql)).unwrap()
}

/// What a check left, without the time.
fn without_time(mut status: Value) -> Value {
    let time = status.as_object_mut().unwrap().remove("timestamp").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    status
}

fn counts(world: &World) -> String {
    world.text("select unavailable || ' ' || drifted from instance_counts")
}

#[test]
fn a_status_is_kept_with_the_one_before_it() {
    let world = World::new();
    world.node("web", json!({ CHECK: http("check") }), &[]);
    world.node("plain", json!({}), &[]);
    for (answer, ok, result) in [
        (Answer::Status(200, ""), true, json!(200)),
        (
            Answer::Status(500, "down"),
            false,
            json!("GET https://api.example/check answered 500: down"),
        ),
    ] {
        world.net.answers(move |_, _| answer.clone());
        let before = system(&world, "web_1")["status"].clone();
        let id = world.start("check_status", json!({}));
        world.work();
        let want = if ok { "terminated" } else { "failed" };
        assert_eq!(world.status(&id), want);
        let found = system(&world, "web_1");
        let want = json!({ "ok": ok, "task": "windlass-http.check", "result": result });
        assert_eq!(without_time(found["status"].clone()), want);
        assert_eq!(found["previous_status"], before);
        // Nothing is known of the instance without a check.
        assert_eq!(system(&world, "plain_1"), json!({}));
        assert_eq!(counts(&world), if ok { "1 0" } else { "2 0" });
    }
    assert_eq!(world.net.requests.borrow().len(), 2, "never tried again");
    let error = world.text("select error from executions where status = 'failed'");
    assert_eq!(
        error,
        "Task failed: windlass-http.check (web_1:cloudify.interfaces.validation.check_status): \
         RecoverableError `GET https://api.example/check answered 500: down`"
    );
    assert_eq!(
        world.text("select version || '' from node_instances where id = 'web_1'"),
        "3"
    );
    assert_eq!(
        world.states(),
        ["web_1 uninitialized", "plain_1 uninitialized"]
    );
}

#[test]
fn events_of_a_check_are_those_of_its_tasks() {
    let world = World::new();
    world.node("web", json!({ CHECK: http("check") }), &[]);
    let id = world.start("check_status", json!({}));
    world.work();
    assert_eq!(
        world.events(&id),
        [
            "Starting 'check_status' workflow execution",
            "web: Sending task 'windlass-http.check'",
            "web: Task started 'windlass-http.check'",
            "web: Task succeeded 'windlass-http.check' - 200",
            "'check_status' workflow execution succeeded",
        ]
    );
}

#[test]
fn one_that_fails_does_not_keep_the_others_from_being_checked() {
    let world = World::new();
    for place in 0..60 {
        let name = format!("n{place}");
        world.node(&name, json!({ CHECK: http(&name) }), &[]);
    }
    world
        .net
        .answers(|request, _| match request.url.ends_with("9") {
            true => Answer::Status(500, "down"),
            false => Answer::Status(200, ""),
        });
    let id = world.start("check_status", json!({}));
    world.work();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(world.net.requests.borrow().len(), 60);
    assert_eq!(counts(&world), "6 0");
    let error = world.text("select error from executions");
    assert!(error.starts_with("6 operation errors:\n"), "{error}");
    let progress = "select (total_operations = finished_operations) || '' from executions";
    assert_eq!(world.text(progress), "1");
}

#[test]
fn a_check_with_tries_of_its_own_is_tried_so_often() {
    let world = World::new();
    let mut check = http("check");
    check["max_retries"] = json!(1);
    check["retry_interval"] = json!(0);
    world.node("web", json!({ CHECK: check }), &[]);
    world.net.answers(|_, before| match before {
        0 => Answer::Status(500, ""),
        _ => Answer::Status(200, ""),
    });
    let id = world.start("check_status", json!({}));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(system(&world, "web_1")["status"]["ok"], true);
}

#[test]
fn targets_are_checked_first_where_that_is_asked_for() {
    let world = World::new();
    world.node("web", json!({ CHECK: http("web") }), &[("mid", json!({}))]);
    world.node("mid", json!({}), &[("db", json!({}))]);
    world.node("db", json!({ CHECK: http("db") }), &[]);
    for (by_dependency, want) in [(true, ["db", "web"]), (false, ["web", "db"])] {
        world.net.requests.borrow_mut().clear();
        world.start(
            "check_status",
            json!({ "run_by_dependency_order": by_dependency }),
        );
        world.work();
        assert_eq!(world.net.paths(), want, "{by_dependency}");
    }
    world.net.requests.borrow_mut().clear();
    world.start("check_status", json!({ "node_ids": ["db"] }));
    world.work();
    assert_eq!(world.net.paths(), ["db"]);
}

#[test]
fn drift_is_any_result_and_relationships_keep_theirs_at_both_ends() {
    let world = World::new();
    let relationship = json!({
        "source.check_drift": drift("source"), "target.check_drift": drift("target"),
    });
    world.node(
        "web",
        json!({ "check_drift": drift("own") }),
        &[("db", relationship)],
    );
    world.node("db", json!({ "check_drift": drift("db") }), &[]);
    world
        .net
        .answers(|request, _| match request.url.rsplit('/').next() {
            Some("target") => Answer::Status(200, r#"{"found": {"port": 81}}"#),
            Some("source") => Answer::Status(500, "down"),
            _ => Answer::Status(200, r#"{"other": 1}"#),
        });
    let id = world.start("check_drift", json!({}));
    world.work();
    assert_eq!(world.status(&id), "failed");
    let (web, db) = (system(&world, "web_1"), system(&world, "db_1"));
    let well = |task: &str| json!({ "ok": true, "task": task, "result": null });
    assert_eq!(
        without_time(web["configuration_drift"].clone()),
        well("windlass-http.own")
    );
    assert_eq!(
        without_time(db["configuration_drift"].clone()),
        well("windlass-http.db")
    );
    let source = without_time(web["source_relationships_configuration_drift"]["db_1"].clone());
    assert_eq!(
        source,
        json!({ "ok": false, "task": "windlass-http.source",
                "result": "GET https://api.example/source answered 500: down" })
    );
    let target = without_time(db["target_relationships_configuration_drift"]["web_1"].clone());
    assert_eq!(
        target,
        json!({ "ok": true, "task": "windlass-http.target", "result": { "port": 81 } })
    );
    assert_eq!(counts(&world), "2 2");
    assert_eq!(world.net.paths()[..2], ["db", "own"]);
}

#[test]
fn a_dry_run_of_a_check_keeps_nothing() {
    let world = World::new();
    world.node(
        "web",
        json!({ CHECK: http("check"), "check_drift": drift("own") }),
        &[],
    );
    for workflow in ["check_status", "check_drift"] {
        let id = world.start_dry(workflow, json!({}));
        world.work();
        assert_eq!(world.status(&id), "terminated");
        let events = world.events(&id);
        assert!(
            events.iter().all(|text| text.ends_with(" (dry run)")),
            "{events:?}"
        );
    }
    assert_eq!(world.net.requests.borrow().len(), 0);
    assert_eq!(system(&world, "web_1"), json!({}));
    assert_eq!(world.text("select version || '' from node_instances"), "1");
}
