//! Functions of a running deployment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use windlass_blueprint::functions::{self, Context, Lookup, evaluate, evaluate_outputs};
use windlass_blueprint::{ErrorKind, InstanceRelationship, NodeInstance, ScalingGroupInstance};

/// A small running deployment.
struct World {
    properties: HashMap<String, Value>,
    instances: Vec<NodeInstance>,
}

impl Lookup for World {
    fn node_properties(&self, node: &str) -> Option<&Value> {
        self.properties.get(node)
    }
    fn instances_of(&self, node: &str) -> Vec<&NodeInstance> {
        self.instances
            .iter()
            .filter(|one| one.node_id == node)
            .collect()
    }
    fn instance(&self, id: &str) -> Option<&NodeInstance> {
        self.instances.iter().find(|one| one.id == id)
    }
    fn input(&self, name: &str) -> Option<Value> {
        (name == "i").then(|| json!({"k": [1, 2]}))
    }
    fn secret(&self, name: &str) -> Option<Value> {
        match name {
            "plain" => Some(json!("abc")),
            "json" => Some(json!("{\"a\": [5, 6]}")),
            _ => None,
        }
    }
    fn capability(&self, deployment: &str, name: &str) -> Option<Value> {
        (name == "cap").then(|| json!({"of": deployment}))
    }
    fn environment_capability(&self, name: &str) -> Option<Value> {
        (name == "net").then(|| json!({"id": 7}))
    }
    fn group_members(&self, group: &str) -> Option<Vec<String>> {
        (group == "g").then(|| vec!["d1".to_owned(), "d2".to_owned()])
    }
    fn labels(&self, key: &str) -> Vec<String> {
        if key == "k" {
            vec!["v1".to_owned(), "v2".to_owned()]
        } else {
            Vec::new()
        }
    }
    fn system(&self, entity: &str, property: &str) -> Option<Value> {
        (entity == "tenant" && property == "name").then(|| json!("default_tenant"))
    }
    fn consumers(&self, what: &str) -> Option<Value> {
        (what == "count").then(|| json!(2))
    }
}

fn world() -> World {
    let instance =
        |id: &str, node: &str, index, runtime: Value, targets: &[(&str, &str)], group: &str| {
            NodeInstance {
                id: id.to_owned(),
                node_id: node.to_owned(),
                index,
                runtime_properties: runtime.as_object().cloned().unwrap_or_default(),
                relationships: targets
                    .iter()
                    .map(|(name, target)| InstanceRelationship {
                        type_name: "cloudify.relationships.connected_to".to_owned(),
                        target_name: (*name).to_owned(),
                        target_id: (*target).to_owned(),
                    })
                    .collect(),
                scaling_groups: vec![ScalingGroupInstance {
                    name: "sg".to_owned(),
                    id: group.to_owned(),
                }],
                ..NodeInstance::default()
            }
        };
    World {
        properties: HashMap::from([
            (
                "db".to_owned(),
                json!({"port": 5432, "url": {"concat": ["db:", {"get_property": ["SELF", "port"]}]}, "loop": {"get_property": ["SELF", "loop"]}}),
            ),
            (
                "web".to_owned(),
                json!({"own": {"get_attribute": ["SELF", "ip"]}}),
            ),
            ("lone".to_owned(), json!({})),
        ]),
        instances: vec![
            instance(
                "db_1",
                "db",
                1,
                json!({"ip": "10.0.0.1", "list": [{"a": 1}]}),
                &[],
                "sg_1",
            ),
            instance("db_2", "db", 2, json!({"ip": "10.0.0.2"}), &[], "sg_2"),
            instance(
                "web_1",
                "web",
                1,
                json!({"ip": "10.1.0.1"}),
                &[("db", "db_2")],
                "sg_x",
            ),
            instance("web_2", "web", 2, json!({"ip": "10.1.0.2"}), &[], "sg_1"),
            instance(
                "lone_1",
                "lone",
                1,
                json!({"f": {"concat": ["a", "b"]}}),
                &[],
                "sg_9",
            ),
        ],
    }
}

#[test]
fn functions_are_evaluated_while_a_deployment_runs() {
    let world = world();
    let web_1 = Context {
        self_instance: Some("web_1".to_owned()),
        ..Context::default()
    };
    let web_2 = Context {
        self_instance: Some("web_2".to_owned()),
        ..Context::default()
    };
    let ends = Context {
        source_instance: Some("web_1".to_owned()),
        target_instance: Some("db_1".to_owned()),
        ..Context::default()
    };
    let none = Context::default();
    for (context, value, expected) in [
        (&none, json!({"get_input": ["i", "k", 1]}), json!(2)),
        (&none, json!({"get_input": ["i", "k", -1]}), json!(2)),
        (&none, json!({"get_property": ["db", "port"]}), json!(5432)),
        (
            &none,
            json!({"get_property": ["db", "url"]}),
            json!("db:5432"),
        ),
        (
            &web_1,
            json!({"get_attribute": ["SELF", "ip"]}),
            json!("10.1.0.1"),
        ),
        (
            &web_1,
            json!({"get_attribute": ["SELF", "own"]}),
            json!("10.1.0.1"),
        ),
        (
            &web_1,
            json!({"get_attribute": ["SELF", "node_instance_id"]}),
            json!("web_1"),
        ),
        (
            &web_2,
            json!({"get_attribute": ["SELF", "node_instance_index"]}),
            json!(2),
        ),
        (
            &web_1,
            json!({"get_attribute": ["SELF", "nothing"]}),
            json!(null),
        ),
        (
            &web_1,
            json!({"get_attribute": ["db", "ip"]}),
            json!("10.0.0.2"),
        ),
        (
            &web_2,
            json!({"get_attribute": ["db", "ip"]}),
            json!("10.0.0.1"),
        ),
        (
            &ends,
            json!({"get_attribute": ["TARGET", "list", 0, "a"]}),
            json!(1),
        ),
        (
            &ends,
            json!({"get_attribute": ["SOURCE", "ip"]}),
            json!("10.1.0.1"),
        ),
        (
            &ends,
            json!({"get_property": ["TARGET", "port"]}),
            json!(5432),
        ),
        (&none, json!({"get_attribute": ["lone", "f"]}), json!("ab")),
        (
            &none,
            json!({"get_attributes_list": ["db", "ip"]}),
            json!(["10.0.0.1", "10.0.0.2"]),
        ),
        (
            &none,
            json!({"get_attributes_dict": ["db", "ip", ["list", 0]]}),
            json!({"db_1": {"ip": "10.0.0.1", "list.0": {"a": 1}}, "db_2": {"ip": "10.0.0.2", "list.0": null}}),
        ),
        (&none, json!({"get_secret": "plain"}), json!("abc")),
        (&none, json!({"get_secret": ["json", "a", 1]}), json!(6)),
        (
            &none,
            json!({"get_capability": ["d", "cap", "of"]}),
            json!("d"),
        ),
        (
            &none,
            json!({"get_group_capability": ["g", "cap", "of"]}),
            json!({"d1": "d1", "d2": "d2"}),
        ),
        (
            &none,
            json!({"get_group_capability": ["g", ["cap"]]}),
            json!({"d1": {"cap": {"of": "d1"}}, "d2": {"cap": {"of": "d2"}}}),
        ),
        (
            &none,
            json!({"get_environment_capability": ["net", "id"]}),
            json!(7),
        ),
        (&none, json!({"get_label": "k"}), json!(["v1", "v2"])),
        (&none, json!({"get_label": ["k", 0]}), json!("v1")),
        (
            &none,
            json!({"get_sys": ["tenant", "name"]}),
            json!("default_tenant"),
        ),
        (&none, json!({"get_consumers": "count"}), json!(2)),
        (
            &none,
            json!({"concat": ["a", 1, {"get_secret": "plain"}]}),
            json!("a1abc"),
        ),
        (
            &none,
            json!({"merge": [{"a": 1}, {"get_environment_capability": "net"}]}),
            json!({"a": 1, "id": 7}),
        ),
        (&none, json!({"string_find": ["abc", "c"]}), json!(2)),
        (&none, json!({"string_find": ["abc", "x"]}), json!(-1)),
        (
            &none,
            json!({"string_replace": ["aaa", "a", "b", 2]}),
            json!("bba"),
        ),
        (
            &none,
            json!({"string_split": ["a,b", ","]}),
            json!(["a", "b"]),
        ),
        (&none, json!({"string_split": ["a,b", ",", 1]}), json!("b")),
        (&none, json!({"string_upper": "a"}), json!("A")),
        (
            &none,
            json!({"a": [{"string_lower": "B"}], "get_input": 1}),
            json!({"a": ["b"], "get_input": 1}),
        ),
    ] {
        assert_eq!(evaluate(&value, context, &world), Ok(expected), "{value}");
    }
    for (value, message) in [
        (
            json!({"get_attribute": ["db", "ip"]}),
            "Unable to evaluate get_attribute function: More than one node instance found for node \"db\". Cannot resolve a node instance unambiguously.",
        ),
        (
            json!({"get_attribute": ["moon", "ip"]}),
            "Unable to evaluate get_attribute function: Node moon has no instances.",
        ),
        (
            json!({"string_find": ["a", 3]}),
            "Unable to validate string_find function: argument `needle` should be of type <class 'str'> but is <class 'int'> (3)",
        ),
    ] {
        let error = evaluate(&value, &none, &world).expect_err(message);
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::Evaluation, message)
        );
    }
    for value in [
        json!({"get_property": ["db", "loop"]}),
        json!({"get_attribute": ["SELF", "ip"]}),
        json!({"get_secret": "none"}),
        json!({"get_secret": ["plain", "a"]}),
        json!({"get_label": ["k", 9]}),
        json!({"string_split": ["a", ""]}),
        json!({"merge": [1]}),
    ] {
        assert!(evaluate(&value, &none, &world).is_err(), "{value}");
    }
    let outputs = json!({"good": {"value": {"get_label": ["k", 0]}}, "bad": {"value": {"get_attribute": ["moon", "x"]}}});
    let values = evaluate_outputs(&outputs, &world);
    assert_eq!(values["good"], "v1");
    assert_eq!(
        values["bad"],
        "<ERROR: Unable to evaluate get_attribute function: Node moon has no instances.>"
    );
}

#[test]
fn needs_are_found_before_evaluation() {
    let value = json!([
        {"get_secret": ["a", "k"]},
        {"concat": [{"get_secret": "b"}, {"get_capability": ["d", "c", "k"]}]},
        {"get_group_capability": ["g", ["x", "y"]]},
        {"get_environment_capability": "e"},
        {"get_label": "l"},
    ]);
    let needs = functions::needs(&value);
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(needs.secrets, set(&["a", "b"]));
    assert_eq!(needs.environment_capabilities, set(&["e"]));
    assert_eq!(needs.labels, set(&["l"]));
    assert_eq!(needs.capabilities.len(), 1);
    assert_eq!(needs.group_capabilities.len(), 2);
    assert!(!needs.unknown && !needs.consumers);
    assert!(functions::needs(&json!({"get_secret": {"get_input": "x"}})).unknown);
    assert!(
        functions::has_functions(&value) && !functions::has_functions(&json!({"a": "get_input"}))
    );
}
