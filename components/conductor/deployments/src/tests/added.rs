//! Nodes and instances that workflows, or whoever restores a deployment, add to it.

use super::*;

#[test]
fn added_nodes_and_instances_have_names_that_can_be_asked_for() {
    let harbour = Harbour::new();
    let long = "x".repeat(257);
    let nodes = |node: Value| json!({ "deployment_id": "d1", "nodes": [node] });
    let instances = |one: Value| json!({ "deployment_id": "d1", "node_instances": [one] });
    for (url, body, named) in [
        ("/nodes", nodes(json!({ "id": "a\0b" })), "id"),
        ("/nodes", nodes(json!({ "id": long })), "id"),
        (
            "/nodes",
            nodes(json!({ "id": "a", "host_id": "\0" })),
            "host_id",
        ),
        (
            "/node-instances",
            instances(json!({ "id": "a\0b", "node_id": "lamp" })),
            "id",
        ),
        (
            "/node-instances",
            instances(json!({ "id": long, "node_id": "lamp" })),
            "id",
        ),
        (
            "/node-instances",
            instances(json!({ "id": "", "node_id": "lamp" })),
            "id",
        ),
        (
            "/node-instances",
            instances(json!({ "id": "a", "node_id": "la\u{7}mp" })),
            "node_id",
        ),
        (
            "/node-instances",
            instances(json!({ "id": "a", "node_id": "lamp", "host_id": long })),
            "host_id",
        ),
    ] {
        let refusal = harbour.ask("admin", "POST", url, body.clone(), 400);
        assert_eq!(refusal["error_code"], "bad_parameters_error", "{body}");
        let text = refusal["message"].as_str().unwrap();
        assert!(text.contains(&format!("`{named}`")), "{body}: {text}");
    }
    // Blueprints call their nodes as they like.
    let spaced = nodes(json!({ "id": "großes Licht" }));
    harbour.ask("admin", "POST", "/nodes", spaced, 201);
}

#[test]
fn an_added_instance_gets_the_next_index_of_its_node() {
    let harbour = Harbour::new();
    let add = |instances: Value| {
        let body = json!({ "deployment_id": "d1", "node_instances": instances });
        harbour.ask("admin", "POST", "/node-instances", body, 201);
    };
    add(json!([{ "id": "lamp_2", "node_id": "lamp" }, { "id": "mast_1", "node_id": "mast" }]));
    add(json!([
        { "id": "lamp_3", "node_id": "lamp" },
        { "id": "lamp_7", "node_id": "lamp", "index": 7 },
        { "id": "mast_2", "node_id": "mast", "index": null },
        { "id": "lamp_4", "node_id": "lamp" },
    ]));
    let list = harbour.ask("viewer", "GET", "/node-instances", Value::Null, 200);
    for item in list["items"].as_array().unwrap() {
        let (_, number) = item["id"].as_str().unwrap().split_once('_').unwrap();
        assert_eq!(item["index"].to_string(), number, "{}", item["id"]);
    }
}
