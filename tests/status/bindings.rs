//! Bindings: `/v2/components/{component_id}/binding`, components that follow a deployment.

use super::desk::{update, with};
use super::subscribers::dashboard;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use windlass_tests::{Recorder, Value, Windlass, json};

const START: &str = "
start:
  implementation: windlass-http.start
  inputs:
    method: PUT
    url: { get_input: url }
  max_retries: 0
";

/// A deployment `lamp` whose installs fail as long as the switch is off.
fn lamp(windlass: &Windlass) -> Arc<AtomicBool> {
    let switch = Arc::new(AtomicBool::new(false));
    let is_on = switch.clone();
    let recorder = Recorder::answering(move |_| {
        let status = if is_on.load(Relaxed) { 200 } else { 503 };
        (status, json!({ "error": "no <lamps> left" }))
    });
    windlass.admin().deploy_lamp(START, &recorder.url());
    windlass.run_pending_work();
    switch
}

/// Runs a workflow to its end; its status.
fn run(windlass: &Windlass, workflow: &str, more: Value) -> Value {
    let mut body = json!({ "deployment_id": "lamp", "workflow_id": workflow });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let execution = windlass.admin().post("/executions", body).expect(201);
    windlass.run_pending_work();
    windlass.admin().execution(&execution)["status"].clone()
}

fn incidents(windlass: &Windlass) -> Vec<Value> {
    let list = windlass.passer_by().get("/api/v1/incidents").expect(200);
    list.as_array().expect("a list").clone()
}

fn binding() -> Value {
    json!({ "type": "deployment", "tenant_name": "default_tenant", "id": "lamp" })
}

#[test]
fn an_install_that_fails_opens_an_incident_and_a_good_one_closes_it() {
    let windlass = dashboard(&[("Lamps", "EU"), ("Mail", "EU")]);
    let switch = lamp(&windlass);
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let path = "/v2/components/1/binding";
    admin.get(path).expect(404);
    assert_eq!(run(&windlass, "install", json!({})), "failed");
    assert_eq!(incidents(&windlass).len(), 0, "nothing was bound");

    let bound = admin.put(path, binding()).expect(200);
    assert_eq!(
        (&bound["impact"], &bound["incident_id"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(
        incidents(&windlass).len(),
        0,
        "what was before does not count"
    );
    assert_eq!(
        run(&windlass, "install", json!({ "dry_run": true })),
        "terminated"
    );
    assert_eq!(run(&windlass, "install", json!({})), "failed");
    let opened = incidents(&windlass);
    assert_eq!(opened.len(), 1);
    assert_eq!(
        opened[0]["text"],
        "Workflow install of the deployment lamp failed"
    );
    assert_eq!(
        (&opened[0]["impact"], &opened[0]["end_date"]),
        (&json!(2), &Value::Null)
    );
    let update = opened[0]["updates"][0]["text"].as_str().unwrap_or_default();
    assert_eq!(update, opened[0]["text"], "what went wrong is not public");
    let told = admin.get(path).expect(200)["last_error"].to_string();
    assert!(told.contains("503"), "{told}");
    let page = windlass.passer_by().get("/incidents/1").expect_answer(200);
    assert!(!String::from_utf8_lossy(&page.body).contains("<lamps>"));

    assert_eq!(run(&windlass, "install", json!({})), "failed");
    assert_eq!(incidents(&windlass), opened, "it is known already");
    switch.store(true, Relaxed);
    assert_eq!(run(&windlass, "install", json!({})), "terminated");
    let closed = incidents(&windlass);
    assert_eq!(closed.len(), 1);
    assert_ne!(closed[0]["end_date"], Value::Null);
    assert_eq!(
        closed[0]["updates"][0]["text"],
        "Workflow install of the deployment lamp succeeded. Closed by system"
    );

    admin.delete(path).expect(204);
    admin.delete(path).expect(404);
    switch.store(false, Relaxed);
    assert_eq!(run(&windlass, "restart", json!({})), "failed");
    assert_eq!(incidents(&windlass).len(), 1);
}

#[test]
fn an_incident_that_a_person_touched_is_theirs_to_close() {
    let windlass = dashboard(&[("Lamps", "EU")]);
    let switch = lamp(&windlass);
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    admin.put("/v2/components/1/binding", binding()).expect(200);
    run(&windlass, "install", json!({}));
    // What a person says comes after what the failure wrote, or it is refused: that was an hour ago.
    let an_hour_ago = "
        update status_incidents set started_at = strftime('%Y-%m-%dT%H:%M:%fZ', started_at, '-1 hour');
        update status_updates set at = strftime('%Y-%m-%dT%H:%M:%fZ', at, '-1 hour');";
    let database = windlass.open_database();
    database.execute_batch(an_hour_ago).expect("both are rows");
    let change = with(
        update("analysing", -30),
        json!({ "message": "We are looking into it." }),
    );
    admin.patch("/v2/events/1", change).expect(200);
    switch.store(true, Relaxed);
    assert_eq!(run(&windlass, "install", json!({})), "terminated");
    assert_eq!(incidents(&windlass)[0]["end_date"], Value::Null);
}

#[test]
fn a_binding_takes_the_right_to_both_ends() {
    let windlass = dashboard(&[("Lamps", "EU")]);
    lamp(&windlass);
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let path = "/v2/components/1/binding";
    for (body, status) in [
        (json!({}), 400),
        (json!({ "type": "deployment", "id": "lamp" }), 400),
        (json!({ "type": "cloud", "id": "lamp" }), 400),
        (json!({ "type": "pipeline", "id": "a/b" }), 400),
        (
            json!({ "type": "pipeline", "id": "ship", "impact": 0 }),
            400,
        ),
        (
            json!({ "type": "pipeline", "id": "ship", "impact": "awful" }),
            400,
        ),
        (
            json!({ "type": "pipeline", "id": "ship", "colour": "red" }),
            400,
        ),
        (
            json!({ "type": "deployment", "tenant_name": "default_tenant", "id": "other" }),
            404,
        ),
        (
            json!({ "type": "pipeline", "id": "ship", "impact": "outage" }),
            200,
        ),
    ] {
        let refusal = admin.put(path, body.clone()).expect(status);
        assert!(
            status == 200 || refusal["errMsg"].is_string(),
            "{body}: {refusal}"
        );
    }
    admin
        .put("/v2/components/99/binding", binding())
        .expect(404);
    admin.put("/v2/components/x/binding", binding()).expect(404);
    // Who runs the page, but sees nothing of the tenant.
    let harbour = windlass.user("ann").with_role_in("user", "harbour");
    harbour.get("/deployments").expect(200);
    let operator = windlass
        .user("olga")
        .with_role_in("operations", "default_tenant");
    let token = operator.own_token();
    let operator = windlass.passer_by().with_bearer(&token);
    operator.put(path, binding()).expect(200);
    let foreign = json!({ "type": "deployment", "tenant_name": "harbour", "id": "lamp" });
    operator.put(path, foreign).expect(403);
    windlass.passer_by().put(path, binding()).expect(401);
    let viewer = windlass
        .user("vera")
        .with_role_in("viewer", "default_tenant");
    let token = viewer.own_token();
    let viewer = windlass.passer_by().with_bearer(&token);
    viewer.put(path, binding()).expect(403);
    viewer.get(path).expect(403);
}
