//! Nodes that are other deployments.

use crate::samples::column;
use windlass_tests::{Caller, Options, Recorder, Value, Windlass, json};

/// A deployment of one node whose steps are requests, with a capability.
const INNER: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  url: { type: string, default: '' }
  depth: { type: integer, default: 3 }
node_templates:
  hull:
    type: cloudify.nodes.Root
OPERATIONS
capabilities:
  depth: { value: { get_input: depth } }
";

const OUTER: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  url: { type: string, default: '' }
node_templates:
  tug:
    type: cloudify.nodes.Component
    properties:
      resource_config:
        blueprint: { id: hull, external_resource: true }
        deployment: { id: inner, inputs: { depth: 9, url: { get_input: url } } }
capabilities:
  depth: { value: { get_attribute: [tug, capabilities, depth] } }
";

const SHARED: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  pier:
    type: cloudify.nodes.SharedResource
    properties:
      resource_config:
        deployment: { id: inner }
";

fn upload(caller: Caller<'_>, id: &str, text: &str) {
    caller.upload(id, "b.yaml", &[("b.yaml", text)]).expect(201);
}

/// The outer deployment, not installed.
fn deployed(caller: Caller<'_>, operations: &str, url: &str) {
    upload(caller, "hull", &INNER.replace("OPERATIONS", operations));
    upload(caller, "tug", OUTER);
    let body = json!({ "blueprint_id": "tug", "inputs": { "url": url } });
    caller.put("/deployments/outer", body).expect(201);
}

fn properties(caller: Caller<'_>, node: &str) -> Value {
    let instances = caller
        .get(&format!("/node-instances?node_id={node}"))
        .expect(200);
    instances["items"][0]["runtime_properties"].clone()
}

#[test]
fn a_component_is_made_installed_taken_down_and_deleted_with_its_node() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    deployed(admin, "", "");
    let install = admin.execute("outer", "install");
    windlass.run_pending_work();
    let install = admin.execution(&install);
    assert_eq!(install["status"], "terminated", "{install}");
    let inner = admin.get("/deployments/inner").expect(200);
    assert_eq!(
        (&inner["installation_status"], &inner["inputs"]["depth"]),
        (&json!("active"), &json!(9))
    );
    let known = properties(admin, "tug");
    assert_eq!(known["deployment"], json!({ "id": "inner" }));
    assert_eq!(known["capabilities"], json!({ "depth": 9 }));
    let capabilities = admin.get("/deployments/outer/capabilities").expect(200);
    assert_eq!(capabilities["capabilities"], json!({ "depth": 9 }));
    // The outer deployment contains it, and is its parent.
    let dependencies = admin
        .get("/deployments/inter-deployment-dependencies")
        .expect(200);
    let creator = column(&dependencies, "dependency_creator")[0]
        .as_str()
        .expect("a text")
        .to_owned();
    assert!(creator.starts_with("component.tug_"), "{creator}");
    let refusal = admin.post(
        "/executions",
        json!({ "deployment_id": "inner", "workflow_id": "uninstall" }),
    );
    let refusal = refusal.refused(400, "dependent_exists_error");
    assert!(
        refusal.contains("[1] Deployment `outer` contains the current deployment in its node"),
        "{refusal}"
    );
    let outer = admin.get("/deployments/outer").expect(200);
    assert_eq!(outer["sub_services_count"], 1);
    let alone = admin
        .get("/deployments?_environments_only=true")
        .expect(200);
    assert_eq!(column(&alone, "id"), ["outer"]);

    let uninstall = admin.execute("outer", "uninstall");
    windlass.run_pending_work();
    assert_eq!(admin.execution(&uninstall)["status"], "terminated");
    admin
        .get("/deployments/inner")
        .refused(404, "not_found_error");
    admin.get("/blueprints/hull").expect(200);
    let left = admin
        .get("/deployments/inter-deployment-dependencies")
        .expect(200);
    assert_eq!(left["metadata"]["pagination"]["total"], 0);
    // And all of it once more.
    admin.execute("outer", "install");
    windlass.run_pending_work();
    assert_eq!(
        admin.get("/deployments/inner").expect(200)["installation_status"],
        "active"
    );
}

const FAILING: &str = "
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: windlass-http.create
          max_retries: 0
          inputs: { url: { get_input: url } }
";

#[test]
fn what_fails_inside_fails_the_operation_and_goes_on_when_resumed() {
    let recorder = Recorder::answering(|request| match request.path.as_str() {
        "/dock" => (503, json!({ "error": "no dock is free" })),
        _ => (200, json!({})),
    });
    let windlass = Options::default()
        .variable("outbound_allow_private", "true")
        .start();
    let admin = windlass.admin();
    deployed(admin, FAILING, &format!("{}/dock", recorder.url()));
    let install = admin.execute("outer", "install");
    windlass.run_pending_work();
    let failed = admin.execution(&install);
    assert_eq!(failed["status"], "failed", "{failed}");
    let error = failed["error"].as_str().expect("a reason");
    assert!(
        error.contains("for \"inner\" deployment") && error.contains("503"),
        "{error}"
    );
    // Resuming resumes what failed inside, instead of making it again.
    let path = format!("/executions/{}", failed["id"].as_str().expect("an id"));
    admin.post(&path, json!({ "action": "resume" })).expect(200);
    windlass.run_pending_work();
    assert_eq!(admin.execution(&install)["status"], "failed");
    assert_eq!(recorder.requests().len(), 2);
    let inner = admin
        .get("/executions?deployment_id=inner&workflow_id=install")
        .expect(200);
    assert_eq!(inner["metadata"]["pagination"]["total"], 1, "{inner}");
}

#[test]
fn cancelling_the_outer_run_cancels_the_inner_one() {
    let recorder = Recorder::answering(|_| (503, json!({})));
    let windlass = Options::default()
        .variable("outbound_allow_private", "true")
        .start();
    let admin = windlass.admin();
    let patient = FAILING.replace("max_retries: 0", "max_retries: 50");
    deployed(admin, &patient, &recorder.url());
    let install = admin.execute("outer", "install");
    windlass.run_pending_work();
    assert_eq!(admin.execution(&install)["status"], "started");
    let inner = || {
        admin
            .get("/executions?deployment_id=inner&workflow_id=install")
            .expect(200)["items"][0]["status"]
            .clone()
    };
    assert_eq!(inner(), "started");
    let path = format!("/executions/{}", install["id"].as_str().expect("an id"));
    admin.post(&path, json!({ "action": "cancel" })).expect(200);
    windlass.run_pending_work();
    assert_eq!(
        (inner(), admin.execution(&install)["status"].clone()),
        (json!("cancelled"), json!("cancelled"))
    );
}

#[test]
fn a_shared_resource_is_used_and_kept() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    upload(admin, "pier", SHARED);
    admin
        .put("/deployments/user", json!({ "blueprint_id": "pier" }))
        .expect(201);
    let install = admin.execute("user", "install");
    windlass.run_pending_work();
    let failed = admin.execution(&install);
    let error = failed["error"].as_str().expect("a reason");
    assert!(
        error.contains("deployment ID \"inner\" does not exist"),
        "{error}"
    );
    upload(admin, "hull", &INNER.replace("OPERATIONS", ""));
    admin
        .put("/deployments/inner", json!({ "blueprint_id": "hull" }))
        .expect(201);
    let install = admin.execute("user", "install");
    windlass.run_pending_work();
    assert_eq!(admin.execution(&install)["status"], "terminated");
    assert_eq!(
        properties(admin, "pier")["capabilities"],
        json!({ "depth": 3 })
    );
    let refusal = admin
        .delete("/deployments/inner")
        .refused(400, "dependent_exists_error");
    assert!(
        refusal.contains("Deployment `user` uses a shared resource from the current deployment"),
        "{refusal}"
    );
    admin.execute("user", "uninstall");
    windlass.run_pending_work();
    admin.delete("/deployments/inner").expect(204);
}

#[test]
fn what_no_component_can_be_is_said() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    upload(admin, "hull", &INNER.replace("OPERATIONS", ""));
    for (number, (old, new, text)) in [
        (
            "id: hull",
            "id: barge",
            "Blueprint ID \"barge\" does not exist",
        ),
        (
            ", external_resource: true",
            "",
            "No blueprint_archive supplied",
        ),
        (
            ", external_resource: true",
            ", blueprint_archive: inner.zip",
            "is no URL",
        ),
        ("depth: 9", "width: 9", "unknown inputs: width"),
        ("{ id: inner,", "{ id: 'a b',", "illegal characters"),
        (
            "{ id: inner,",
            "{ external_resource: true, id: inner,",
            "Deployment ID \"inner\" does not exist",
        ),
        (
            "    properties:\n",
            "    properties:\n      client: { host: manager.example }\n",
            "names another manager",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("tug-{number}");
        upload(admin, &id, &OUTER.replace(old, new));
        admin
            .put(&format!("/deployments/{id}"), json!({ "blueprint_id": id }))
            .expect(201);
        let install = admin.execute(&id, "install");
        windlass.run_pending_work();
        let failed = admin.execution(&install);
        let error = failed["error"].as_str().unwrap_or_default();
        assert!(error.contains(text), "{text}: {failed}");
        admin
            .get("/deployments/inner")
            .refused(404, "not_found_error");
    }
}
