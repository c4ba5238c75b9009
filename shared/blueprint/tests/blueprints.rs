//! Blueprints from outside: what their plans hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use serde_json::{Value, json};
use std::rc::Rc;
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{Error, Imported, Importer, NoImports, Plan, UploadedPlugin, parse};

const HEAD: &str =
    "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\n";

fn plan_of(text: &str) -> Result<Plan, Error> {
    let tree = Tree::from_texts([("blueprint.yaml", text), ("scripts/run.sh", "")]);
    parse(&tree, "blueprint.yaml", &NoImports)
}

fn plan(text: &str) -> Plan {
    plan_of(&format!("{HEAD}{text}")).expect("the blueprint is good")
}

fn node<'a>(plan: &'a Plan, name: &str) -> &'a windlass_blueprint::Fields {
    plan.node(name).expect("the plan has this node")
}

#[test]
fn an_empty_blueprint_has_an_empty_plan() {
    let plan = plan_of("tosca_definitions_version: cloudify_dsl_1_3\n").expect("it is good");
    let value = plan.to_value();
    let mut keys: Vec<&String> = value
        .as_object()
        .expect("a plan is an object")
        .keys()
        .collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "blueprint_labels",
            "capabilities",
            "data_types",
            "deployment_plugins_to_install",
            "deployment_settings",
            "description",
            "groups",
            "host_agent_plugins_to_install",
            "imported_blueprints",
            "inputs",
            "labels",
            "metadata",
            "namespaces_mapping",
            "nodes",
            "outputs",
            "policies",
            "policy_triggers",
            "policy_types",
            "relationships",
            "requirements",
            "resource_tags",
            "scaling_groups",
            "version",
            "workflow_plugins_to_install",
            "workflows",
        ]
    );
    assert_eq!(value["nodes"], json!([]));
    assert_eq!(value["version"]["definitions_version"], json!([1, 3]));
}

/// The rules for an operation that a template defines again, one after the other.
#[test]
fn templates_change_operations() {
    let plan = plan(
        "plugins: {p: {executor: central_deployment_agent, install: false}}
node_types:
  T:
    derived_from: cloudify.nodes.Root
    interfaces:
      i:
        kept: {implementation: p.kept, inputs: {x: {default: 1}}}
        replaced: {implementation: p.old, inputs: {x: {default: 1}}, max_retries: 3}
        emptied: p.old
        filled: {implementation: p.filled, inputs: {x: {default: 1}, y: {default: 2}}}
        moved: {implementation: p.moved, inputs: {x: {default: 1}}}
  U:
    derived_from: T
    interfaces: {i: {replaced: {inputs: {z: {default: 3}}}}}
node_templates:
  n:
    type: T
    interfaces:
      i:
        replaced: p.new
        emptied: {}
        filled: {inputs: {y: 7, z: 8}}
        moved: {executor: host_agent}
        added: {implementation: scripts/run.sh, inputs: {a: b}}
    relationships: [{type: cloudify.relationships.contained_in, target: host}]
  u: {type: U}
  host: {type: cloudify.nodes.Compute}
",
    );
    let n = node(&plan, "n");
    for (name, function, executor, inputs) in [
        (
            "i.kept",
            "kept",
            json!("central_deployment_agent"),
            json!({"x": 1}),
        ),
        (
            "i.replaced",
            "new",
            json!("central_deployment_agent"),
            json!({}),
        ),
        ("i.emptied", "", json!(null), json!({})),
        (
            "i.filled",
            "filled",
            json!("central_deployment_agent"),
            json!({"x": 1, "y": 7, "z": 8}),
        ),
        ("i.moved", "moved", json!("host_agent"), json!({"x": 1})),
        (
            "i.added",
            "script_runner.tasks.run",
            json!("auto"),
            json!({"a": "b", "script_path": "scripts/run.sh"}),
        ),
    ] {
        let operation = n.operation("operations", name).expect(name);
        assert_eq!(operation["operation"], function, "{name}");
        assert_eq!(operation["executor"], executor, "{name}");
        assert_eq!(operation["inputs"], inputs, "{name}");
    }
    assert_eq!(
        n.operation("operations", "i.replaced")
            .map(|one| &one["max_retries"]),
        Some(&json!(null))
    );
    // A derived type's operation replaces its parent's whole.
    let replaced = node(&plan, "u").operation("operations", "i.replaced");
    assert_eq!(replaced.map(|one| &one["operation"]), Some(&json!("")));
    // `create` is in two interfaces: its short name would be ambiguous.
    assert!(n.operation("operations", "create").is_none());
    assert!(
        n.operation("operations", "cloudify.interfaces.lifecycle.create")
            .is_some()
    );
    assert!(n.operation("operations", "configure").is_some());
    assert_eq!(n.get("host_id"), "host");
    let on_host: Vec<&Value> = node(&plan, "host")
        .get("plugins_to_install")
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| &one["name"])
        .collect();
    // The built-in types let a host's own agent install its plugins.
    assert_eq!(on_host, ["p", "agent"]);
}

#[test]
fn data_types_fill_in_their_defaults() {
    let plan = plan(
        "data_types:
  leaf: {properties: {a: {type: integer, default: 1}, b: {required: false}}}
  tree: {derived_from: leaf, properties: {c: {type: leaf, default: {b: 2}}}}
node_types:
  T: {properties: {p: {type: tree}, q: {type: leaf, default: {a: 5}}}}
node_templates:
  n: {type: T, properties: {p: {c: {a: 9}}}}
",
    );
    let expected = json!({"p": {"c": {"a": 9, "b": 2}, "a": 1}, "q": {"a": 5}});
    assert_eq!(node(&plan, "n").get("properties"), &expected);
}

#[test]
fn the_http_plugin_is_always_there() {
    for declaration in [
        "",
        "plugins: {windlass-http: {executor: central_deployment_agent}}\n",
    ] {
        let plan = plan(&format!(
            "{declaration}node_templates:\n  n:\n    type: cloudify.nodes.Root\n    interfaces:\n      cloudify.interfaces.lifecycle: {{create: {{implementation: windlass-http.request, inputs: {{url: x}}}}}}\n"
        ));
        let operation = node(&plan, "n")
            .operation("operations", "cloudify.interfaces.lifecycle.create")
            .expect("it has this operation");
        assert_eq!(operation["plugin"], "windlass-http");
        assert_eq!(operation["operation"], "request");
        assert_eq!(operation["executor"], "central_deployment_agent");
        let plugins = plan.section("deployment_plugins_to_install");
        assert_eq!(plugins[0]["name"], "windlass-http");
        assert_eq!(plugins[0]["install"], false);
    }
}

#[test]
fn imports_merge_by_section() {
    let run = |version: &str, main: &str, other: &str| {
        let main = format!(
            "tosca_definitions_version: cloudify_dsl_{version}\nimports: [cloudify/types/types.yaml, lib/other.yaml]\n{main}"
        );
        let tree = Tree::from_texts([("b.yaml", main.as_str()), ("lib/other.yaml", other)]);
        parse(&tree, "b.yaml", &NoImports)
    };
    let code = |version, main, other| {
        run(version, main, other)
            .err()
            .and_then(|error| error.code())
    };
    for (version, main, other, expected) in [
        ("1_3", "inputs: {a: {}}\n", "inputs: {b: {}}\n", None),
        ("1_3", "inputs: {a: {}}\n", "inputs: {a: {}}\n", Some(4)),
        ("1_2", "inputs: {a: {}}\n", "inputs: {b: {}}\n", Some(3)),
        ("1_3", "policies: {}\n", "policies: {}\n", Some(3)),
        (
            "1_3",
            "labels: {a: {values: [x]}}\n",
            "labels: {a: {values: [y]}}\n",
            None,
        ),
        ("1_3", "description: a\n", "description: b\n", None),
        (
            "1_3",
            "",
            "tosca_definitions_version: cloudify_dsl_1_4\n",
            Some(28),
        ),
        (
            "1_3",
            "",
            "tosca_definitions_version: cloudify_dsl_1_0\n",
            None,
        ),
        ("1_3", "", "imports: [missing.yaml]\n", Some(13)),
        ("1_3", "", "imports: [a.yaml, a.yaml]\n", Some(13)),
        (
            "1_3",
            "",
            "imports: ['https://example.com/a.yaml']\n",
            Some(13),
        ),
        ("1_3", "", "imports: [other.yaml]\n", None),
        ("1_3", "", "imports: ['a--b--other.yaml']\n", Some(212)),
        (
            "1_3",
            "",
            "imports: ['a--cloudify/types/types.yaml']\n",
            Some(214),
        ),
        ("1_3", "", "imports: ['blueprint:x']\n", Some(213)),
        (
            "1_3",
            "node_types: {cloudify.nodes.Root: {}}\nnode_templates: {a: {type: cloudify.nodes.Root}}\n",
            "{}\n",
            None,
        ),
        (
            "1_3",
            "node_templates: {a: {type: cloudify.nodes.Root}, b: {type: cloudify.nodes.Root}}\n",
            "node_templates: {a: {relationships: [{type: cloudify.relationships.connected_to, target: b}]}}\n",
            Some(4),
        ),
        (
            "1_3",
            "node_templates: {a: {type: cloudify.nodes.Root, relationships: []}, b: {type: cloudify.nodes.Root}}\n",
            "node_templates: {a: {relationships: [{type: cloudify.relationships.connected_to, target: b}]}}\n",
            None,
        ),
    ] {
        assert_eq!(
            code(version, main, other),
            expected,
            "{version} {main} {other}"
        );
    }
    let plan = run(
        "1_3",
        "description: a\nlabels: {k: {values: [x]}}\n",
        "description: b\nlabels: {k: {values: [y]}}\n",
    );
    let plan = plan.expect("they merge");
    assert_eq!(plan.section("description"), "a");
    assert_eq!(plan.section("labels")["k"]["values"], json!(["x"]));
}

struct Shelf;

impl Importer for Shelf {
    fn plugins(&self, name: &str) -> Vec<UploadedPlugin> {
        let of = |version: &str| UploadedPlugin {
            version: version.to_owned(),
            files: vec!["plugin.yaml".to_owned()],
            ..UploadedPlugin::default()
        };
        match name {
            "cloud" => vec![of("1.9"), of("2.10"), of("2.9")],
            _ => Vec::new(),
        }
    }
    fn plugin_file(&self, plugin: &UploadedPlugin, _file: &str) -> Option<Rc<str>> {
        let text = match plugin.version.as_str() {
            "2.10" => {
                "plugins: {cloud: {executor: central_deployment_agent, package_name: cloud}}\nnode_types: {cloud.VM: {derived_from: cloudify.nodes.Compute}}\n"
            }
            _ => "moon: {}",
        };
        Some(text.into())
    }
    fn blueprint(&self, id: &str) -> Option<Imported> {
        let text = "tosca_definitions_version: cloudify_dsl_1_4\ninputs: {size: {default: 1}}\nnode_types: {T: {derived_from: cloudify.nodes.Root, properties: {s: {default: {get_input: size}}}}}\nnode_templates: {x: {type: T}}\noutputs: {o: {value: {get_attribute: [x, a]}}}\n";
        (id == "base").then(|| Imported {
            tree: Tree::from_texts([("main.yaml", text)]),
            main_file: "main.yaml".to_owned(),
        })
    }
}

#[test]
fn plugins_and_blueprints_are_imported_with_namespaces() {
    let text = "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, 'plugin:cloud?version=>=2', 'ns--blueprint:base']
node_templates:
  vm: {type: cloud.VM}
  y:
    type: ns--T
    relationships: [{type: cloudify.relationships.connected_to, target: ns--x}]
";
    let tree = Tree::from_texts([("b.yaml", text)]);
    let plan = parse(&tree, "b.yaml", &Shelf).expect("all imports are there");
    assert_eq!(plan.section("imported_blueprints"), &json!(["base"]));
    assert_eq!(node(&plan, "ns--x").text("type"), "ns--T");
    assert_eq!(
        node(&plan, "y").get("properties")["s"],
        json!({"get_input": "ns--size"})
    );
    assert_eq!(
        plan.section("outputs")["ns--o"]["value"],
        json!({"get_attribute": ["ns--x", "a"]})
    );
    let error = parse(&tree, "b.yaml", &NoImports).expect_err("nothing is there");
    assert_eq!(error.code(), Some(13));
}

#[test]
fn a_plugin_that_nobody_uploaded_is_named_with_what_was_wanted_of_it() {
    for (import, text) in [
        ("plugin:lamp", "Couldn't find plugin \"lamp\". Please"),
        (
            "plugin:cloud?version= >=3,<4",
            "Couldn't find plugin \"cloud\" with version >=3,<4. Please",
        ),
        (
            "plugin:cloud?distribution=centos&version=2.10",
            "Couldn't find plugin \"cloud\" with version 2.10 for centos. Please",
        ),
    ] {
        let yaml = format!("tosca_definitions_version: cloudify_dsl_1_4\nimports: ['{import}']\n");
        let tree = Tree::from_texts([("b.yaml", yaml.as_str())]);
        let error = parse(&tree, "b.yaml", &Shelf).expect_err("it is not there");
        assert_eq!(error.code(), Some(13), "{import}");
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn a_plan_can_be_kept_and_read_again() {
    let plan = plan(
        "node_templates:
  a: {type: cloudify.nodes.Compute}
  b: {type: cloudify.nodes.Compute, relationships: [{type: cloudify.relationships.connected_to, target: a}]}
",
    );
    let full = plan.to_value();
    let stored = plan.to_stored();
    assert!(stored.to_string().len() < full.to_string().len());
    for kept in [&full, &stored] {
        let again: Plan = serde_json::from_value(kept.clone()).expect("it is a plan");
        assert_eq!(again.to_value(), full);
        assert!(
            node(&again, "b")
                .operation("operations", "poststart")
                .is_some()
        );
    }
}

/// Two nodes of one type as plans were stored when each had the list of its operations.
const STORED_BEFORE: &str = r#"{"sections": {"inputs": {}},
    "nodes": [{"name": "a", "operations": {"start": 0}, "interfaces": {"life": {"start": 1}}},
              {"name": "b", "operations": {"start": 0}, "interfaces": {"life": {"start": 1}}}],
    "shared": [{"plugin": "p"}, {"implementation": "p.start"}]}"#;

#[test]
fn a_stored_plan_has_what_nodes_share_once_and_older_ones_are_read() {
    let yaml = |count: usize| {
        let nodes =
            (0..count).map(|number| format!("  n{number}: {{type: cloudify.nodes.Root}}\n"));
        let head = "tosca_definitions_version: cloudify_dsl_1_4\n\
                    imports: [cloudify/types/types.yaml]\nnode_templates:\n";
        format!("{head}{}", nodes.collect::<String>())
    };
    let stored = |count| {
        let tree = Tree::from_texts([("b.yaml", yaml(count).as_str())]);
        let plan = parse(&tree, "b.yaml", &NoImports).unwrap();
        plan.to_stored().to_string().len()
    };
    let each = (stored(101) - stored(1)) / 100;
    assert!(
        each < 400,
        "a further node of the same type takes {each} bytes"
    );

    let before: Value = serde_json::from_str(STORED_BEFORE).unwrap();
    let plan = Plan::from_stored(before).unwrap();
    let operations = plan.nodes[1].operation("operations", "start").unwrap();
    assert_eq!(operations["plugin"], "p");
    let again = Plan::from_stored(plan.to_stored()).unwrap();
    assert_eq!(again.to_value(), plan.to_value());
    let interfaces = &again.to_value()["nodes"][1]["interfaces"];
    assert_eq!(interfaces["life"]["start"]["implementation"], "p.start");
}
