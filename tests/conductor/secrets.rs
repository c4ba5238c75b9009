//! Secrets: `/secrets`, and what blueprints and operations make of them.

use windlass_tests::{Caller, Options, Outgoing, Recorder, TICK_HEADER, Windlass, json};

/// A value that is found where it does not belong.
const HUSH: &str = "hush-7f3a-this-is-nobodys-business";

/// An operation that sends a secret in a header and a part of another in its body.
const CREATE: &str = "
create:
  implementation: windlass-http.create
  inputs:
    method: POST
    url: { concat: [{ get_input: url }, /lamps] }
    headers:
      authorization: { concat: [Bearer, ' ', { get_secret: token }] }
    body: { user: { get_secret: [login, users, 0] } }
  max_retries: 0
";

fn with_private() -> Windlass {
    Options::default()
        .variable("outbound_allow_private", "true")
        .start()
}

fn set(caller: Caller<'_>, key: &str, body: windlass_tests::Value) {
    caller.put(&format!("/secrets/{key}"), body).expect(200);
}

#[test]
fn an_operation_is_sent_the_secrets_that_its_inputs_name() {
    let recorder = Recorder::start();
    let windlass = with_private();
    let admin = windlass.admin();
    set(
        admin,
        "token",
        json!({ "value": HUSH, "is_hidden_value": true }),
    );
    set(admin, "login", json!({ "value": { "users": ["ann"] } }));
    // Who uses a hidden value need not be who may read it.
    let ann = windlass.user("ann").in_tenant("default_tenant");
    assert_eq!(ann.get("/secrets/token").expect(200)["value"], "");
    ann.deploy_lamp(CREATE, &recorder.url());
    let execution = ann.execute("lamp", "install");
    windlass.run_pending_work();
    let execution = ann.execution(&execution);
    assert_eq!(execution["status"], "terminated", "{execution}");
    let request = &recorder.requests()[0];
    assert_eq!(request.headers["authorization"], format!("Bearer {HUSH}"));
    assert_eq!(request.json, json!({ "user": "ann" }));
    assert_eq!(
        windlass.files_with(HUSH),
        [""; 0].map(std::path::PathBuf::from)
    );
    // Reads are in the audit trail, in the name of whose deployment it is.
    let reads = "select group_concat(username || ' ' || target_id) from
        (select * from audit_log where action = 'secret_get' order by username, target_id)";
    let database = windlass.open_database();
    let reads: String = database
        .query_row(reads, [], |row| row.get(0))
        .expect("a row");
    assert_eq!(reads, "ann login,ann token");
    let stopped = windlass.stop();
    assert!(!stopped.logged.contains(HUSH), "the log holds a secret");
}

#[test]
fn what_a_server_says_of_a_secret_is_not_told_to_all() {
    let echo = Recorder::answering(|request| (403, json!(request.headers["authorization"])));
    let windlass = with_private();
    let admin = windlass.admin();
    set(admin, "token", json!({ "value": HUSH }));
    set(admin, "login", json!({ "value": "{\"users\": [\"ann\"]}" }));
    admin.deploy_lamp(CREATE, &echo.url());
    let execution = admin.execute("lamp", "install");
    windlass.run_pending_work();
    let execution = admin.execution(&execution);
    assert_eq!(execution["status"], "failed");
    let error = execution["error"].as_str().expect("an error");
    assert!(
        error.contains("answered 403") && error.contains("********"),
        "{error}"
    );
    assert_eq!(
        windlass.files_with(HUSH),
        [""; 0].map(std::path::PathBuf::from)
    );
}

/// Outputs that show secrets.
const OUTPUTS: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
inputs:
  which: { default: token }
node_templates:
  lamp:
    type: cloudify.nodes.Root
outputs:
  token: { value: { get_secret: { get_input: which } } }
  user: { value: { get_secret: [login, users, 0] } }
";

#[test]
fn secrets_of_a_blueprint_are_there_and_shown_to_those_who_may_read_them() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let files = [("main.yaml", OUTPUTS)];
    admin.upload("lamp", "main.yaml", &files).expect(201);
    let body = || json!({ "blueprint_id": "lamp" });
    let refusal = admin.put("/deployments/early", body()).text();
    assert!(
        refusal.contains("Required secrets: [token, login] don't exist"),
        "{refusal}"
    );
    set(admin, "login", json!({ "value": { "users": ["ann"] } }));
    set(admin, "token", json!({ "value": HUSH }));
    admin.put("/deployments/lamp", body()).expect(201);
    let outputs = || admin.get("/deployments/lamp/outputs");
    let want = json!({ "token": HUSH, "user": "ann" });
    assert_eq!(outputs().expect(200)["outputs"], want);
    let eve = windlass.user("eve").in_tenant("default_tenant");
    assert_eq!(
        eve.get("/deployments/lamp/outputs").expect(200)["outputs"],
        want
    );
    admin
        .patch("/secrets/token", json!({ "is_hidden_value": true }))
        .expect(200);
    let refusal = eve
        .get("/deployments/lamp/outputs")
        .refused(400, "deployment_outputs_evaluation_error");
    assert!(
        refusal.contains("secret 'token' is hidden from you"),
        "{refusal}"
    );
    assert_eq!(outputs().expect(200)["outputs"], want);
    admin.delete("/secrets/login").expect_answer(204);
    let refusal = outputs().refused(400, "deployment_outputs_evaluation_error");
    assert!(
        refusal.contains("secret 'login' was not found"),
        "{refusal}"
    );
}

#[test]
fn another_windlass_and_a_vault_keep_values() {
    // A stand-in: it speaks the part of KV version 2 that is asked for.
    let vault = Recorder::answering(|request| match request.path.as_str() {
        "/v1/auth/token/lookup-self" if request.headers["x-vault-token"] == "t0k3n" => {
            (200, json!({}))
        }
        "/v1/secret/data/lamps" => (200, json!({ "data": { "data": { "token": HUSH } } })),
        _ => (403, json!({ "errors": ["permission denied"] })),
    });
    let (far, near) = (with_private(), with_private());
    set(
        far.admin(),
        "login",
        json!({ "value": { "users": ["zoe"] } }),
    );
    let admin = near.admin();
    let provide = |name: &str, kind: &str, parameters: windlass_tests::Value| {
        let body = json!({ "name": name, "type": kind, "connection_parameters": parameters });
        let mut test = body.clone();
        test["test"] = true.into();
        admin.put("/secrets-providers", test).expect_answer(204);
        admin.put("/secrets-providers", body).expect(200);
    };
    let password = windlass_tests::PASSWORD;
    provide(
        "far",
        "cloudify",
        json!({ "host": format!("http://{}", far.address()),
        "username": "admin", "password": password, "tenant": "default_tenant" }),
    );
    provide(
        "vault",
        "vault",
        json!({ "url": vault.url(), "token": "t0k3n", "path": "secret/lamps" }),
    );
    set(
        admin,
        "login",
        json!({ "value": "", "provider_name": "far" }),
    );
    set(
        admin,
        "token",
        json!({ "value": "", "provider_name": "vault" }),
    );
    assert_eq!(
        admin.get("/secrets/login").expect(200)["value"]["users"][0],
        "zoe"
    );
    assert_eq!(admin.get("/secrets/token").expect(200)["value"], HUSH);

    admin
        .upload("show", "main.yaml", &[("main.yaml", OUTPUTS)])
        .expect(201);
    admin
        .put("/deployments/show", json!({ "blueprint_id": "show" }))
        .expect(201);
    let outputs = admin.get("/deployments/show/outputs").expect(200);
    assert_eq!(outputs["outputs"], json!({ "token": HUSH, "user": "zoe" }));

    let recorder = Recorder::start();
    admin.deploy_lamp(CREATE, &recorder.url());
    let execution = admin.execute("lamp", "install");
    near.run_pending_work();
    assert_eq!(admin.execution(&execution)["status"], "terminated");
    let request = &recorder.requests()[0];
    assert_eq!(request.headers["authorization"], format!("Bearer {HUSH}"));
    assert_eq!(request.json, json!({ "user": "zoe" }));
    assert_eq!(near.files_with(HUSH), [""; 0].map(std::path::PathBuf::from));

    // A provider that is gone is told, without what it was asked with.
    drop(far);
    let refusal = admin
        .get("/secrets/login")
        .refused(400, "failed_dependency");
    assert!(
        refusal.contains("`far`") && !refusal.contains(password),
        "{refusal}"
    );
}

#[test]
fn the_key_changes_while_values_are_read_and_written() {
    let windlass = Options::default()
        .variable("encryption_key", "the key until today")
        .start();
    for number in 0..300 {
        set(
            windlass.admin(),
            &format!("s{number}"),
            json!({ "value": number + 1 }),
        );
    }
    let windlass = windlass
        .stop()
        .variable("encryption_key", "the key from today on")
        .variable("old_encryption_keys", "the key until today")
        .start();
    let admin = windlass.admin();
    let left = |windlass: &Windlass| {
        let mut request: Outgoing =
            windlass
                .nobody()
                .at_root()
                .compose("GET", "/internal/sealed-values", None, None);
        request
            .headers
            .push((TICK_HEADER.0.into(), TICK_HEADER.1.into()));
        let answer = windlass.send(&request);
        let body: windlass_tests::Value = serde_json::from_slice(&answer.body).expect("JSON");
        body["left"].as_i64().expect("a number")
    };
    assert_eq!(left(&windlass), 300);
    assert_eq!(admin.get("/secrets/s299").expect(200)["value"], 300);
    set(admin, "later", json!({ "value": "new" }));
    let mut ticks = 0;
    while left(&windlass) > 0 {
        windlass.tick();
        ticks += 1;
        assert!(ticks < 20, "{} are left", left(&windlass));
    }
    let windlass = windlass.stop().variable("old_encryption_keys", "").start();
    let admin = windlass.admin();
    assert_eq!(admin.get("/secrets/s0").expect(200)["value"], 1);
    assert_eq!(admin.get("/secrets/later").expect(200)["value"], "new");
}
