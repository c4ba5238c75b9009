//! What is large: a blueprint with as many nodes as there may be, and pages of large things.

use windlass_tests::{Value, Windlass, json};

const NODES: usize = 10_000;

#[test]
fn ten_thousand_nodes_live_like_one() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let mut yaml = String::from(
        "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\nnode_templates:\n",
    );
    for number in 0..NODES {
        yaml.push_str(&format!("  n{number}: {{type: cloudify.nodes.Root}}\n"));
    }
    // Its plan, which is in the answer, has 136 MB.
    let uploaded = admin.upload("fleet", "fleet.yaml", &[("fleet.yaml", &yaml)]);
    let answer = uploaded.expect_answer(201);
    assert!(answer.body.len() > 100 << 20, "{}", answer.body.len());
    assert!(answer.body.ends_with(b"}"));
    let list = admin.get("/blueprints?_include=id,state").expect(200);
    assert_eq!(list["items"][0]["state"], "uploaded");

    let wanted = json!({ "blueprint_id": "fleet" });
    admin.put("/deployments/fleet", wanted).expect(201);
    let nodes = admin.get("/nodes?_size=1000&_offset=9000").expect(200);
    assert_eq!(nodes["metadata"]["pagination"]["total"], NODES);
    assert_eq!(nodes["items"][999]["id"], "n9999");
    let refusal = admin.get("/nodes?_get_all_results=true");
    let refusal = refusal.refused(400, "bad_parameters_error");
    assert!(refusal.contains("_size="), "{refusal}");

    admin.execute("fleet", "install");
    windlass.run_pending_work();
    let list = admin.get("/deployments?_include=installation_status");
    let list = list.expect(200);
    assert_eq!(list["items"][0]["installation_status"], "active");
    admin.delete("/deployments/fleet?force=true").expect(204);
    admin.delete("/blueprints/fleet").expect(204);
}

#[test]
fn a_large_page_comes_in_pieces_and_a_value_that_is_too_large_is_named() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let yaml = "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\n\
                inputs: {cargo: {}}\nnode_templates: {crane: {type: cloudify.nodes.Root}}\n";
    let file = [("crane.yaml", yaml)];
    admin.upload("crane", "crane.yaml", &file).expect(201);
    let deploy = |id: &str, bytes: usize| {
        let body = json!({ "blueprint_id": "crane", "inputs": { "cargo": "x".repeat(bytes) } });
        admin.put(&format!("/deployments/{id}"), body)
    };
    for number in 0..8 {
        deploy(&format!("d{number}"), 200_000).expect(201);
    }
    let answer = admin.get("/deployments?_sort=-id").expect_answer(200);
    assert_eq!(answer.header("content-length"), None);
    let list: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let items = list["items"].as_array().expect("items");
    let ids: Vec<&str> = items
        .iter()
        .filter_map(|item| item["id"].as_str())
        .collect();
    assert_eq!(ids, ["d7", "d6", "d5", "d4", "d3", "d2", "d1", "d0"]);
    let cargo = |item: &Value| item["inputs"]["cargo"].as_str().map(str::len);
    assert!(items.iter().all(|item| cargo(item) == Some(200_000)));
    assert_eq!(list["metadata"]["pagination"]["total"], 8);

    let refusal = deploy("large", 600_000).refused(413, "bad_parameters_error");
    assert!(refusal.starts_with("inputs has 600012 bytes"), "{refusal}");
    admin.get("/deployments/large").expect(404);
}
