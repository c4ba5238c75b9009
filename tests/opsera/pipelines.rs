//! Pipelines: made, run against real servers, stopped, approved, and looked at.

use windlass_tests::{Caller, Options, Recorder, Value, Windlass, json};

/// A Windlass that may call servers beside it.
fn windlass() -> Windlass {
    Options::default()
        .variable("outbound_allow_private", "true")
        .start()
}

/// A token of somebody with this role in the account harbour, for some scopes or for all.
fn token(windlass: &Windlass, name: &str, role: &str, scopes: &[&str]) -> String {
    let body = match scopes {
        [] => json!({}),
        scopes => json!({ "scopes": scopes }),
    };
    let user = windlass.user(name).with_role_in(role, "harbour");
    let made = user.post("/tokens", body).expect(200);
    made["value"].as_str().expect("a token").to_owned()
}

/// What Opsera's clients are: a token and nothing else.
fn client<'a>(windlass: &'a Windlass, token: &'a str) -> Caller<'a> {
    windlass
        .nobody()
        .without_tenant()
        .at_root()
        .with_bearer(token)
}

fn create(client: Caller<'_>, plan: Value) -> String {
    let made = client.post(
        "/api/v1/pipeline/create",
        json!({ "name": "Deliver", "workflow": { "plan": plan } }),
    );
    made.expect(200)["_id"].as_str().expect("an id").to_owned()
}

fn webhook(name: &str, configuration: Value) -> Value {
    json!({ "name": name, "tool": { "tool_identifier": "webhook", "configuration": configuration } })
}

/// Asks with the pipeline's id.
fn ask(client: Caller<'_>, what: &str, id: &str) -> Value {
    client
        .post(
            &format!("/api/v1/pipeline/{what}"),
            json!({ "pipelineId": id }),
        )
        .expect(200)
}

/// Runs what is due, and what becomes due, without waiting for the clock.
fn work(windlass: &Windlass) {
    for _ in 0..200 {
        windlass.run_pending_work();
        let hurried = windlass
            .open_database()
            .execute("update queue set not_before = 0 where kind = 'pipeline_step' and lease_until is null", [])
            .expect("the queue is a table");
        if hurried == 0 {
            return;
        }
    }
    panic!("the run has no end");
}

#[test]
fn a_run_calls_its_tools_and_says_so_in_the_words_of_the_original() {
    let windlass = windlass();
    let token = token(&windlass, "ann", "user", &["pipeline"]);
    let client = client(&windlass, &token);
    let receiver = Recorder::answering(|_| (200, json!({ "id": 7 })));
    let url = receiver.url();
    let id = create(
        client,
        json!([
            webhook(
                "Build",
                json!({ "url": format!("{url}/build"), "body": { "n": "{{ run.number }}" }, "outputs": { "id": "/id" } })
            ),
            webhook(
                "Deploy",
                json!({ "url": format!("{url}/deploy/{{{{ steps.Build.outputs.id }}}}") })
            ),
        ]),
    );
    assert_eq!(
        ask(client, "status", &id),
        json!({ "status": "idle", "message": "Pipeline: Deliver has not been run." })
    );
    let started = ask(client, "run", &id);
    assert_eq!(
        started,
        json!({
            "status": "executed", "runCount": 1,
            "message": format!("Run pipeline request submitted successfully for ({id})"),
        })
    );
    work(&windlass);
    assert_eq!(
        ask(client, "status", &id),
        json!({ "status": "success", "message": "Pipeline: Deliver's Run 1 was successful." })
    );
    let sent = receiver.requests();
    let paths: Vec<&str> = sent.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["/build", "/deploy/7"]);
    assert_eq!(sent[0].json, json!({ "n": 1 }));
    assert_ne!(
        sent[0].headers["idempotency-key"],
        sent[1].headers["idempotency-key"]
    );
    let summary = ask(client, "summary", &id);
    assert_eq!(summary["workflow"]["last_run"]["completed_steps"], 2);
    assert_eq!(summary["workflow"]["plan"][1]["status"], "success");
    let console = client.post(
        "/api/v1/pipeline/logs",
        json!({ "pipelineId": id, "runCount": "1", "type": "console output" }),
    );
    let console = console.expect(200);
    let steps: Vec<&str> = console
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["step_name"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["Deploy", "Build"], "newest first");
    assert!(console[0]["createdAt"].as_str().unwrap().ends_with('Z'));
    let all = ask(client, "logs", &id);
    assert_eq!(all[0]["action"], "end");
    let unknown = client
        .post(
            "/api/v1/pipeline/status",
            json!({ "pipelineId": id, "runCount": 9 }),
        )
        .expect(404);
    assert_eq!(
        unknown,
        json!({ "status": "failed", "message": "Pipeline: Deliver's Run 9 was not found." })
    );
    let list = client.get("/api/v1/pipeline/pipelines").expect(200);
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn an_approval_pauses_a_run_until_somebody_says_so() {
    let windlass = windlass();
    let token = token(&windlass, "ann", "user", &[]);
    let client = client(&windlass, &token);
    let receiver = Recorder::start();
    let approval = json!({ "name": "Ask", "tool": { "tool_identifier": "approval" } });
    let id = create(
        client,
        json!([approval, webhook("Go", json!({ "url": receiver.url() }))]),
    );
    ask(client, "run", &id);
    assert_eq!(
        ask(client, "status", &id)["message"],
        "Pipeline: Deliver's Run 1 is currently paused."
    );
    assert_eq!(
        ask(client, "run", &id),
        json!({
            "status": "failed",
            "message": format!("Pipeline {id} is currently in a paused state.  Will not start another job until this pending status is resolved."),
        })
    );
    assert_eq!(ask(client, "approve", &id)["status"], "success");
    work(&windlass);
    assert_eq!(ask(client, "status", &id)["status"], "success");
    assert_eq!(receiver.requests().len(), 1);
    ask(client, "run", &id);
    assert_eq!(
        ask(client, "stop", &id),
        json!({ "status": "success", "message": "The pipeline has been stopped." })
    );
    assert_eq!(
        ask(client, "status", &id)["message"],
        "Pipeline: Deliver's Run 2 was stopped."
    );
    assert_eq!(
        ask(client, "reset", &id),
        json!({ "status": "success", "message": "The pipeline run status has been reset." })
    );
    assert_eq!(ask(client, "status", &id)["status"], "idle");
    assert_eq!(ask(client, "run", &id)["runCount"], 3, "numbers go on");
    ask(client, "deny", &id);
    assert_eq!(
        ask(client, "status", &id)["message"],
        "Pipeline: Deliver's Run 3 has failed."
    );
}

#[test]
fn an_execution_is_started_and_waited_for() {
    let windlass = windlass();
    let token = token(&windlass, "ann", "user", &[]);
    let client = client(&windlass, &token);
    let ann = windlass.user("ann").in_tenant("harbour");
    let blueprint = "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\nnode_templates:\n  lamp: {type: cloudify.nodes.Root}\n";
    ann.upload("lamp", "main.yaml", &[("main.yaml", blueprint)])
        .expect(201);
    ann.put("/deployments/lamp", json!({ "blueprint_id": "lamp" }))
        .expect(201);
    windlass.run_pending_work();
    let step = json!({ "name": "Install", "tool": { "tool_identifier": "conductor", "configuration": {
        "deployment_id": "lamp", "workflow_id": "install" } } });
    let id = create(client, json!([step]));
    ask(client, "run", &id);
    work(&windlass);
    assert_eq!(ask(client, "status", &id)["status"], "success");
    let executions = ann.get("/executions?workflow_id=install").expect(200);
    assert_eq!(executions["items"][0]["status"], "terminated");
    assert_eq!(executions["metadata"]["pagination"]["total"], 1);
    assert_eq!(executions["items"][0]["created_by"], "ann");
    // The same pipeline in the hands of somebody who may not start executions.
    let viewers = windlass
        .user("vic")
        .with_role_in("viewer", "harbour")
        .own_token();
    let vic = windlass
        .nobody()
        .without_tenant()
        .at_root()
        .with_bearer(&viewers);
    vic.post("/api/v1/pipeline/run", json!({ "pipelineId": id }))
        .expect(403);
}

#[test]
fn another_account_and_bad_tokens_see_nothing() {
    let windlass = windlass();
    let ours = token(&windlass, "ann", "user", &[]);
    let id = create(client(&windlass, &ours), json!([]));
    let theirs = windlass
        .user("bob")
        .with_role_in("manager", "quay")
        .own_token();
    let bob = client(&windlass, &theirs);
    for what in [
        "summary", "run", "status", "logs", "stop", "reset", "delete", "approve", "lock", "webhook",
    ] {
        let refusal = bob
            .post(
                &format!("/api/v1/pipeline/{what}"),
                json!({ "pipelineId": id }),
            )
            .expect(404);
        assert_eq!(
            refusal["message"],
            format!("Pipeline not found ({id})"),
            "{what}"
        );
    }
    assert_eq!(bob.get("/api/v1/pipeline/pipelines").expect(200), json!([]));
    let wrong = token(&windlass, "ann", "user", &["security-logs"]);
    let refusal = client(&windlass, &wrong)
        .get("/api/v1/pipeline/pipelines")
        .expect(403);
    assert_eq!(
        refusal,
        json!({ "status": "failed", "message": "Forbidden" })
    );
    // Without a scheme, as the second version's clients send it; expired, revoked, and made up.
    let bare = |token: &str| {
        let mut request = windlass.nobody().without_tenant().compose(
            "GET",
            "/api/v1/pipeline/pipelines",
            None,
            None,
        );
        request.headers.push(("authorization".into(), token.into()));
        windlass.send(&request).status
    };
    assert_eq!(bare(&ours), 200);
    let jwt = windlass.user("ann").in_tenant("harbour").post(
        "/tokens",
        json!({ "format": "jwt", "expiration_date": "+1 hours" }),
    );
    let jwt = jwt.expect(200);
    let value = jwt["value"].as_str().unwrap();
    assert_eq!(bare(value), 200);
    let (head, rest) = value.split_once('.').unwrap();
    let (claims, _) = rest.split_once('.').unwrap();
    for (what, forged) in [
        ("a tampered signature", format!("{head}.{claims}.AAAA")),
        (
            "alg none",
            format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}."),
        ),
    ] {
        assert_eq!(bare(&forged), 401, "{what}");
    }
    windlass.open_database().execute("update tokens set expiration_date = '2020-01-01T00:00:00.000Z' where scopes is null and user_id > 0", []).unwrap();
    windlass
        .open_database()
        .execute("update identity_version set version = version + 1", [])
        .unwrap();
    assert_eq!(bare(value), 401, "expired");
    windlass
        .open_database()
        .execute("delete from tokens", [])
        .unwrap();
    assert_eq!(bare(&ours), 401, "revoked");
}

#[test]
fn a_killed_run_ends_and_calls_nothing_with_another_key() {
    let receiver = Recorder::start();
    let mut windlass = Options::default()
        .variable("outbound_allow_private", "true")
        .variable("queue_lease_seconds", "1")
        .start();
    let token = token(&windlass, "ann", "user", &[]);
    let steps: Vec<Value> = (0..10)
        .map(|n| {
            webhook(
                &format!("s{n}"),
                json!({ "url": format!("{}/{n}", receiver.url()) }),
            )
        })
        .collect();
    let id = create(client(&windlass, &token), json!(steps));
    let mut runs = 0;
    for round in 0..20_u64 {
        if ask(client(&windlass, &token), "run", &id)["status"] == "executed" {
            runs += 1;
        }
        // The run goes on by itself: starting it nudges the scheduler.
        std::thread::sleep(std::time::Duration::from_millis(round * 7 % 40));
        windlass = windlass.kill().start();
        windlass
            .open_database()
            .execute("update queue set lease_until = 0, not_before = 0", [])
            .unwrap();
        if round % 3 == 2 {
            work(&windlass);
        }
    }
    work(&windlass);
    let client = client(&windlass, &token);
    for run in 1..=runs {
        let status = client
            .post(
                "/api/v1/pipeline/status",
                json!({ "pipelineId": id, "runCount": run }),
            )
            .expect(200);
        assert_eq!(status["status"], "success", "run {run}");
    }
    let mut keys: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    let mut by_path: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for request in receiver.requests() {
        let key = request.headers["idempotency-key"].clone();
        if keys.insert(key, request.path.clone()).is_none() {
            *by_path.entry(request.path).or_default() += 1;
        }
    }
    for (path, calls) in by_path {
        assert_eq!(calls, runs, "{path}: as many keys as runs");
    }
}

#[test]
fn bodies_that_name_no_pipeline_are_refused() {
    let windlass = windlass();
    let token = token(&windlass, "ann", "user", &[]);
    let client = client(&windlass, &token);
    for (body, message) in [
        (json!({}), "pipelineId is missing"),
        (
            json!({ "pipelineId": 7 }),
            "pipelineId must be 24 letters and digits",
        ),
        (
            json!({ "pipelineId": "'; drop table pipelines; -- " }),
            "pipelineId must be 24 letters and digits",
        ),
    ] {
        let refusal = client.post("/api/v1/pipeline/run", body).expect(400);
        assert_eq!(
            (&refusal["status"], &refusal["message"]),
            (&json!("failed"), &json!(message))
        );
    }
    client
        .raw("POST", "/api/v1/pipeline/run", "text/plain", "{}")
        .expect(415);
    client.get("/api/v1/pipeline/run").expect(405);
    let id = create(client, json!([]));
    let refusal = client
        .post(
            "/api/v1/pipeline/status",
            json!({ "pipelineId": id, "runCount": "x" }),
        )
        .expect(400);
    assert_eq!(
        refusal["message"],
        "runCount must be a whole number of at least 1"
    );
    let demo = ask(client, "demo", &id);
    assert_eq!(
        (&demo["message"], &demo["reqToken"]["userName"]),
        (&json!("it seems to be working"), &json!("ann"))
    );
}
