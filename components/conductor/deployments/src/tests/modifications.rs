//! Modifications through the routes.

use super::*;

/// Begins a modification of the deployment with one lamp; answers it.
fn begin(harbour: &Harbour, nodes: Value, status: u16) -> Value {
    let body = json!({ "deployment_id": "d1", "nodes": nodes, "context": { "why": "night" } });
    harbour.ask("admin", "POST", "/deployment-modifications", body, status)
}

fn end(harbour: &Harbour, begun: &Value, how: &str, status: u16) -> Value {
    let id = begun["id"].as_str().unwrap();
    let path = format!("/deployment-modifications/{id}/{how}");
    harbour.ask("admin", "POST", &path, Value::Null, status)
}

fn lamps(harbour: &Harbour) -> Vec<String> {
    let path = "/node-instances?deployment_id=d1&_size=1000";
    let list = harbour.ask("admin", "GET", path, Value::Null, 200);
    let ids = list["items"].as_array().unwrap().iter();
    ids.map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_new_is_there_at_once_and_gone_when_it_is_taken_back() {
    let harbour = Harbour::new();
    let begun = begin(&harbour, json!({ "lamp": { "instances": 700 } }), 201);
    assert_eq!(
        (&begun["status"], &begun["ended_at"]),
        (&json!("started"), &Value::Null)
    );
    assert_eq!(begun["context"], json!({ "why": "night" }));
    assert_eq!(begun["modified_nodes"]["lamp"]["instances"], 700);
    let added = begun["node_instances"]["added_and_related"]
        .as_array()
        .unwrap();
    assert_eq!(added.len(), 699, "in their places, however many they are");
    assert!(added.iter().all(|one| one["modification"] == "added"));
    assert_eq!(lamps(&harbour).len(), 700);
    let other = begin(&harbour, json!({}), 400);
    let code = "existing_started_deployment_modification_error";
    assert_eq!(other["error_code"], code);
    let back = end(&harbour, &begun, "rollback", 200);
    assert_eq!(back["status"], "rolledback");
    let before = back["node_instances"]["before_rollback"]
        .as_array()
        .unwrap();
    assert_eq!(before.len(), 699);
    assert_eq!(lamps(&harbour), ["lamp_1"]);
    for how in ["finish", "rollback"] {
        let refusal = end(&harbour, &begun, how, 400);
        let code = "deployment_modification_already_ended_error";
        assert_eq!(refusal["error_code"], code);
        let verb = refusal["message"].as_str().unwrap();
        let text = format!("Cannot {how} deployment modification: ");
        assert!(verb.starts_with(&text), "{verb}");
        assert!(
            verb.ends_with("It is already in rolledback status."),
            "{verb}"
        );
    }
}

#[test]
fn what_goes_stays_until_the_end() {
    let harbour = Harbour::new();
    let begun = begin(&harbour, json!({ "lamp": { "instances": 0 } }), 201);
    let removed = &begun["node_instances"]["removed_and_related"][0];
    assert_eq!(
        (&removed["id"], &removed["modification"]),
        (&json!("lamp_1"), &json!("removed"))
    );
    let before = &begun["node_instances"]["before_modification"][0];
    assert_eq!(before["runtime_properties"], json!({ "colour": "red" }));
    assert_eq!(lamps(&harbour), ["lamp_1"]);
    let done = end(&harbour, &begun, "finish", 200);
    assert_eq!(done["status"], "finished");
    assert_eq!(lamps(&harbour), [""; 0]);
    let node = harbour.ask("admin", "GET", "/nodes?deployment_id=d1", Value::Null, 200);
    let node = &node["items"][0];
    assert_eq!(
        (
            &node["number_of_instances"],
            &node["planned_number_of_instances"]
        ),
        (&json!(0), &json!(0))
    );
}

#[test]
fn lists_show_those_that_are_asked_for() {
    let harbour = Harbour::new();
    let first = begin(&harbour, json!({ "lamp": { "instances": 2 } }), 201);
    end(&harbour, &first, "rollback", 200);
    begin(&harbour, json!({ "lamp": { "instances": 3 } }), 201);
    for (query, count) in [
        ("", 2),
        ("?status=started", 1),
        ("?deployment_id=d1&_sort=-created_at", 2),
        ("?deployment_id=d2", 0),
        ("?_include=id,status", 2),
    ] {
        let path = format!("/deployment-modifications{query}");
        let list = harbour.ask("admin", "GET", &path, Value::Null, 200);
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}");
        assert_eq!(list["metadata"]["pagination"]["total"], count, "{query}");
        if query.contains("_include") {
            assert_eq!(list["items"][0].as_object().unwrap().len(), 2);
        }
    }
    let path = format!(
        "/deployment-modifications/{}",
        first["id"].as_str().unwrap()
    );
    harbour.ask("viewer", "GET", &path, Value::Null, 403);
    harbour.ask("mia@quay", "GET", &path, Value::Null, 404);
    harbour.ask(
        "mia@quay",
        "POST",
        &format!("{path}/finish"),
        Value::Null,
        404,
    );
}

#[test]
fn what_is_refused_leaves_nothing() {
    let harbour = Harbour::new();
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
        (
            json!({ "lamp": { "instances": 2.5 } }),
            400,
            "bad_parameters_error",
        ),
        (
            json!({ "lamp": { "instances": 1, "removed_ids_include_hint": [7] } }),
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
        let refusal = begin(&harbour, nodes.clone(), status);
        assert_eq!(refusal["error_code"], code, "{nodes}");
    }
    for body in [
        json!({}),
        json!({ "deployment_id": 7 }),
        json!({ "deployment_id": "d1", "context": [] }),
    ] {
        harbour.ask("admin", "POST", "/deployment-modifications", body, 400);
    }
    let ghost = json!({ "deployment_id": "ghost" });
    harbour.ask("admin", "POST", "/deployment-modifications", ghost, 404);
    let list = harbour.ask(
        "admin",
        "GET",
        "/deployment-modifications",
        Value::Null,
        200,
    );
    assert_eq!(list["items"], json!([]));
    assert_eq!(lamps(&harbour), ["lamp_1"]);
}
