use super::*;
use serde_json::json;

fn one(schema: Value, value: Value) -> ObjectReference {
    let values = json!({ "i": value });
    let references = object_references(&json!({ "i": schema }), values.as_object().unwrap());
    references.into_iter().next().unwrap()
}

#[test]
fn only_values_of_object_types_are_looked_for() {
    let schemas = json!({
        "vm": { "type": "node_id", "constraints": [{ "pattern": "v" }] },
        "all": { "type": "list", "item_type": "node_instance" },
        "none": { "type": "deployment_id", "required": false },
        "text": { "type": "string" },
        "texts": { "type": "list", "item_type": "string" },
        "absent": { "type": "node_id" },
    });
    let values = json!({ "vm": "vm", "all": ["a", "b"], "none": null, "text": "t", "texts": [] });
    let found = object_references(&schemas, values.as_object().unwrap());
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.name.as_str(), one.kind.as_str(), one.values.len()))
        .collect();
    let expected = [("all", "node_instance", 2), ("vm", "node_id", 1)];
    assert!(expected.iter().all(|one| found.contains(one)), "{found:?}");
    assert_eq!(found.len(), expected.len());
}

#[test]
fn candidates_fulfil_constraints_or_do_not() {
    let candidate = Candidate {
        value: json!("crane-1"),
        name: "Crane 1".into(),
        listed_as: vec![json!("crane-1"), json!("machine")],
        labels: vec![("berth".into(), "north".into())],
        tenant: Some("harbour".into()),
    };
    for (kind, constraint, allowed) in [
        (
            "node_id",
            json!({"name_pattern": {"contains": "ane"}}),
            true,
        ),
        (
            "node_id",
            json!({"name_pattern": {"contains": "crane"}}),
            false,
        ),
        (
            "node_id",
            json!({"name_pattern": {"starts_with": "Cr", "ends_with": "2"}}),
            false,
        ),
        (
            "node_id",
            json!({"name_pattern": {"equals_to": "Crane 1"}}),
            true,
        ),
        ("node_type", json!({"valid_values": ["machine"]}), true),
        ("node_type", json!({"valid_values": ["boat"]}), false),
        ("node_type", json!({"valid_values": []}), true),
        (
            "deployment_id",
            json!({"labels": [{"Berth": "north"}]}),
            true,
        ),
        (
            "deployment_id",
            json!({"labels": [{"berth": "north"}, {"berth": "south"}]}),
            false,
        ),
        (
            "deployment_id",
            json!({"tenants": ["harbour", "yard"]}),
            true,
        ),
        ("deployment_id", json!({"tenants": ["yard"]}), false),
    ] {
        let schema = json!({ "type": kind, "constraints": [constraint] });
        let found = one(schema, json!("crane-1")).allows(&candidate).unwrap();
        assert_eq!(found, allowed, "{kind} {constraint}");
    }
    let schema = json!({ "type": "node_id", "constraints": [{ "name_pattern": { "like": "a" } }] });
    let refused = one(schema, json!("crane-1"))
        .allows(&candidate)
        .unwrap_err();
    assert_eq!(refused.message, "Unknown name pattern operator: like");
}

#[test]
fn parts_are_looked_for_where_constraints_say() {
    let (owned, named) = (
        json!([{ "deployment_id": "d" }]),
        json!([{ "blueprint_id": "b" }]),
    );
    for (kind, constraints, within, place) in [
        ("secret_key", json!([]), Within::Blueprint, Place::Anywhere),
        (
            "blueprint_id",
            json!([]),
            Within::Deployment,
            Place::Anywhere,
        ),
        ("node_id", json!([]), Within::Blueprint, Place::Here),
        (
            "node_id",
            owned.clone(),
            Within::Deployment,
            Place::Deployment("d"),
        ),
        ("node_id", named, Within::Deployment, Place::Blueprint("b")),
        (
            "capability_value",
            owned,
            Within::Blueprint,
            Place::Deployment("d"),
        ),
        ("node_instance", json!([]), Within::Deployment, Place::Here),
    ] {
        let reference = one(
            json!({ "type": kind, "constraints": constraints }),
            json!("v"),
        );
        assert_eq!(reference.place(within).unwrap(), place, "{kind}");
    }
    let reference = one(json!({ "type": "node_instance" }), json!("v"));
    assert_eq!(
        reference.place(Within::Blueprint).unwrap_err().message,
        "Input 'i' of type 'node_instance' lacks 'deployment_id' constraint."
    );
}

#[test]
fn refusals_read_as_clients_know_them() {
    let schema = json!({ "type": "node_id", "constraints": [
        { "deployment_id": "d" }, { "name_pattern": { "contains": "x" } }, { "valid_values": ["a", "b"] },
    ] });
    assert_eq!(
        one(schema, json!("v"))
            .names_nothing(&json!("v"), Within::Deployment)
            .message,
        "Value 'v' of input 'i' does not match any relevant entity or violates at least one of \
         the constraints: deployment_id(d) operator, name_pattern({'contains': 'x'}) operator, \
         valid_values(a, b) operator."
    );
    let reference = one(json!({ "type": "secret_key" }), json!("v"));
    assert_eq!(
        reference
            .names_nothing(&json!("v"), Within::Blueprint)
            .message,
        "Value 'v' of 'i' is not a valid value for data type 'secret_key'."
    );
}
