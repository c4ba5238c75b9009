//! `/deployment-modifications` and the workflow `scale`: other numbers of node instances.

use crate::samples::column;
use windlass_tests::{Caller, Options, Recorder, Value, Windlass, json};

const DECK: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs: { url: {} }
node_templates:
  mast: { type: cloudify.nodes.Root }
  lamp:
    type: cloudify.nodes.Root
    relationships: [{ type: cloudify.relationships.contained_in, target: mast }]
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: windlass-http.create
          inputs: { method: POST, url: { concat: [{ get_input: url }, /lamps] }, result: found }
        delete:
          implementation: windlass-http.delete
          inputs: { method: DELETE, url: { concat: [{ get_input: url }, /lamps] } }
        check_drift:
          implementation: windlass-http.look
          inputs: { url: { concat: [{ get_input: url }, /drift] }, result: drift }
      cloudify.interfaces.validation:
        check_status:
          implementation: windlass-http.check
          inputs: { url: { concat: [{ get_input: url }, /health] } }
";

/// A Windlass with the deployment `deck`, whose lamps are kept by a recording server.
fn deck(recorder: &Recorder) -> Windlass {
    let windlass = Options::default()
        .variable("outbound_allow_private", "true")
        .start();
    let admin = windlass.admin();
    let file = [("deck.yaml", DECK)];
    admin.upload("deck", "deck.yaml", &file).expect(201);
    let body = json!({ "blueprint_id": "deck", "inputs": { "url": recorder.url() } });
    admin.put("/deployments/deck", body).expect(201);
    windlass
}

fn run(windlass: &Windlass, workflow: &str, parameters: Value) -> Value {
    let admin = windlass.admin();
    let body =
        json!({ "deployment_id": "deck", "workflow_id": workflow, "parameters": parameters });
    let execution = admin.post("/executions", body).expect(201);
    windlass.run_pending_work();
    admin.execution(&execution)
}

/// How many instances the deployment has of each node and state.
fn states(admin: Caller<'_>) -> Vec<String> {
    let list = admin.get("/node-instances?_size=1000").expect(200);
    let mut states: Vec<String> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| format!("{} {}", one["node_id"], one["state"]).replace('"', ""))
        .collect();
    states.sort();
    states
}

#[test]
fn a_modification_is_tried_and_then_kept_or_taken_back() {
    let recorder = Recorder::answering(|_| (200, json!({})));
    let windlass = deck(&recorder);
    let admin = windlass.admin();
    let body = json!({
        "deployment_id": "deck", "nodes": { "mast": { "instances": 2 } }, "context": { "why": "night" },
    });
    let begun = admin
        .post("/deployment-modifications", body.clone())
        .expect(201);
    assert_eq!(
        (&begun["status"], &begun["ended_at"]),
        (&json!("started"), &Value::Null)
    );
    assert_eq!(begun["context"], json!({ "why": "night" }));
    let added = &begun["node_instances"]["added_and_related"];
    let mut nodes: Vec<&str> = added
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["modification"] == "added")
        .filter_map(|one| one["node_id"].as_str())
        .collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["lamp", "mast"]);
    assert_eq!(states(admin).len(), 4);
    admin
        .post("/deployment-modifications", body)
        .refused(400, "existing_started_deployment_modification_error");

    let path = format!(
        "/deployment-modifications/{}",
        begun["id"].as_str().unwrap_or_default()
    );
    let back = admin
        .post(&format!("{path}/rollback"), json!({}))
        .expect(200);
    assert_eq!(back["status"], "rolledback");
    let before = back["node_instances"]["before_rollback"].as_array();
    assert!(before.is_some_and(|before| !before.is_empty()), "{back}");
    assert_eq!(states(admin).len(), 2);
    for end in ["finish", "rollback"] {
        admin
            .post(&format!("{path}/{end}"), json!({}))
            .refused(400, "deployment_modification_already_ended_error");
    }

    let fewer = json!({ "deployment_id": "deck", "nodes": { "lamp": { "instances": 0 } } });
    let begun = admin.post("/deployment-modifications", fewer).expect(201);
    assert_eq!(
        begun["node_instances"]["removed_and_related"][0]["node_id"],
        "lamp"
    );
    assert_eq!(states(admin).len(), 2, "what goes stays until the end");
    let path = format!(
        "/deployment-modifications/{}",
        begun["id"].as_str().unwrap_or_default()
    );
    admin.post(&format!("{path}/finish"), json!({})).expect(200);
    assert_eq!(states(admin), ["mast uninitialized"]);
    let node = admin.get("/nodes?id=lamp").expect(200);
    assert_eq!(node["items"][0]["number_of_instances"], 0);
    let list = admin
        .get("/deployment-modifications?deployment_id=deck&_sort=created_at")
        .expect(200);
    assert_eq!(column(&list, "status"), ["rolledback", "finished"]);
    let short = admin
        .get("/deployment-modifications?status=finished&_include=id,status")
        .expect(200);
    assert_eq!(
        short["items"][0].as_object().map(|item| item.len()),
        Some(2)
    );
}

#[test]
fn what_is_no_number_or_no_node_is_refused_and_leaves_nothing() {
    let recorder = Recorder::answering(|_| (200, json!({})));
    let windlass = deck(&recorder);
    let admin = windlass.admin();
    for (nodes, status, code) in [
        (
            json!({ "lamp": { "instances": -1 } }),
            400,
            "bad_parameters_error",
        ),
        (
            json!({ "lamp": { "instances": "2" } }),
            400,
            "bad_parameters_error",
        ),
        (json!({ "lamp": {} }), 400, "bad_parameters_error"),
        (json!({ "lamp": 2 }), 400, "bad_parameters_error"),
        (json!([]), 400, "bad_parameters_error"),
        (
            json!({ "lamp": { "instances": 1_000_000 } }),
            400,
            "bad_parameters_error",
        ),
        (
            json!({ "ghost": { "instances": 1 } }),
            404,
            "not_found_error",
        ),
    ] {
        let body = json!({ "deployment_id": "deck", "nodes": nodes });
        admin
            .post("/deployment-modifications", body)
            .refused(status, code);
    }
    let ghost = json!({ "deployment_id": "ghost", "nodes": {} });
    admin
        .post("/deployment-modifications", ghost)
        .refused(404, "not_found_error");
    let list = admin.get("/deployment-modifications").expect(200);
    assert_eq!(list["metadata"]["pagination"]["total"], 0);
    assert_eq!(states(admin).len(), 2);
}

#[test]
fn scaling_installs_what_is_new_and_uninstalls_what_goes() {
    let recorder = Recorder::answering(|_| (200, json!({})));
    let windlass = deck(&recorder);
    let admin = windlass.admin();
    assert_eq!(run(&windlass, "install", json!({}))["status"], "terminated");
    let out = run(
        &windlass,
        "scale",
        json!({ "scalable_entity_name": "lamp", "delta": 2 }),
    );
    assert_eq!(out["status"], "terminated", "{out}");
    assert_eq!(
        states(admin)
            .iter()
            .filter(|line| *line == "lamp started")
            .count(),
        3
    );
    let back = run(
        &windlass,
        "scale",
        json!({ "scalable_entity_name": "lamp", "delta": -1 }),
    );
    assert_eq!(back["status"], "terminated", "{back}");
    assert_eq!(
        states(admin),
        ["lamp started", "lamp started", "mast started"]
    );
    let seen: Vec<String> = recorder
        .requests()
        .iter()
        .map(|request| request.method.clone())
        .collect();
    assert_eq!(seen, ["POST", "POST", "POST", "DELETE"]);
    let refused = run(
        &windlass,
        "scale",
        json!({ "scalable_entity_name": "ghost" }),
    );
    assert_eq!(refused["error"], "No scalable entity named ghost was found");
}

#[test]
fn checks_say_how_the_instances_are_and_a_heal_mends_them() {
    let is_ill = std::sync::atomic::AtomicBool::new(true);
    let recorder = Recorder::answering(move |request| {
        let on_health = request.path == "/health";
        let is_ill = on_health && is_ill.swap(false, std::sync::atomic::Ordering::Relaxed);
        let answer = match request.path.as_str() {
            "/drift" => json!({ "drift": { "colour": "red" } }),
            _ => json!({}),
        };
        (if is_ill { 503 } else { 200 }, answer)
    });
    let windlass = deck(&recorder);
    let admin = windlass.admin();
    run(&windlass, "install", json!({}));
    assert_eq!(
        run(&windlass, "check_drift", json!({}))["status"],
        "terminated"
    );
    assert_eq!(
        run(&windlass, "check_status", json!({}))["status"],
        "failed"
    );
    let deployment = admin.get("/deployments/deck").expect(200);
    assert_eq!(deployment["drifted_instances"], 1);
    assert_eq!(deployment["unavailable_instances"], 1);
    let lamp = admin.get("/node-instances?node_id=lamp").expect(200);
    let properties = &lamp["items"][0]["system_properties"];
    assert_eq!(
        properties["configuration_drift"]["result"],
        json!({ "colour": "red" })
    );
    assert_eq!(properties["status"]["ok"], false);

    let healed = run(&windlass, "heal", json!({ "check_status": false }));
    assert_eq!(healed["status"], "terminated", "{healed}");
    let deployment = admin.get("/deployments/deck").expect(200);
    assert_eq!(deployment["unavailable_instances"], 0);
    assert_eq!(
        run(&windlass, "check_status", json!({}))["status"],
        "terminated"
    );
    assert_eq!(states(admin), ["lamp started", "mast started"]);
}
