//! Blueprints that are refused: with which code, at which place, and in time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use windlass_blueprint::archive::Tree;
use windlass_blueprint::{Error, ErrorKind, NoImports, Plan, parse};

const HEAD: &str =
    "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\n";

fn plan_of(text: &str) -> Result<Plan, Error> {
    let tree = Tree::from_texts([("blueprint.yaml", text), ("scripts/run.sh", "")]);
    parse(&tree, "blueprint.yaml", &NoImports)
}

#[test]
fn every_rule_has_its_code_and_place() {
    for (body, code, line, path) in [
        ("inputs: 3\n", 1, 3, "inputs"),
        (
            "node_templates:\n  a: {type: 3}\n",
            1,
            4,
            "node_templates.a.type",
        ),
        (
            "node_templates:\n  a: {properties: {}}\n",
            1,
            4,
            "node_templates.a.type",
        ),
        ("moon: 1\n", 1, 3, "moon"),
        (
            "node_templates:\n  a:\n    type: x.Y\n",
            7,
            5,
            "node_templates.a.type",
        ),
        (
            "node_templates:\n  a:\n    type: cloudify.nodes.Root\n    interfaces: {x: {y: foo.bar}}\n",
            10,
            4,
            "node_templates.a",
        ),
        (
            "plugins: {p: {executor: moon}}\n",
            18,
            3,
            "plugins.p.executor",
        ),
        ("workflows: {w: foo}\n", 21, 3, "workflows.w"),
        (
            "node_templates:\n  a:\n    type: cloudify.nodes.Root\n    relationships:\n    - {type: cloudify.relationships.depends_on, target: a}\n",
            23,
            7,
            "node_templates.a.relationships.0.target",
        ),
        (
            "node_templates:\n  a:\n    type: cloudify.nodes.Root\n    interfaces: {x: {y: script.run}}\n",
            24,
            3,
            "node_templates",
        ),
        (
            "node_templates:\n  a:\n    type: cloudify.nodes.Root\n    relationships:\n    - {type: cloudify.relationships.depends_on, target: z}\n",
            25,
            7,
            "node_templates.a.relationships.0.target",
        ),
        (
            "node_templates:\n  b: {type: cloudify.nodes.Root}\n  a:\n    type: cloudify.nodes.Root\n    relationships: [{type: moon, target: b}]\n",
            26,
            7,
            "node_templates.a.relationships.0.type",
        ),
        (
            "node_templates:\n  a:\n    type: cloudify.nodes.Root\n    interfaces: {x: {y: {implementation: script.a, executor: moon}}}\n",
            28,
            6,
            "node_templates.a.interfaces.x.y.executor",
        ),
        ("groups: {g: {members: [z]}}\n", 40, 3, "groups.g.members.0"),
        ("plugins: {p: {executor: host_agent}}\n", 50, 3, "plugins.p"),
        (
            "node_templates:\n  a: {type: cloudify.nodes.Compute, interfaces: {x: {y: {implementation: scripts/run.sh, inputs: {script_path: b}}}}}\n",
            60,
            4,
            "node_templates.a",
        ),
        ("inputs: {a: {type: moon}}\n", 103, 3, "inputs.a.type"),
        (
            "inputs: {a: {constraints: [{moon: 1}]}}\n",
            103,
            3,
            "inputs.a.constraints.0",
        ),
        (
            "node_types: {t: {derived_from: x}}\n",
            103,
            3,
            "node_types.t.derived_from",
        ),
        (
            "data_types: {string: {properties: {}}}\n",
            104,
            3,
            "data_types.string",
        ),
        (
            "inputs: {a: {type: integer, default: x}}\n",
            105,
            3,
            "inputs.a.default",
        ),
        (
            "node_templates:\n  a:\n    type: cloudify.nodes.Root\n    properties: {zz: 1}\n",
            106,
            6,
            "node_templates.a.properties",
        ),
        (
            "node_templates:\n  a:\n    type: cloudify.nodes.FileSystem\n    properties: {fs_type: x}\n",
            107,
            6,
            "node_templates.a.properties",
        ),
        (
            "node_templates:\n  b: {type: cloudify.nodes.Root}\n  a:\n    type: cloudify.nodes.Root\n    relationships: [{type: cloudify.relationships.contained_in, target: b}, {type: cloudify.relationships.contained_in, target: b}]\n",
            112,
            7,
            "node_templates.a.relationships",
        ),
        (
            "node_templates: {a: {type: cloudify.nodes.Root}}\ngroups: {g: {members: [a]}}\npolicies: {p: {type: moon, targets: [g]}}\n",
            204,
            5,
            "policies.p.type",
        ),
        (
            "policies: {p: {type: cloudify.policies.scaling, targets: [g]}}\n",
            205,
            3,
            "policies.p.targets.0",
        ),
        (
            "policies: {p: {type: cloudify.policies.scaling, targets: []}}\n",
            206,
            3,
            "policies.p.targets",
        ),
        (
            "node_templates:\n  a: {type: cloudify.nodes.Root, capabilities: {scalable: {properties: {default_instances: 2, max_instances: 1}}}}\n",
            207,
            4,
            "node_templates.a.capabilities.scalable.properties",
        ),
        (
            "node_templates:\n  a: {type: cloudify.nodes.Root, capabilities: {scalable: {properties: {max_instances: many}}}}\n",
            208,
            4,
            "node_templates.a.capabilities.scalable.properties.max_instances",
        ),
        (
            "node_templates:\n  a: {type: cloudify.nodes.Root, instances: {deploy: 1}, capabilities: {scalable: {properties: {}}}}\n",
            209,
            4,
            "node_templates.a.capabilities",
        ),
        (
            "node_templates: {a: {type: cloudify.nodes.Root}}\ngroups: {a: {members: [a]}}\n",
            211,
            4,
            "groups.a",
        ),
        (
            "inputs: {a: {constraints: [{in_range: [1]}]}}\n",
            212,
            3,
            "inputs.a.constraints.0",
        ),
        ("inputs: {a: {hidden: true}}\n", 215, 3, "inputs.a"),
        (
            "inputs: {a: {type: integer, display: {rows: 2}}}\n",
            216,
            3,
            "inputs.a.display",
        ),
        (
            "inputs: {a: {type: integer, item_type: integer}}\n",
            218,
            3,
            "inputs.a.item_type",
        ),
    ] {
        let error = plan_of(&format!("{HEAD}{body}")).expect_err(body);
        let place = error.place.clone().unwrap_or_default();
        assert_eq!(error.code(), Some(code), "{body}: {error}");
        assert_eq!(place.path, path, "{body}: {error}");
        assert_eq!(
            place.position.map(|(line, _)| line),
            Some(line),
            "{body}: {error}"
        );
        assert_eq!(
            place.file.as_deref(),
            Some("blueprint.yaml"),
            "{body}: {error}"
        );
    }
}

#[test]
fn a_refusal_tells_where() {
    let text = format!("{HEAD}node_templates:\n  vm:\n    type: 5\n");
    let error = plan_of(&text).expect_err("5 is no type");
    assert_eq!(
        error.to_string(),
        "Expected 'string' type but found 'integer' type\n  in: blueprint.yaml\n  \
         in line: 5, column: 4\n  path: node_templates.vm.type\n  value: 5"
    );
}

#[test]
fn files_without_a_blueprint_are_refused() {
    for (text, code) in [
        ("", 27),
        ("# nothing\n", 27),
        ("inputs: {}\n", 27),
        ("tosca_definitions_version: moon_1\n", 29),
        ("- a\n", 1),
        ("just text", 1),
        ("a: [b\n", -1),
        ("a: b: c\n", -1),
        ("a: *b\n", -1),
        ("a: !!python/object:os.system x\n", -1),
        ("{[a]: b}\n", -1),
    ] {
        let error = plan_of(text).expect_err(text);
        assert_eq!(error.code(), Some(code), "{text:?}: {error}");
    }
}

#[test]
fn later_words_need_a_later_version() {
    for (version, body, code) in [
        ("1_0", "data_types: {}\n", Some(102)),
        ("1_2", "data_types: {}\n", None),
        ("1_1", "dsl_definitions: {a: b}\n", Some(102)),
        (
            "1_0",
            "plugins: {p: {executor: host_agent, package_name: x}}\n",
            Some(102),
        ),
        (
            "1_2",
            "plugins: {p: {executor: host_agent, package_name: x}}\n",
            None,
        ),
        (
            "1_2",
            "inputs: {a: {hidden: true, default: 1}}\n",
            Some(102),
        ),
        ("1_3", "inputs: {a: {hidden: true, default: 1}}\n", None),
        ("1_3", "inputs: {a: {type: node_id}}\n", Some(102)),
        ("1_4", "inputs: {a: {type: node_id}}\n", None),
        ("1_4", "inputs: {a: {type: operation_name}}\n", Some(102)),
        ("1_5", "inputs: {a: {type: operation_name}}\n", None),
        (
            "1_3",
            "inputs: {a: {type: list, item_type: integer}}\n",
            Some(102),
        ),
        ("1_2", "policies: {}\n", Some(102)),
        ("1_2", "resource_tags: {a: b}\n", Some(102)),
    ] {
        let text = format!("tosca_definitions_version: cloudify_dsl_{version}\n{body}");
        let found = plan_of(&text).err().and_then(|error| error.code());
        assert_eq!(found, code, "{version} {body}");
    }
}

#[test]
fn what_cannot_work_is_no_parser_error() {
    for (body, message) in [
        (
            "outputs: {a: {value: {get_input: z}}}\n",
            "get_input function references an unknown input 'z'.",
        ),
        (
            "outputs: {a: {value: {get_attribute: [z, a]}}}\n",
            "get_attribute function node reference 'z' does not exist.",
        ),
        (
            "outputs: {a: {value: {get_attribute: [SELF, a]}}}\n",
            "SELF cannot be used with get_attribute function in outputs.a.value",
        ),
        (
            "outputs: {a: {value: {get_property: [z, a]}}}\n",
            "Node z does not exist",
        ),
        (
            "node_templates: {n: {type: cloudify.nodes.Root}}\noutputs: {a: {value: {get_property: [n, zz]}}}\n",
            "Unable to evaluate get_property function: Node template property 'n.properties.zz' referenced from 'outputs.a.value' doesn't exist.",
        ),
        (
            "node_templates: {n: {type: cloudify.nodes.Root, properties: {resource_id: {get_property: [TARGET, a]}}}}\n",
            "TARGET can only be used within a relationship but is used in nodes.n.properties.resource_id",
        ),
        (
            "outputs: {a: {value: {concat: 3}}}\n",
            "Illegal arguments passed to concat function. Expected: [arg1\\function1, arg2\\function2, ...]but got: 3.",
        ),
        (
            "node_templates: {n: {type: cloudify.nodes.Root, interfaces: {x: {y: {implementation: script.a, max_retries: -5}}}}}\n",
            "'max_retries' value must be either -1 to specify unlimited retries or a non negative number but got -5.",
        ),
    ] {
        let error = plan_of(&format!("{HEAD}{body}")).expect_err(body);
        assert_eq!(error.code(), None, "{body}");
        assert_eq!(error.message, message);
    }
    let body = "inputs: {p: {type: integer, default: 9, constraints: [{less_than: 5}]}}\n";
    let error = plan_of(&format!("{HEAD}{body}")).expect_err("9 is not less than 5");
    assert_eq!(error.kind, ErrorKind::Constraint);
}

#[test]
fn hostile_yaml_ends_quickly() {
    let deep = "[".repeat(10_000);
    let deep_block: String = (0..3000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let inner = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    let mut tower = String::from("a0: &a0 [x]\n");
    for level in 1..5000 {
        tower.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    let long = format!("a: \"{}\"", "x".repeat(10 * 1024 * 1024));
    let wide = "- {a: b}\n".repeat(300_000);
    let anchors = format!("{}x", "&a ".repeat(100_000));
    let merges: String = (1..300)
        .map(|n| format!("m{n}: &m{n} {{<<: *m{}, k{n}: v}}\n", n - 1))
        .collect();
    let merges = format!("m0: &m0 {{a: b}}\n{merges}");
    for (name, text) in [
        ("deep", deep.as_str()),
        ("deep block", &deep_block),
        ("bomb", &bomb),
        ("tower", &tower),
        ("long", &long),
        ("wide", &wide),
        ("anchors", &anchors),
        ("merges", &merges),
        ("braces", &"{".repeat(100_000)),
        ("questions", &"? ".repeat(100_000)),
        ("dashes", &"- ".repeat(100_000)),
    ] {
        let started = std::time::Instant::now();
        assert!(plan_of(text).is_err(), "{name}");
        // Without optimisation everything takes about ten times as long.
        assert!(
            started.elapsed().as_secs() < 10,
            "{name}: {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn hostile_blueprints_end_quickly() {
    let mut types = String::from("data_types:\n  d0: {properties: {a: {default: x}}}\n");
    for level in 1..60 {
        let inner = level - 1;
        types.push_str(&format!(
            "  d{level}: {{properties: {{a: {{type: d{inner}}}, b: {{type: d{inner}}}}}}}\n"
        ));
    }
    let mut chain = String::from("node_types:\n");
    for level in 0..5000 {
        chain.push_str(&format!("  t{level}: {{derived_from: t{}}}\n", level + 1));
    }
    chain.push_str("  t5000: {}\n");
    let circle =
        "data_types:\n  a: {properties: {x: {type: b}}}\n  b: {properties: {x: {type: a}}}\n";
    let groups = "node_templates: {n: {type: cloudify.nodes.Root}}\ngroups: {g: {members: [h]}, h: {members: [g]}}\npolicies: {p: {type: cloudify.policies.scaling, targets: [g, h]}}\n";
    for (name, body) in [
        ("types", types.as_str()),
        ("chain", &chain),
        ("circle", circle),
        ("groups", groups),
    ] {
        let started = std::time::Instant::now();
        assert!(plan_of(&format!("{HEAD}{body}")).is_err(), "{name}");
        assert!(
            started.elapsed().as_secs() < 10,
            "{name}: {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn a_refusal_names_the_file_or_the_keys_that_lead_to_its_place() {
    let node = "node_templates:\n  n:\n    type: cloudify.nodes.Root\n    properties:\n      resource_id: ";
    for (body, expected) in [
        (
            "inputs: {x: y: z}\n".to_owned(),
            vec!["line 3, column 14", "in: blueprint.yaml"],
        ),
        (
            format!("{node}{{get_input: nope}}\n"),
            vec![
                "unknown input 'nope'",
                "path: nodes.n.properties.resource_id",
            ],
        ),
        (
            format!("{node}{{concat: [a, {{get_attribute: [nope, x]}}]}}\n"),
            vec![
                "'nope' does not exist",
                "path: nodes.n.properties.resource_id.concat[1]",
            ],
        ),
        (
            "outputs: {o: {value: {get_property: [nope, x]}}}\n".to_owned(),
            vec!["Node nope does not exist", "path: outputs.o.value"],
        ),
    ] {
        let told = plan_of(&format!("{HEAD}{body}")).unwrap_err().to_string();
        for part in expected {
            assert!(told.contains(part), "{body}: {told}");
        }
    }
    let with_import = HEAD.replace("types.yaml]", "types.yaml, lib/bad.yaml]");
    let bad = "inputs:\n  a: [b\n";
    let tree = Tree::from_texts([
        ("blueprint.yaml", with_import.as_str()),
        ("lib/bad.yaml", bad),
    ]);
    let told = parse(&tree, "blueprint.yaml", &NoImports)
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("line 3, column 1") && told.contains("in: lib/bad.yaml"),
        "{told}"
    );
}
