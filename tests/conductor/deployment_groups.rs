//! `/deployment-groups` and `/execution-groups`: many deployments, worked on together.

use crate::samples::{self, column, ids};
use windlass_tests::{Value, Windlass, json};

/// A group with deployments of the crane that are made for it.
fn fleet(windlass: &Windlass, count: usize) -> Value {
    let admin = windlass.admin();
    samples::crane(admin, "crane");
    let body = json!({
        "blueprint_id": "crane", "default_inputs": { "reach": 7 }, "labels": [{ "team": "red" }],
        "new_deployments": vec![json!({}); count], "visibility": "tenant", "description": null,
        "filter_id": null, "deployment_ids": null, "deployments_from_group": null,
    });
    admin.put("/deployment-groups/fleet", body).expect(200)
}

#[test]
fn a_group_makes_its_deployments_in_the_background_and_counts_them() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let group = fleet(&windlass, 1);
    assert_eq!(group["default_blueprint_id"], "crane");
    let made = group["deployment_ids"][0]
        .as_str()
        .expect("an id")
        .to_owned();
    assert!(made.starts_with("fleet-"), "{made}");
    let specs = json!([
        { "id": "tug-{count}", "inputs": { "reach": 20 }, "labels": [{ "kind": "tug" }] },
        { "id": "tug-{count}", "display_name": "the second", "inputs": { "reach": 600 } },
        { "id": "barge", "runtime_only_evaluation": true },
    ]);
    let add = json!({ "add": { "new_deployments": specs, "deployment_ids": null } });
    let group = admin.patch("/deployment-groups/fleet", add).expect(200);
    assert_eq!(
        group["deployment_ids"],
        json!([made, "tug-0", "tug-1", "barge"])
    );
    assert_eq!(group["creation_counter"], 2);
    // They are there at once, and nothing can run on them until their environments are.
    let pending = admin.get("/deployments/barge").expect(200);
    assert_eq!(pending["deployment_groups"], json!(["fleet"]));
    windlass.run_pending_work();
    let tug = admin.get("/deployments/tug-0").expect(200);
    assert_eq!(
        (&tug["inputs"], &tug["display_name"]),
        (&json!({ "reach": 20 }), &json!("tug-0"))
    );
    let labels: Vec<&Value> = tug["labels"]
        .as_array()
        .expect("labels")
        .iter()
        .map(|label| &label["value"])
        .collect();
    assert_eq!(labels, ["tug", "red"]);
    assert_eq!(
        admin.get(&format!("/deployments/{made}")).expect(200)["inputs"],
        json!({ "reach": 7 })
    );
    assert_eq!(
        admin.get("/deployments/barge").expect(200)["latest_execution_status"],
        "completed"
    );
    // One that cannot be made says why, and keeps nobody from the rest.
    let second = admin.get("/deployments/tug-1").expect(200);
    assert_eq!(
        (&second["display_name"], &second["latest_execution_status"]),
        (&json!("the second"), &json!("failed"))
    );
    let creation = second["create_execution"].as_str().expect("an id");
    let creation = admin.get(&format!("/executions/{creation}")).expect(200);
    assert!(
        creation["error"]
            .as_str()
            .is_some_and(|error| error.contains("600")),
        "{creation}"
    );
    let groups = admin
        .get("/execution-groups?deployment_group_id=fleet")
        .expect(200);
    assert_eq!(
        column(&groups, "workflow_id"),
        vec!["create_deployment_environment"; 2]
    );
    assert_eq!(column(&groups, "status"), ["terminated", "failed"]);
    let members = admin
        .get("/deployments?deployment_group_id=fleet&_sort=id")
        .expect(200);
    assert_eq!(ids(&members), ["barge", &made, "tug-0", "tug-1"]);
}

#[test]
fn members_are_added_before_they_are_removed() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::crane(admin, "crane");
    for id in ["a", "b", "c"] {
        admin
            .put(
                &format!("/deployments/{id}"),
                json!({ "blueprint_id": "crane" }),
            )
            .expect(201);
    }
    let put = |id: &str, body: Value| {
        admin
            .put(&format!("/deployment-groups/{id}"), body)
            .expect(200)["deployment_ids"]
            .clone()
    };
    assert_eq!(
        put("one", json!({ "deployment_ids": ["a", "b"] })),
        json!(["a", "b"])
    );
    assert_eq!(put("one", json!({ "description": "x" })), json!(["a", "b"]));
    assert_eq!(
        put(
            "two",
            json!({ "deployments_from_group": "one", "deployment_ids": ["c"] })
        ),
        json!(["a", "b", "c"])
    );
    assert_eq!(put("one", json!({ "deployment_ids": ["c"] })), json!(["c"]));
    let both = json!({ "add": { "deployment_ids": ["a", "b"] }, "remove": { "deployment_ids": ["b", "c"] } });
    let left = admin.patch("/deployment-groups/one", both).expect(200);
    assert_eq!(left["deployment_ids"], json!(["a"]));
    let unknown = json!({ "add": { "deployment_ids": ["b", "zz"] } });
    admin
        .patch("/deployment-groups/one", unknown)
        .refused(404, "not_found_error");
    for (body, status, code) in [
        (json!({ "blueprint_id": "zz" }), 404, "not_found_error"),
        (
            json!({ "deployments_from_group": "zz" }),
            404,
            "not_found_error",
        ),
        (json!({ "filter_id": "zz" }), 404, "not_found_error"),
        (
            json!({ "deployment_ids": "a" }),
            400,
            "bad_parameters_error",
        ),
        (json!({ "new_deployments": [{}] }), 409, "conflict_error"),
        (
            json!({ "blueprint_id": "crane", "new_deployments": [{ "id": "a" }] }),
            409,
            "conflict_error",
        ),
        (
            json!({ "blueprint_id": "crane", "new_deployments": [{ "id": "x" }, { "id": "x" }] }),
            409,
            "conflict_error",
        ),
        (
            json!({ "blueprint_id": "crane", "new_deployments": [{ "site_name": "zz" }] }),
            404,
            "not_found_error",
        ),
    ] {
        admin
            .put("/deployment-groups/three", body.clone())
            .refused(status, code);
        admin
            .get("/deployment-groups/three")
            .refused(404, "not_found_error");
    }
    assert_eq!(
        ids(&admin.get("/deployments?_sort=id").expect(200)),
        ["a", "b", "c"]
    );
    admin.delete("/deployment-groups/one").expect(204);
    assert_eq!(ids(&admin.get("/deployment-groups").expect(200)), ["two"]);
}

#[test]
fn a_workflow_runs_on_all_members_and_sorts_them_by_how_it_went() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    fleet(&windlass, 6);
    windlass.run_pending_work();
    for id in ["good", "bad"] {
        admin
            .put(&format!("/deployment-groups/{id}"), json!({}))
            .expect(200);
    }
    let start = json!({
        "deployment_group_id": "fleet", "workflow_id": "install", "force": false, "concurrency": 0,
        "default_parameters": null, "parameters": null,
    });
    let started = admin.post("/execution-groups", start).expect(200);
    assert_eq!(
        (&started["status"], &started["concurrency"]),
        (&json!("queued"), &json!(0))
    );
    let path = format!(
        "/execution-groups/{}",
        started["id"].as_str().expect("an id")
    );
    windlass.run_pending_work();
    assert_eq!(
        admin.get(&path).expect(200)["status"],
        "queued",
        "nothing begins at 0"
    );
    let targets = json!({ "success_group_id": "good", "failure_group_id": "bad" });
    admin.patch(&path, targets).expect(200);
    admin
        .patch(&path, json!({ "success_group_id": "zz" }))
        .refused(404, "not_found_error");
    for wrong in [json!(-1), json!("2"), json!(1.5)] {
        admin
            .patch(&path, json!({ "concurrency": wrong }))
            .refused(400, "bad_parameters_error");
    }
    admin.patch(&path, json!({ "concurrency": 2 })).expect(200);
    windlass.run_pending_work();
    let ended = admin.get(&path).expect(200);
    assert_eq!(ended["status"], "terminated", "{ended}");
    assert_eq!(ended["execution_ids"].as_array().map(Vec::len), Some(6));
    let group = |id: &str| {
        admin.get(&format!("/deployment-groups/{id}")).expect(200)["deployment_ids"].clone()
    };
    assert_eq!(group("good"), group("fleet"));
    assert_eq!(group("bad"), json!([]));
    // Installed already, so it is not available: each fails for itself.
    let again = json!({ "deployment_group_id": "fleet", "workflow_id": "install" });
    let again = admin.post("/execution-groups", again).expect(200);
    let path = format!("/execution-groups/{}", again["id"].as_str().expect("an id"));
    windlass.run_pending_work();
    assert_eq!(admin.get(&path).expect(200)["status"], "failed");
    admin
        .patch(&path, json!({ "failure_group_id": "bad" }))
        .expect(200);
    assert_eq!(group("bad"), group("fleet"));
    let of_group = format!(
        "/executions?_group_id={}",
        again["id"].as_str().expect("an id")
    );
    assert_eq!(
        admin.get(&of_group).expect(200)["metadata"]["pagination"]["total"],
        6
    );
    admin
        .get("/executions?_group_id=zz")
        .refused(404, "not_found_error");
}

#[test]
fn members_without_the_workflow_are_passed_over_and_what_waits_is_cancelled_at_once() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    fleet(&windlass, 3);
    windlass.run_pending_work();
    let start = |workflow: &str, more: Value| {
        let mut body = json!({ "deployment_group_id": "fleet", "workflow_id": workflow });
        body.as_object_mut()
            .expect("a map")
            .extend(more.as_object().expect("a map").clone());
        admin.post("/execution-groups", body)
    };
    let none = start("dance", json!({})).expect(200);
    assert_eq!(
        (&none["status"], &none["execution_ids"]),
        (&Value::Null, &json!([]))
    );
    for (more, status) in [
        (json!({ "deployment_group_id": "zz" }), 404),
        (json!({ "concurrency": -1 }), 400),
        (json!({ "parameters": { "x": 1 } }), 400),
        (json!({ "default_parameters": [] }), 400),
    ] {
        assert_eq!(start("install", more.clone()).status(), status, "{more}");
    }
    let paused = start("install", json!({ "concurrency": 0 })).expect(200);
    let path = format!(
        "/execution-groups/{}",
        paused["id"].as_str().expect("an id")
    );
    for (action, status) in [
        ("dance", 400),
        ("requeue", 400),
        ("cancel", 200),
        ("kill", 200),
        ("force-cancel", 200),
    ] {
        assert_eq!(
            admin.post(&path, json!({ "action": action })).status(),
            status,
            "{action}"
        );
    }
    assert_eq!(
        admin.get(&path).expect(200)["status"],
        "terminated",
        "all ended, none failed"
    );
    // They go on where they were as soon as some may run.
    admin.post(&path, json!({ "action": "resume" })).expect(200);
    assert_eq!(admin.get(&path).expect(200)["status"], "queued");
    admin.patch(&path, json!({ "concurrency": 5 })).expect(200);
    windlass.run_pending_work();
    assert_eq!(admin.get(&path).expect(200)["status"], "terminated");
    let installed = admin
        .get("/deployments?installation_status=active")
        .expect(200);
    assert_eq!(installed["metadata"]["pagination"]["total"], 3);
}

#[test]
fn a_group_is_deleted_with_its_deployments_or_not_at_all() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    fleet(&windlass, 3);
    windlass.run_pending_work();
    let ids_of = || ids(&admin.get("/deployments").expect(200)).len();
    let first = admin.get("/deployments").expect(200)["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    admin.execute(&first, "install");
    windlass.run_pending_work();
    let delete = |more: &str| {
        admin.delete(&format!(
            "/deployment-groups/fleet?delete_deployments=true{more}"
        ))
    };
    let refusal = delete("").refused(400, "dependent_exists_error");
    assert!(refusal.contains("There are live nodes"), "{refusal}");
    assert_eq!(ids_of(), 3);
    let answer = delete("&force=true").expect(200);
    assert!(answer["execution_group_id"].is_string(), "{answer}");
    windlass.run_pending_work();
    assert_eq!(ids_of(), 0);
    admin
        .get("/deployment-groups/fleet")
        .refused(404, "not_found_error");
    let left = admin
        .get("/executions?_include_system_workflows=true&workflow_id=delete_deployment_environment")
        .expect(200);
    assert_eq!(left["metadata"]["pagination"]["total"], 0, "{left}");
}

/// Each has to be able to end, and the last not much later than the one in the middle.
#[test]
fn two_hundred_executions_at_once_all_end() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    fleet(&windlass, 200);
    windlass.run_pending_work();
    let start =
        json!({ "deployment_group_id": "fleet", "workflow_id": "install", "concurrency": 200 });
    let started = admin.post("/execution-groups", start).expect(200);
    windlass.run_pending_work();
    let path = format!(
        "/execution-groups/{}",
        started["id"].as_str().expect("an id")
    );
    assert_eq!(admin.get(&path).expect(200)["status"], "terminated");
    let times =
        "select cast(round((julianday(ended_at) - julianday(created_at)) * 86400000) as integer)
                 from executions where workflow_id = 'install' order by 1";
    let database = windlass.open_database();
    let mut times = database.prepare(times).expect("it can be read");
    let times: Vec<i64> = times
        .query_map([], |row| row.get(0))
        .expect("rows")
        .map(|row| row.expect("a number"))
        .collect();
    let (median, slowest) = (times[100], times[199]);
    println!("200 executions: median {median} ms, slowest {slowest} ms");
    assert!(
        slowest <= 3 * median,
        "median {median} ms, slowest {slowest} ms"
    );
}
