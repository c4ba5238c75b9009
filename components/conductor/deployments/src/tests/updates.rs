//! Updates of deployments through the routes.

use super::*;

const UPDATES: &str = "/deployment-updates";

fn record(state: &str) -> Value {
    json!({
        "deployment_id": "d1", "state": state, "inputs": { "port": 8080 }, "blueprint_id": "other",
        "execution_id": "e1", "steps": [{ "id": "1" }],
    })
}

#[test]
fn executions_record_updates_and_everybody_reads_them() {
    let harbour = Harbour::new();
    let url = "/deployment-updates/d1-1";
    let refusal = harbour.ask("admin", "PUT", url, record("successful"), 403);
    assert_eq!(refusal["error_code"], "forbidden_error");
    let made = harbour.ask("update", "PUT", url, record("successful"), 200);
    for (field, want) in [
        ("id", json!("d1-1")),
        ("state", json!("successful")),
        ("old_blueprint_id", json!("crane")),
        ("new_blueprint_id", json!("other")),
        ("new_inputs", json!({ "port": 8080 })),
        ("old_inputs", json!({})),
        ("steps", json!([{ "id": "1" }])),
        ("execution_id", json!("e1")),
        ("deployment_update_deployment", Value::Null),
    ] {
        assert_eq!(made[field], want, "{field}");
    }
    harbour.ask("update", "PUT", url, record("successful"), 409);
    assert_eq!(harbour.ask("admin", "GET", url, Value::Null, 200), made);
    let finalize = format!("{url}/update/finalize");
    assert_eq!(
        harbour.ask("admin", "POST", &finalize, Value::Null, 200),
        made
    );
    let one = harbour.ask(
        "admin",
        "GET",
        &format!("{url}?_include=state"),
        Value::Null,
        200,
    );
    assert_eq!(one, json!({ "state": "successful" }));
    harbour.ask("admin@quay", "GET", url, Value::Null, 404);
    for body in [
        json!({ "state": "successful" }),
        json!({ "deployment_id": "d1", "state": "wonderful" }),
        json!({ "deployment_id": "d1", "inputs": [] }),
        json!({ "deployment_id": "d1", "steps": "all" }),
    ] {
        harbour.ask("update", "PUT", "/deployment-updates/d1-2", body, 400);
    }
    let body = json!({ "deployment_id": "nothing" });
    harbour.ask("update", "PUT", "/deployment-updates/d1-2", body, 404);
    assert_eq!(harbour.ids("admin", UPDATES), ["d1-1"]);
}

#[test]
fn many_updates_are_recorded_at_once_or_none() {
    let harbour = Harbour::new();
    let body = |items: Value| json!({ "deployment_updates": items });
    harbour.ask("admin", "POST", UPDATES, body(json!([])), 204);
    // What an execution finds recorded it would carry out.
    let mut running = record("updating");
    running["id"] = json!("a");
    let refusal = harbour.ask("admin", "POST", UPDATES, body(json!([running])), 409);
    assert_eq!(refusal["error_code"], "conflict_error");
    assert!(harbour.ids("admin", UPDATES).is_empty());
    let with_id = |id: &str, deployment: &str| {
        let mut item = record("failed");
        item["execution_id"] = json!("e0");
        item["id"] = json!(id);
        item["deployment_id"] = json!(deployment);
        item
    };
    let half = body(json!([with_id("a", "d1"), with_id("b", "nothing")]));
    harbour.ask("admin", "POST", UPDATES, half, 404);
    assert!(harbour.ids("admin", UPDATES).is_empty());
    let whole = body(json!([with_id("a", "d1"), with_id("b", "d2")]));
    harbour.ask("admin", "POST", UPDATES, whole, 201);
    for (query, want) in [
        ("_sort=id", &["a", "b"][..]),
        ("deployment_id=d2", &["b"]),
        ("state=failed&_sort=-id", &["b", "a"]),
        ("state=successful", &[]),
    ] {
        assert_eq!(
            harbour.ids("admin", &format!("{UPDATES}?{query}")),
            want,
            "{query}"
        );
    }
}

#[test]
fn an_update_is_seen_as_widely_as_its_deployment() {
    let harbour = Harbour::new();
    harbour.sql("update deployments set visibility = 'private' where id = 'd1'");
    harbour.sql("update deployments set visibility = 'global' where id = 'd2'");
    for (id, deployment, asked, seen) in [
        ("hidden", "d1", "tenant", "private"),
        ("narrow", "d2", "private", "private"),
        ("wide", "d2", "tenant", "tenant"),
    ] {
        let body = json!({ "deployment_id": deployment, "visibility": asked });
        let url = format!("/deployment-updates/{id}");
        let made = harbour.ask("update", "PUT", &url, body, 200);
        assert_eq!(made["visibility"], seen, "{id}");
    }
}

#[test]
fn an_update_is_changed_as_far_as_it_is_said() {
    let harbour = Harbour::new();
    let url = "/deployment-updates/d1-1";
    harbour.ask("update", "PUT", url, record("updating"), 200);
    let parts = json!({
        "state": "finalizing", "plan": { "nodes": [] }, "nodes": [{ "id": "vm" }],
        "node_instances": { "added_and_related": [] },
    });
    let changed = harbour.ask("admin", "PATCH", url, parts, 200);
    assert_eq!(changed["state"], "finalizing");
    assert_eq!(changed["deployment_plan"], json!({ "nodes": [] }));
    assert_eq!(changed["deployment_update_nodes"], json!([{ "id": "vm" }]));
    assert_eq!(changed["steps"], json!([{ "id": "1" }]));
    let steps = json!({ "steps": [], "state": null });
    let changed = harbour.ask("admin", "PATCH", url, steps, 200);
    assert_eq!(
        (&changed["steps"], &changed["state"]),
        (&json!([]), &json!("finalizing"))
    );
    harbour.ask("admin", "PATCH", url, json!({ "state": "odd" }), 400);
    harbour.ask("admin", "PATCH", "/deployment-updates/none", json!({}), 404);
    harbour.ask("viewer", "PATCH", url, json!({ "state": "failed" }), 403);
}

#[test]
fn a_bad_request_for_an_update_leaves_nothing() {
    let harbour = Harbour::new();
    let url = "/deployment-updates/d1/update/initiate";
    for (body, status) in [
        (json!({ "inputs": [] }), 400),
        (json!({ "inputs": "x" }), 400),
        (json!({ "reinstall_list": {} }), 400),
        (json!({ "reinstall_list": [null] }), 400),
        (json!({ "preview": "perhaps" }), 400),
        (json!({ "workflow_id": 1 }), 400),
        (json!({ "blueprint_id": "nothing" }), 404),
        (json!({ "blueprint_id": "draft" }), 400),
    ] {
        harbour.ask("admin", "POST", url, body, status);
    }
    let nobody = "/deployment-updates/d9/update/initiate";
    harbour.ask("admin", "POST", nobody, json!({}), 404);
    assert!(harbour.ids("admin", UPDATES).is_empty());
}

#[test]
fn an_update_changes_how_many_instances_a_node_is_to_have() {
    let harbour = Harbour::new();
    let properties = json!({ "default_instances": 1, "current_instances": 4 });
    let scaled = json!({ "capabilities": { "scalable": { "properties": properties } } });
    harbour.ask("admin", "PATCH", "/nodes/d1/lamp", scaled.clone(), 403);
    harbour.ask("update", "PATCH", "/nodes/d1/lamp", scaled, 204);
    let nodes = harbour.ask("admin", "GET", "/nodes?id=lamp", Value::Null, 200);
    assert_eq!(nodes["items"][0]["number_of_instances"], 4);
    let wrong = json!({ "capabilities": [] });
    harbour.ask("update", "PATCH", "/nodes/d1/lamp", wrong, 400);
}
