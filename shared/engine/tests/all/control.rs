//! Executions are cancelled, resumed, and wait for each other.

use crate::common::{Answer, World, http, run};
use serde_json::json;
use windlass_core::Kind;
use windlass_core::db::Db;
use windlass_engine::StartRequest;
use windlass_engine::control::Action;
use windlass_store::executions::Status;

#[test]
fn a_cancelled_execution_ends_at_once_and_learns_what_came_of_its_calls() {
    let world = World::new();
    let mut create = http("create");
    create["inputs"]["runtime_properties"] = json!({ "lamp": "id" });
    world.node(
        "vm",
        json!({ "create": create, "start": http("start") }),
        &[],
    );
    let id = world.start("install", json!({}));
    world.until_under_way();
    world
        .net
        .answers(|_, _| Answer::Status(200, r#"{"id": "L7"}"#));
    let cancelled = world.act(Action::Cancel, &id).unwrap();
    assert_eq!(cancelled.status, Status::Cancelling);
    let again = world.act(Action::Cancel, &id).unwrap_err();
    assert_eq!(
        again.message(),
        format!("Can't cancel execution {id} because it's in status cancelling")
    );
    // The lease of the killed tick still holds, so nobody knows how the call ends.
    assert_eq!(world.tick().unwrap().ran, 1);
    assert_eq!(world.status(&id), "cancelled");
    assert_eq!(
        world.events(&id).last().unwrap(),
        "'install' workflow execution cancelled"
    );
    world.pass(5001);
    world.work();
    assert_eq!(world.net.paths(), ["create", "create"]);
    assert_eq!(
        world.events(&id).last().unwrap(),
        "vm: Task succeeded 'windlass-http.create' - 200"
    );
    let properties = "select runtime_properties from node_instances";
    assert_eq!(world.text(properties), r#"{"lamp":"L7"}"#);

    world.act(Action::Resume, &id).unwrap();
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(
        world.net.paths(),
        ["create", "create", "start"],
        "create is not run again"
    );
    let events = world.events(&id);
    assert!(events.contains(&"Resuming 'install' workflow execution".to_owned()));
    assert_eq!(world.states(), ["vm_1 started"]);
}

#[test]
fn a_call_that_fails_after_the_end_is_not_tried_again() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    let id = world.start("install", json!({}));
    world.until_under_way();
    world.act(Action::Cancel, &id).unwrap();
    world.net.answers(|_, _| Answer::Status(500, "no"));
    world.pass(5001);
    world.work();
    assert_eq!(world.status(&id), "cancelled");
    let call = "from operations where type = 'RemoteWorkflowTask'";
    assert_eq!(
        world.text(&format!(
            "select state || ' ' || (parameters ->> 'error') {call}"
        )),
        "failed GET https://api.example/create answered 500: no"
    );
    world.net.answers(|_, _| Answer::Status(200, "{}"));
    world.act(Action::Resume, &id).unwrap();
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let progress = "select (total_operations - finished_operations) || '' from executions";
    assert_eq!(world.text(progress), "0");
}

#[test]
fn cancelling_by_force_does_not_wait() {
    for (action, status) in [
        (Action::ForceCancel, Status::ForceCancelling),
        (Action::Kill, Status::KillCancelling),
    ] {
        let world = World::new();
        world.node("vm", json!({ "create": http("create") }), &[]);
        let id = world.start("install", json!({}));
        world.until_under_way();
        let asked = world.act(action, &id).unwrap();
        assert_eq!(asked.status, status);
        world.work();
        assert_eq!(world.status(&id), "cancelled", "{action:?}");
        assert_eq!(world.states(), ["vm_1 creating"], "{action:?}");
        assert_eq!(
            world.net.paths(),
            ["create"],
            "{action:?}: its result does not matter"
        );
        let refusal = world.act(Action::Kill, &id).unwrap_err();
        assert_eq!(refusal.kind(), Kind::IllegalAction, "{action:?}");
        world.act(Action::ForceResume, &id).unwrap();
        world.work();
        assert_eq!(world.status(&id), "terminated", "{action:?}");
        assert_eq!(world.states(), ["vm_1 started"], "{action:?}");
    }
}

#[test]
fn a_cancel_before_the_start_and_between_tries() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    let id = world.start("install", json!({}));
    world.act(Action::Cancel, &id).unwrap();
    world.work();
    assert_eq!(
        world.events(&id),
        ["'install' workflow execution cancelled"]
    );
    assert_eq!(world.status(&id), "cancelled");

    world.net.answers(|_, _| Answer::Refused);
    let id = world.start("install", json!({}));
    assert_eq!(world.tick().unwrap().next_due, Some(15_000));
    world.act(Action::Cancel, &id).unwrap();
    let report = world.tick().unwrap();
    assert_eq!(
        (report.next_due, world.status(&id)),
        (None, "cancelled".into())
    );
}

#[test]
fn a_failed_install_cleans_up_before_it_goes_on() {
    let world = World::new();
    let mut create = http("create");
    create["max_retries"] = json!(0);
    let all = json!({ "precreate": http("precreate"), "create": create, "delete": http("delete") });
    world.node("vm", all, &[]);
    world.net.answers(|request, before| {
        if request.url.ends_with("create") && !request.url.ends_with("precreate") && before == 0 {
            Answer::Status(500, "")
        } else {
            Answer::Status(200, "{}")
        }
    });
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.status(&id), "failed");
    let refused = world.act(Action::ForceCancel, &id);
    assert!(refused.is_err());
    let resumed = world.act(Action::Resume, &id).unwrap();
    assert_eq!(
        (resumed.status.name(), resumed.resume, resumed.error),
        ("pending", true, None)
    );
    world.work();
    assert_eq!(
        world.net.paths(),
        ["precreate", "create", "delete", "create"]
    );
    assert_eq!(world.status(&id), "terminated");
    let events = world.inner_events(&id);
    let at = |text: &str| events.iter().position(|known| known == text).expect(text);
    assert!(
        at("vm: Rolling back prior to resuming install") < at("vm: Deleting node instance")
            && at("vm: Deleted node instance")
                < at("vm: Finished rolling back, now resuming install")
    );
    let refusal = world.act(Action::Resume, &id).unwrap_err();
    assert_eq!(
        refusal.message(),
        format!("Cannot resume execution: `{id}` in state: `terminated`")
    );
    let progress = "select (total_operations - finished_operations) || '' from executions";
    assert_eq!(world.text(progress), "0");
}

#[test]
fn executions_of_a_deployment_wait_for_each_other() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    let first = world.start("install", json!({}));
    let request = |queue| StartRequest {
        deployment_id: "d".into(),
        workflow_id: "uninstall".into(),
        queue,
        ..StartRequest::default()
    };
    let refusal = world.try_start(request(false)).unwrap_err();
    assert_eq!(refusal.kind(), Kind::ExistingRunningExecution);
    let second = world.try_start(request(true)).unwrap();
    assert_eq!(second.status, Status::Queued);
    let third = world.try_start(request(true)).unwrap();
    world.act(Action::Cancel, &third.id).unwrap();
    assert_eq!(world.status(&third.id), "cancelled");
    world.work();
    assert_eq!(world.status(&first), "terminated");
    assert_eq!(world.status(&second.id), "terminated");
    assert_eq!(world.states(), ["vm_1 deleted"]);
    assert_eq!(
        world.events(&second.id)[0],
        "'uninstall' workflow execution queued"
    );
}

#[test]
fn a_queued_execution_that_is_not_available_any_more_fails() {
    let world = World::new();
    world.node("vm", json!({}), &[]);
    world.start("install", json!({}));
    let request = StartRequest {
        deployment_id: "d".into(),
        workflow_id: "install".into(),
        queue: true,
        ..StartRequest::default()
    };
    let second = world.try_start(request.clone()).unwrap();
    world.work();
    assert_eq!(world.status(&second.id), "failed");
    let sql = format!("select error from executions where id = '{}'", second.id);
    assert_eq!(
        world.text(&sql),
        "Error dequeueing execution: Workflow not available: install"
    );
    let refusal = world.try_start(request).unwrap_err();
    assert_eq!(refusal.kind(), Kind::UnavailableWorkflow);
    assert_eq!(refusal.message(), "Workflow not available: install");
}

#[test]
fn what_waits_needs_to_be_available_when_it_starts() {
    let world = World::new();
    world.sql(
        "update plan_parts set text = json_set(text, '$[1].availability_rules',
             json('{\"node_instances_active\": [\"all\", \"partial\"]}'))
         where key = (select workflow_parts ->> 0 from deployments)",
    );
    world.node("vm", json!({ "create": http("create") }), &[]);
    let uninstall = StartRequest {
        deployment_id: "d".into(),
        workflow_id: "uninstall".into(),
        queue: true,
        ..StartRequest::default()
    };
    let refusal = world.try_start(uninstall.clone()).unwrap_err();
    assert_eq!(refusal.kind(), Kind::UnavailableWorkflow);
    let first = world.start("install", json!({}));
    let second = world.try_start(uninstall).unwrap();
    assert_eq!(second.status, Status::Queued);
    world.work();
    assert_eq!(world.status(&first), "terminated");
    assert_eq!(world.status(&second.id), "terminated");
    assert_eq!(world.states(), ["vm_1 deleted"]);
}

#[test]
fn a_start_is_refused_for_unknown_things() {
    let world = World::new();
    for (deployment, workflow, kind) in [
        ("x", "install", Kind::NotFound),
        ("d", "fly", Kind::NonexistentWorkflow),
        ("d", "install", Kind::IllegalExecutionParameters),
    ] {
        let request = StartRequest {
            deployment_id: deployment.into(),
            workflow_id: workflow.into(),
            parameters: serde_json::from_value(json!({ "altitude": 3 })).unwrap(),
            ..StartRequest::default()
        };
        let refusal = world.try_start(request).unwrap_err();
        assert_eq!(refusal.kind(), kind, "{deployment} {workflow}: {refusal:?}");
    }
}

#[test]
fn availability_may_depend_on_the_types_of_nodes() {
    let world = World::new();
    world.sql(
        "update plan_parts set text = json_set(text, '$[0].availability_rules',
             json('{\"node_types_required\": [\"cloudify.nodes.Compute\"]}'))
         where key = (select workflow_parts ->> 0 from deployments)",
    );
    world.node("vm", json!({}), &[]);
    let request = StartRequest {
        deployment_id: "d".into(),
        workflow_id: "install".into(),
        ..StartRequest::default()
    };
    let refusal = world.try_start(request.clone()).unwrap_err();
    assert_eq!(refusal.kind(), Kind::UnavailableWorkflow);
    world.node_of("d", "host", "cloudify.nodes.Compute", json!({}), &[]);
    let started = world.try_start(request).unwrap();
    assert_eq!(started.status, Status::Pending);
}

#[test]
fn functions_in_parameters_are_evaluated_at_the_start() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    world.sql("update node_instances set runtime_properties = '{\"path\": \"there\"}'");
    let path = json!({ "concat": ["https://api.example/", { "get_attribute": ["vm", "path"] }] });
    let parameters = json!({
        "operation": "create", "operation_kwargs": { "url": path }, "allow_kwargs_override": true,
    });
    let id = world.start("execute_operation", parameters);
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.net.paths(), ["there"]);
}

#[test]
fn a_graph_that_a_client_made_is_not_the_engines() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    world.net.answers(|_, _| Answer::Status(200, "{}"));
    let id = world.start("install", json!({}));
    // As `POST /tasks_graphs` stores it.
    run(world.db.execute(
        "insert into tasks_graphs (id, execution_key, execution_id, name, tenant_name, created_by,
             visibility, created_at)
         select 'mine', key, id, 'notes', tenant_name, created_by, visibility, created_at
         from executions",
        &[],
    ))
    .unwrap();
    world.work();
    assert_eq!(world.net.paths(), ["create"]);
    assert_eq!(world.status(&id), "terminated");
}

#[test]
fn what_is_resumed_counts_against_the_quota() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    let id = world.start("install", json!({}));
    world.until_under_way();
    world.act(Action::Cancel, &id).unwrap();
    world.pass(5001);
    world.work();
    assert_eq!(world.status(&id), "cancelled");
    let limit = |most: i64| {
        let sql = format!(
            "insert into tenant_quotas (tenant_name, region, service, resource, quota)
             select name, 'RegionOne', 'windlass', 'executions', {most} from tenants where true
             on conflict do update set quota = excluded.quota"
        );
        run(async { world.db.execute(&sql, &[]).await }).unwrap();
    };
    limit(0);
    let refusal = world.act(Action::Resume, &id).unwrap_err();
    assert_eq!(refusal.kind(), Kind::Forbidden);
    let text = "it may have 0 executions at most";
    assert!(refusal.message().ends_with(text), "{}", refusal.message());
    assert_eq!(world.status(&id), "cancelled", "nothing has changed");
    limit(1);
    world.act(Action::Resume, &id).unwrap();
    // What has not ended is among those that count already.
    let cancelled = world.act(Action::Cancel, &id).unwrap();
    assert_eq!(cancelled.status, Status::Cancelling);
}
