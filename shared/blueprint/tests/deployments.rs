//! From plan to deployment: inputs, functions, node instances.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{
    DeploymentPlan, Error, ErrorKind, InputProblem, NoImports, NodeInstance, Plan, check_inputs,
    instantiate, parse, prepare_deployment,
};

const HEAD: &str = "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\nplugins: {p: {executor: central_deployment_agent, install: false}}\n";

fn plan(text: &str) -> Plan {
    let text = format!("{HEAD}{text}");
    let tree = Tree::from_texts([("b.yaml", text.as_str())]);
    parse(&tree, "b.yaml", &NoImports).expect("the blueprint is good")
}

fn prepare(plan: &Plan, inputs: Value) -> Result<DeploymentPlan, Error> {
    let inputs = inputs.as_object().cloned().unwrap_or_default();
    prepare_deployment(plan, &inputs, &|name| name != "missing", false)
}

/// A source of bits that is the same for every run.
fn bits() -> impl FnMut() -> u32 {
    let mut state: u32 = 7;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    }
}

fn instances(text: &str) -> Vec<NodeInstance> {
    let prepared = prepare(&plan(text), json!({})).expect("no inputs are needed");
    instantiate(&prepared, &mut bits()).expect("instances can be made")
}

#[test]
fn inputs_are_checked() {
    let plan = plan("inputs: {a: {}, b: {default: 1}, c: {required: false}, d: {default: null}}\n");
    let check = |given: Value| check_inputs(&plan, given.as_object().expect("an object"));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(check(json!({"a": 1, "d": 2})), Ok(()));
    assert_eq!(
        check(json!({})),
        Err(InputProblem::Missing(names(&["a", "d"])))
    );
    assert_eq!(
        check(json!({"a": 1, "d": 2, "x": 3})),
        Err(InputProblem::Unknown(names(&["x"])))
    );
    for (given, kind, message) in [
        (
            json!({"a": 1}),
            ErrorKind::MissingInput,
            "Required inputs ['d'] were not specified - expected inputs: ['a', 'b', 'c', 'd']",
        ),
        (
            json!({"a": 1, "d": 1, "q": 1}),
            ErrorKind::UnknownInput,
            "Unknown inputs ['q'] specified - expected inputs: ['a', 'b', 'c', 'd']",
        ),
    ] {
        let error = prepare(&plan, given).expect_err(message);
        assert_eq!((error.kind, error.message.as_str()), (kind, message));
    }
    let prepared = prepare(&plan, json!({"a": 5, "d": 6})).expect("all is given");
    assert_eq!(
        prepared.plan.section("inputs"),
        &json!({"a": 5, "b": 1, "c": null, "d": 6})
    );
}

#[test]
fn given_values_fit_their_types() {
    let plan = plan(
        "data_types: {d: {properties: {x: {type: integer}, y: {default: 2}}}}
inputs:
  n: {type: integer, default: 1, constraints: [{less_than: {get_input: limit}}]}
  limit: {default: 5}
  l: {type: list, item_type: integer, default: [], constraints: [{less_than: 3}]}
  d: {type: d, default: {x: 1}}
",
    );
    for (given, code, message) in [
        (
            json!({"n": "x"}),
            Some(214),
            "Property type validation failed in 'n': the defined type is 'integer', yet it was assigned with the value 'x'",
        ),
        (
            json!({"n": true}),
            Some(214),
            "Property type validation failed in 'n': the defined type is 'integer', yet it was assigned with the value 'True'",
        ),
        (
            json!({"n": 7}),
            None,
            "Value 7 of input n violates constraint less_than(5) operator.",
        ),
        (
            json!({"l": [1, "a"]}),
            Some(105),
            "Property type validation failed in 'l': the defined type is 'integer', yet it was assigned with the value 'a'",
        ),
        (
            json!({"l": [1, 4]}),
            None,
            "Value 4 of input l violates constraint less_than(3) operator.",
        ),
        (
            json!({"d": {}}),
            Some(214),
            "Value of input d is missing property x.",
        ),
        (
            json!({"d": {"x": "a"}}),
            Some(214),
            "Property type validation failed in 'd': property 'x' type is 'integer', yet it was assigned with the value 'a'",
        ),
    ] {
        let error = prepare(&plan, given.clone()).expect_err(message);
        assert_eq!(
            (error.code(), error.message.as_str()),
            (code, message),
            "{given}"
        );
    }
    let prepared = prepare(&plan, json!({"n": 7, "limit": 8, "d": {"x": 3}})).expect("they fit");
    assert_eq!(
        prepared.plan.section("inputs")["d"],
        json!({"x": 3, "y": 2})
    );
}

#[test]
fn secrets_have_to_exist() {
    let plan = plan(
        "inputs: {i: {default: 1}}\noutputs: {a: {value: {get_secret: missing}}, b: {value: {get_secret: there}}}\n",
    );
    assert_eq!(
        plan.section("requirements")["secrets"],
        json!(["missing", "there"])
    );
    let error = prepare(&plan, json!({})).expect_err("one is missing");
    assert_eq!(error.kind, ErrorKind::MissingSecret);
    assert_eq!(
        error.message,
        "Required secrets: [missing] don't exist in this tenant"
    );
}

const FUNCTIONS: &str = "inputs: {i: {default: 5}, m: {default: {a: [1, {b: x}]}}, n: {default: 3}}
node_types:
  T:
    derived_from: cloudify.nodes.Root
    properties: {p: {default: {get_property: [SELF, q]}}, q: {default: {get_input: [m, a, 1, b]}}, s: {required: false}}
    interfaces: {i: {a: {implementation: p.a, inputs: {x: {default: {get_property: [SELF, q]}}}}, b: {implementation: p.b, inputs: {x: {default: {concat: [a, {get_attribute: [SELF, z]}, {get_input: i}]}}}}}}
node_templates:
  a: {type: T, capabilities: {scalable: {properties: {default_instances: {get_input: n}}}}}
  b:
    type: T
    properties: {q: {concat: [x, {get_input: i}, {get_property: [a, q]}]}, s: {get_capability: [dep, c]}}
outputs:
  text: {value: {concat: [1, true, null, 1.5, {get_input: m}]}}
  upper: {value: {string_upper: {string_lower: AbC}}}
  runtime: {value: {concat: [{get_input: i}, {get_attribute: [b, x]}]}}
capabilities: {c: {value: {merge: [{a: 1, b: 1}, {b: 2}]}}}
";

#[test]
fn known_functions_are_evaluated_when_a_deployment_is_made() {
    let plan = plan(FUNCTIONS);
    let prepared = prepare(&plan, json!({})).expect("all is known").plan;
    let b = prepared.node("b").expect("it is there");
    assert_eq!(b.get("properties")["p"], "x5x");
    let input = |node: &str, operation: &str| {
        let node = prepared.node(node).expect("it is there");
        node.operation("operations", operation)
            .expect("it is there")
            .clone()
    };
    assert_eq!(input("a", "i.a")["inputs"]["x"], "x");
    assert_eq!(input("b", "i.a")["inputs"]["x"], "x5x");
    assert_eq!(input("b", "i.a")["has_intrinsic_functions"], false);
    assert_eq!(
        input("b", "i.b")["inputs"]["x"],
        json!({"concat": ["a", {"get_attribute": ["SELF", "z"]}, 5]})
    );
    assert_eq!(input("b", "i.b")["has_intrinsic_functions"], true);
    let outputs = prepared.section("outputs");
    assert_eq!(
        outputs["text"]["value"],
        "1TrueNone1.5{'a': [1, {'b': 'x'}]}"
    );
    assert_eq!(outputs["upper"]["value"], "ABC");
    assert_eq!(
        outputs["runtime"]["value"],
        json!({"concat": [5, {"get_attribute": ["b", "x"]}]})
    );
    assert_eq!(
        prepared.section("capabilities")["c"]["value"],
        json!({"a": 1, "b": 2})
    );
    let scalable = &prepared.node("a").expect("it is there").get("capabilities")["scalable"];
    assert_eq!(scalable["properties"]["current_instances"], 3);
    assert_eq!(
        prepared.section("inter_deployment_functions"),
        &json!([{
            "function_identifier": "nodes.b.properties.s.get_capability",
            "target_deployment": ["dep", "dep"],
            "context": {"self": "b"},
        }])
    );
}

#[test]
fn runtime_only_keeps_functions_but_not_counts() {
    let prepared =
        prepare_deployment(&plan(FUNCTIONS), &Map::new(), &|_| true, true).expect("all is known");
    let a = prepared.plan.node("a").expect("it is there");
    assert_eq!(
        a.get("properties")["q"],
        json!({"get_input": ["m", "a", 1, "b"]})
    );
    assert_eq!(
        a.get("capabilities")["scalable"]["properties"]["current_instances"],
        3
    );
    assert_eq!(
        a.operation("operations", "i.a")
            .map(|one| &one["has_intrinsic_functions"]),
        Some(&json!(true))
    );
}

#[test]
fn functions_that_grow_or_go_in_circles_are_refused() {
    let mut doubling = String::from("node_types: {T: {properties: {");
    doubling.push_str("p0: {default: x}");
    for level in 1..60 {
        let inner = level - 1;
        doubling.push_str(&format!(", p{level}: {{default: [{{get_property: [SELF, p{inner}]}}, {{get_property: [SELF, p{inner}]}}]}}"));
    }
    doubling.push_str("}}}\nnode_templates: {n: {type: T}}\n");
    let circle = "node_templates: {n: {type: cloudify.nodes.Root, properties: {resource_id: {get_property: [SELF, resource_id]}}}}\n";
    for text in [doubling.as_str(), circle] {
        let error = prepare(&plan(text), json!({})).expect_err("it has no end");
        assert_eq!(error.kind, ErrorKind::Evaluation);
    }
}

const SCALED: &str = "node_templates:
  host: {type: cloudify.nodes.Compute, capabilities: {scalable: {properties: {default_instances: 2}}}}
  web: {type: cloudify.nodes.WebServer, instances: {deploy: 2}, relationships: [{type: cloudify.relationships.contained_in, target: host}, {type: cloudify.relationships.connected_to, target: db}]}
  app: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.contained_in, target: web}]}
  db: {type: cloudify.nodes.Root, instances: {deploy: 3}}
  one: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.depends_on, target: db, properties: {connection_type: all_to_one}}]}
  none: {type: cloudify.nodes.Root, instances: {deploy: 0}}
";

#[test]
fn counts_multiply_along_containers() {
    let instances = instances(SCALED);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &instances {
        *counts.entry(&one.node_id).or_default() += 1;
        assert_eq!(one.state, "uninitialized");
        let suffix = one
            .id
            .strip_prefix(&format!("{}_", one.node_id))
            .expect("the node's name");
        assert!(
            suffix.len() == 6
                && suffix
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        );
    }
    assert_eq!(
        counts,
        BTreeMap::from([("app", 4), ("db", 3), ("host", 2), ("one", 1), ("web", 4)])
    );
    let by_id = |id: &str| {
        instances
            .iter()
            .find(|one| one.id == id)
            .expect("it is there")
    };
    for one in &instances {
        match one.node_id.as_str() {
            "host" => assert_eq!(one.host_id.as_ref(), Some(&one.id)),
            "web" | "app" => {
                let container = &one.relationships[0].target_id;
                assert_eq!(
                    one.host_id,
                    by_id(container).host_id,
                    "an instance is on its container's host"
                );
            }
            _ => assert_eq!(one.host_id, None),
        }
        let targets = one
            .relationships
            .iter()
            .filter(|target| target.target_name == "db")
            .count();
        assert_eq!(
            targets,
            match one.node_id.as_str() {
                "web" => 3,
                "one" => 1,
                _ => 0,
            }
        );
    }
    let smallest = instances
        .iter()
        .filter(|one| one.node_id == "db")
        .map(|one| &one.id)
        .min();
    let one = instances
        .iter()
        .find(|one| one.node_id == "one")
        .expect("it is there");
    assert_eq!(Some(&one.relationships[0].target_id), smallest);
    let indexes: Vec<u32> = instances
        .iter()
        .filter(|one| one.node_id == "app")
        .map(|one| one.index)
        .collect();
    assert_eq!(indexes, [1, 2, 3, 4]);
}

#[test]
fn members_of_a_scaling_group_belong_together() {
    let instances = instances(
        "node_templates:
  vm: {type: cloudify.nodes.Compute}
  app: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.contained_in, target: vm}, {type: cloudify.relationships.connected_to, target: db}]}
  db: {type: cloudify.nodes.Root, instances: {deploy: 2}}
  out: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.connected_to, target: db}]}
groups: {inner: {members: [vm, db]}, outer: {members: [inner]}}
policies:
  i: {type: cloudify.policies.scaling, targets: [inner], properties: {default_instances: 2}}
  o: {type: cloudify.policies.scaling, targets: [outer], properties: {default_instances: 3}}
",
    );
    let count = |node: &str| instances.iter().filter(|one| one.node_id == node).count();
    assert_eq!(
        (count("vm"), count("app"), count("db"), count("out")),
        (6, 6, 12, 1)
    );
    for one in &instances {
        let groups: Vec<&str> = one
            .scaling_groups
            .iter()
            .map(|group| group.name.as_str())
            .collect();
        match one.node_id.as_str() {
            "vm" | "db" => assert_eq!(groups, ["inner", "outer"]),
            "app" => {
                assert!(groups.is_empty(), "it is no member, its container is");
                assert_eq!(
                    one.relationships.len(),
                    3,
                    "only the databases of its own group"
                );
            }
            _ => assert_eq!(one.relationships.len(), 12, "from outside all of them"),
        }
    }
}

#[test]
fn impossible_instances_are_refused() {
    for text in [
        "node_templates:
  a: {type: cloudify.nodes.Root}
  b: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.connected_to, target: a, properties: {connection_type: all_to_one}}]}
groups: {g: {members: [a, b]}}
policies: {p: {type: cloudify.policies.scaling, targets: [g]}}
",
        "node_templates: {a: {type: cloudify.nodes.Root, instances: {deploy: 4000000000}}}\n",
        "node_templates:
  a: {type: cloudify.nodes.Root, instances: {deploy: 5000}}
  b: {type: cloudify.nodes.Root, instances: {deploy: 5000}, relationships: [{type: cloudify.relationships.connected_to, target: a}]}
",
        "relationships: {r: {}}
node_templates:
  a: {type: cloudify.nodes.Root}
  b: {type: cloudify.nodes.Root, relationships: [{type: r, target: a}]}
",
    ] {
        let prepared = prepare(&plan(text), json!({})).expect("the plan itself is good");
        assert!(instantiate(&prepared, &mut bits()).is_err(), "{text}");
    }
}

#[test]
fn dependencies_name_instances_once_there_are_some() {
    let mut prepared = prepare(&plan(FUNCTIONS), json!({})).expect("all is known");
    let instances = instantiate(&prepared, &mut bits()).expect("instances can be made");
    prepared.bind_dependencies(&instances);
    let b = instances
        .iter()
        .find(|one| one.node_id == "b")
        .expect("it is there");
    let functions = prepared.plan.section("inter_deployment_functions");
    assert_eq!(functions[0]["context"]["self"], b.id.as_str());
}

/// Properties that name each other in a circle end in an error at once, also among many nodes;
/// long ways that end somewhere are no circle.
#[test]
fn circles_of_properties_end_at_once() {
    let nodes = |count: usize, last: &str| {
        let mut text = String::from(
            "node_types: {t: {properties: {p: {default: 1}, q: {default: 1}}}}\nnode_templates:\n",
        );
        for number in 0..count {
            let next = match number + 1 < count {
                true => format!("{{get_property: [n{}, p]}}", number + 1),
                false => last.to_owned(),
            };
            text.push_str(&format!("  n{number}: {{type: t, properties: {{p: {next}, q: [{{get_property: [SELF, p]}}, {{get_property: [SELF, p]}}]}}}}\n"));
        }
        plan(&text)
    };
    let ring = nodes(2000, "{get_property: [n0, p]}");
    let line = nodes(2000, "end");
    let mut fan =
        String::from("node_types: {t: {properties: {p: {default: 1}}}}\nnode_templates:\n");
    for number in 0..60 {
        let next = (number + 1) % 60;
        fan.push_str(&format!("  n{number}: {{type: t, properties: {{p: [{{get_property: [n{next}, p]}}, {{get_property: [n{next}, p]}}]}}}}\n"));
    }
    let fan = plan(&fan);
    let started = std::time::Instant::now();
    for circle in [&ring, &fan] {
        let error = prepare(circle, json!({})).expect_err("a circle has no value");
        assert_eq!(error.kind, ErrorKind::Evaluation, "{}", error.message);
    }
    let took = started.elapsed();
    let prepared = prepare(&line, json!({})).expect("the line has an end");
    assert_eq!(
        prepared.plan.nodes[0].get("properties")["q"],
        json!(["end", "end"])
    );
    assert!(took.as_millis() < 1000, "{took:?}");
}
