//! What an instance left behind: calls that outlive their subgraph, tries without end, and what a
//! resume cleans up.

use crate::common::{Answer, BEGIN, World, http, operation, run};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use windlass_core::db::Db;
use windlass_engine::control::{self, Action};
use windlass_engine::step::{CallError, Outcome, Report};

fn once(name: &str) -> Value {
    let mut operation = http(name);
    operation["max_retries"] = json!(0);
    operation
}

/// An operation that waits for a worker.
fn on_a_worker(name: &str) -> Value {
    operation("script", name, json!({}))
}

fn set(world: &World, name: &str, value: i64) {
    world.sql(&format!(
        "update config set value = '{value}' where name = '{name}'"
    ));
}

/// `web` is being linked to `db` from both sides: a worker runs the target's side, and the
/// source's fails for good.
fn one_side_fails() -> (World, String, String) {
    let world = World::new();
    set(&world, "subgraph_retries", 1);
    let relationship = json!({
        "source.establish": once("establish"), "target.establish": on_a_worker("establish-target"),
        "source.unlink": http("unlink"),
    });
    world.node(
        "web",
        json!({ "stop": http("stop") }),
        &[("db", relationship)],
    );
    world.node("db", json!({}), &[]);
    let id = world.start("install", json!({}));
    world.until_under_way();
    let of_worker = "name = 'establish-target'";
    world.sql(&format!(
        "update operations set state = 'started' where {of_worker}"
    ));
    let call = world.text(&format!("select id from operations where {of_worker}"));
    world.net.answers(|request, before| {
        let fails = request.url.ends_with("/establish") && before <= 1;
        Answer::Status(if fails { 500 } else { 200 }, "")
    });
    world.pass(world.options.lease_millis + 1);
    while world.tick().unwrap().ran > 0 {}
    (world, id, call)
}

fn report(world: &World, id: &str, call: &str, outcome: Outcome) {
    let report = Report {
        operation: call.to_owned(),
        outcome,
    };
    let now = world.now();
    let reported = world
        .db
        .transaction(async |tx| control::report(tx, id, vec![report], now).await);
    run(reported).unwrap();
}

#[test]
fn a_second_try_waits_for_calls_that_outlive_the_first_and_keeps_what_they_made() {
    let made = Map::from_iter([("lamp".to_owned(), json!("L7"))]);
    for outcome in [
        Outcome::Succeeded {
            result: Value::Null,
            runtime_properties: made,
        },
        Outcome::Failed(CallError::recoverable("late")),
        Outcome::Rescheduled(CallError::recoverable("later")),
    ] {
        let (world, id, call) = one_side_fails();
        let has_failed = outcome.clone();
        let before = world.net.paths();
        assert!(
            !before.contains(&"stop".to_owned()),
            "it overtakes the call: {before:?}"
        );
        assert_eq!(world.status(&id), "started");
        report(&world, &id, &call, outcome);
        // The worker does its part of the second try as well.
        while world.tick().unwrap().ran > 0 {}
        let again = "select id from operations where name = 'establish-target' and state = 'sent'";
        let again = world.text(again);
        world.sql(&format!(
            "update operations set state = 'started' where id = '{again}'"
        ));
        let well = Outcome::Succeeded {
            result: Value::Null,
            runtime_properties: Map::new(),
        };
        report(&world, &id, &again, well);
        world.work();
        assert_eq!(world.status(&id), "terminated", "{has_failed:?}");
        let after = &world.net.paths()[before.len()..];
        assert_eq!(after, ["stop", "unlink", "establish"], "{has_failed:?}");
        let of_call = world.text(&format!("select state from operations where id = '{call}'"));
        let kept = "select coalesce(runtime_properties ->> 'lamp', '') from node_instances
                    where id = 'db_1'";
        match has_failed {
            Outcome::Succeeded { .. } => {
                assert_eq!(
                    (of_call.as_str(), world.text(kept).as_str()),
                    ("succeeded", "L7")
                );
            }
            _ => assert_eq!(
                (of_call.as_str(), world.text(kept).as_str()),
                ("failed", "")
            ),
        }
        let progress = "select (total_operations = finished_operations) || '' from executions";
        assert_eq!(world.text(progress), "1");
    }
}

#[test]
fn by_force_nobody_waits_for_a_call_that_was_given_up() {
    let (world, id, call) = one_side_fails();
    world.act(Action::Cancel, &id).unwrap();
    world.work();
    world.act(Action::ForceResume, &id).unwrap();
    while world.tick().unwrap().ran > 0 {}
    let state = world.text(&format!("select state from operations where id = '{call}'"));
    assert_eq!(state, "failed");
    assert!(
        world.net.paths().contains(&"stop".to_owned()),
        "{:?}",
        world.net.paths()
    );
}

#[test]
fn tries_without_end_or_pause_come_slower_and_slower() {
    let world = World::new();
    let mut create = http("create");
    create["max_retries"] = json!(-1);
    create["retry_interval"] = json!(0);
    world.node("vm", json!({ "create": create }), &[]);
    world.net.answers(|_, before| match before < 20 {
        true => Answer::Status(500, ""),
        false => Answer::Status(200, ""),
    });
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let seconds = (world.now().millis() - BEGIN) / 1000;
    assert!((100..300).contains(&seconds), "20 tries take {seconds} s");
}

#[test]
fn tries_that_end_are_as_quick_as_the_blueprint_says() {
    let world = World::new();
    let mut create = http("create");
    create["max_retries"] = json!(30);
    create["retry_interval"] = json!(0);
    world.node("vm", json!({ "create": create }), &[]);
    world.net.answers(|_, before| match before < 20 {
        true => Answer::Status(500, ""),
        false => Answer::Status(200, ""),
    });
    world.start("install", json!({}));
    world.work();
    let millis = world.now().millis() - BEGIN;
    assert!(millis < 1000, "{millis}");
}

#[test]
fn instances_that_are_tried_again_without_end_come_slower_and_slower() {
    let world = World::new();
    set(&world, "subgraph_retries", -1);
    world.node("vm", json!({ "create": once("create") }), &[]);
    world.net.answers(|_, before| match before < 12 {
        true => Answer::Status(500, ""),
        false => Answer::Status(200, ""),
    });
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let seconds = (world.now().millis() - BEGIN) / 1000;
    assert!((20..120).contains(&seconds), "12 tries take {seconds} s");
}

/// How many stops there were; one that is sent again after a crash has the same key.
fn stops(world: &World) -> usize {
    let requests = world.net.requests.borrow();
    let stops = requests
        .iter()
        .filter(|request| request.url.ends_with("/stop"));
    let key = |(name, _): &&(String, String)| name == "idempotency-key";
    let keys = stops.map(|request| request.headers.iter().find(key).unwrap().1.clone());
    keys.collect::<BTreeSet<_>>().len()
}

#[test]
fn however_often_an_install_is_resumed_each_failed_start_is_stopped_once() {
    let world = World::new();
    let operations = json!({ "start": once("start"), "stop": http("stop") });
    world.node("vm", operations, &[]);
    world
        .net
        .answers(|request, _| match request.url.ends_with("/start") {
            true => Answer::Status(500, ""),
            false => Answer::Status(200, ""),
        });
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!((world.status(&id).as_str(), stops(&world)), ("failed", 0));
    // Cancelled while it cleans up, and resumed.
    world.act(Action::Resume, &id).unwrap();
    world.until_under_way();
    world.act(Action::Cancel, &id).unwrap();
    world.pass(world.options.lease_millis + 1);
    world.work();
    assert_eq!(
        (world.status(&id).as_str(), stops(&world)),
        ("cancelled", 1)
    );
    world.act(Action::Resume, &id).unwrap();
    world.work();
    assert_eq!(world.status(&id), "terminated", "{:?}", world.net.paths());
    assert_eq!(stops(&world), 1, "{:?}", world.net.paths());
}

#[test]
fn what_was_never_started_is_not_stopped() {
    let world = World::new();
    let operations = json!({ "start": on_a_worker("start"), "stop": http("stop") });
    world.node("vm", operations, &[]);
    let id = world.start("install", json!({}));
    world.tick().unwrap();
    assert_eq!(world.states(), ["vm_1 starting"]);
    world.act(Action::Cancel, &id).unwrap();
    world.work();
    world.act(Action::Resume, &id).unwrap();
    world.tick().unwrap();
    assert_eq!(stops(&world), 0);
    assert_eq!(
        world.text("select state from operations where name = 'start'"),
        "sent"
    );
}

#[test]
fn an_instance_that_is_about_to_be_taken_down_is_not_cleaned_up_besides() {
    let world = World::new();
    set(&world, "subgraph_retries", 1);
    let operations = json!({ "start": once("start"), "stop": once("stop") });
    world.node("vm", operations, &[]);
    world.net.answers(
        |request, before| match (request.url.ends_with("/start"), before) {
            (true, 0) => Answer::Status(500, ""),
            (false, 0) => Answer::Status(500, ""),
            _ => Answer::Status(200, ""),
        },
    );
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(world.net.paths(), ["start", "stop"]);
    world.act(Action::Resume, &id).unwrap();
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.net.paths(), ["start", "stop", "stop", "start"]);
}
