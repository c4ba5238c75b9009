use super::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use windlass_store::nodes::{Counts, NewNode};

mod applied;
mod whole;

const CONTAINED: &str = "cloudify.relationships.contained_in";
const CONNECTED: &str = "cloudify.relationships.connected_to";

/// A node from its parts; what is absent is what most nodes have.
pub(crate) fn node(id: &str, parts: Value) -> NewNode {
    let part = |name: &str, otherwise: Value| match &parts[name] {
        Value::Null => otherwise,
        given => given.clone(),
    };
    let type_name = part("type", json!("cloudify.nodes.Root"));
    NewNode {
        id: id.into(),
        type_name: type_name.as_str().unwrap().into(),
        type_hierarchy: json!(["cloudify.nodes.Root", type_name]).to_string().into(),
        properties: part("properties", json!({})).to_string(),
        operations: part("operations", json!({})).to_string().into(),
        relationships: part("relationships", json!([])).to_string(),
        plugins: part("plugins", json!([])).to_string().into(),
        plugins_to_install: None,
        host_id: None,
        counts: counts(part("instances", json!(1)).as_i64().unwrap()),
    }
}

fn counts(number: i64) -> Counts {
    Counts {
        number,
        planned: number,
        deploy: number,
        min: 0,
        max: -1,
        actual_planned: 0,
    }
}

fn to(type_name: &str, target: &str) -> Value {
    json!({
        "type": type_name, "target_id": target, "type_hierarchy": [type_name], "properties": {},
        "source_operations": {}, "target_operations": {},
    })
}

fn shape(columns: Value, nodes: Vec<NewNode>) -> Shape {
    Shape {
        columns: columns.as_object().unwrap().clone(),
        nodes,
    }
}

/// Steps as `action type path`, with a path of colons.
fn told(found: &Difference) -> Vec<String> {
    let word = |value: Value| value.as_str().unwrap().to_owned();
    let steps = found.steps.iter().map(|step| {
        let action = word(serde_json::to_value(step.action).unwrap());
        let kind = word(serde_json::to_value(step.entity_type).unwrap());
        format!("{action} {kind} {}", step.entity_id.join(":"))
    });
    steps.collect()
}

#[test]
fn each_kind_of_difference_is_a_step() {
    let vm = |parts: Value| vec![node("vm", parts)];
    let with = |property: &str, value: Value| vm(json!({ property: value }));
    let one = |name: &str, value: Value| json!({ name: value });
    for (what, old, new, want) in [
        ("nothing", vm(json!({})), vm(json!({})), &[][..]),
        (
            "property",
            with("properties", json!({ "ip": "1", "os": "a", "old": 1 })),
            with("properties", json!({ "ip": "2", "os": "a", "new": null })),
            &[
                "remove property nodes:vm:properties:old",
                "add property nodes:vm:properties:new",
                "modify property nodes:vm:properties:ip",
            ],
        ),
        (
            "operation",
            with("operations", json!({ "start": { "plugin": "a" } })),
            with("operations", json!({ "start": { "plugin": "b" } })),
            &["modify operation nodes:vm:operations:start"],
        ),
        (
            "order of keys",
            with("operations", json!({ "a": 1, "b": 2 })),
            with("operations", json!({ "b": 2, "a": 1 })),
            &[],
        ),
        (
            "type",
            with("type", json!("ship")),
            with("type", json!("crane")),
            &["remove node nodes:vm", "add node nodes:vm"],
        ),
        (
            "what it is contained in",
            with("relationships", json!([to(CONTAINED, "a")])),
            with("relationships", json!([to(CONTAINED, "b")])),
            &["remove node nodes:vm", "add node nodes:vm"],
        ),
        (
            "that it is contained in something",
            with("relationships", json!([])),
            with("relationships", json!([to(CONTAINED, "b")])),
            &["remove node nodes:vm", "add node nodes:vm"],
        ),
        (
            "what it is connected to",
            with(
                "relationships",
                json!([to(CONNECTED, "a"), to(CONNECTED, "b")]),
            ),
            with(
                "relationships",
                json!([to(CONNECTED, "b"), to(CONNECTED, "c")]),
            ),
            &[
                "remove relationship nodes:vm:relationships:[0]",
                "add relationship nodes:vm:relationships:[1]",
                "modify relationship nodes:vm:relationships:[1]:[0]",
            ],
        ),
        (
            "a number of instances",
            with("instances", json!(1)),
            with("instances", json!(2)),
            &["modify node nodes:vm:capabilities"],
        ),
        (
            "a plugin",
            with("plugins", json!([{ "name": "a", "source": "x" }])),
            with("plugins", json!([{ "name": "b", "source": "x" }])),
            &[
                "remove plugin plugins_to_install:a",
                "add plugin plugins_to_install:b",
            ],
        ),
    ] {
        let found = difference(&shape(json!({}), old), &shape(json!({}), new));
        assert_eq!(told(&found), want, "{what}");
        found.demand_supported().unwrap();
    }
    for (section, kind) in [("outputs", "output"), ("workflows", "workflow")] {
        let listed = |entries: &[(&str, i64)]| {
            match section {
            "workflows" => json!(entries.iter().map(|(name, value)|
                json!({ "name": name, "operation": value, "is_available": value })).collect::<Vec<_>>()),
            _ => json!(entries.iter().copied().collect::<BTreeMap<_, _>>()),
        }
        };
        let old = one(section, listed(&[("a", 1), ("b", 2), ("c", 3)]));
        let new = one(section, listed(&[("b", 2), ("c", 4), ("d", 5)]));
        let found = difference(&shape(old, Vec::new()), &shape(new, Vec::new()));
        let want = [
            format!("remove {kind} {section}:a"),
            format!("add {kind} {section}:d"),
            format!("modify {kind} {section}:c"),
        ];
        assert_eq!(told(&found), want);
    }
}

#[test]
fn a_description_comes_changes_and_goes() {
    let text = |text: Value| shape(json!({ "description": text }), Vec::new());
    for (old, new, want) in [
        (Value::Null, json!("a"), Some("add description description")),
        (
            json!("a"),
            json!("b"),
            Some("modify description description"),
        ),
        (
            json!("a"),
            Value::Null,
            Some("remove description description"),
        ),
        (json!("a"), json!("a"), None),
    ] {
        let found = difference(&text(old), &text(new));
        assert_eq!(told(&found), want.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn whether_a_workflow_is_available_is_no_difference() {
    let available = |set: Value| {
        let list = json!({ "workflows": [{ "name": "install", "is_available": set }] });
        shape(list, Vec::new())
    };
    let found = difference(&available(json!(true)), &available(json!(21)));
    assert_eq!(found, Difference::default());
}

#[test]
fn steps_are_in_the_order_in_which_they_can_be_made() {
    let old = vec![
        node(
            "app",
            json!({ "relationships": [to(CONNECTED, "gone")], "properties": { "a": 1 } }),
        ),
        node("gone", json!({})),
    ];
    let new = vec![
        node(
            "app",
            json!({ "relationships": [to(CONNECTED, "web")], "properties": { "a": 2 } }),
        ),
        node("web", json!({ "relationships": [to(CONTAINED, "vm")] })),
        node("vm", json!({ "relationships": [to(CONNECTED, "net")] })),
        node("net", json!({})),
    ];
    let found = difference(&shape(json!({}), old), &shape(json!({}), new));
    assert_eq!(
        told(&found),
        [
            "remove relationship nodes:app:relationships:[0]",
            "remove node nodes:gone",
            "add node nodes:net",
            "add node nodes:vm",
            "add node nodes:web",
            "add relationship nodes:app:relationships:[0]",
            "modify property nodes:app:properties:a",
        ]
    );
    let numbers: Vec<&str> = found.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(
        found.changed_nodes().into_iter().collect::<Vec<_>>(),
        ["app"]
    );
}

#[test]
fn what_no_update_can_change_is_refused_with_its_paths() {
    let groups = |groups: Value| shape(json!({ "groups": groups }), Vec::new());
    let plugin = |source: &str| {
        let plugins = json!([{ "name": "a", "source": source }]);
        shape(json!({}), vec![node("vm", json!({ "plugins": plugins }))])
    };
    for (old, new, path) in [
        (
            groups(json!({})),
            groups(json!({ "yard": {} })),
            "groups:yard",
        ),
        (
            groups(json!({ "yard": {} })),
            groups(json!({})),
            "groups:yard",
        ),
        (
            groups(json!({ "yard": 1 })),
            groups(json!({ "yard": 2 })),
            "groups:yard",
        ),
        (
            shape(json!({ "policy_types": { "p": 1 } }), Vec::new()),
            shape(json!({ "policy_types": { "p": 2 } }), Vec::new()),
            "policy_types:p",
        ),
        (
            shape(json!({ "policy_triggers": {} }), Vec::new()),
            shape(json!({ "policy_triggers": { "t": 2 } }), Vec::new()),
            "policy_triggers:t",
        ),
        (plugin("x"), plugin("y"), "plugins_to_install:a"),
    ] {
        let Unsupported(text) = difference(&old, &new).demand_supported().unwrap_err();
        let want = format!(
            "The blueprint you provided for the deployment update contains changes currently \
             unsupported by the deployment update mechanism.\nUnsupported changes: {path}"
        );
        assert_eq!(text, want);
    }
}

#[test]
fn a_node_of_another_type_is_replaced() {
    let of = |type_name: &str| {
        vec![
            node("vm", json!({ "type": type_name })),
            node("net", json!({})),
        ]
    };
    let found = difference(&shape(json!({}), of("a")), &shape(json!({}), of("b")));
    assert_eq!(found.replaced().into_iter().collect::<Vec<_>>(), ["vm"]);
    assert!(found.changed_nodes().is_empty());
}
