//! What no client should send, at every URL: a refusal that says why, and nothing stored.
//!
//! Bodies are broken by the table of endpoints, row by row (`bad_input/bodies.rs`). What is beside it
//! here are mistakes with a meaning, queries, and archives.

#[path = "bad_input/bodies.rs"]
mod bodies;
#[path = "bad_input/broken.rs"]
mod broken;

use crate::samples;
use windlass_tests::{Endpoint, Touches, Windlass, json};

#[test]
fn values_of_wrong_types_are_refused() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let instances = admin.get("/node-instances").expect(200);
    let instance = &format!("/node-instances/{}", samples::ids(&instances)[0]);
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

/// Eight megabytes of numbers become hundreds as values: refused before anything is made of them.
#[test]
fn millions_of_values_are_refused() {
    let windlass = Windlass::start();
    windlass.admin().get("/status").expect(200);
    let numbers = format!("[{}1]", "1,".repeat(3_800_000));
    let body = format!("{{\"blueprint_id\": {numbers}}}");
    let admin = windlass.admin();
    for _ in 0..3 {
        let reply = admin.raw("PUT", "/deployments/many", "application/json", body.clone());
        reply.refused(413, "bad_parameters_error");
        let reply = windlass.passer_by().raw(
            "POST",
            "/api/v1/component_status",
            "application/json",
            numbers.clone(),
        );
        assert!((400..500).contains(&reply.status()), "{}", reply.text());
    }
    admin.get("/status").expect(200);
}

#[test]
fn queries_that_make_no_sense_are_refused() {
    let windlass = Windlass::start();
    samples::deployed(windlass.admin(), "crane");
    // Workflows are put together from plans, and their list leaves sorting and pages alone.
    let mut lists = Endpoint::served();
    lists.retain(|row| {
        let is_list = row.method == "GET" && !row.path.contains(['{', '?']);
        let is_whole = row.id != "workflows.list" && !row.lists_what_comes_later();
        is_list && is_whole && row.touches == Touches::Tenants
    });
    assert!(lists.len() >= 5, "only {} lists", lists.len());
    let many_keys = format!("?_sort={}", ["created_at"; 2100].join(","));
    // Each letter becomes eighteen when it is normalised.
    let long_text = format!("/deployments?_search={}", "%EF%B7%BA".repeat(1600));
    windlass
        .admin()
        .get(&long_text)
        .refused(400, "bad_parameters_error");
    for list in lists.iter().map(|row| &row.path) {
        for (query, code) in [
            ("?colour=red", "bad_parameters_error"),
            ("?_sort=colour", "bad_parameters_error"),
            ("?_sort=id;drop table users", "bad_parameters_error"),
            ("?_size=-1", "bad_parameters_error"),
            ("?_size=many", "bad_parameters_error"),
            ("?_size=99999999999999999999", "bad_parameters_error"),
            ("?_offset=1.5", "bad_parameters_error"),
            (many_keys.as_str(), "bad_parameters_error"),
            ("?_all_tenants=maybe", "bad_parameters_error"),
            ("?_include=id,colour", "no_such_include_field_error"),
        ] {
            let path = format!("{list}{}", query.replace(' ', "%20"));
            windlass.admin().get(&path).refused(400, code);
        }
        // Strange, and yet fine: these are values, whatever they look like. What has no id has a name or a key.
        let has = |key: &&str| windlass.admin().get(&format!("{list}?{key}=x")).status() == 200;
        let key = ["id", "name", "key"].into_iter().find(has).unwrap_or("id");
        for query in [
            "?KEY=%27%20or%201%3D1%20--",
            "?KEY=%00",
            "?_search=%25_%5C",
            "?KEY=%F0%9F%9A%A2",
            "?_size=0",
            "?_include=",
        ] {
            let path = format!("{list}{}", query.replace("KEY", key));
            windlass.admin().get(&path).expect(200);
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
