//! Requests through the routes, with archives of all kinds.

mod refusals;

use serde_json::{Value, json};
use std::io::{Cursor, Read, Write};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::permission::PermissionSet;
use windlass_core::router::Router;
use windlass_core::testing::{self, Callers, Rights};
use windlass_core::{Response, blob};
use windlass_store::blobs;

/// Everybody may everything.
struct Anybody;

impl Callers for Anybody {
    fn rights(_: &str) -> Rights {
        Rights {
            here: PermissionSet::all(),
            everywhere: PermissionSet::all(),
            execution_id: None,
        }
    }
}

struct Harbour {
    db: NativeDb,
    router: Router<NativeDb>,
}

impl Harbour {
    fn new() -> Self {
        let harbour = Self {
            db: NativeDb::in_memory(),
            router: Router::new(crate::routes()).unwrap(),
        };
        pollster::block_on(windlass_store::migrations::apply(&harbour.db)).unwrap();
        let sql = "insert into tenants (name, created_at) values ('harbour', ''), ('quay', '')";
        pollster::block_on(harbour.db.execute(sql, &[])).unwrap();
        harbour
    }

    fn send(&self, method: &str, url: &str, body: Vec<u8>) -> Response {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = testing::send::<Anybody>(&self.router, &self.db, "ann", (method, url), body);
        pollster::block_on(answer)
    }

    fn ask(&self, method: &str, url: &str, body: Value, status: u16) -> Value {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        answered(self.send(method, url, body), url, status)
    }

    fn upload(&self, query: &str, archive: Vec<u8>, status: u16) -> Value {
        answered(
            self.send("POST", &format!("/plugins{query}"), archive),
            query,
            status,
        )
    }

    fn number(&self, sql: &str) -> i64 {
        let row = pollster::block_on(self.db.first(sql, &[]))
            .unwrap()
            .unwrap();
        row.integer(0).unwrap()
    }
}

fn answered(response: Response, url: &str, status: u16) -> Value {
    let text = String::from_utf8_lossy(&response.body);
    assert_eq!(response.status, status, "{url}: {text}");
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// All bytes of a download.
fn downloaded(response: Response) -> Vec<u8> {
    assert_eq!(response.status, 200);
    pollster::block_on(async {
        match (response.blob, response.made) {
            (Some((id, size)), _) => blob::read(&id, size).await.unwrap(),
            (None, Some(made)) => made.read().await.unwrap(),
            (None, None) => response.body,
        }
    })
}

fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(packed);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn metadata(name: &str, version: &str) -> Value {
    json!({
        "archive_name": format!("{name}-{version}-py311-none-linux_x86_64.wgn"),
        "package_name": name, "package_version": version, "package_source": name,
        "supported_platform": "linux_x86_64", "supported_python_versions": ["py311"],
        "wheels": ["cloud.whl"],
        "build_server_os_properties": {
            "distribution": "centos", "distribution_version": "7", "distribution_release": "core",
        },
    })
}

fn wagon_of(metadata: &Value) -> Vec<u8> {
    let text = metadata.to_string();
    tar_gz(&[
        ("cloud/package.json", text.as_bytes()),
        ("cloud/wheels/cloud.whl", b"PK\0\0"),
    ])
}

fn wagon(name: &str, version: &str) -> Vec<u8> {
    wagon_of(&metadata(name, version))
}

const YAML: &[u8] = b"plugins: {cloud: {executor: central_deployment_agent, package_name: cloud}}
blueprint_labels: {arch: {values: [x86]}}
";

#[test]
fn a_wagon_is_a_plugin_named_by_itself() {
    let harbour = Harbour::new();
    let wagon = wagon("cloud", "1.0");
    let plugin = harbour.upload("?title=Clouds&visibility=private", wagon.clone(), 201);
    for (field, value) in [
        ("title", json!("Clouds")),
        ("package_name", json!("cloud")),
        ("package_version", json!("1.0")),
        (
            "archive_name",
            json!("cloud-1.0-py311-none-linux_x86_64.wgn"),
        ),
        ("distribution", json!("centos")),
        ("distribution_version", json!("7")),
        ("distribution_release", json!("core")),
        ("supported_platform", json!("linux_x86_64")),
        ("supported_py_versions", json!(["py311"])),
        ("wheels", json!(["cloud.whl"])),
        ("excluded_wheels", Value::Null),
        ("visibility", json!("private")),
        ("yaml_url_path", json!("")),
        ("installation_state", json!([])),
    ] {
        assert_eq!(plugin[field], value, "{field}");
    }
    let id = plugin["id"].as_str().unwrap();
    let response = harbour.send("GET", &format!("/plugins/{id}/archive"), Vec::new());
    let name = "attachment; filename=\"cloud-1.0-py311-none-linux_x86_64.wgn\"".to_owned();
    assert!(response.headers.contains(&("content-disposition", name)));
    assert!(downloaded(response) == wagon);
    harbour.ask("GET", &format!("/plugins/{id}/yaml"), Value::Null, 404);
    assert_eq!(harbour.number("select count(*) from loose_blobs"), 0);
}

#[test]
fn a_zip_brings_the_files_that_blueprints_import() {
    let harbour = Harbour::new();
    let wagon = wagon("cloud", "1.0");
    let archive = zip(&[
        ("cloud.wgn", &wagon),
        ("plugin_1_5.yaml", b"labels: {a: {values: [b]}}"),
        ("plugin.yaml", YAML),
        ("icon.png", b"\x89PNG"),
    ]);
    let plugin = harbour.upload("", archive, 201);
    let path = "plugin:cloud?version=1.0&distribution=centos";
    assert_eq!(plugin["yaml_url_path"], path);
    assert_eq!(plugin["blueprint_labels"], json!({ "arch": ["x86"] }));
    assert_eq!(plugin["labels"], Value::Null);
    let id = plugin["id"].as_str().unwrap();
    for (version, text) in [
        ("?dsl_version=1_5", &b"labels"[..]),
        ("?dsl_version=1_4", b"plugins"),
        ("", b"plugins"),
    ] {
        let response = harbour.send("GET", &format!("/plugins/{id}/yaml{version}"), Vec::new());
        assert!(downloaded(response).starts_with(text), "{version}");
    }
    let full = harbour.send(
        "GET",
        &format!("/plugins/{id}/archive?full_archive=true"),
        Vec::new(),
    );
    let full = downloaded(full);
    let mut names = Vec::new();
    let mut opened = zip::ZipArchive::new(Cursor::new(&full)).unwrap();
    for at in 0..opened.len() {
        names.push(opened.by_index(at).unwrap().name().unwrap().into_owned());
    }
    let wagon_name = "cloud-1.0-py311-none-linux_x86_64.wgn";
    assert_eq!(
        names,
        [wagon_name, "plugin_1_5.yaml", "plugin.yaml", "icon.png"]
    );
    let mut read = Vec::new();
    opened
        .by_name(wagon_name)
        .unwrap()
        .read_to_end(&mut read)
        .unwrap();
    assert!(read == wagon);
    // What was downloaded can be uploaded elsewhere.
    harbour.ask(
        "DELETE",
        &format!("/plugins/{id}"),
        json!({ "force": false }),
        204,
    );
    let again = harbour.upload("", full, 201);
    assert_eq!(again["yaml_url_path"], path);
}

#[test]
fn a_bundle_is_several_plugins() {
    let harbour = Harbour::new();
    let (one, two) = (wagon("cloud", "1.0"), wagon("fabric", "2.0"));
    let contents = json!({ "cloud/cloud.wgn": "cloud/plugin.yaml", "./fabric/f.wgn": ["fabric/plugin.yaml", "fabric/v2_plugin.yaml"] });
    let contents = contents.to_string();
    let files: [(&str, &[u8]); 6] = [
        ("bundle/METADATA", contents.as_bytes()),
        ("bundle/cloud/cloud.wgn", &one),
        ("bundle/cloud/plugin.yaml", YAML),
        ("bundle/fabric/f.wgn", &two),
        ("bundle/fabric/plugin.yaml", b"plugins: {}"),
        ("bundle/fabric/v2_plugin.yaml", b"plugins: {}"),
    ];
    let list = harbour.upload(
        "?_include=package_name,yaml_files_paths",
        tar_gz(&files),
        201,
    );
    let names = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["package_name"]);
    assert_eq!(names.collect::<Vec<_>>(), ["cloud", "fabric"]);
    assert_eq!(
        list["items"][1]["yaml_files_paths"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(list["metadata"]["pagination"]["total"], 2);
    // All of it or nothing.
    let again = harbour.upload("", tar_gz(&files[..3]), 400);
    assert!(
        again["message"]
            .as_str()
            .unwrap()
            .contains("./fabric/f.wgn"),
        "{again}"
    );
    harbour.upload("", tar_gz(&files), 409);
    assert_eq!(harbour.number("select count(*) from plugins"), 2);
    assert_eq!(harbour.number("select count(*) from loose_blobs"), 0);
}

#[test]
fn a_bundle_names_each_wagon_once_and_has_one_budget() {
    let harbour = Harbour::new();
    let bundle = |contents: &Value, wagons: &[(&str, Vec<u8>)]| {
        let contents = contents.to_string();
        let mut files: Vec<(&str, &[u8])> = vec![("b/METADATA", contents.as_bytes())];
        files.extend(wagons.iter().map(|(name, wagon)| (*name, wagon.as_slice())));
        tar_gz(&files)
    };
    let refused = |archive: Vec<u8>, part: &str| {
        let refusal = harbour.upload("", archive, 400);
        let message = refusal["message"].as_str().unwrap();
        assert!(message.contains(part), "{part}: {message}");
    };
    let one = [("b/x.wgn", wagon("cloud", "1.0"))];
    for again in ["./x.wgn", "b/x.wgn", "b//./x.wgn"] {
        refused(
            bundle(&json!({ "x.wgn": null, again: null }), &one),
            "twice",
        );
    }
    let many: Vec<String> = (0..=500).map(|at| format!("{at}.wgn")).collect();
    let many: serde_json::Map<String, Value> =
        many.into_iter().map(|name| (name, Value::Null)).collect();
    refused(bundle(&json!(many), &one), "more than 500 wagons");
    let names = vec!["plugin.yaml"; 501];
    refused(
        bundle(&json!({ "x.wgn": names }), &one),
        "more than 500 files",
    );
    // Each of them would be small enough, but not both.
    let set = "update config set value = '1' where name = 'plugin_archive_max_size_mb'";
    pollster::block_on(harbour.db.execute(set, &[])).unwrap();
    let zeros = vec![0; 5 << 19];
    let large = |name: &str| {
        let text = metadata(name, "1.0").to_string();
        tar_gz(&[("w/package.json", text.as_bytes()), ("w/zeros", &zeros)])
    };
    let two = [("b/x.wgn", large("cloud")), ("b/y.wgn", large("fabric"))];
    refused(
        bundle(&json!({ "x.wgn": null, "y.wgn": null }), &two),
        "unpacks to more than the allowed 4 MB",
    );
    assert_eq!(harbour.number("select count(*) from plugins"), 0);
    harbour.upload("", bundle(&json!({ "y.wgn": null }), &two), 201);
}

#[test]
fn labels_and_states_change_and_use_is_in_the_way() {
    let harbour = Harbour::new();
    let id = "6a1c1c6e-0000-4000-8000-000000000001";
    let query = format!("?id={id}&uploaded_at=2024-05-06T07:08:09Z");
    let plugin = harbour.upload(&query, wagon("cloud", "1.0"), 201);
    assert_eq!(plugin["uploaded_at"], "2024-05-06T07:08:09.000Z");
    let url = format!("/plugins/{id}");
    let labels =
        json!({ "labels": { "A": ["b"] }, "blueprint_labels": {}, "resource_tags": { "t": 1 } });
    let changed = harbour.ask("PATCH", &url, labels, 200);
    assert_eq!(
        json!([
            changed["labels"],
            changed["blueprint_labels"],
            changed["resource_tags"]
        ]),
        json!([{ "A": ["b"] }, {}, { "t": 1 }])
    );
    for (body, status) in [
        (json!({ "labels": [] }), 400),
        (json!({ "labels": { "a": 7 } }), 400),
        (json!({ "creator": "nobody" }), 400),
    ] {
        harbour.ask("PATCH", &url, body, status);
    }
    for (body, status, code) in [
        (json!({ "action": "remove" }), 400, "unknown_action"),
        (json!({}), 400, "bad_parameters_error"),
        (
            json!({ "action": "install", "managers": ["nowhere"] }),
            404,
            "not_found_error",
        ),
        (
            json!({ "action": "install", "agents": ["nowhere"] }),
            404,
            "not_found_error",
        ),
        (
            json!({ "action": "install", "managers": [7] }),
            400,
            "bad_parameters_error",
        ),
    ] {
        let refusal = harbour.ask("POST", &url, body, status);
        assert_eq!(refusal["error_code"], code, "{refusal}");
    }
    let asked = json!({ "action": "install", "managers": ["windlass"] });
    let pending = harbour.ask("POST", &url, asked, 200);
    assert_eq!(pending["installation_state"][0]["state"], "pending-install");
    for (body, status) in [
        (json!({ "state": "installed" }), 409),
        (
            json!({ "state": "installed", "manager": "windlass", "agent": "a" }),
            409,
        ),
        (json!({ "state": "half", "manager": "windlass" }), 400),
        (json!({ "state": "installed", "manager": "nowhere" }), 404),
    ] {
        harbour.ask("PUT", &url, body, status);
    }
    let told = json!({ "state": "error", "manager": "windlass", "error": "no room" });
    let told = harbour.ask("PUT", &url, told, 200);
    assert_eq!(
        told["installation_state"],
        json!([{ "state": "error", "error": "no room", "manager": "windlass", "agent": null }])
    );
    pollster::block_on(harbour.db.execute(
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (1, 'crane', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
        &[],
    ))
    .unwrap();
    let uses = "insert into blueprint_plugins values (1, 'cloud', '1.0')";
    pollster::block_on(harbour.db.execute(uses, &[])).unwrap();
    let refusal = harbour.ask("DELETE", &url, json!({ "force": false }), 405);
    assert_eq!(
        refusal["message"],
        format!(
            "Plugin \"{id}\" is currently in use in blueprints: crane. You can \"force\" plugin removal if needed."
        )
    );
    // Those of other tenants use a global one, and are not named.
    for sql in [
        "update plugins set visibility = 'global'",
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (2, 'hidden', 'quay', 'bob', 'tenant', '', '', 'uploaded')",
        "insert into blueprint_plugins values (2, 'cloud', '1.0')",
    ] {
        pollster::block_on(harbour.db.execute(sql, &[])).unwrap();
    }
    let refusal = harbour.ask("DELETE", &url, json!({}), 405);
    let message = refusal["message"].as_str().unwrap();
    assert!(
        message.contains("blueprints: crane and 1 other."),
        "{message}"
    );
    harbour.ask("DELETE", &url, json!({ "force": true }), 204);
    harbour.ask("GET", &url, Value::Null, 404);
    let loose = pollster::block_on(blobs::count_loose(&harbour.db)).unwrap();
    assert_eq!(loose, 1, "its bytes stay for an hour");
}
