//! Updates of deployments that are refused or fail, and what is there afterwards.

use super::updates::shown;
use crate::samples::{self, column};
use windlass_tests::{Windlass, json};

#[test]
fn what_cannot_be_updated_is_refused_and_leaves_nothing() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let path = |id: &str| format!("/deployment-updates/{id}/update/initiate");
    for (id, body, status, code) in [
        ("nobody", json!({}), 404, "not_found_error"),
        (
            "crane",
            json!({ "blueprint_id": "nothing" }),
            404,
            "not_found_error",
        ),
        (
            "crane",
            json!({ "inputs": [] }),
            400,
            "bad_parameters_error",
        ),
        (
            "crane",
            json!({ "reinstall_list": "quay" }),
            400,
            "bad_parameters_error",
        ),
        (
            "crane",
            json!({ "reinstall_list": [1] }),
            400,
            "bad_parameters_error",
        ),
        (
            "crane",
            json!({ "skip_heal": 7 }),
            400,
            "bad_parameters_error",
        ),
        (
            "crane",
            json!({ "preview": true, "inputs": { "x": 1 } }),
            400,
            "bad_parameters_error",
        ),
    ] {
        admin.post(&path(id), body).refused(status, code);
    }
    admin
        .put(&path("crane"), json!({}))
        .refused(405, "method_not_allowed_error");
    let updates = admin.get("/deployment-updates").expect(200);
    assert_eq!(updates["metadata"]["pagination"]["total"], 0);
    let update = json!({ "deployment_id": "crane", "workflow_id": "update" });
    admin
        .post("/executions", update)
        .refused(400, "nonexistent_workflow_error");

    // Another deployment depends on it.
    let child = json!({ "blueprint_id": "crane", "labels": [{ "csys-obj-parent": "crane" }] });
    admin.put("/deployments/hook", child).expect(201);
    let text = admin
        .post(&path("crane"), json!({}))
        .refused(400, "dependent_exists_error");
    assert!(
        text.contains("`crane` is the parent of deployment `hook`"),
        "{text}"
    );
    let updates = admin.get("/deployment-updates").expect(200);
    assert_eq!(column(&updates, "state"), ["failed"]);
    let nulls = json!({
        "blueprint_id": null, "inputs": null, "skip_install": null, "reinstall_list": null,
        "workflow_id": null, "runtime_only_evaluation": null, "force": true,
    });
    admin.post(&path("crane"), nulls).expect(200);
    windlass.run_pending_work();
    let updates = admin
        .get("/deployment-updates?_sort=-created_at")
        .expect(200);
    assert_eq!(column(&updates, "state"), ["successful", "failed"]);
}

#[test]
fn an_update_with_bad_inputs_fails_and_tells_why() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let body = json!({ "inputs": { "reach": 99 } });
    let path = "/deployment-updates/crane/update/initiate";
    let update = admin.post(path, body).expect(200);
    windlass.run_pending_work();
    assert_eq!(shown(admin, &update)["state"], "failed");
    let id = update["execution_id"].as_str().expect("an id");
    let execution = admin.get(&format!("/executions/{id}")).expect(200);
    let error = execution["error"].as_str().expect("a reason");
    assert!(error.contains("reach"), "{error}");
    let deployment = admin.get("/deployments/crane").expect(200);
    assert_eq!(deployment["inputs"], json!({ "reach": 12 }));
}
