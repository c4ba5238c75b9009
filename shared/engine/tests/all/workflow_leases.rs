//! Workflows of plugins: handed out to a worker, kept, ended, and handed out again when the worker is lost.

use crate::common::{BEGIN, World, run};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Kind, Result, Timestamp};
use windlass_engine::control::{self, Action};
use windlass_engine::leases::{self as operation_leases, Reported};
use windlass_engine::step::{CallError, Outcome};
use windlass_engine::{sent_operations, workflow_leases as leases};
use windlass_store::executions::{self, Status};
use windlass_store::operation_leases::Asked;
use windlass_store::operations::NewOperation;
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

fn begun() -> (World, String) {
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

fn one(world: &World, worker: &str) -> Value {
    let mut taken = take(world, worker);
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.remove(0)
}

/// What the dispatcher reports with the token of the lease.
fn say(world: &World, id: &str, status: Status, error: &str) -> Result<()> {
    run(world.db.transaction(async |tx| {
        control::report_status(tx, &world.scope, id, (status, error), world.now()).await
    }))?;
    world.work();
    Ok(())
}

fn report(world: &World, lease: &Value, outcome: Outcome) -> Result<()> {
    let (id, sent) = (lease["lease_id"].as_str().unwrap(), format!("{outcome:?}"));
    let reported = Reported::new(id, outcome, &sent);
    run(leases::conclude(
        &world.db,
        &world.scope,
        &reported,
        world.now(),
    ))
}

fn keep(world: &World, lease: &Value) -> Result<Timestamp> {
    let id = lease["lease_id"].as_str().unwrap();
    run(leases::keep(&world.db, &world.scope, id, world.now()))
}

fn speaks(world: &World, lease: &Value) -> bool {
    let token = lease["execution_token"].as_str().unwrap();
    run(execution_of_token(&world.db, token)).unwrap().is_some()
}

fn succeeded() -> Outcome {
    Outcome::Succeeded {
        result: json!(3),
        runtime_properties: Default::default(),
    }
}

fn error(world: &World, id: &str) -> String {
    world.text(&format!("select error from executions where id = '{id}'"))
}

fn act(world: &World, action: Action, id: &str) {
    world.act(action, id).unwrap();
    world.work();
}

fn later(world: &World, seconds: i64) {
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

/// What the dispatcher in the place of a broker sends of a task.
fn task(id: &str, plugin: &str, kwargs: Value) -> NewOperation {
    let mut kwargs = kwargs;
    kwargs["__cloudify_context"] = json!({
        "task_id": id, "task_name": "script_runner.tasks.run", "node_id": "vm_1", "node_name": "vm",
        "operation": { "name": "harbour.paint", "retry_number": 0, "max_retries": 2 },
        "plugin": { "name": plugin }, "tenant": { "name": "harbour" },
    });
    let parameters =
        json!({ "current_retries": 0, "total_retries": 2, "task_kwargs": { "kwargs": kwargs } });
    NewOperation {
        id: id.into(),
        name: "script_runner.tasks.run".into(),
        kind: "RemoteWorkflowTask".into(),
        state: "sent".into(),
        dependencies: Vec::new(),
        parameters: parameters.as_object().unwrap().clone(),
        created_at: Timestamp::from_millis(BEGIN),
    }
}

fn send(world: &World, id: &str, task: &NewOperation) -> Result<()> {
    run(world.db.transaction(async |tx| {
        let execution = executions::find(tx, &world.scope, id).await?;
        sent_operations::send(tx, &execution, task, None).await
    }))
}

fn came(world: &World, id: &str, after: i64) -> Vec<Value> {
    run(async {
        let execution = executions::find(&world.db, &world.scope, id).await.unwrap();
        sent_operations::ended(&world.db, &execution, after).await
    })
    .unwrap()
}

fn operations(world: &World) -> Vec<Value> {
    let asked = Asked {
        worker: "hand".into(),
        queues: vec!["central_deployment_agent".into()],
        most: 9,
        seconds: 60,
    };
    run(operation_leases::lease(
        &world.db,
        &world.scope,
        &asked,
        world.now(),
    ))
    .unwrap()
}

fn end(world: &World, lease: &Value, outcome: Outcome) {
    let (id, sent) = (lease["lease_id"].as_str().unwrap(), format!("{outcome:?}"));
    let reported = Reported::new(id, outcome, &sent);
    run(operation_leases::conclude(
        &world.db,
        &world.scope,
        reported,
        world.now(),
    ))
    .unwrap();
    world.work();
}

/// A workflow that has begun, and its lease.
fn started() -> (World, String, Value) {
    let (world, id) = begun();
    let lease = one(&world, "north");
    say(&world, &id, Status::Started, "").unwrap();
    (world, id, lease)
}

#[test]
fn what_a_workflow_sends_is_run_once_and_told_as_often_as_it_asks() {
    let (world, id, lease) = started();
    for _ in 0..2 {
        send(
            &world,
            &id,
            &task("a", "script", json!({ "colour": "red" })),
        )
        .unwrap();
    }
    send(&world, &id, &task("b", "script", json!({}))).unwrap();
    let taken = operations(&world);
    assert_eq!(taken.len(), 2, "{taken:?}");
    assert_eq!(taken[0]["kwargs"], json!({ "colour": "red" }));
    assert_eq!(taken[0]["node_instance_id"], "vm_1");
    assert!(came(&world, &id, 0).is_empty());
    end(
        &world,
        &taken[1],
        Outcome::Failed(CallError {
            retry_after: Some(1500),
            ..CallError::recoverable("wet")
        }),
    );
    end(&world, &taken[0], succeeded());
    let all = came(&world, &id, 0);
    assert_eq!(all[0]["operation_id"], "b");
    assert_eq!(all[0]["status"], "failed");
    assert_eq!(all[0]["error"]["message"], "wet");
    assert_eq!(all[0]["error"]["retry_after"], 1.5);
    assert_eq!(
        all[1],
        json!({ "operation_id": "a", "number": 2, "status": "succeeded", "result": 3 })
    );
    assert_eq!(came(&world, &id, 1), all[1..]);
    send(&world, &id, &task("a", "script", json!({}))).unwrap();
    assert!(operations(&world).is_empty(), "it has run");
    assert_eq!(
        world.status(&id),
        "started",
        "what follows is the workflow's to say"
    );
    assert_eq!(
        world.text("select state from operations where id = 'a'"),
        "succeeded"
    );
    say(&world, &id, Status::Terminated, "").unwrap();
    report(&world, &lease, succeeded()).unwrap();
    let late = send(&world, &id, &task("c", "script", json!({}))).unwrap_err();
    assert_eq!(late.kind(), Kind::Conflict);
}

#[test]
fn http_operations_of_a_workflow_are_the_control_planes() {
    let (world, id, _) = started();
    let call = task(
        "a",
        "windlass-http",
        json!({ "url": "https://api.example/paint", "save_body_as": "paint" }),
    );
    send(&world, &id, &call).unwrap();
    world.work();
    assert_eq!(world.net.paths(), ["paint"]);
    assert_eq!(came(&world, &id, 0)[0]["status"], "succeeded");
    let component = task("b", "cfy_extensions", json!({}));
    let component = NewOperation {
        name: "cloudify_types.component.create".into(),
        ..component
    };
    let refused = send(&world, &id, &component).unwrap_err();
    assert!(
        refused.message().contains("components"),
        "{}",
        refused.message()
    );
}

#[test]
fn a_lost_operation_is_a_failure_for_the_workflow_to_retry() {
    let (world, id, lease) = started();
    send(&world, &id, &task("a", "script", json!({}))).unwrap();
    let taken = operations(&world);
    world_keeps(&world, &lease, 61);
    assert_eq!(
        run(operation_leases::expire(&world.db, world.now())).unwrap(),
        1
    );
    let all = came(&world, &id, 0);
    assert_eq!(all[0]["error"]["type"], "LeaseExpired");
    assert_eq!(all[0]["error"]["recoverable"], true);
    let late = Reported::new(taken[0]["lease_id"].as_str().unwrap(), succeeded(), "x");
    let refused = run(operation_leases::conclude(
        &world.db,
        &world.scope,
        late,
        world.now(),
    ));
    assert_eq!(refused.unwrap_err().kind(), Kind::Conflict);
}

/// Time passes, in which the workflow's lease is kept.
fn world_keeps(world: &World, lease: &Value, seconds: i64) {
    for _ in 0..seconds {
        later(world, 1);
        keep(world, lease).unwrap();
    }
}

#[test]
fn a_resumed_workflow_finds_what_came_meanwhile_and_runs_again_what_failed() {
    let (world, id, _) = started();
    for name in ["a", "b", "c", "d"] {
        send(&world, &id, &task(name, "script", json!({}))).unwrap();
    }
    let taken = operations(&world);
    end(&world, &taken[0], succeeded());
    end(&world, &taken[1], Outcome::Failed(CallError::fatal("no")));
    act(&world, Action::ForceCancel, &id);
    assert_eq!(world.status(&id), "cancelled");
    let late = Reported::new(taken[2]["lease_id"].as_str().unwrap(), succeeded(), "x");
    let refused = run(operation_leases::conclude(
        &world.db,
        &world.scope,
        late,
        world.now(),
    ));
    assert_eq!(
        refused.unwrap_err().kind(),
        Kind::Conflict,
        "nobody waits for it"
    );

    act(&world, Action::Resume, &id);
    one(&world, "south");
    say(&world, &id, Status::Started, "").unwrap();
    let known: Vec<Value> = came(&world, &id, 0)
        .iter()
        .map(|one| one["operation_id"].clone())
        .collect();
    assert_eq!(known, ["a"]);
    for name in ["a", "b", "c", "d"] {
        send(&world, &id, &task(name, "script", json!({}))).unwrap();
    }
    let again: Vec<Value> = operations(&world)
        .iter()
        .map(|lease| lease["operation_id"].clone())
        .collect();
    assert_eq!(again, ["b", "c", "d"]);
}
