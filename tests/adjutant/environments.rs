//! The deployment that a new project begins with, where the operator wants one.

use super::people::Office;
use windlass_tests::{Value, Windlass, json};

const CRANE: &str = "tosca_definitions_version: cloudify_dsl_1_4
inputs:
  owner: { type: string }
node_templates:
  crane: { type: cloudify.nodes.Root }
imports: [cloudify/types/types.yaml]
";

/// Has new projects begin with a deployment.
fn begin_with(windlass: &Windlass, different: &Value) {
    let settings = json!({ "tasks": { "create_project_and_user": {
        "additional_actions": ["SetProjectQuotaAction", "NewDeploymentAction"],
        "actions": { "NewDeploymentAction": different },
    } } });
    let path = "/config/adjutant.adjutant_settings";
    let admin = windlass.admin();
    admin.put(path, json!({ "value": settings })).expect(200);
}

fn upload(windlass: &Windlass) {
    let files = [("crane.yaml", CRANE)];
    windlass
        .admin()
        .upload("crane", "crane.yaml", &files)
        .expect(201);
}

fn publish(windlass: &Windlass) {
    let body = json!({ "visibility": "global" });
    windlass
        .admin()
        .patch("/blueprints/crane/set-visibility", body)
        .expect(200);
}

fn notes(task: &Value) -> String {
    task["action_notes"]["NewDeploymentAction"].to_string()
}

/// A deployment called after the project, whose owner is an input.
fn usual() -> Value {
    json!({ "blueprint": "crane", "inputs": { "owner": "{{email}} of {{project_name}}" } })
}

#[test]
fn an_approved_project_gets_its_deployment() {
    let office = Office::open();
    upload(&office.windlass);
    begin_with(&office.windlass, &usual());
    office.sign_up("bob@example.com", "pier").expect(202);
    let task = office.task();
    assert_eq!(
        task["actions"][2],
        json!({ "action_name": "NewDeploymentAction", "data": {}, "valid": false })
    );
    assert!(notes(&task).contains("ERROR: Blueprint: 'crane' is not there for all tenants."));
    office.approve(&task).expect(400);

    publish(&office.windlass);
    let body = json!({ "email": "bob@example.com", "project_name": "pier" });
    let path = super::people::path("/v1/tasks", &task["uuid"]);
    office.admin().put(&path, body).expect(200);
    office.approve(&task).expect(200);
    office.windlass.run_pending_work();
    let told = notes(&office.task());
    assert!(
        told.contains("Deployment 'pier' of blueprint 'crane' ordered."),
        "{told}"
    );
    assert!(
        told.contains("Deployment 'pier' created in project pier. It is being installed."),
        "{told}"
    );
    let seen = office.windlass.admin().naming_tenant("pier");
    let made = seen.get("/deployments/pier").expect(200);
    assert_eq!(made["inputs"]["owner"], "bob@example.com of pier");
    assert_eq!(made["created_by"], "bob@example.com");
    assert_eq!(made["visibility"], "tenant");
    let ran = seen.get("/executions?workflow_id=install").expect(200);
    assert_eq!(ran["items"][0]["status"], "terminated");
    assert_eq!(ran["items"][0]["created_by"], "bob@example.com");

    // Approved again, with another token: what is there stays.
    office.approve(&task).expect(200);
    office.windlass.run_pending_work();
    assert!(notes(&office.task()).contains("Deployment already ordered."));
    let all = seen.get("/deployments").expect(200);
    assert_eq!(all["metadata"]["pagination"]["total"], 1);
}

#[test]
fn what_cannot_be_deployed_is_told_and_can_be_ordered_again() {
    let office = Office::open();
    upload(&office.windlass);
    publish(&office.windlass);
    begin_with(
        &office.windlass,
        &json!({ "blueprint": "crane", "deployment": "home", "install": false }),
    );
    office.sign_up("bob@example.com", "pier").expect(202);
    let task = office.task();
    office.approve(&task).expect(200);
    office.windlass.run_pending_work();
    let status = office.admin().get("/v1/status").expect(200);
    let told = status["error_notifications"][0]["notes"]["errors"][0].to_string();
    assert!(
        told.contains("while creating deployment 'home' in project pier"),
        "{told}"
    );
    assert!(notes(&office.task()).contains("while creating deployment"));
    let seen = office.windlass.admin().naming_tenant("pier");
    seen.get("/deployments/home").expect(404);

    begin_with(
        &office.windlass,
        &json!({ "blueprint": "crane", "deployment": "home", "install": false, "inputs": { "owner": "me" } }),
    );
    office.approve(&task).expect(200);
    office.windlass.run_pending_work();
    seen.get("/deployments/home").expect(200);
    let ran = seen.get("/executions?workflow_id=install").expect(200);
    assert_eq!(ran["items"], json!([]));
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_deployment_is_made_once_however_often_the_host_dies_over_it() {
    for commit in 1..=4 {
        for fault in [
            format!("kill-before-commit:{commit}"),
            format!("kill-after-commit:{commit}"),
        ] {
            let windlass = Windlass::start();
            upload(&windlass);
            publish(&windlass);
            begin_with(&windlass, &usual());
            let token = windlass.admin().own_token();
            let body = json!({ "email": "bob@example.com", "project_name": "pier" });
            windlass
                .passer_by()
                .post("/v1/openstack/sign-up", body)
                .expect(202);
            let admin = windlass.passer_by().with_bearer(&token);
            let task = admin.get("/v1/tasks").expect(200)["tasks"][0].clone();
            let path = super::people::path("/v1/tasks", &task["uuid"]);
            let windlass = windlass.kill().start_with(&fault);
            let request = windlass.passer_by().with_bearer(&token).compose(
                "POST",
                &path,
                Some("application/json"),
                Some(b"{\"approved\": true}".to_vec()),
            );
            windlass.try_send(&request).ok();
            for _ in 0..4 {
                windlass.try_tick();
            }
            let windlass = windlass.kill().start();
            windlass.expire_leases();
            let caller = windlass.passer_by().with_bearer(&token);
            caller.post(&path, json!({ "approved": true })).expect(200);
            windlass.run_pending_work();
            let seen = windlass.admin().naming_tenant("pier");
            for path in ["/deployments", "/executions?workflow_id=install"] {
                let all = seen.get(path).expect(200);
                let total = &all["metadata"]["pagination"]["total"];
                assert_eq!(total, 1, "{fault}: {path}");
            }
            let told = notes(&caller.get(&path).expect(200));
            assert_eq!(told.matches("created in project").count(), 1, "{fault}");
        }
    }
}
