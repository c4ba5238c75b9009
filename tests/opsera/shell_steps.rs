//! Shell steps: pipelines that hand scripts to workers, by the same calls as operations.

use windlass_tests::{Caller, Value, Windlass, json};

struct Team<'a> {
    windlass: &'a Windlass,
    mia: String,
    docker: Caller<'a>,
}

impl<'a> Team<'a> {
    /// A manager who may write scripts, and a worker.
    fn of(windlass: &'a Windlass) -> Self {
        let mia = windlass.user("mia").with_role_in("manager", "harbour");
        let token = mia.post("/tokens", json!({})).expect(200);
        Self {
            windlass,
            mia: token["value"].as_str().unwrap().to_owned(),
            docker: windlass.user("docker").with_role_in("worker", "harbour"),
        }
    }

    fn opsera(&self, token: &'a str) -> Caller<'a> {
        let nobody = self.windlass.nobody().without_tenant().at_root();
        nobody.with_bearer(token)
    }

    fn ask(&'a self, what: &str, body: Value) -> Value {
        let path = format!("/api/v1/pipeline/{what}");
        self.opsera(&self.mia).post(&path, body).expect(200)
    }

    fn lease(&self, more: Value) -> Vec<Value> {
        let mut body = json!({ "worker": "north", "queues": ["build"], "max": 5 });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let answer = self.docker.post("/operations/lease", body).expect(200);
        answer["items"].as_array().unwrap().clone()
    }

    fn call(&self, lease: &Value, what: &str, body: Value, status: u16) -> Value {
        let id = lease["lease_id"].as_str().unwrap();
        self.docker
            .post(&format!("/operations/leases/{id}/{what}"), body)
            .expect(status)
    }
}

/// Asks until there is an answer: leases that are not kept are looked for every second.
fn until<T>(question: impl Fn() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(answer) = question() {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it never came");
}

fn plan(name: &str) -> Value {
    json!({ "name": "Deliver", "workflow": { "plan": [
        { "name": name, "tool": { "tool_identifier": "shell", "configuration": {
            "script": "make", "queue": "build", "environment": { "V": "{{ parameters.version }}" } } } },
        { "name": "Threshold", "tool": { "tool_identifier": "shell", "configuration": {
            "script": "test", "queue": "build", "environment": { "A": "{{ steps.Build.outputs.artifact }}" } },
            "threshold": { "output": "covered", "operator": ">=", "value": 80 } } },
    ] } })
}

#[test]
fn a_run_hands_its_scripts_to_workers_who_take_them() {
    let windlass = Windlass::start();
    let team = Team::of(&windlass);
    let id = team.ask("create", plan("Build"))["_id"].clone();
    let body = json!({ "pipelineId": id, "parameters": { "version": "1.2" } });
    team.ask("run", body);
    windlass.run_pending_work();
    assert!(
        team.lease(json!({})).is_empty(),
        "nobody is given what they did not ask for"
    );
    let leases = team.lease(json!({ "shell_steps": true, "wait": 5 }));
    assert_eq!(leases.len(), 1, "the second step waits for the first");
    let lease = &leases[0];
    assert_eq!(lease["environment"], json!({ "V": "1.2" }));
    team.call(lease, "heartbeat", json!({}), 200);
    let printed = json!({ "offset": 0, "text": "made 1.2\n" });
    assert_eq!(
        team.call(lease, "console", printed, 200)["room"],
        (4 << 20) - 9
    );
    let result = json!({ "status": "succeeded", "result": { "exit_code": 0, "outputs": { "artifact": "a7" } } });
    team.call(lease, "result", result.clone(), 204);
    team.call(lease, "result", result, 204);
    team.call(lease, "heartbeat", json!({}), 409);
    windlass.run_pending_work();
    let second = &team.lease(json!({ "shell_steps": true }))[0];
    assert_eq!(second["environment"], json!({ "A": "a7" }));
    let result = json!({ "status": "succeeded", "result": { "exit_code": 0, "outputs": { "covered": "79" } } });
    team.call(second, "result", result, 204);
    windlass.run_pending_work();
    assert_eq!(
        team.ask("status", json!({ "pipelineId": id }))["status"],
        "failed"
    );
    let logs = team.ask(
        "logs",
        json!({ "pipelineId": id, "type": "console output" }),
    );
    assert_eq!(logs[0]["api_response"], "made 1.2\n");
    assert_eq!(logs[0]["step_name"], "Build");
}

#[test]
fn who_may_not_have_commands_run_writes_no_scripts() {
    let windlass = Windlass::start();
    let team = Team::of(&windlass);
    let ann = windlass.user("ann").with_role_in("user", "harbour");
    let token = ann.post("/tokens", json!({})).expect(200);
    let ann = team.opsera(token["value"].as_str().unwrap());
    let refusal = ann
        .post("/api/v1/pipeline/create", plan("Build"))
        .expect(403);
    assert_eq!(refusal["message"], "Forbidden");
    let id = team.ask("create", plan("Build"))["_id"].clone();
    let body = json!({ "pipelineId": id, "parameters": { "version": "$(reboot)" } });
    ann.post("/api/v1/pipeline/run", body).expect(200);
    windlass.run_pending_work();
    let lease = &team.lease(json!({ "shell_steps": true }))[0];
    assert_eq!(
        lease["script"], "make",
        "whoever runs it changes nothing of it"
    );
}

#[test]
fn a_forced_stop_takes_the_script_from_its_worker() {
    let windlass = Windlass::start();
    let team = Team::of(&windlass);
    let id = team.ask("create", plan("Build"))["_id"].clone();
    let body = json!({ "pipelineId": id, "parameters": { "version": 1 } });
    team.ask("run", body);
    windlass.run_pending_work();
    let lease = &team.lease(json!({ "shell_steps": true }))[0];
    team.call(lease, "heartbeat", json!({}), 200);
    team.ask("stop", json!({ "pipelineId": id }));
    assert_eq!(
        team.ask("status", json!({ "pipelineId": id }))["status"],
        "stopping"
    );
    team.call(lease, "heartbeat", json!({}), 200);
    team.ask("stop", json!({ "pipelineId": id, "force": true }));
    assert_eq!(
        team.ask("status", json!({ "pipelineId": id }))["status"],
        "stopped"
    );
    team.call(lease, "heartbeat", json!({}), 409);
    team.call(lease, "console", json!({ "text": "x" }), 409);
    let result = json!({ "status": "succeeded", "result": {} });
    team.call(lease, "result", result, 409);
}

#[test]
fn leases_that_are_not_kept_go_to_others() {
    let windlass = Windlass::start();
    let team = Team::of(&windlass);
    let id = team.ask("create", plan("Build"))["_id"].clone();
    let body = json!({ "pipelineId": id, "parameters": { "version": 1 } });
    team.ask("run", body);
    windlass.run_pending_work();
    let first = &team.lease(json!({ "shell_steps": true }))[0];
    let expire = || {
        let past = "update shell_steps set expires_at = '2020-01-01T00:00:00.000Z'";
        windlass.open_database().execute(past, []).unwrap();
    };
    expire();
    let second = until(|| {
        windlass.run_pending_work();
        team.lease(json!({ "shell_steps": true })).pop()
    });
    team.call(first, "heartbeat", json!({}), 409);
    team.call(&second, "heartbeat", json!({}), 200);
    expire();
    until(|| {
        windlass.run_pending_work();
        let told = team.ask("status", json!({ "pipelineId": id }));
        (told["status"] == "failed").then_some(())
    });
}

#[test]
fn what_a_worker_says_wrong_is_refused() {
    let windlass = Windlass::start();
    let team = Team::of(&windlass);
    for (what, body, status) in [
        ("heartbeat", json!({}), 409),
        ("console", json!({ "text": "x" }), 409),
        ("console", json!({}), 400),
        ("console", json!({ "text": 7 }), 400),
        ("console", json!({ "text": "x", "offset": -1 }), 400),
        ("console", json!({ "text": "x".repeat(70_000) }), 413),
        ("result", json!({ "status": "succeeded" }), 409),
        ("result", json!({ "status": "failed" }), 400),
    ] {
        for id in ["shell-none", "none"] {
            let lease = json!({ "lease_id": id });
            team.call(&lease, what, body.clone(), status);
        }
    }
    let refusal = json!({ "worker": "n", "queues": ["q"], "shell_steps": "yes" });
    team.docker.post("/operations/lease", refusal).expect(400);
    let ann = windlass.user("ann").with_role_in("user", "harbour");
    ann.post(
        "/operations/leases/shell-none/console",
        json!({ "text": "x" }),
    )
    .expect(403);
}
