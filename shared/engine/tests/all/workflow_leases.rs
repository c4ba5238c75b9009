//! Workflows of plugins: handed out to a worker, kept, ended, and handed out again when the worker is lost.

use crate::common::{World, run};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Kind, Result, Timestamp};
use windlass_engine::control::{self, Action};
use windlass_engine::leases::Reported;
use windlass_engine::step::{CallError, Outcome};
use windlass_engine::workflow_leases as leases;
use windlass_store::executions::Status;
use windlass_store::operation_leases::Asked;
use windlass_store::workflow_leases::execution_of_token;

/// A deployment with a workflow `count` that is a function of a plugin.
fn world() -> World {
    let world = World::new();
    world.node("vm", json!({}), &[]);
    world.sql(
        "update plan_parts set text = json_insert(text, '$[#]', json('{\"name\": \"count\",
             \"plugin\": \"counting\", \"operation\": \"counting.count\", \"availability_rules\": null,
             \"parameters\": {\"least\": {\"default\": 3}}}'))
         where key in (select value from deployments d, json_each(d.workflow_parts))",
    );
    let plan = json!({ "shared": [], "nodes": [], "sections": { "workflow_plugins_to_install": [
        { "name": "counting", "package_name": "harbour-counting", "package_version": "2.1", "install": true },
    ] } });
    world.sql(&format!(
        "insert into blueprint_plans (blueprint_key, plan, stored) values (1, '', '{plan}')"
    ));
    world
}

pub fn begun() -> (World, String) {
    let world = world();
    let id = world.start("count", json!({}));
    world.work();
    (world, id)
}

fn take(world: &World, worker: &str) -> Vec<Value> {
    let asked = Asked {
        worker: worker.into(),
        queues: vec!["central_deployment_agent".into()],
        most: 5,
        seconds: 60,
    };
    run(leases::lease(&world.db, &world.scope, &asked, world.now())).unwrap()
}

pub fn one(world: &World, worker: &str) -> Value {
    let mut taken = take(world, worker);
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.remove(0)
}

/// What the dispatcher reports with the token of the lease.
pub fn say(world: &World, id: &str, status: Status, error: &str) -> Result<()> {
    run(world.db.transaction(async |tx| {
        control::report_status(tx, &world.scope, id, (status, error), world.now()).await
    }))?;
    world.work();
    Ok(())
}

pub fn report(world: &World, lease: &Value, outcome: Outcome) -> Result<()> {
    let (id, sent) = (lease["lease_id"].as_str().unwrap(), format!("{outcome:?}"));
    let reported = Reported::new(id, outcome, &sent);
    run(leases::conclude(
        &world.db,
        &world.scope,
        &reported,
        world.now(),
    ))
}

pub fn keep(world: &World, lease: &Value) -> Result<Timestamp> {
    let id = lease["lease_id"].as_str().unwrap();
    run(leases::keep(&world.db, &world.scope, id, world.now()))
}

fn speaks(world: &World, lease: &Value) -> bool {
    let token = lease["execution_token"].as_str().unwrap();
    run(execution_of_token(&world.db, token)).unwrap().is_some()
}

pub fn succeeded() -> Outcome {
    Outcome::Succeeded {
        result: json!(3),
        runtime_properties: Default::default(),
    }
}

fn error(world: &World, id: &str) -> String {
    world.text(&format!("select error from executions where id = '{id}'"))
}

pub fn act(world: &World, action: Action, id: &str) {
    world.act(action, id).unwrap();
    world.work();
}

pub fn later(world: &World, seconds: i64) {
    let now = &world.clock.now;
    now.set(now.get() + seconds * 1000);
}

fn expire(world: &World, seconds: i64) -> usize {
    later(world, seconds);
    let expired = run(leases::expire(&world.db, world.now())).unwrap();
    world.work();
    expired
}

#[test]
fn a_worker_runs_a_workflow_and_says_itself_how_it_stands() {
    let (world, id) = begun();
    assert_eq!(world.status(&id), "pending", "nobody has begun");
    let lease = one(&world, "north");
    assert!(take(&world, "south").is_empty(), "somebody has it");
    assert_eq!(lease["kind"], "workflow");
    assert_eq!(lease["name"], "counting.count");
    assert_eq!(lease["kwargs"], json!({ "least": 3 }));
    for (pointer, wanted) in [
        ("/type", json!("workflow")),
        ("/task_name", json!("counting.count")),
        ("/workflow_id", json!("count")),
        ("/execution_id", json!(id)),
        ("/deployment_id", json!("d")),
        ("/blueprint_id", json!("bp")),
        ("/execution_creator_username", json!("ann")),
        ("/tenant/name", json!("harbour")),
        ("/resume", json!(false)),
        ("/dry_run", json!(false)),
        ("/plugin/name", json!("counting")),
        ("/plugin/package_name", json!("harbour-counting")),
        ("/plugin/package_version", json!("2.1")),
        ("/execution_token", lease["execution_token"].clone()),
    ] {
        assert_eq!(
            lease["context"].pointer(pointer),
            Some(&wanted),
            "{pointer}"
        );
    }
    say(&world, &id, Status::Started, "").unwrap();
    assert_eq!(world.status(&id), "started");
    assert!(speaks(&world, &lease));
    keep(&world, &lease).unwrap();
    say(&world, &id, Status::Terminated, "").unwrap();
    report(&world, &lease, succeeded()).unwrap();
    report(&world, &lease, succeeded()).expect("the same again is no harm");
    assert_eq!(world.status(&id), "terminated");
    assert!(!speaks(&world, &lease), "its token ended with it");
    assert_eq!(keep(&world, &lease).unwrap_err().kind(), Kind::Conflict);
    let other = Outcome::Failed(CallError::fatal("no"));
    assert_eq!(
        report(&world, &lease, other).unwrap_err().kind(),
        Kind::Conflict
    );
    assert!(take(&world, "south").is_empty(), "it is over");
}

#[test]
fn a_workflow_that_says_nothing_ends_as_its_worker_reports() {
    let (world, id) = begun();
    let lease = one(&world, "north");
    say(&world, &id, Status::Started, "").unwrap();
    let fatal = Outcome::Failed(CallError::fatal("its process was killed"));
    report(&world, &lease, fatal).unwrap();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(error(&world, &id), "its process was killed");
    let told = world.events(&id).join("\n");
    assert!(
        told.contains("'count' workflow execution failed: its process was killed"),
        "{told}"
    );

    let next = world.start("count", json!({}));
    world.work();
    let lease = one(&world, "north");
    report(&world, &lease, succeeded()).unwrap();
    assert_eq!(
        world.status(&next),
        "terminated",
        "also one that never said it began"
    );
}

#[test]
fn what_a_worker_gives_back_or_loses_is_anothers_and_goes_on() {
    let (world, id) = begun();
    let first = one(&world, "north");
    let back = || Outcome::Rescheduled(CallError::recoverable("The worker is being stopped"));
    report(&world, &first, back()).unwrap();
    let second = one(&world, "south");
    assert_eq!(second["context"]["resume"], false, "it never began");
    assert!(!speaks(&world, &first));
    say(&world, &id, Status::Started, "").unwrap();
    later(&world, 59);
    keep(&world, &second).unwrap();
    assert_eq!(expire(&world, 59), 0, "it was kept");
    assert_eq!(expire(&world, 2), 1);
    assert_eq!(world.status(&id), "started");
    let third = one(&world, "east");
    assert_eq!(third["context"]["resume"], true);
    for lost in [&first, &second] {
        assert_eq!(keep(&world, lost).unwrap_err().kind(), Kind::Conflict);
        let refused = report(&world, lost, succeeded()).unwrap_err();
        assert_eq!(refused.kind(), Kind::Conflict);
        assert!(!speaks(&world, lost));
    }
    report(&world, &third, succeeded()).unwrap();
    assert_eq!(world.status(&id), "terminated");
}

#[test]
fn a_workflow_that_takes_its_workers_along_fails() {
    let (world, id) = begun();
    for lost in 1..=5 {
        one(&world, &format!("worker_{lost}"));
        assert_eq!(expire(&world, 61), 1);
    }
    assert!(take(&world, "north").is_empty());
    assert_eq!(world.status(&id), "failed");
    assert_eq!(
        error(&world, &id),
        "5 workers have lost the workflow, the last of them `worker_5`"
    );
}

#[test]
fn a_cancelled_workflow_ends_itself_and_one_that_nobody_has_ends_at_once() {
    let (world, id) = begun();
    act(&world, Action::Cancel, &id);
    assert_eq!(world.status(&id), "cancelled", "nobody had it");
    assert!(take(&world, "north").is_empty());

    let id = world.start("count", json!({}));
    world.work();
    let lease = one(&world, "north");
    say(&world, &id, Status::Started, "").unwrap();
    act(&world, Action::Cancel, &id);
    assert_eq!(
        world.status(&id),
        "cancelling",
        "it is the workflow's to end"
    );
    keep(&world, &lease).unwrap();
    say(&world, &id, Status::Cancelled, "").unwrap();
    report(&world, &lease, succeeded()).unwrap();
    assert_eq!(world.status(&id), "cancelled");

    act(&world, Action::Resume, &id);
    assert_eq!(world.status(&id), "pending");
    let lease = one(&world, "south");
    assert_eq!(lease["context"]["resume"], true);
    say(&world, &id, Status::Started, "").unwrap();
    act(&world, Action::Cancel, &id);
    assert_eq!(expire(&world, 61), 1);
    assert_eq!(world.status(&id), "cancelled", "its worker was lost");
    assert!(take(&world, "north").is_empty());
}

#[test]
fn who_is_stopped_by_force_loses_the_lease() {
    for action in [Action::ForceCancel, Action::Kill] {
        let (world, id) = begun();
        let lease = one(&world, "north");
        say(&world, &id, Status::Started, "").unwrap();
        act(&world, action, &id);
        assert_eq!(world.status(&id), "cancelled");
        assert!(!speaks(&world, &lease));
        assert_eq!(keep(&world, &lease).unwrap_err().kind(), Kind::Conflict);
        assert_eq!(
            report(&world, &lease, succeeded()).unwrap_err().kind(),
            Kind::Conflict
        );
        assert!(take(&world, "south").is_empty());
    }
}

#[test]
fn one_that_waits_for_a_worker_does_not_stand_still() {
    let (world, id) = begun();
    later(&world, 3600);
    assert_eq!(
        run(windlass_engine::sweep(&world.db, world.now())).unwrap(),
        0
    );
    assert_eq!(world.status(&id), "pending");
    one(&world, "north");
}
