//! What no client should send, at every URL: a refusal that says why, and nothing stored.

use crate::samples;
use windlass_tests::{Windlass, json};

/// The URLs that read a JSON body, as an administrator may call them.
const WITH_BODY: [(&str, &str); 12] = [
    ("PUT", "/deployments/crane-2"),
    ("PATCH", "/deployments/crane"),
    ("PATCH", "/deployments/crane/set-visibility"),
    ("PATCH", "/blueprints/crane"),
    ("PATCH", "/blueprints/crane/set-visibility"),
    ("POST", "/executions"),
    ("PATCH", "/node-instances/INSTANCE"),
    ("POST", "/evaluate/functions"),
    ("POST", "/events"),
    ("POST", "/tokens"),
    ("PUT", "/sites/pier"),
    ("POST", "/sites/pier"),
];

/// A story's place to send nonsense to: a deployed blueprint, and the URLs with its ids.
fn targets(windlass: &Windlass) -> Vec<(&'static str, String)> {
    samples::deployed(windlass.admin(), "crane");
    let instances = windlass.admin().get("/node-instances").expect(200);
    let instance = instances["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    WITH_BODY
        .iter()
        .map(|(method, path)| (*method, path.replace("INSTANCE", &instance)))
        .collect()
}

#[test]
fn bodies_that_are_no_usable_json_are_refused() {
    let windlass = Windlass::start();
    let deep = "[".repeat(20_000);
    let nested = format!("{{\"a\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
    for (method, path) in targets(&windlass) {
        for (what, body) in [
            ("half an object", "{\"blueprint_id\": ".as_bytes()),
            ("a list", b"[1, 2]"),
            ("a text", b"\"text\""),
            ("bytes", b"\xff\xfe\x00\x01"),
            ("an endless list", deep.as_bytes()),
            ("a deep object", nested.as_bytes()),
        ] {
            let reply = windlass
                .admin()
                .raw(method, &path, "application/json", body);
            assert_eq!(
                reply.status(),
                400,
                "{method} {path}, {what}: {}",
                reply.text()
            );
            reply.refused(400, "bad_parameters_error");
        }
        let reply = windlass
            .admin()
            .raw(method, &path, "application/xml", "<a/>");
        reply.refused(415, "unsupported_content_type_error");
    }
}

#[test]
fn ten_megabytes_of_json_are_refused_and_not_stored() {
    let windlass = Windlass::start();
    let body = format!("{{\"display_name\": \"{}\"}}", "x".repeat(10 << 20));
    for (method, path) in targets(&windlass) {
        let reply = windlass
            .admin()
            .raw(method, &path, "application/json", body.clone());
        assert!(
            [400, 413].contains(&reply.status()),
            "{method} {path}: {} {}",
            reply.status(),
            reply.text()
        );
    }
    let deployment = windlass.admin().get("/deployments/crane").expect(200);
    assert_eq!(deployment["display_name"], "crane");
}

#[test]
fn values_of_wrong_types_are_refused() {
    let windlass = Windlass::start();
    let targets = targets(&windlass);
    let admin = windlass.admin();
    let instance = &targets[6].1;
    for (method, path, body) in [
        ("PUT", "/deployments/d2", json!({})),
        ("PUT", "/deployments/d2", json!({ "blueprint_id": 7 })),
        (
            "PUT",
            "/deployments/d2",
            json!({ "blueprint_id": "crane", "inputs": [1] }),
        ),
        (
            "PUT",
            "/deployments/d2",
            json!({ "blueprint_id": "crane", "inputs": "reach" }),
        ),
        (
            "PUT",
            "/deployments/d2",
            json!({ "blueprint_id": "crane", "labels": "x" }),
        ),
        (
            "PUT",
            "/deployments/d2",
            json!({ "blueprint_id": "crane", "labels": [{ "a": "1", "b": "2" }] }),
        ),
        (
            "PUT",
            "/deployments/d2",
            json!({ "blueprint_id": "crane", "visibility": "everyone" }),
        ),
        (
            "PUT",
            "/deployments/d2",
            json!({ "blueprint_id": "crane", "skip_plugins_validation": 3 }),
        ),
        (
            "PUT",
            "/deployments/d2",
            json!({ "blueprint_id": "crane", "display_name": {} }),
        ),
        (
            "PUT",
            "/deployments/d%202",
            json!({ "blueprint_id": "crane" }),
        ),
        (
            "PUT",
            "/deployments/d%2F2",
            json!({ "blueprint_id": "crane" }),
        ),
        (
            "PATCH",
            "/deployments/crane/set-visibility",
            json!({ "visibility": "private" }),
        ),
        ("PATCH", "/blueprints/crane/set-visibility", json!({})),
        ("PATCH", instance, json!({})),
        ("PATCH", instance, json!({ "version": "one" })),
        (
            "PATCH",
            instance,
            json!({ "version": 1, "runtime_properties": 5 }),
        ),
        (
            "PATCH",
            instance,
            json!({ "version": 1, "state": ["started"] }),
        ),
        ("PATCH", instance, json!({ "version": -1 })),
        (
            "POST",
            "/evaluate/functions",
            json!({ "deployment_id": "crane", "payload": "x" }),
        ),
        ("POST", "/tokens", json!({ "expiration_date": "soon" })),
    ] {
        let reply = admin.raw(method, path, "application/json", body.to_string());
        assert_eq!(
            reply.status(),
            400,
            "{method} {path} {body}: {}",
            reply.text()
        );
        reply.refused(400, "bad_parameters_error");
    }
    let long = "d".repeat(300);
    admin
        .put(
            &format!("/deployments/{long}"),
            json!({ "blueprint_id": "crane" }),
        )
        .refused(400, "bad_parameters_error");
    admin.get("/deployments/d2").refused(404, "not_found_error");
    assert_eq!(admin.get(instance).expect(200)["version"], 1);
}

#[test]
fn queries_that_make_no_sense_are_refused() {
    let windlass = Windlass::start();
    samples::deployed(windlass.admin(), "crane");
    for list in [
        "/blueprints",
        "/deployments",
        "/nodes",
        "/node-instances",
        "/executions",
    ] {
        for (query, code) in [
            ("?colour=red", "bad_parameters_error"),
            ("?_sort=colour", "bad_parameters_error"),
            ("?_sort=id;drop table users", "bad_parameters_error"),
            ("?_size=-1", "bad_parameters_error"),
            ("?_size=many", "bad_parameters_error"),
            ("?_size=99999999999999999999", "bad_parameters_error"),
            ("?_offset=1.5", "bad_parameters_error"),
            ("?_all_tenants=maybe", "bad_parameters_error"),
            ("?_include=id,colour", "no_such_include_field_error"),
        ] {
            let path = format!("{list}{}", query.replace(' ', "%20"));
            windlass.admin().get(&path).refused(400, code);
        }
        // Strange, and yet fine: these are values, whatever they look like.
        for query in [
            "?id=%27%20or%201%3D1%20--",
            "?id=%00",
            "?_search=%25_%5C",
            "?id=%F0%9F%9A%A2",
            "?_size=0",
            "?_include=",
        ] {
            windlass.admin().get(&format!("{list}{query}")).expect(200);
        }
    }
    windlass
        .admin()
        .get("/blueprints?id=%FF%FE")
        .expect_answer(200);
}

#[test]
fn broken_uploads_are_refused() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    for (what, content_type, body) in [
        ("no boundary", "multipart/form-data", "--x\r\n\r\n--x--"),
        (
            "a boundary that never comes",
            "multipart/form-data; boundary=x",
            "hello",
        ),
        (
            "an end that never comes",
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"params\"\r\n\r\n{",
        ),
        (
            "an empty form",
            "multipart/form-data; boundary=x",
            "--x--\r\n",
        ),
        (
            "parameters that are no JSON",
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"params\"\r\n\r\nhello\r\n--x--\r\n",
        ),
        ("nothing at all", "application/json", ""),
    ] {
        let reply = admin.raw("PUT", "/blueprints/crane", content_type, body);
        assert_eq!(reply.status(), 400, "{what}: {}", reply.text());
    }
    for (what, params) in [
        (
            "a visibility that is none",
            json!({ "visibility": "everyone" }),
        ),
        (
            "labels of a wrong shape",
            json!({ "labels": [{ "berth": {} }] }),
        ),
        (
            "an address that is none",
            json!({ "blueprint_archive_url": "ftp://example.com/x.zip" }),
        ),
        (
            "an own address",
            json!({ "blueprint_archive_url": "http://127.0.0.1:1/x.zip" }),
        ),
    ] {
        let archive = if params.get("blueprint_archive_url").is_some() {
            Vec::new()
        } else {
            windlass_tests::Archive::blueprint(&[("blueprint.yaml", samples::CRANE)]).tar_gz()
        };
        let reply = admin.upload_form("crane", &params, archive);
        assert_eq!(reply.status(), 400, "{what}: {}", reply.text());
    }
    for id in ["1crane", "cr ane", "cr%C3%A4ne", &"x".repeat(300)] {
        let path = format!("/blueprints/{}", id.replace(' ', "%20"));
        let archive =
            windlass_tests::Archive::blueprint(&[("blueprint.yaml", samples::CRANE)]).tar_gz();
        let reply = admin.raw("PUT", &path, "application/json", archive);
        reply.refused(400, "bad_parameters_error");
    }
    samples::crane(admin, "crane");
}

#[test]
fn yaml_that_grows_without_end_is_refused() {
    let windlass = Windlass::start();
    let mut laughs = String::from(
        "tosca_definitions_version: cloudify_dsl_1_4\ndsl_definitions:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n",
    );
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        laughs.push_str(&format!(
            "  a{level}: &a{level} [{}]\n",
            [before.as_str(); 9].join(", ")
        ));
    }
    let deep = format!(
        "tosca_definitions_version: cloudify_dsl_1_4\ndsl_definitions: {}1{}",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    for (what, text) in [("a billion laughs", laughs), ("a deep list", deep)] {
        let reply = windlass
            .admin()
            .upload("crane", "crane.yaml", &[("crane.yaml", &text)]);
        assert_eq!(reply.status(), 400, "{what}: {}", reply.text());
    }
    samples::crane(windlass.admin(), "crane");
}
