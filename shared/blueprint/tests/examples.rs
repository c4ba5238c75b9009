//! The examples that the project ships are blueprints, and deployments can be made of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use serde_json::{Value, json};
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{DeploymentPlan, NoImports, instantiate, parse, prepare_deployment};

fn deployment(tree: &Tree, inputs: Value) -> DeploymentPlan {
    let plan = parse(tree, "blueprint.yaml", &NoImports).expect("the example is good");
    let inputs = inputs.as_object().cloned().unwrap_or_default();
    prepare_deployment(&plan, &inputs, &|_| true, false).expect("its inputs are enough")
}

#[test]
fn hello_wasm_needs_nothing_from_outside() {
    let text = include_str!("../../../examples/hello-wasm/blueprint.yaml");
    let tree = Tree::from_texts([("blueprint.yaml", text)]);
    let prepared = deployment(&tree, json!({"greeting": "Ahoy"}));
    assert_eq!(
        prepared.plan.section("outputs")["message"]["value"],
        "Ahoy, world"
    );
    for node in &prepared.plan.nodes {
        for (name, operation) in node.operations("operations") {
            assert_eq!(operation["operation"], "", "{name} runs nothing");
        }
    }
    let instances = instantiate(&prepared, &mut || 4).expect("instances can be made");
    let greeters = instances
        .iter()
        .filter(|one| one.node_id == "greeter")
        .count();
    assert_eq!((instances.len(), greeters), (5, 2));
}

#[test]
fn http_service_is_made_of_requests() {
    let main = include_str!("../../../examples/http-service/blueprint.yaml");
    let types = include_str!("../../../examples/http-service/types.yaml");
    let tree = Tree::from_texts([("blueprint.yaml", main), ("types.yaml", types)]);
    let prepared = deployment(
        &tree,
        json!({"api_url": "https://provider.example", "api_token": "k"}),
    );
    let node = prepared.plan.node("instance").expect("it is there");
    for (name, method) in [
        ("create", "POST"),
        ("start", "POST"),
        ("stop", "POST"),
        ("delete", "DELETE"),
    ] {
        let operation = node.operation(
            "operations",
            &format!("cloudify.interfaces.lifecycle.{name}"),
        );
        let operation = operation.expect(name);
        assert_eq!(operation["plugin"], "windlass-http");
        assert_eq!(operation["inputs"]["method"], method);
    }
    let create = node.operation("operations", "cloudify.interfaces.lifecycle.create");
    let inputs = &create.expect("it is there")["inputs"];
    assert_eq!(inputs["url"], "https://provider.example/instances");
    assert_eq!(inputs["headers"]["Authorization"], "Bearer k");
}
