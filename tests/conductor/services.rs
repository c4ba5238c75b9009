//! Deployments that use another one as their environment, and what is wanted of updates of it.

use crate::samples::{column, ids};
use windlass_tests::{Caller, Windlass, json};

const PORT: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  depth: { type: integer, default: 3 }
node_templates:
  quay: { type: cloudify.nodes.Root }
capabilities:
  depth: { value: { get_input: depth } }
";

const SHIP: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  hull:
    type: cloudify.nodes.Root
    properties: { resource_id: { get_environment_capability: depth } }
";

/// The environment `port` with two ships in it, installed.
fn port(windlass: &Windlass) {
    let admin = windlass.admin();
    for (id, text) in [("port", PORT), ("ship", SHIP)] {
        admin.upload(id, "b.yaml", &[("b.yaml", text)]).expect(201);
    }
    let body = json!({ "blueprint_id": "port" });
    admin.put("/deployments/port", body).expect(201);
    install(windlass, "port");
    for id in ["tug", "barge"] {
        let body = json!({ "blueprint_id": "ship", "labels": [{ "csys-obj-parent": "port" }] });
        admin.put(&format!("/deployments/{id}"), body).expect(201);
        install(windlass, id);
    }
}

fn install(windlass: &Windlass, id: &str) {
    let admin = windlass.admin();
    let execution = admin.execute(id, "install");
    windlass.run_pending_work();
    assert_eq!(admin.execution(&execution)["status"], "terminated", "{id}");
}

fn installed(admin: Caller<'_>) -> Vec<String> {
    let list = admin.get("/deployments?installation_status=active&_sort=id");
    ids(&list.expect(200))
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_recursive_uninstall_takes_the_services_down_first() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    port(&windlass);
    let mut body = json!({ "deployment_id": "port", "workflow_id": "uninstall" });
    let refusal = admin.post("/executions", body.clone());
    let refusal = refusal.refused(400, "dependent_exists_error");
    assert!(
        refusal.contains("is the parent of deployment `tug`"),
        "{refusal}"
    );
    assert_eq!(installed(admin), ["barge", "port", "tug"]);
    body["parameters"] = json!({ "recursive": true });
    let uninstall = admin.post("/executions", body).expect(201);
    windlass.run_pending_work();
    let uninstall = admin.execution(&uninstall);
    assert_eq!(uninstall["status"], "terminated", "{uninstall}");
    assert_eq!(installed(admin), [""; 0]);
    let runs = admin.get("/executions?workflow_id=uninstall&_sort=ended_at");
    let runs = runs.expect(200);
    assert_eq!(column(&runs, "status"), ["terminated"; 3]);
    assert_eq!(column(&runs, "deployment_id").last(), Some(&&json!("port")));
}

const NEXT: &str = "
workflows:
  mine:
    mapping: default_workflows.cloudify.plugins.workflows.install
    parameters: { added_instance_ids: { default: [] } }
deployment_settings:
  default_schedules:
    nightly: { workflow: mine, since: '+1 day', recurrence: 1 day }
";

#[test]
fn an_update_runs_the_workflow_that_is_named_and_brings_schedules() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    port(&windlass);
    let next = PORT.replace("  quay:", "  light: { type: cloudify.nodes.Root }\n  quay:") + NEXT;
    admin
        .upload("next", "b.yaml", &[("b.yaml", &next)])
        .expect(201);
    let path = "/deployment-updates/port/update/initiate";
    let mut body = json!({
        "blueprint_id": "next", "inputs": { "depth": "12" }, "preview": true, "force": true,
    });
    admin
        .post(path, body.clone())
        .refused(400, "bad_parameters_error");
    body["auto_correct_types"] = json!(true);
    let preview = admin.post(path, body.clone()).expect(200);
    assert_eq!(preview["schedules_to_create"][0]["id"], "nightly");
    let operator = windlass
        .user("olga")
        .with_role_in("viewer", "default_tenant");
    operator
        .post(path, body.clone())
        .refused(403, "forbidden_error");
    body["preview"] = json!(false);
    body["workflow_id"] = json!("mine");
    let update = admin.post(path, body).expect(200);
    windlass.run_pending_work();
    let id = update["id"].as_str().expect("an id");
    let update = admin.get(&format!("/deployment-updates/{id}")).expect(200);
    assert_eq!(update["state"], "successful", "{update}");
    assert_eq!(update["new_inputs"]["depth"], 12);
    let mine = admin.get("/executions?workflow_id=mine").expect(200);
    assert_eq!(column(&mine, "status"), ["terminated"]);
    let added = &mine["items"][0]["parameters"]["added_instance_ids"];
    let light = admin.get("/node-instances?node_id=light").expect(200);
    assert_eq!(light["items"][0]["state"], "started");
    assert_eq!(added, &json!([light["items"][0]["id"]]));
    let schedules = admin.get("/execution-schedules?deployment_id=port");
    assert_eq!(column(&schedules.expect(200), "id"), ["nightly"]);
}
