//! Operations of the built-in plugin: one HTTP request each.

use crate::samples::column;
use windlass_tests::{Options, Recorder, Value, Windlass, json};

/// Operations that go to a recording server; the lines of `more` belong to `create`.
fn operations(more: &str) -> String {
    format!(
        "
create:
  implementation: windlass-http.create
  inputs:
    method: POST
    url: {{ concat: [{{ get_input: url }}, /lamps] }}
    body: {{ colour: red }}
    runtime_properties: {{ lamp: lamp.id }}
  {more}
start:
  implementation: windlass-http.start
  inputs:
    method: PUT
    url: {{ concat: [{{ get_input: url }}, /lamps/, {{ get_attribute: [SELF, lamp] }}] }}
"
    )
}

/// Installs the lamp on a Windlass that may reach this machine; the execution at its end.
fn install(windlass: &Windlass, recorder: &Recorder, create: &str) -> Value {
    let admin = windlass.admin();
    admin.deploy_lamp(&operations(create), &recorder.url());
    let execution = admin.execute("lamp", "install");
    windlass.run_pending_work();
    admin.execution(&execution)
}

fn with_private() -> Windlass {
    Options::default()
        .variable("outbound_allow_private", "true")
        .start()
}

#[test]
fn each_operation_is_one_request_and_its_answer_becomes_properties() {
    let recorder = Recorder::answering(|_| (200, json!({ "lamp": { "id": "L7" } })));
    let windlass = with_private();
    let execution = install(&windlass, &recorder, "max_retries: 0");
    assert_eq!(execution["status"], "terminated", "{execution}");
    let requests = recorder.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|request| (request.method.as_str(), request.path.as_str()))
        .collect();
    assert_eq!(seen, [("POST", "/lamps"), ("PUT", "/lamps/L7")]);
    assert_eq!(requests[0].json, json!({ "colour": "red" }));
    assert_eq!(requests[0].headers["content-type"], "application/json");
    assert_ne!(
        requests[0].headers["idempotency-key"],
        requests[1].headers["idempotency-key"]
    );
    let instances = windlass.admin().get("/node-instances").expect(200);
    assert_eq!(
        column(&instances, "runtime_properties"),
        [&json!({ "lamp": "L7" })]
    );
    assert_eq!(column(&instances, "state"), ["started"]);
}

#[test]
fn an_operation_that_fails_for_good_fails_the_execution_where_it_stood() {
    let recorder = Recorder::answering(|_| (503, json!({ "error": "no lamps left" })));
    let windlass = with_private();
    let execution = install(&windlass, &recorder, "max_retries: 0");
    assert_eq!(execution["status"], "failed", "{execution}");
    assert!(
        execution["error"]
            .as_str()
            .is_some_and(|error| error.contains("503")),
        "{execution}"
    );
    assert_eq!(recorder.requests().len(), 1);
    let admin = windlass.admin();
    let instances = admin.get("/node-instances").expect(200);
    assert_eq!(column(&instances, "state"), ["creating"]);
    assert_eq!(
        admin.get("/deployments/lamp").expect(200)["deployment_status"],
        "requires_attention"
    );
    let path = "/events?event_type=task_failed&operation=cloudify.interfaces.lifecycle.create";
    let failures = admin.get(path).expect(200);
    assert_eq!(failures["metadata"]["pagination"]["total"], 1, "{failures}");
}

#[test]
fn an_operation_is_tried_again_with_the_same_key() {
    let answers = std::sync::atomic::AtomicU32::new(0);
    let recorder = Recorder::answering(move |request| {
        let first = request.method == "POST"
            && answers.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
        (
            if first { 500 } else { 200 },
            json!({ "lamp": { "id": "L7" } }),
        )
    });
    let windlass = with_private();
    let tries = "max_retries: 3\n  retry_interval: 0";
    let execution = install(&windlass, &recorder, tries);
    assert_eq!(execution["status"], "terminated", "{execution}");
    let requests = recorder.requests();
    assert_eq!(requests.len(), 4);
    let keys: Vec<_> = requests[..3]
        .iter()
        .map(|request| &request.headers["idempotency-key"])
        .collect();
    assert_eq!((keys[0], keys[1]), (keys[1], keys[2]));
    let failures = windlass
        .admin()
        .get("/events?event_type=task_failed")
        .expect(200);
    let told: Vec<&str> = column(&failures, "message")
        .into_iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        told[0].starts_with("Task failed 'windlass-http.create' -> "),
        "{told:?}"
    );
    assert!(told[1].ends_with("[retry 1/3]"), "{told:?}");
    assert_eq!(told.len(), 2, "the third try is no failure: {told:?}");
}

#[test]
fn an_instance_whose_operation_fails_for_good_is_installed_again_as_often_as_the_setting_says() {
    let starts = std::sync::atomic::AtomicU32::new(0);
    let recorder = Recorder::answering(move |request| {
        let fails = request.method == "PUT"
            && starts.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        let status = if fails { 400 } else { 200 };
        (status, json!({ "lamp": { "id": "L7" } }))
    });
    let windlass = with_private();
    let admin = windlass.admin();
    for (setting, value) in [("task_retries", 0), ("subgraph_retries", 1)] {
        let path = format!("/config/workflow.{setting}");
        admin.put(&path, json!({ "value": value })).expect(200);
    }
    let execution = install(&windlass, &recorder, "max_retries: 0");
    assert_eq!(execution["status"], "terminated", "{execution}");
    assert_eq!(
        execution["total_operations"],
        execution["finished_operations"]
    );
    let methods: Vec<String> = recorder
        .requests()
        .iter()
        .map(|request| request.method.clone())
        .collect();
    assert_eq!(methods, ["POST", "PUT", "POST", "PUT"]);
    let told = admin.get("/events?_size=100&_sort=timestamp").expect(200);
    let told = column(&told, "message");
    for text in [
        "Subgraph started 'reinstall_",
        "Node lifecycle failed. Attempting to re-run node lifecycle",
        "Subgraph succeeded 'reinstall_",
    ] {
        let is_told = |known: &&Value| known.as_str().is_some_and(|known| known.starts_with(text));
        assert!(told.iter().any(is_told), "{text}: {told:#?}");
    }
    let instances = admin.get("/node-instances").expect(200);
    assert_eq!(column(&instances, "state"), ["started"]);
}

#[test]
fn this_machine_is_no_target_unless_the_operator_says_so() {
    let recorder = Recorder::start();
    let windlass = Windlass::start();
    let execution = install(&windlass, &recorder, "max_retries: 5");
    assert_eq!(
        execution["status"], "failed",
        "not tried again: {execution}"
    );
    assert_eq!(recorder.requests().len(), 0);
}

#[test]
fn a_server_that_cannot_be_asked_is_named_with_the_reason() {
    // A port that was free a moment ago: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let windlass = with_private();
    let admin = windlass.admin();
    let url = format!("http://{address}");
    admin.deploy_lamp(&operations("max_retries: 0"), &url);
    admin.execute("lamp", "install");
    windlass.run_pending_work();
    let failures = admin.get("/events?event_type=task_failed").expect(200);
    let told = column(&failures, "message")[0].as_str().expect("a text");
    let reason = format!("`{address}` refused the connection: nothing listens there");
    assert!(told.contains(&reason), "{told}");
    assert!(!told.contains("ErrorCode"), "{told}");
}

/// The create fails and sets no attribute; then somebody runs the start all the same.
#[test]
fn a_call_whose_url_lacks_a_value_is_not_sent() {
    let recorder = Recorder::answering(|_| (500, json!({})));
    let windlass = with_private();
    install(&windlass, &recorder, "max_retries: 0");
    let sent = recorder.requests().len();
    let admin = windlass.admin();
    admin.execute("lamp", "start");
    windlass.run_pending_work();
    assert_eq!(recorder.requests().len(), sent, "no `/lamps/None`");
    let executions = admin.get("/executions?workflow_id=start").expect(200);
    let error = column(&executions, "error")[0].as_str().expect("an error");
    assert!(error.contains("`url` needs `get_attribute"), "{error}");
}
