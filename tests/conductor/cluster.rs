//! The cluster as clients know it: nodes, brokers, maintenance, measurements, bundles of logs.

use crate::samples;
use std::io::Read;
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use windlass_tests::{Options, Recorder, Value, Windlass, json};

#[test]
fn the_application_describes_itself() {
    let windlass = Windlass::start();
    let mut request = windlass.nobody().compose("GET", "", None, None);
    for path in ["/openapi.json", "/docs"] {
        request.path = path.to_owned();
        request.headers.clear();
        let plain = windlass.send(&request);
        request
            .headers
            .push(("accept-encoding".into(), "br, gzip".into()));
        let compressed = windlass.send(&request);
        for (answer, encoding) in [(&plain, None), (&compressed, Some("gzip"))] {
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("content-encoding"), encoding, "{path}");
        }
        let mut unpacked = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(&compressed.body[..]);
        decoder.read_to_end(&mut unpacked).expect("it is gzip");
        assert!(unpacked == plain.body, "{path}");
        if path == "/openapi.json" {
            let document: Value = serde_json::from_slice(&plain.body).expect("it is JSON");
            assert_eq!(document, windlass_tests::openapi::document());
        }
    }
}

#[test]
fn one_node_is_there_and_others_are_told_of() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    for (path, name) in [
        ("/managers", "hostname"),
        ("/brokers", "name"),
        ("/db-nodes", "name"),
    ] {
        let list = admin.get(path).expect(200);
        assert_eq!(list["items"][0][name], "windlass", "{path}");
        assert_eq!(list["metadata"]["pagination"]["total"], 1, "{path}");
    }
    let north = json!({
        "hostname": "north", "private_ip": "192.0.2.5", "public_ip": "192.0.2.6", "version": "7.0.5",
        "edition": "premium", "distribution": "debian", "distro_release": "12",
    });
    let added = admin.post("/managers", north.clone()).expect(200);
    assert_eq!(added["networks"], json!({ "default": "192.0.2.5" }));
    admin
        .post("/managers", north)
        .refused(409, "conflict_error");
    admin
        .post("/managers", json!({ "hostname": "x" }))
        .refused(400, "bad_parameters_error");
    let named = admin
        .get("/managers?hostname=north&_include=hostname")
        .expect(200);
    assert_eq!(named["items"], json!([{ "hostname": "north" }]));
    assert_eq!(
        admin.get("/managers?hostname=nowhere").expect(200)["items"],
        json!([])
    );
    admin
        .put("/managers/north", json!({ "fs_sync_node_id": "n1" }))
        .expect(200);
    assert_eq!(
        admin.get("/managers/north").expect(200)["fs_sync_node_id"],
        "n1"
    );
    admin.delete("/managers/north").expect_answer(204);
    admin
        .delete("/managers/north")
        .refused(404, "not_found_error");
    admin
        .delete("/managers/windlass")
        .refused(400, "illegal_action_error");

    let broker = json!({ "name": "rabbit", "address": "192.0.2.7" });
    let broker = admin.post("/brokers", broker).expect(200);
    assert_eq!(
        json!([broker["port"], broker["username"]]),
        json!([5671, null])
    );
    let wrong =
        json!({ "name": "r", "address": "192.0.2.8", "networks": { "default": "192.0.2.9" } });
    admin
        .post("/brokers", wrong)
        .refused(400, "bad_parameters_error");
    let networks = json!({ "networks": { "north": "192.0.2.9" } });
    let changed = admin.put("/brokers/rabbit", networks).expect(200);
    assert_eq!(
        changed["networks"],
        json!({ "default": "192.0.2.7", "north": "192.0.2.9" })
    );
    admin.delete("/brokers/rabbit").expect_answer(204);
    admin
        .delete("/brokers/windlass")
        .refused(400, "illegal_action_error");
    admin
        .post("/db-nodes", json!({ "action": "update" }))
        .expect(200);
    admin
        .post("/db-nodes", json!({ "action": "drop" }))
        .refused(400, "bad_parameters_error");
    let user = windlass.user("ann").in_tenant("harbour");
    user.get("/managers").expect(200);
    user.post("/brokers", json!({}))
        .refused(403, "forbidden_error");
}

#[test]
fn tools_keep_one_context_here() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let context = json!({ "name": "aws", "context": { "region": "eu" } });
    admin
        .get("/provider/context")
        .refused(404, "not_found_error");
    admin
        .post("/provider/context?update=true", context.clone())
        .refused(404, "not_found_error");
    assert_eq!(
        admin.post("/provider/context", context.clone()).expect(201),
        json!({ "status": "ok" })
    );
    admin
        .post("/provider/context", context.clone())
        .refused(409, "conflict_error");
    assert_eq!(admin.get("/provider/context").expect(200), context);
    let other = json!({ "name": "gcp", "context": {} });
    admin
        .post("/provider/context?update=True", other)
        .expect(200);
    assert_eq!(
        admin.get("/provider/context?_include=name").expect(200),
        json!({ "name": "gcp" })
    );
}

/// A lamp whose install goes on until the sender is dropped.
fn held_back() -> (Sender<()>, Windlass) {
    let (go, wait) = std::sync::mpsc::channel();
    let wait = Mutex::new(wait);
    let recorder = Recorder::answering(move |_| {
        let _ = wait.lock().map(|wait| wait.recv());
        (200, json!({}))
    });
    let windlass = Options::default()
        .variable("outbound_allow_private", "true")
        .start();
    let create =
        "create: { implementation: windlass-http.create, inputs: { url: { get_input: url } } }";
    windlass.admin().deploy_lamp(create, &recorder.url());
    (go, windlass)
}

#[test]
fn maintenance_waits_for_what_runs_and_then_refuses_nearly_everything() {
    let (go, windlass) = held_back();
    let admin = windlass.admin();
    let ann = windlass.user("ann").in_tenant("default_tenant");
    admin
        .post("/maintenance/deactivate", json!({}))
        .expect_answer(304);
    admin
        .post("/maintenance/pause", json!({}))
        .refused(400, "bad_parameters_error");
    ann.post("/maintenance/activate", json!({}))
        .refused(403, "forbidden_error");
    let running = ann.execute("lamp", "install");
    let activating = admin.post("/maintenance/activate", json!({})).expect(200);
    assert_eq!(activating["status"], "activating");
    assert_eq!(activating["remaining_executions"][0]["id"], running["id"]);
    assert_eq!(activating["requested_by"], "admin");
    admin
        .post("/maintenance/activate", json!({}))
        .expect_answer(304);
    // Nothing new begins, and what there is can be looked at.
    let new = json!({ "deployment_id": "lamp", "workflow_id": "heal" });
    let message = ann
        .post("/executions", new)
        .refused(503, "entering_maintenance_mode");
    assert!(
        message.contains("currently in maintenance mode"),
        "{message}"
    );
    ann.put("/deployments/other", json!({ "blueprint_id": "lamp" }))
        .refused(503, "entering_maintenance_mode");
    ann.get("/deployments").expect(200);
    drop(go);
    windlass.run_pending_work();
    assert_eq!(ann.execution(&running)["status"], "terminated");

    let activated = admin.get("/maintenance").expect(200);
    assert_eq!(activated["status"], "activated");
    assert_eq!(activated["remaining_executions"], Value::Null);
    for path in [
        "/deployments",
        "/blueprints",
        "/executions",
        "/plugins",
        "/sites",
    ] {
        ann.get(path).refused(503, "maintenance_mode_active");
    }
    for path in [
        "/status",
        "/managers",
        "/config",
        "/version",
        "/ok",
        "/license",
    ] {
        ann.get(path).expect_answer(200);
    }
    let mut request = admin.compose("GET", "/blueprints", None, None);
    request
        .headers
        .push(("x-bypass-maintenance".into(), "true".into()));
    assert_eq!(
        windlass.send(&request).status,
        200,
        "whoever may set it passes by"
    );

    let over = admin.post("/maintenance/deactivate", json!({})).expect(200);
    assert_eq!(
        over,
        json!({ "status": "deactivated", "activated_at": "", "remaining_executions": null,
                "requested_by": "", "activation_requested_at": "" })
    );
    ann.get("/deployments").expect(200);
}

#[test]
fn what_was_queued_starts_when_maintenance_is_over() {
    let (go, windlass) = held_back();
    let admin = windlass.admin();
    let first = admin.execute("lamp", "install");
    let body = json!({ "deployment_id": "lamp", "workflow_id": "heal", "queue": true });
    let queued = admin.post("/executions", body).expect(201);
    assert_eq!(queued["status"], "queued");
    admin.post("/maintenance/activate", json!({})).expect(200);
    drop(go);
    windlass.run_pending_work();
    let with_bypass = |path: &str| {
        let mut request = admin.compose("GET", path, None, None);
        request
            .headers
            .push(("x-bypass-maintenance".into(), "true".into()));
        let answer = windlass.send(&request);
        serde_json::from_slice::<Value>(&answer.body).expect("JSON")
    };
    let status = |execution: &Value| {
        let id = execution["id"].as_str().expect("an id");
        with_bypass(&format!("/executions/{id}"))["status"].clone()
    };
    assert_eq!(status(&first), "terminated");
    assert_eq!(
        status(&queued),
        "queued",
        "it waits for the end of the maintenance"
    );
    assert_eq!(admin.get("/maintenance").expect(200)["status"], "activated");
    admin.post("/maintenance/deactivate", json!({})).expect(200);
    windlass.run_pending_work();
    assert_eq!(admin.execution(&queued)["status"], "terminated");
}

#[test]
fn measurements_are_kept_and_executions_tell_their_own() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let execution = admin.execute("crane", "install");
    windlass.run_pending_work();
    let metric = json!({
        "blueprint_id": "crane", "deployment_id": "crane", "execution_id": execution["id"],
        "timestamp": "2024-05-06T07:08:09Z", "name": "cpu", "value": "0.5",
    });
    let kept = admin.put("/metrics/17", metric.clone()).expect(201);
    assert_eq!(kept["id"], 17);
    assert_eq!(kept["timestamp"], "2024-05-06T07:08:09.000Z");
    admin
        .put("/metrics/17", metric.clone())
        .refused(409, "conflict_error");
    for (field, value, status, code) in [
        ("value", json!(7), 400, "bad_parameters_error"),
        ("name", Value::Null, 400, "bad_parameters_error"),
        ("timestamp", json!("noon"), 400, "bad_parameters_error"),
        ("blueprint_id", json!("nothing"), 404, "not_found_error"),
        ("deployment_id", json!("nothing"), 404, "not_found_error"),
        ("execution_id", json!("nothing"), 404, "not_found_error"),
    ] {
        let mut wrong = metric.clone();
        wrong[field] = value;
        admin.put("/metrics/18", wrong).refused(status, code);
    }
    admin
        .put("/metrics/a%20b", metric)
        .refused(400, "bad_parameters_error");
    let found = admin.get("/metrics?id=17&_include=name,value").expect(200);
    assert_eq!(found["items"], json!([{ "name": "cpu", "value": "0.5" }]));

    let overview = admin.get("/metrics-overview").expect(200);
    assert_eq!(overview["metadata"], json!({ "pagination": {} }));
    let items = overview["items"].as_array().expect("a list");
    let install = items
        .iter()
        .find(|item| item["event_id"] == "install")
        .expect("it ran");
    assert_eq!(
        json!([install["event_type"], install["success_rate"]]),
        json!(["workflow", 1.0])
    );
    assert!(install["average_duration"].as_f64().expect("seconds") >= 0.0);
    let one = admin
        .get("/metrics-overview?workflow_id=install")
        .expect(200);
    assert_eq!(one["items"].as_array().expect("a list").len(), 1);
    assert_eq!(
        admin.get("/metrics-overview?until=2001-01-01").expect(200)["items"],
        json!([])
    );
    admin
        .get("/metrics-overview?since=noon")
        .refused(400, "bad_parameters_error");
}

#[test]
fn a_bundle_of_logs_is_packed_downloaded_and_deleted() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    admin.execute("crane", "install");
    windlass.run_pending_work();
    let execution = admin
        .put("/log-bundles/trouble", json!({ "queue": false }))
        .expect(201);
    assert_eq!(execution["workflow_id"], "create_log_bundle");
    assert_eq!(execution["status"], "terminated");
    admin
        .put("/log-bundles/trouble", json!({}))
        .refused(409, "conflict_error");
    admin
        .put("/log-bundles/9", json!({}))
        .refused(400, "bad_parameters_error");
    let list = admin.get("/log-bundles").expect(200);
    assert_eq!(list["items"][0]["status"], "created");
    assert_eq!(list["items"][0]["visibility"], "private");
    let archive = admin.get("/log-bundles/trouble/archive").expect_answer(200);
    let mut tar = Vec::new();
    let mut packed = flate2::read::GzDecoder::new(archive.body.as_slice());
    std::io::Read::read_to_end(&mut packed, &mut tar).expect("it is gzip");
    let text = String::from_utf8_lossy(&tar);
    for part in [
        "windlass-logs/state.json",
        "windlass-logs/events.jsonl",
        "workflow_succeeded",
        "blueprint_upload",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains(windlass_tests::PASSWORD));
    admin.delete("/log-bundles/trouble").expect_answer(204);
    admin
        .get("/log-bundles/trouble")
        .refused(404, "not_found_error");
}

#[test]
fn who_registers_gets_a_customer_id_and_a_license() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    assert_eq!(admin.get("/idp").expect(200), "local");
    let mut contact = json!({
        "first_name": "Ann", "last_name": "Pier", "email": "ann@example.com", "phone": "1", "is_eula": true,
    });
    let answer = admin.post("/contacts", contact.clone()).expect(200);
    admin.post("/license", answer.clone()).expect(200);
    admin
        .post("/license", answer.clone())
        .refused(409, "conflict_error");
    let license = admin.get("/license").expect(200);
    assert_eq!(license["items"][0]["customer_id"], answer["customer_id"]);
    contact["is_eula"] = json!(false);
    admin
        .post("/contacts", contact.clone())
        .refused(400, "bad_parameters_error");
    contact["email"] = json!("ann");
    admin
        .post("/contacts", contact)
        .refused(400, "bad_parameters_error");
}
