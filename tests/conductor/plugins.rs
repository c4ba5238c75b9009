//! Plugins: uploaded, imported by blueprints, wanted by deployments, in use.

use windlass_tests::{Archive, Caller, Entry, Options, Value, Windlass, json};

const BLUEPRINT: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
  - plugin:cloud?version=>=1.0,<2
node_templates:
  vm:
    type: cloud.VM
";

/// What blueprints import, with a type that tells which file it was.
fn file(version: &str, mark: &str) -> String {
    format!(
        "plugins:
  cloud:
    executor: central_deployment_agent
    package_name: cloud
    package_version: '{version}'
node_types:
  cloud.VM:
    derived_from: cloudify.nodes.Root
    properties:
      mark:
        default: {mark}
    interfaces:
      cloudify.interfaces.lifecycle:
        create: cloud.tasks.create
labels:
  cloud:
    values: [{mark}]
"
    )
}

/// Uploads a version of the package `cloud` with its files, as `cfy plugins upload` does; the plugin.
fn upload(caller: Caller<'_>, version: &str, query: &str) -> Value {
    let entry = |name: &str, text: String| Entry::File(name.into(), text.into_bytes());
    let wagon = Archive::wagon("cloud", version, vec![7; 10_000]).tar_gz();
    let zip = Archive::of([
        Entry::File(format!("cloud-{version}.wgn"), wagon),
        entry("plugin_1_4.yaml", file(version, "of-1-4")),
        entry("plugin_1_5.yaml", file(version, "of-1-5")),
    ]);
    let path = format!("/plugins{query}");
    caller
        .raw("POST", &path, "application/json", zip.zip())
        .expect(201)
}

#[test]
fn a_blueprint_imports_the_newest_version_that_it_allows() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let none = admin
        .upload("vm", "b.yaml", &[("b.yaml", BLUEPRINT)])
        .expect(400);
    let message = none["message"].as_str().expect("a text");
    assert!(
        message.contains("Couldn't find plugin \"cloud\""),
        "{message}"
    );
    for version in ["1.9", "1.10", "2.0"] {
        upload(admin, version, "");
    }
    let blueprint = admin
        .upload("vm", "b.yaml", &[("b.yaml", BLUEPRINT)])
        .expect(201);
    let plan = &blueprint["plan"];
    let plugin = &plan["deployment_plugins_to_install"][0];
    assert_eq!(plugin["package_version"], "1.10");
    assert_eq!(plan["nodes"][0]["properties"]["mark"], "of-1-4");
    assert_eq!(plan["labels"]["cloud"]["values"], json!(["of-1-4"]));
    let deployment = admin
        .put("/deployments/vm", json!({ "blueprint_id": "vm" }))
        .expect(201);
    assert_eq!(deployment["labels"][0]["value"], "of-1-4");
}

#[test]
fn a_plugin_in_use_stays_unless_it_is_forced() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let plugin = upload(admin, "1.0", "");
    let path = format!("/plugins/{}", plugin["id"].as_str().expect("an id"));
    admin
        .upload("vm", "b.yaml", &[("b.yaml", BLUEPRINT)])
        .expect(201);
    let delete = |force: bool| {
        let body = json!({ "force": force }).to_string();
        admin.raw("DELETE", &path, "application/json", body)
    };
    delete(false).refused(405, "plugin_in_use");
    delete(true).expect_answer(204);
    admin
        .put("/deployments/vm", json!({ "blueprint_id": "vm" }))
        .refused(400, "deployment_plugin_not_found");
    let body = json!({ "blueprint_id": "vm", "skip_plugins_validation": true });
    admin.put("/deployments/vm", body).expect(201);
    upload(admin, "1.0", "");
    admin
        .put("/deployments/vm2", json!({ "blueprint_id": "vm" }))
        .expect(201);
}

#[test]
fn a_plugin_of_another_tenant_is_not_there_unless_it_is_global() {
    let windlass = Windlass::start();
    let ann = windlass.user("ann").in_tenant("harbour");
    let quentin = windlass.user("quentin").in_tenant("quay");
    let plugin = upload(ann, "1.0", "");
    let path = format!("/plugins/{}", plugin["id"].as_str().expect("an id"));
    for of in ["", "/archive", "/yaml"] {
        quentin
            .get(&format!("{path}{of}"))
            .refused(404, "not_found_error");
    }
    quentin
        .upload("vm", "b.yaml", &[("b.yaml", BLUEPRINT)])
        .expect(400);
    ann.patch(
        &format!("{path}/set-visibility"),
        json!({ "visibility": "global" }),
    )
    .refused(403, "forbidden_error");
    let admin = windlass.admin().naming_tenant("harbour");
    admin
        .patch(
            &format!("{path}/set-visibility"),
            json!({ "visibility": "global" }),
        )
        .expect(200);
    quentin
        .upload("vm", "b.yaml", &[("b.yaml", BLUEPRINT)])
        .expect(201);
    quentin
        .put("/deployments/vm", json!({ "blueprint_id": "vm" }))
        .expect(201);
    quentin.delete(&path).refused(400, "illegal_action_error");
    // What is global keeps its archive's name from being uploaded anywhere.
    let wagon = Archive::wagon("cloud", "1.0", vec![]).tar_gz();
    quentin
        .raw("POST", "/plugins", "application/json", wagon)
        .refused(409, "conflict_error");
}

#[test]
fn fifty_megabytes_come_and_go_in_little_memory() {
    let windlass = Options::default().memory_mib(64).start();
    let admin = windlass.admin();
    // What looks random is as large when it is packed.
    let mut state = 1_u64;
    let wheel: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    })
    .take(50 << 20)
    .collect();
    let wagon = Archive::wagon("cloud", "1.0", wheel).tar_gz();
    let yaml = Entry::File("plugin.yaml".into(), file("1.0", "any").into_bytes());
    let zip = Archive::of([Entry::File("cloud.wgn".into(), wagon.clone()), yaml]).zip();
    let plugin = admin
        .raw("POST", "/plugins", "application/json", zip)
        .expect(201);
    let path = format!("/plugins/{}/archive", plugin["id"].as_str().expect("an id"));
    let down = admin.get(&path).expect_answer(200);
    assert!(down.body == wagon, "it comes back byte for byte");
    let full = admin
        .get(&format!("{path}?full_archive=true"))
        .expect_answer(200);
    assert!(full.body.len() > wagon.len() && full.body.starts_with(b"PK"));
}
