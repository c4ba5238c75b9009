//! Snapshots: the state of the application as one archive, made, carried to another application, restored.

use crate::samples;
use windlass_tests::{Caller, Options, Value, Windlass, json};

/// Makes a snapshot to its end.
fn create(windlass: &Windlass, id: &str) -> Value {
    let admin = windlass.admin();
    let execution = admin
        .put(&format!("/snapshots/{id}"), json!({}))
        .expect(201);
    assert_eq!(execution["workflow_id"], "create_snapshot");
    assert_eq!(execution["is_system_workflow"], true);
    assert_eq!(execution["parameters"]["snapshot_id"], id);
    windlass.run_pending_work();
    let snapshot = admin.get(&format!("/snapshots/{id}")).expect(200);
    assert_eq!(snapshot["status"], "created", "{snapshot}");
    snapshot
}

fn download(caller: Caller<'_>, id: &str) -> Vec<u8> {
    let answer = caller
        .get(&format!("/snapshots/{id}/archive"))
        .expect_answer(200);
    let name = format!("attachment; filename=\"{id}.zip\"");
    assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
    answer.body
}

fn upload(caller: Caller<'_>, id: &str, archive: Vec<u8>) -> Value {
    let path = format!("/snapshots/{id}/archive");
    caller
        .raw("PUT", &path, "application/json", archive)
        .expect(201)
}

/// Restores a snapshot to its end; its execution.
fn restore(windlass: &Windlass, id: &str, force: bool) -> Value {
    let admin = windlass.admin();
    let path = format!("/snapshots/{id}/restore");
    let execution = admin.post(&path, json!({ "force": force })).expect(200);
    assert_eq!(execution["workflow_id"], "restore_snapshot");
    let nobody = windlass.nobody();
    let status = nobody.get("/snapshot-status").expect(200);
    let id = execution["id"].as_str().expect("a text");
    let shown = || admin.get(&format!("/executions/{id}")).expect(200);
    // On a loaded machine a tick from before, which goes on in the background, restores it at once.
    assert!(
        status["status"] == "running" || shown()["ended_at"] != Value::Null,
        "{status}"
    );
    windlass.run_pending_work();
    let status = nobody.get("/snapshot-status").expect(200);
    assert_eq!(status["status"], "not-running");
    shown()
}

/// Two applications with one key.
fn application() -> Windlass {
    Options::default()
        .variable("encryption_key", "the key of both of them")
        .start()
}

#[test]
fn a_snapshot_is_restored_in_another_application() {
    let first = application();
    let admin = first.admin();
    samples::deployed(admin, "crane");
    admin.execute("crane", "install");
    first.run_pending_work();
    admin
        .put("/secrets/word", json!({ "value": "swordfish" }))
        .expect(200);
    first
        .user("ann")
        .in_tenant("default_tenant")
        .get("/sites")
        .expect(200);
    create(&first, "night");
    let archive = download(admin, "night");
    let instances = admin.get("/node-instances").expect(200)["items"].clone();

    let second = application();
    let other = second.admin();
    let uploaded = upload(other, "night", archive.clone());
    assert_eq!(uploaded["status"], "uploaded");
    assert_eq!(upload(other, "night", archive), json!({}));
    let execution = restore(&second, "night", false);
    assert_eq!(execution["status"], "terminated", "{execution}");
    let restored = other.get("/node-instances").expect(200)["items"].clone();
    assert_eq!(restored, instances);
    let word = other.get("/secrets/word").expect(200);
    assert_eq!(word["value"], "swordfish");
    second
        .user("ann")
        .in_tenant("default_tenant")
        .get("/sites")
        .expect(200);
    let archive = other.get("/blueprints/crane/archive").expect_answer(200);
    assert_eq!(
        archive.body,
        admin
            .get("/blueprints/crane/archive")
            .expect_answer(200)
            .body
    );
    // What was restored goes on working.
    other.execute("crane", "uninstall");
    second.run_pending_work();
    let states = other.get("/node-instances").expect(200);
    assert!(
        states["items"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|item| item["state"] == "deleted")
    );
}

#[test]
fn an_application_goes_back_only_when_it_is_forced() {
    let windlass = application();
    let admin = windlass.admin();
    create(&windlass, "empty");
    samples::deployed(admin, "crane");
    let refused = restore(&windlass, "empty", false);
    assert_eq!(refused["status"], "failed");
    let error = refused["error"].as_str().expect("a text");
    assert!(error.contains("`force`"), "{error}");
    admin.get("/deployments/crane").expect(200);
    let done = restore(&windlass, "empty", true);
    assert_eq!(done["status"], "terminated", "{done}");
    admin
        .get("/deployments/crane")
        .refused(404, "not_found_error");
    // The snapshot itself stays, and so does what was done here.
    admin.get("/snapshots/empty").expect(200);
    let audit = admin.get("/audit?_size=1000").expect(200).to_string();
    assert!(audit.contains("crane"), "{audit}");
}

#[test]
fn refusals_name_what_is_wrong() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let refused = |reply: windlass_tests::Reply<'_>, code| reply.refused(400, code);
    refused(
        admin.put("/snapshots/1st", json!({})),
        "bad_parameters_error",
    );
    let flag = json!({ "include_logs": "maybe" });
    refused(admin.put("/snapshots/s", flag), "bad_parameters_error");
    admin.put("/snapshots/s", json!({})).expect(201);
    admin
        .put("/snapshots/s", json!({}))
        .refused(409, "conflict_error");
    refused(admin.get("/snapshots/s/archive"), "snapshot_action_error");
    refused(admin.delete("/snapshots/s"), "snapshot_action_error");
    refused(
        admin.post("/snapshots/s/restore", json!({ "force": true })),
        "snapshot_action_error",
    );
    let alone = json!({ "legacy": true });
    refused(
        admin.put("/snapshots/t", alone),
        "existing_running_execution_error",
    );
    admin.get("/snapshots/t").refused(404, "not_found_error");
    windlass.run_pending_work();
    let reboot = json!({ "force": true, "no_reboot": true });
    let text = refused(
        admin.post("/snapshots/s/restore", reboot),
        "bad_parameters_error",
    );
    assert!(text.contains("`no_reboot` is only relevant"), "{text}");
    let archive = download(admin, "s");
    for bytes in [b"PK".to_vec(), archive[..archive.len() / 2].to_vec()] {
        let put = admin.raw("PUT", "/snapshots/u/archive", "application/json", bytes);
        refused(put, "bad_parameters_error");
        admin.get("/snapshots/u").refused(404, "not_found_error");
    }
    let failed = json!({ "status": "failed", "error": "by hand" });
    assert_eq!(admin.patch("/snapshots/s", failed).expect(200), Value::Null);
    refused(
        admin.post("/snapshots/s/restore", json!({ "force": true })),
        "snapshot_action_error",
    );
    admin
        .patch("/snapshots/s", json!({ "status": "lost" }))
        .refused(400, "bad_parameters_error");
    admin.delete("/snapshots/s").expect(204);
    admin.get("/snapshots/s").refused(404, "not_found_error");
}

/// One archive, and one state to lose it on: whatever ends a restoration leaves one of the two.
#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_restoration_that_is_killed_leaves_the_old_state_or_the_new_one() {
    let (mut old, mut new) = (0, 0);
    for commit in [1, 2, 3, 4, 5, 6] {
        for fault in [
            format!("kill-before-commit:{commit}"),
            format!("kill-after-commit:{commit}"),
        ] {
            let windlass = application();
            samples::deployed(windlass.admin(), "north");
            create(&windlass, "s");
            samples::deployed(windlass.admin(), "south");
            let path = "/snapshots/s/restore";
            windlass
                .admin()
                .post(path, json!({ "force": true }))
                .expect(200);
            let windlass = windlass.kill().start_with(&fault);
            let _ = windlass.try_tick();
            let windlass = windlass.kill().start();
            let ids = |windlass: &Windlass| {
                let list = windlass.admin().get("/deployments?_sort=id").expect(200);
                let items = list["items"].as_array().expect("a list").iter();
                items
                    .map(|item| item["id"].as_str().expect("a text").to_owned())
                    .collect::<Vec<_>>()
            };
            match ids(&windlass).as_slice() {
                [north, south] if north == "north" && south == "south" => old += 1,
                [north] if north == "north" => new += 1,
                other => panic!("{fault}: {other:?}"),
            }
            // What was not done is done by whoever comes next.
            windlass.expire_leases();
            windlass.run_pending_work();
            assert_eq!(ids(&windlass), ["north"], "{fault}");
            assert_eq!(
                windlass.nobody().get("/snapshot-status").expect(200)["status"],
                "not-running"
            );
        }
    }
    assert!(old > 0 && new > 0, "{old} and {new}");
}
