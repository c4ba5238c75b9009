//! `/executions`: workflows run to their end, in order, and can be stopped.

use crate::samples::{self, column};
use windlass_tests::{Windlass, at_once, json};

#[test]
fn install_starts_everything_and_uninstall_takes_it_down() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");

    let execution = admin.execute("crane", "install");
    assert_eq!(execution["workflow_id"], "install");
    windlass.run_pending_work();
    let path = format!("/executions/{}", execution["id"].as_str().expect("an id"));
    let execution = admin.get(&path).expect(200);
    assert_eq!(execution["status"], "terminated", "{execution}");
    assert_eq!(execution["status_display"], "completed");
    assert_eq!(
        execution["total_operations"],
        execution["finished_operations"]
    );
    let instances = admin.get("/node-instances?deployment_id=crane").expect(200);
    assert_eq!(column(&instances, "state"), ["started", "started"]);
    let deployment = admin.get("/deployments/crane").expect(200);
    assert_eq!(deployment["installation_status"], "active");
    assert_eq!(deployment["deployment_status"], "good");
    assert_eq!(deployment["latest_execution_status"], "completed");

    admin.execute("crane", "uninstall");
    windlass.run_pending_work();
    let instances = admin.get("/node-instances?deployment_id=crane").expect(200);
    assert_eq!(column(&instances, "state"), ["deleted", "deleted"]);
    assert_eq!(
        admin.get("/deployments/crane").expect(200)["installation_status"],
        "inactive"
    );
}

#[test]
fn what_cannot_start_is_refused_in_the_order_that_clients_know() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    for (what, body, status, code) in [
        ("nothing", json!({}), 400, "bad_parameters_error"),
        (
            "no workflow",
            json!({ "deployment_id": "crane" }),
            400,
            "bad_parameters_error",
        ),
        (
            "a number",
            json!({ "deployment_id": 5, "workflow_id": "install" }),
            400,
            "bad_parameters_error",
        ),
        (
            "no such deployment",
            json!({ "deployment_id": "zz", "workflow_id": "install" }),
            404,
            "not_found_error",
        ),
        (
            "no such workflow",
            json!({ "deployment_id": "crane", "workflow_id": "fly" }),
            400,
            "nonexistent_workflow_error",
        ),
        (
            "a strange parameter",
            json!({ "deployment_id": "crane", "workflow_id": "install", "parameters": { "speed": 1 } }),
            400,
            "illegal_execution_parameters_error",
        ),
        (
            "parameters of a wrong type",
            json!({ "deployment_id": "crane", "workflow_id": "install", "parameters": "fast" }),
            400,
            "bad_parameters_error",
        ),
        (
            "a flag that is none",
            json!({ "deployment_id": "crane", "workflow_id": "install", "force": "perhaps" }),
            400,
            "bad_parameters_error",
        ),
        (
            "not available yet",
            json!({ "deployment_id": "crane", "workflow_id": "uninstall" }),
            400,
            "unavailable_workflow_error",
        ),
    ] {
        let message = admin.post("/executions", body).refused(status, code);
        assert!(!message.is_empty(), "{what}");
    }
    let executions = admin
        .get("/executions?deployment_id=crane&workflow_id=install")
        .expect(200);
    assert_eq!(
        executions["metadata"]["pagination"]["total"], 0,
        "{executions}"
    );
}

#[test]
fn a_second_execution_waits_only_if_it_is_told_to() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    // A worker that never comes keeps the first one going.
    admin
        .upload("waiting", "waiting.yaml", &[("waiting.yaml", WAITING)])
        .expect(201);
    admin
        .put("/deployments/waiting", json!({ "blueprint_id": "waiting" }))
        .expect(201);
    let first = admin.execute("waiting", "install");
    windlass.run_pending_work();

    let again = json!({ "deployment_id": "waiting", "workflow_id": "install" });
    admin
        .post("/executions", again)
        .refused(400, "existing_running_execution_error");
    let queued = json!({ "deployment_id": "waiting", "workflow_id": "install", "queue": "true" });
    let queued = admin.post("/executions", queued).expect(201);
    assert_eq!(queued["status"], "queued");

    let path = format!("/executions/{}", first["id"].as_str().expect("an id"));
    assert_eq!(admin.get(&path).expect(200)["status"], "started");
    let cancelled = json!({ "deployment_id": "waiting", "action": "kill" });
    admin.post(&path, cancelled).expect(200);
    windlass.run_pending_work();
    assert_eq!(admin.get(&path).expect(200)["status"], "cancelled");
    let path = format!("/executions/{}", queued["id"].as_str().expect("an id"));
    assert_eq!(
        admin.get(&path).expect(200)["status"],
        "started",
        "the queue moved on"
    );
}

const WAITING: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
plugins:
  stevedore:
    executor: central_deployment_agent
    install: false
node_templates:
  load:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: stevedore.tasks.carry
";

#[test]
fn a_dry_run_tells_everything_and_changes_nothing() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let body = json!({ "deployment_id": "crane", "workflow_id": "install", "dry_run": "true" });
    let execution = admin.post("/executions", body).expect(201);
    assert_eq!(execution["is_dry_run"], true);
    windlass.run_pending_work();
    let path = format!("/executions/{}", execution["id"].as_str().expect("an id"));
    assert_eq!(admin.get(&path).expect(200)["status"], "terminated");
    let instances = admin.get("/node-instances?deployment_id=crane").expect(200);
    assert_eq!(
        column(&instances, "state"),
        ["uninitialized", "uninitialized"]
    );
}

#[test]
fn one_of_many_starts_at_once_runs() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let statuses: Vec<u16> = at_once(8, |_| {
        let body = json!({ "deployment_id": "crane", "workflow_id": "install" });
        admin.post("/executions", body).status()
    });
    // The others came while it ran, or after it, when there was nothing left to install.
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 400).count(),
        7,
        "{statuses:?}"
    );
    windlass.run_pending_work();
    let executions = admin.get("/executions?workflow_id=install").expect(200);
    assert_eq!(column(&executions, "status"), ["terminated"]);
}
