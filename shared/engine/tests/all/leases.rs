//! Operations that workers run: leased once, kept, reported, and never lost.

use crate::common::{World, operation, run};
use serde_json::{Value, json};
use windlass_core::{Kind, Result, Scope};
use windlass_engine::control::Action;
use windlass_engine::leases::{self, Reported};
use windlass_engine::step::{CallError, Outcome};
use windlass_store::operation_leases::{self, Asked};

/// A deployment whose one node is made by a script, as many times as may be tried.
fn world(names: &[&str], retries: i64) -> World {
    let world = World::new();
    for name in names {
        let mut create = operation("script", "script_runner.tasks.run", json!({ "size": 7 }));
        create["max_retries"] = retries.into();
        create["retry_interval"] = 2.into();
        world.node(name, json!({ "create": create }), &[]);
    }
    world
}

fn begun(names: &[&str], retries: i64) -> (World, String) {
    let world = world(names, retries);
    let id = world.start("install", json!({}));
    world.tick().unwrap();
    (world, id)
}

fn take(world: &World, worker: &str, most: usize) -> Vec<Value> {
    let asked = Asked {
        worker: worker.into(),
        queues: vec!["central_deployment_agent".into()],
        most,
        seconds: 60,
    };
    run(leases::lease(&world.db, &world.scope, &asked, world.now())).unwrap()
}

fn one(world: &World, worker: &str) -> Value {
    take(world, worker, 1).pop().expect("an operation waits")
}

fn report(world: &World, lease: &Value, outcome: Outcome) -> Result<()> {
    let (id, sent) = (lease["lease_id"].as_str().unwrap(), format!("{outcome:?}"));
    let reported = Reported::new(id, outcome, &sent);
    run(leases::conclude(
        &world.db,
        &world.scope,
        reported,
        world.now(),
    ))
}

fn keep(world: &World, lease: &Value) -> Result<bool> {
    let id = lease["lease_id"].as_str().unwrap();
    run(leases::keep(&world.db, &world.scope, id, world.now())).map(|(_, cancel)| cancel)
}

fn succeeded() -> Outcome {
    Outcome::Succeeded {
        result: json!("made"),
        runtime_properties: Default::default(),
    }
}

fn failed(retry_after: Option<i64>) -> Outcome {
    Outcome::Failed(CallError {
        retry_after,
        ..CallError::recoverable("no luck")
    })
}

fn speaks(world: &World, lease: &Value) -> bool {
    let token = lease["execution_token"].as_str().unwrap();
    run(operation_leases::execution_of_token(&world.db, token))
        .unwrap()
        .is_some()
}

#[test]
fn a_worker_runs_an_operation_to_its_end() {
    let (world, id) = begun(&["vm"], 0);
    let lease = one(&world, "north");
    assert_eq!(lease["name"], "script_runner.tasks.run");
    assert_eq!(lease["kwargs"], json!({ "size": 7 }));
    assert_eq!(lease["node_instance_id"], "vm_1");
    let context = &lease["context"];
    for (pointer, wanted) in [
        ("/type", json!("operation")),
        ("/task_name", json!("script_runner.tasks.run")),
        ("/task_target", json!("central_deployment_agent")),
        (
            "/operation/name",
            json!("cloudify.interfaces.lifecycle.create"),
        ),
        ("/operation/retry_number", json!(0)),
        ("/deployment_id", json!("d")),
        ("/deployment_creator", json!("ann")),
        ("/tenant/name", json!("harbour")),
        ("/plugin/name", json!("script")),
        ("/execution_token", lease["execution_token"].clone()),
        ("/has_intrinsic_functions", json!(false)),
    ] {
        assert_eq!(context.pointer(pointer), Some(&wanted), "{pointer}");
    }
    assert!(take(&world, "south", 9).is_empty(), "somebody has it");
    assert!(speaks(&world, &lease));
    assert!(!keep(&world, &lease).unwrap());
    report(&world, &lease, succeeded()).unwrap();
    assert!(!speaks(&world, &lease), "its token ended with it");
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let events = world.inner_events(&id);
    for text in [
        "vm: Sending task 'script_runner.tasks.run'",
        "vm: Task started 'script_runner.tasks.run'",
        "vm: Task succeeded 'script_runner.tasks.run' - made",
    ] {
        let told = events.iter().filter(|event| *event == text).count();
        assert_eq!(told, 1, "{text}: {events:?}");
    }
}

#[test]
fn a_result_counts_once() {
    let (world, id) = begun(&["vm"], 0);
    let lease = one(&world, "north");
    report(&world, &lease, succeeded()).unwrap();
    report(&world, &lease, succeeded()).expect("the same again is no harm");
    let other = report(&world, &lease, failed(None)).unwrap_err();
    assert_eq!(other.kind(), Kind::Conflict);
    assert_eq!(keep(&world, &lease).unwrap_err().kind(), Kind::Conflict);
    world.work();
    assert_eq!(world.status(&id), "terminated");
}

#[test]
fn many_results_at_once_count_as_each_alone() {
    let names: Vec<String> = (0..6).map(|number| format!("vm{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (world, id) = begun(&names, 0);
    let leases = take(&world, "north", 10);
    assert_eq!(leases.len(), 6);
    report(&world, &leases[0], succeeded()).unwrap();
    let one = |place: usize, outcome: Outcome| {
        let id = leases[place]["lease_id"].as_str().unwrap();
        let sent = format!("{outcome:?}");
        Reported::new(id, outcome, &sent)
    };
    let mut reported = vec![
        one(0, succeeded()),
        one(1, succeeded()),
        one(1, succeeded()),
        one(1, failed(None)),
        Reported::new("nobodys", succeeded(), ""),
    ];
    reported.extend((2..6).map(|place| one(place, succeeded())));
    let refused = run(leases::conclude_all(
        &world.db,
        &world.scope,
        reported,
        world.now(),
    ))
    .unwrap();
    let lost: Vec<(&str, Kind)> = refused
        .iter()
        .map(|(id, error)| (id.as_str(), error.kind()))
        .collect();
    let other = leases[1]["lease_id"].as_str().unwrap();
    assert_eq!(
        lost,
        [("nobodys", Kind::Conflict), (other, Kind::Conflict)],
        "the second of two that differ"
    );
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let events = world.inner_events(&id);
    let told = events
        .iter()
        .filter(|event| event.contains("Task succeeded"))
        .count();
    assert_eq!(told, 6, "{events:?}");
}

#[test]
fn a_lease_is_of_whoever_took_it() {
    let (world, _) = begun(&["vm"], 0);
    let lease = one(&world, "north");
    let id = lease["lease_id"].as_str().unwrap();
    for (user, tenant) in [("mia", "harbour"), ("ann", "quay")] {
        let other = Scope::system(user, tenant);
        let kept = run(leases::keep(&world.db, &other, id, world.now()));
        assert_eq!(kept.unwrap_err().kind(), Kind::Conflict, "{user} {tenant}");
        let reported = Reported::new(id, succeeded(), "");
        let told = run(leases::conclude(&world.db, &other, reported, world.now()));
        assert_eq!(told.unwrap_err().kind(), Kind::Conflict, "{user} {tenant}");
    }
    report(&world, &lease, succeeded()).unwrap();
}

#[test]
fn a_worker_that_is_gone_costs_a_try_and_loses_nothing() {
    let (world, id) = begun(&["vm"], 1);
    let first = one(&world, "north");
    world.pass(59_000);
    assert!(!keep(&world, &first).unwrap());
    world.pass(59_000);
    assert_eq!(
        run(leases::expire(&world.db, world.now())).unwrap(),
        0,
        "it was kept"
    );
    world.pass(2_000);
    assert_eq!(run(leases::expire(&world.db, world.now())).unwrap(), 1);
    assert_eq!(
        report(&world, &first, succeeded()).unwrap_err().kind(),
        Kind::Conflict
    );
    assert!(!speaks(&world, &first));
    world.work();
    let second = one(&world, "south");
    assert_eq!(second["context"]["operation"]["retry_number"], 1);
    assert_eq!(
        report(&world, &first, succeeded()).unwrap_err().kind(),
        Kind::Conflict
    );
    report(&world, &second, succeeded()).unwrap();
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let text = "vm: Task failed 'script_runner.tasks.run' -> The worker `north` did not keep its lease: \
                it may be gone";
    assert!(
        world.events(&id).contains(&text.to_owned()),
        "{:?}",
        world.events(&id)
    );
}

#[test]
fn failures_are_tried_again_when_the_plugin_wants() {
    for (retry_after, millis) in [(None, 2_000), (Some(500), 500), (Some(0), 0)] {
        let (world, id) = begun(&["vm"], 1);
        report(&world, &one(&world, "north"), failed(retry_after)).unwrap();
        if millis > 0 {
            world.tick();
            assert!(
                take(&world, "north", 1).is_empty(),
                "{retry_after:?}: not yet"
            );
        }
        world.pass(millis);
        world.tick();
        let again = one(&world, "north");
        report(&world, &again, failed(None)).unwrap();
        world.work();
        assert_eq!(
            world.status(&id),
            "failed",
            "{retry_after:?}: no try is left"
        );
    }
}

#[test]
fn a_cancelled_execution_tells_its_workers() {
    let (world, id) = begun(&["vm", "vm2"], 0);
    let lease = one(&world, "north");
    world.act(Action::Cancel, &id).unwrap();
    world.work();
    assert!(keep(&world, &lease).unwrap(), "the worker is told");
    assert!(
        take(&world, "north", 9).is_empty(),
        "nothing more is handed out"
    );
    assert!(speaks(&world, &lease), "what it made can be kept");
    report(&world, &lease, succeeded()).expect("what was made is known");
    assert_eq!(world.status(&id), "cancelled");
}

#[test]
fn by_force_nothing_matters_any_more() {
    let (world, id) = begun(&["vm", "vm2"], 0);
    let lease = one(&world, "north");
    world.act(Action::ForceCancel, &id).unwrap();
    world.work();
    assert_eq!(world.status(&id), "cancelled");
    assert_eq!(keep(&world, &lease).unwrap_err().kind(), Kind::Conflict);
    assert_eq!(
        report(&world, &lease, succeeded()).unwrap_err().kind(),
        Kind::Conflict
    );
    assert!(!speaks(&world, &lease));
    assert!(take(&world, "north", 9).is_empty());
}

#[test]
fn what_was_cancelled_by_force_is_handed_out_again_by_a_resume() {
    for action in [Action::ForceCancel, Action::Kill] {
        let (world, id) = begun(&["vm", "vm2"], 0);
        let lost = one(&world, "north");
        world.act(action, &id).unwrap();
        world.work();
        let left = "select count(*) from operations where state in ('sent', 'started') and queue is not null";
        assert_eq!(
            world.text(left),
            "Integer(0)",
            "nobody looks at them meanwhile"
        );
        world.act(Action::Resume, &id).unwrap();
        world.work();
        let again = take(&world, "south", 9);
        assert_eq!(again.len(), 2, "{action:?}");
        assert_eq!(
            report(&world, &lost, succeeded()).unwrap_err().kind(),
            Kind::Conflict
        );
        for lease in &again {
            report(&world, lease, succeeded()).unwrap();
        }
        world.work();
        assert_eq!(world.status(&id), "terminated", "{action:?}");
    }
}

/// As a resume of its group leaves it: it waits for its turn, and a worker still has an operation.
#[test]
fn what_comes_while_a_resumed_execution_waits_for_its_turn_is_kept() {
    for outcome in [succeeded(), failed(None)] {
        let (world, id) = begun(&["vm"], 0);
        let lease = one(&world, "north");
        world.act(Action::Cancel, &id).unwrap();
        world.work();
        assert_eq!(world.status(&id), "cancelled");
        world.sql("update executions set status = 'queued', resume = 1, ended_at = null");
        let is_failure = matches!(outcome, Outcome::Failed(_));
        report(&world, &lease, outcome).unwrap();
        world.sql("insert into queue (kind, subject, not_before, created_at) values ('dequeue', '', 0, '')");
        world.work();
        if is_failure {
            report(&world, &one(&world, "south"), succeeded()).unwrap();
            world.work();
        }
        assert_eq!(world.status(&id), "terminated");
    }
}

#[test]
fn a_row_that_is_due_takes_no_operation_from_its_worker() {
    let (world, id) = begun(&["vm"], 0);
    // A call with a pause: nobody has it before its row is due.
    world.sql(
        "insert into queue (kind, subject, not_before, created_at)
         select 'operation', id, 9000000000000, '' from operations where queue is not null",
    );
    assert!(take(&world, "north", 1).is_empty());
    world.sql("delete from queue where kind = 'operation'");
    let lease = one(&world, "north");
    world.sql(
        "insert into queue (kind, subject, not_before, created_at)
         select 'operation', id, 0, '' from operations where queue is not null",
    );
    world.work();
    assert!(take(&world, "south", 1).is_empty(), "north has it");
    report(&world, &lease, succeeded()).unwrap();
    world.work();
    assert_eq!(world.status(&id), "terminated");
}

#[test]
fn workers_share_what_waits() {
    let (world, id) = begun(&["a", "b", "c"], 0);
    let first = take(&world, "north", 2);
    let second = take(&world, "south", 2);
    assert_eq!((first.len(), second.len()), (2, 1));
    for lease in first.iter().chain(&second) {
        report(&world, lease, succeeded()).unwrap();
    }
    world.work();
    assert_eq!(world.status(&id), "terminated");
}

#[test]
fn what_a_worker_says_shows_no_secret_of_the_inputs() {
    let world = World::new();
    windlass_core::platform::set_variable("encryption_key", "the key of these tests");
    let sealed = run(windlass_store::secrets::seal(&json!("hunter2!"))).unwrap();
    world.sql(&format!(
        "insert into secrets (id, tenant_name, created_by, visibility, created_at, updated_at, value)
         values ('key', 'harbour', 'ann', 'tenant', '', '', '{sealed}')"
    ));
    let inputs = json!({ "password": { "get_secret": "key" } });
    let mut create = operation("script", "script_runner.tasks.run", inputs);
    create["has_intrinsic_functions"] = true.into();
    world.node("vm", json!({ "create": create }), &[]);
    let id = world.start("install", json!({}));
    world.tick().unwrap();
    let lease = one(&world, "north");
    assert_eq!(lease["kwargs"]["password"], "hunter2!");
    let said = CallError {
        traceback: Some("login('hunter2!')".into()),
        ..CallError::fatal("hunter2! was wrong")
    };
    report(&world, &lease, Outcome::Failed(said)).unwrap();
    world.work();
    assert_eq!(world.status(&id), "failed");
    for sql in [
        "select group_concat(coalesce(message, '') || coalesce(error_causes, '')) from whole_events",
        "select error from executions",
    ] {
        let told = world.text(sql);
        assert!(
            told.contains("was wrong") && !told.contains("hunter2"),
            "{told}"
        );
    }
}

#[test]
fn inputs_that_cannot_be_evaluated_fail_before_a_worker_has_them() {
    let world = World::new();
    let wrong = json!({ "address": { "get_attribute": ["nobody", "ip"] } });
    let mut create = operation("script", "script_runner.tasks.run", wrong);
    create["has_intrinsic_functions"] = true.into();
    world.node("vm", json!({ "create": create }), &[]);
    let id = world.start("install", json!({}));
    world.tick().unwrap();
    assert!(take(&world, "north", 1).is_empty());
    world.work();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(
        world.text("select count(*) from operation_leases"),
        "Integer(0)"
    );
}
