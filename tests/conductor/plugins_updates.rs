//! `/plugins-updates`: the deployments of a blueprint get the newest plugins that it allows.

use crate::samples::column;
use windlass_tests::{Archive, Caller, Entry, Value, Windlass, json};

const BLUEPRINT: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
  - plugin:cloud?version=>=1.0,<3
  - plugin:tide
node_templates:
  vm:
    type: cloud.VM
  gauge:
    type: tide.Gauge
";

/// What blueprints import: a type whose property tells the version.
fn file(name: &str, kind: &str, version: &str) -> String {
    format!(
        "plugins:
  {name}: {{executor: central_deployment_agent, package_name: {name}, package_version: '{version}'}}
node_types:
  {name}.{kind}:
    derived_from: cloudify.nodes.Root
    properties: {{mark: {{default: '{version}'}}}}
    interfaces: {{cloudify.interfaces.lifecycle: {{create: {name}.tasks.create}}}}
"
    )
}

/// Uploads versions of a package.
fn plugins(caller: Caller<'_>, name: &str, versions: &[&str], query: &str) {
    let kind = if name == "cloud" { "VM" } else { "Gauge" };
    for version in versions {
        let wagon = Archive::wagon(name, version, vec![7; 1000]).tar_gz();
        let text = file(name, kind, version).into_bytes();
        let zip = Archive::of([
            Entry::File(format!("{name}-{version}.wgn"), wagon),
            Entry::File("plugin.yaml".into(), text),
        ]);
        let path = format!("/plugins{query}");
        let answer = caller.raw("POST", &path, "application/json", zip.zip());
        answer.expect(201);
    }
}

/// A blueprint `bp` with plugins of version 1.1, and its deployments; then newer plugins are there.
fn with_deployments(caller: Caller<'_>, deployments: &[&str]) {
    for name in ["cloud", "tide"] {
        plugins(caller, name, &["1.1"], "");
    }
    let files = [("b.yaml", BLUEPRINT)];
    caller.upload("bp", "b.yaml", &files).expect(201);
    for id in deployments {
        let path = format!("/deployments/{id}");
        let body = json!({ "blueprint_id": "bp" });
        caller.put(&path, body).expect(201);
    }
    for name in ["cloud", "tide"] {
        plugins(caller, name, &["1.0", "1.9", "1.10", "2.0", "3.0"], "");
    }
}

const INITIATE: &str = "/plugins-updates/bp/update/initiate";

fn update(caller: Caller<'_>, body: Value) -> Value {
    caller.post(INITIATE, body).expect(200)
}

fn id_of(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

/// The versions that the nodes of a deployment have: of `cloud`, and of `tide`.
fn marks(caller: Caller<'_>, deployment: &str) -> [String; 2] {
    let path = format!("/nodes?deployment_id={deployment}&_include=id,properties");
    let nodes = caller.get(&path).expect(200);
    ["vm", "gauge"].map(|name| {
        let nodes = nodes["items"].as_array().expect("nodes");
        let node = nodes.iter().find(|node| node["id"] == name);
        let mark = &node.expect("the node")["properties"]["mark"];
        mark.as_str().expect("a version").to_owned()
    })
}

#[test]
fn all_deployments_get_the_newest_plugins_and_keep_their_blueprint() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    with_deployments(admin, &["west", "east"]);
    assert_eq!(marks(admin, "east"), ["1.1", "1.1"]);
    let begun = update(admin, json!({ "all_to_latest": true }));
    assert_eq!(begun["state"], "executing_workflow");
    assert_eq!(begun["blueprint_id"], "bp");
    assert_eq!(begun["deployments_to_update"], json!(["east", "west"]));
    assert_eq!(begun["deployments_per_tenant"], json!({}));
    assert_eq!(begun["forced"], false);
    let copy = begun["temp_blueprint_id"].as_str().expect("a copy");
    assert!(copy.starts_with("plugins-update-") && copy.ends_with("-bp"));
    let path = format!("/blueprints/{copy}");
    let shown = admin.get(&path).expect(200);
    assert_eq!(shown["is_hidden"], true);
    let description = shown["description"].as_str().expect("a description");
    assert!(
        description.starts_with("copied from bp at "),
        "{description}"
    );
    assert_eq!(column(&admin.get("/blueprints").expect(200), "id"), ["bp"]);
    // Its files are there for operations that run meanwhile, until a tick of before ends it all.
    let archive = admin.get(&format!("{path}/archive")).status();
    let path = format!("/plugins-updates/{}", id_of(&begun));
    if archive != 200 {
        assert_eq!(
            (archive, &admin.get(&path).expect(200)["state"]),
            (404, &json!("successful"))
        );
    }

    windlass.run_pending_work();
    let ended = admin.get(&path).expect(200);
    assert_eq!(ended["state"], "successful");
    for deployment in ["west", "east"] {
        assert_eq!(marks(admin, deployment), ["2.0", "3.0"], "{deployment}");
        let shown = admin.get(&format!("/deployments/{deployment}")).expect(200);
        assert_eq!(shown["blueprint_id"], "bp");
    }
    admin
        .get(&format!("/blueprints/{copy}"))
        .refused(404, "not_found_error");
    let blueprint = admin.get("/blueprints/bp").expect(200);
    let plugins = blueprint["plan"]["deployment_plugins_to_install"]
        .as_array()
        .expect("plugins");
    let mut versions: Vec<&Value> = plugins
        .iter()
        .map(|plugin| &plugin["package_version"])
        .collect();
    versions.sort_by_key(|version| version.to_string());
    assert_eq!(versions, ["2.0", "3.0"]);
    // New deployments have the new plan, and the new plugins count as in use.
    admin
        .put("/deployments/north", json!({ "blueprint_id": "bp" }))
        .expect(201);
    assert_eq!(marks(admin, "north"), ["2.0", "3.0"]);
    let used = admin.get("/plugins?package_version=3.0&package_name=tide");
    let used = used.expect(200);
    let path = format!("/plugins/{}", id_of(&used["items"][0]));
    admin
        .raw("DELETE", &path, "application/json", "{}")
        .refused(405, "plugin_in_use");

    let path = format!(
        "/executions/{}",
        begun["execution_id"].as_str().expect("one")
    );
    let execution = admin.get(&path).expect(200);
    assert_eq!(execution["workflow_id"], "update_plugin");
    assert_eq!(execution["status"], "terminated");
    assert_eq!(execution["is_system_workflow"], true);
    assert_eq!(execution["total_operations"], 2);
    let history = admin.get("/plugins-updates?blueprint_id=bp&state=successful");
    assert_eq!(column(&history.expect(200), "id"), [id_of(&begun)]);
    let none = admin.get("/plugins-updates?blueprint_id=other").expect(200);
    assert_eq!(none["metadata"]["pagination"]["total"], 0);
}

#[test]
fn without_newer_plugins_there_is_nothing_to_do() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    with_deployments(admin, &["west"]);
    // Nobody is meant: everybody else stays as they are.
    let update = update(admin, json!({ "plugin_names": ["other"] }));
    assert_eq!(update["state"], "no_changes_required");
    assert_eq!(update["temp_blueprint_id"], Value::Null);
    assert_eq!(update["deployments_to_update"], json!([]));
    let path = format!(
        "/executions/{}",
        update["execution_id"].as_str().expect("one")
    );
    assert_eq!(admin.get(&path).expect(200)["status"], "terminated");
    windlass.run_pending_work();
    assert_eq!(marks(admin, "west"), ["1.1", "1.1"]);
    let path = format!("/plugins-updates/{}/update/finalize", id_of(&update));
    admin
        .post(&path, json!({}))
        .refused(400, "illegal_action_error");
}

#[test]
fn a_request_says_which_versions_it_wants() {
    for (body, expected) in [
        (json!({}), ["2.0", "3.0"]),
        (json!({ "all_to_minor": true }), ["1.10", "1.10"]),
        (
            json!({ "all_to_minor": true, "to_latest": ["tide"] }),
            ["1.10", "3.0"],
        ),
        (
            json!({ "all_to_latest": true, "to_minor": ["cloud"] }),
            ["1.10", "3.0"],
        ),
        (
            json!({ "all_to_latest": true, "plugin_names": ["tide"] }),
            ["1.1", "3.0"],
        ),
        (
            json!({ "mapping": { "updates": [
                { "plugin:tide": { "plugin_name": "tide", "suggested_version": "1.9" } },
            ] }, "plugin_names": ["tide"] }),
            ["1.1", "1.9"],
        ),
    ] {
        let windlass = Windlass::start();
        let admin = windlass.admin();
        with_deployments(admin, &["west"]);
        let update = update(admin, body.clone());
        windlass.run_pending_work();
        let path = format!("/plugins-updates/{}", id_of(&update));
        assert_eq!(
            admin.get(&path).expect(200)["state"],
            "successful",
            "{body}"
        );
        assert_eq!(marks(admin, "west"), expected, "{body}");
    }
}

#[test]
fn what_cannot_be_updated_is_refused() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    with_deployments(admin, &["west"]);
    admin
        .post("/plugins-updates/nothing/update/initiate", json!({}))
        .refused(404, "not_found_error");
    for body in [
        json!({ "plugin_names": "tide" }),
        json!({ "to_latest": [7] }),
        json!({ "to_minor": {} }),
        json!({ "all_to_latest": 7 }),
        json!({ "mapping": [] }),
        json!({ "mapping": { "updates": {} } }),
        json!({ "mapping": { "updates": [{ "plugin:tide": "1.9" }] } }),
        json!({ "state": "updating", "update_id": "u" }),
        json!({ "state": "successful" }),
        json!({ "update_id": "u" }),
    ] {
        admin
            .post(INITIATE, body)
            .refused(400, "bad_parameters_error");
    }
    // A version that nobody has uploaded.
    let mapping = json!({ "mapping": { "updates": [
        { "plugin:tide": { "plugin_name": "tide", "suggested_version": "7" } },
    ] } });
    let refusal = admin.post(INITIATE, mapping).expect(400);
    assert_eq!(refusal["error_code"], "invalid_blueprint_error");
    let viewer = windlass
        .user("vera")
        .with_role_in("viewer", "default_tenant");
    viewer
        .post(INITIATE, json!({}))
        .refused(403, "forbidden_error");
    assert_eq!(
        column(&viewer.get("/plugins-updates").expect(200), "id").len(),
        0
    );

    let first = update(admin, json!({}));
    let refusal = admin.post(INITIATE, json!({})).expect(409);
    let message = refusal["message"].as_str().expect("a text");
    assert!(message.contains(id_of(&first)), "{message}");
    let path = format!("/plugins-updates/{}/update/finalize", id_of(&first));
    admin
        .post(&path, json!({}))
        .refused(400, "plugins_update_failed");
    // One whose execution is gone stands in the way until somebody looks again.
    windlass.run_pending_work();
    update(admin, json!({ "reevaluate_active_statuses": true }));
}

#[test]
fn an_update_of_another_tenant_is_not_there() {
    let windlass = Windlass::start();
    let ann = windlass.user("ann").in_tenant("harbour");
    let quentin = windlass.user("quentin").in_tenant("quay");
    with_deployments(ann, &["west"]);
    let update = update(ann, json!({}));
    let path = format!("/plugins-updates/{}", id_of(&update));
    quentin.get(&path).refused(404, "not_found_error");
    quentin
        .post(&format!("{path}/update/finalize"), json!({}))
        .refused(404, "not_found_error");
    quentin
        .post(INITIATE, json!({}))
        .refused(404, "not_found_error");
    windlass.run_pending_work();
    assert_eq!(ann.get(&path).expect(200)["state"], "successful");
    assert_eq!(marks(ann, "west"), ["2.0", "3.0"]);
}

#[test]
fn deployments_of_other_tenants_are_updated_by_those_who_may() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let ann = windlass.user("ann").in_tenant("harbour");
    with_deployments(admin, &["west"]);
    let visibility = json!({ "visibility": "global" });
    let path = "/blueprints/bp/set-visibility";
    admin.patch(path, visibility).expect(200);
    let body = json!({ "blueprint_id": "bp", "skip_plugins_validation": true });
    ann.put("/deployments/far", body).expect(201);
    ann.post(INITIATE, json!({}))
        .refused(400, "illegal_action_error");
    let update = update(admin, json!({ "all_tenants": true }));
    assert_eq!(update["deployments_to_update"], json!([]));
    assert_eq!(
        update["deployments_per_tenant"],
        json!({ "default_tenant": ["west"], "harbour": ["far"] })
    );
    windlass.run_pending_work();
    let path = format!("/plugins-updates/{}", id_of(&update));
    assert_eq!(admin.get(&path).expect(200)["state"], "successful");
    assert_eq!(marks(ann, "far"), ["2.0", "3.0"]);
    assert_eq!(marks(admin, "west"), ["2.0", "3.0"]);
}

#[test]
fn what_fails_leaves_the_blueprint_as_it_is_and_can_be_resumed() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    with_deployments(admin, &["west", "east"]);
    // Somebody depends on it, and nobody said that this does not matter.
    admin
        .put(
            "/deployments/inter-deployment-dependencies",
            json!({ "dependency_creator": "x", "source_deployment": "east", "target_deployment": "west" }),
        )
        .expect(200);
    let update = update(admin, json!({}));
    windlass.run_pending_work();
    let path = format!("/plugins-updates/{}", id_of(&update));
    assert_eq!(admin.get(&path).expect(200)["state"], "failed");
    let copy = update["temp_blueprint_id"].as_str().expect("a copy");
    let of = |id: &str| {
        let deployment = admin.get(&format!("/deployments/{id}")).expect(200);
        deployment["blueprint_id"].as_str().expect("one").to_owned()
    };
    assert_eq!([of("east"), of("west")], [copy, "bp"]);
    assert_eq!(marks(admin, "west"), ["1.1", "1.1"]);
    // The copy is shown now that nothing else tells of it.
    let blueprints = admin.get("/blueprints").expect(200);
    let mut shown = column(&blueprints, "id");
    shown.sort_by_key(ToString::to_string);
    assert_eq!(shown, ["bp", copy]);
    let body = json!({ "dependency_creator": "x", "source_deployment": "east",
                       "target_deployment": "west" });
    let path = "/deployments/inter-deployment-dependencies";
    admin
        .raw("DELETE", path, "application/json", body.to_string())
        .expect_answer(204);
    let execution = update["execution_id"].as_str().expect("one");
    let path = format!("/executions/{execution}");
    admin.post(&path, json!({ "action": "resume" })).expect(200);
    windlass.run_pending_work();
    let path = format!("/plugins-updates/{}", id_of(&update));
    assert_eq!(admin.get(&path).expect(200)["state"], "successful");
    assert_eq!([of("east"), of("west")], ["bp", "bp"]);
    assert_eq!(column(&admin.get("/blueprints").expect(200), "id"), ["bp"]);
}

#[test]
fn the_record_of_an_update_is_restored() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    with_deployments(admin, &[]);
    let record = json!({
        "update_id": "old", "state": "successful", "created_by": "admin",
        "created_at": "2020-01-02T03:04:05.678Z", "execution_id": "gone",
        "affected_deployments": ["a", "b"], "temp_blueprint_id": "gone-too", "force": true,
    });
    let stored = update(admin, record.clone());
    assert_eq!(stored["id"], "old");
    assert_eq!(stored["created_at"], "2020-01-02T03:04:05.678Z");
    assert_eq!(stored["deployments_to_update"], json!(["a", "b"]));
    assert_eq!(stored["temp_blueprint_id"], "gone-too");
    assert_eq!(stored["forced"], true);
    admin.post(INITIATE, record).refused(409, "conflict_error");
    let ann = windlass.user("ann").with_role_in("user", "default_tenant");
    let dated = json!({ "update_id": "mine", "state": "failed",
                        "created_at": "2020-01-02T03:04:05Z" });
    ann.post(INITIATE, dated).refused(403, "forbidden_error");
}
