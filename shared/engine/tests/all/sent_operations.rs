//! Operations that workflows on workers send: run once, and told as often as the workflow asks.

use crate::common::{BEGIN, World, run};
use crate::workflow_leases::{act, begun, keep, later, one, report, say, succeeded};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Kind, Result, Timestamp};
use windlass_engine::control::Action;
use windlass_engine::leases::{self as operation_leases, Reported};
use windlass_engine::sent_operations;
use windlass_engine::step::{CallError, Outcome};
use windlass_store::executions::{self, Status};
use windlass_store::operation_leases::Asked;
use windlass_store::operations::NewOperation;

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
    time_passes(&world, &lease, 61);
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
fn time_passes(world: &World, lease: &Value, seconds: i64) {
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
