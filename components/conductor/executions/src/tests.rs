//! Stories of the handlers on the native database, as different callers live them.

mod application;

use application::{Application, OMAR, ROOT, RUNNER, STRANGER, VERA};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::http::Method;

#[test]
fn a_refused_start_stores_nothing_and_says_what_the_original_says() {
    pollster::block_on(async {
        let application = Application::start().await;
        for (caller, body, status, code) in [
            (VERA, json!({}), 403, "forbidden_error"),
            (
                OMAR,
                json!({ "deployment_id": "dock" }),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "dock", "workflow_id": "x", "queue": "so" }),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "", "workflow_id": "x" }),
                403,
                "forbidden_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "dock", "workflow_id": "x", "force_status": "no" }),
                403,
                "forbidden_error",
            ),
            (
                ROOT,
                json!({ "deployment_id": "dock", "workflow_id": "x", "force_status": "no" }),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "dock", "workflow_id": "x", "schedule": "later", "parameters": 1 }),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "ship", "workflow_id": "x" }),
                404,
                "not_found_error",
            ),
            (
                STRANGER,
                json!({ "deployment_id": "dock", "workflow_id": "paint" }),
                404,
                "not_found_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "dock", "workflow_id": "x" }),
                400,
                "nonexistent_workflow_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "dock", "workflow_id": "paint" }),
                400,
                "illegal_execution_parameters_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "crane", "workflow_id": "paint", "parameters": { "colour": "red" } }),
                400,
                "existing_running_execution_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "dock", "workflow_id": "uninstall" }),
                400,
                "dependent_exists_error",
            ),
            (
                OMAR,
                json!({ "deployment_id": "bollard", "workflow_id": "uninstall" }),
                400,
                "unavailable_workflow_error",
            ),
        ] {
            let refusal = application
                .call(caller, Method::POST, "/executions", body.clone(), status)
                .await;
            assert_eq!(refusal["error_code"], code, "{body}: {refusal}");
        }
        let all = application.get(OMAR, "/executions").await;
        assert_eq!(all["metadata"]["pagination"]["total"], 1);
        let audited = application
            .db
            .query("select 1 from audit_log", &[])
            .await
            .unwrap();
        assert!(audited.is_empty());
    });
}

#[test]
fn dependents_matter_before_other_executions_and_availability() {
    pollster::block_on(async {
        let application = Application::start().await;
        application.paint("dock").await;
        let body = json!({ "deployment_id": "dock", "workflow_id": "uninstall" });
        let refusal = application
            .call(OMAR, Method::POST, "/executions", body, 400)
            .await;
        assert_eq!(
            refusal["message"],
            "Can't execute workflow `uninstall` on deployment dock - existing installations depend \
             on it:\n[1] Deployment `dock` is the parent of deployment `bollard`"
        );
        let body = json!({ "deployment_id": "dock", "workflow_id": "uninstall", "force": true });
        application
            .call(OMAR, Method::POST, "/executions", body, 201)
            .await;
    });
}

#[test]
fn an_execution_waits_is_cancelled_and_resumed() {
    pollster::block_on(async {
        let application = Application::start().await;
        let waiting = application.paint("crane").await;
        let path = format!("/executions/{waiting}");
        let act = async |action: &str, status| {
            let body = json!({ "action": action });
            application
                .call(OMAR, Method::POST, &path, body, status)
                .await
        };
        assert_eq!(
            application.get(OMAR, &format!("{path}/should-start")).await,
            json!(false)
        );
        assert_eq!(
            application
                .get(VERA, "/executions/runner/should-start")
                .await,
            json!(true)
        );
        assert_eq!(act("requeue", 200).await["status"], "queued");
        assert_eq!(act("cancel", 200).await["status"], "cancelled");
        assert_eq!(
            act("cancel", 400).await["error_code"],
            "illegal_action_error"
        );
        assert_eq!(act("requeue", 409).await["error_code"], "conflict_error");
        assert_eq!(
            act("dance", 400).await["error_code"],
            "bad_parameters_error"
        );
        let resumed = act("resume", 200).await;
        assert_eq!(
            (&resumed["status"], &resumed["resume"]),
            (&json!("pending"), &json!(true))
        );
        for (action, status) in [
            ("cancel", "cancelling"),
            ("force-cancel", "force_cancelling"),
            ("kill", "kill_cancelling"),
        ] {
            assert_eq!(act(action, 200).await["status"], status);
        }
        application
            .call(
                STRANGER,
                Method::POST,
                &path,
                json!({ "action": "kill" }),
                404,
            )
            .await;
        application
            .call(VERA, Method::POST, &path, json!({ "action": "kill" }), 403)
            .await;
    });
}

#[test]
fn a_reported_status_follows_the_rules_and_frees_those_who_wait() {
    pollster::block_on(async {
        let application = Application::start().await;
        let waiting = application.paint("crane").await;
        let patch = async |body: Value, status| {
            application
                .call(OMAR, Method::PATCH, "/executions/runner", body, status)
                .await
        };
        patch(json!({}), 400).await;
        patch(json!({ "status": "dancing" }), 400).await;
        for status in ["dancing", "failed"] {
            let body = json!({ "status": status });
            application
                .call(OMAR, Method::PATCH, "/executions/nobody", body, 404)
                .await;
        }
        let ended = patch(json!({ "status": "failed", "error": "it broke" }), 200).await;
        assert_eq!(
            (&ended["status"], &ended["error"]),
            (&json!("failed"), &json!("it broke"))
        );
        assert!(ended["ended_at"].is_string());
        assert_eq!(
            patch(json!({ "status": "failed" }), 200).await["error"],
            "it broke"
        );
        let refusal = patch(json!({ "status": "started" }), 400).await;
        assert_eq!(refusal["error_code"], "invalid_exception_status_update");
        assert_eq!(
            refusal["message"],
            "Invalid relationship - can't change status from failed to started for \"runner\" \
             execution while running \"paint\" workflow."
        );
        let next = application
            .get(OMAR, &format!("/executions/{waiting}"))
            .await;
        assert_eq!(next["status"], "pending");
    });
}

#[test]
fn a_restored_execution_does_not_run() {
    pollster::block_on(async {
        let application = Application::start().await;
        let body = json!({
            "deployment_id": "", "workflow_id": "create_snapshot", "force_status": "terminated",
            "id": "snap-1", "is_system_workflow": true, "error": "", "created_by": "OMAR",
            "created_at": "2020-01-01T00:00:00Z", "parameters": null,
        });
        let restored = application
            .call(ROOT, Method::POST, "/executions", body.clone(), 201)
            .await;
        assert_eq!(restored["created_by"], "omar");
        assert_eq!(restored["created_at"], "2020-01-01T00:00:00.000Z");
        application
            .call(ROOT, Method::POST, "/executions", body, 409)
            .await;
        let total = async |query: &str| {
            let page = application.get(OMAR, &format!("/executions{query}")).await;
            page["metadata"]["pagination"]["total"].clone()
        };
        assert_eq!(total("").await, 1);
        assert_eq!(total("?_include_system_workflows=True").await, 2);
        assert_eq!(total("?is_system_workflow=true").await, 1);
        application
            .call(
                OMAR,
                Method::GET,
                "/executions?_group_id=g",
                Value::Null,
                404,
            )
            .await;
        let queued = application
            .db
            .query("select 1 from queue", &[])
            .await
            .unwrap();
        assert!(queued.is_empty());
        let body = json!({ "keep_last": null });
        let deleted = application
            .call(OMAR, Method::DELETE, "/executions", body, 200)
            .await;
        assert_eq!(deleted["items"], json!([{ "count": 1 }]));
        application
            .call(VERA, Method::DELETE, "/executions", Value::Null, 403)
            .await;
    });
}

#[test]
fn a_restored_execution_has_the_place_it_had() {
    pollster::block_on(async {
        let application = Application::start().await;
        let restore = async |id: &str, workflow: &str, day: u8| {
            let body = json!({
                "deployment_id": if workflow == "upload_blueprint" { "" } else { "dock" },
                "workflow_id": workflow, "force_status": "terminated", "id": id,
                "created_at": format!("2020-01-{day:02}T00:00:00Z"),
                "parameters": { "blueprint_id": "cranes" },
            });
            application
                .call(ROOT, Method::POST, "/executions", body, 201)
                .await
        };
        let places = async || {
            let sql = "select json_array(create_execution, latest_execution, upload_execution)
                 from deployments d join blueprints b on b.key = d.blueprint_key
                 where d.id = 'dock'";
            application
                .db
                .first_json::<Value>(sql, &[])
                .await
                .unwrap()
                .unwrap()
        };
        for (id, workflow, day, want) in [
            ("up", "upload_blueprint", 1, json!([null, null, "up"])),
            ("in", "install", 4, json!([null, "in", "up"])),
            // What is older does not become the latest, but a creation is one.
            (
                "made",
                "create_deployment_environment",
                2,
                json!(["made", "in", "up"]),
            ),
            ("heal", "heal", 3, json!(["made", "in", "up"])),
            ("scale", "scale", 5, json!(["made", "scale", "up"])),
            // A creation counts as the first that ever happened, however young it is.
            (
                "again",
                "create_deployment_environment",
                9,
                json!(["again", "again", "up"]),
            ),
            ("stop", "stop", 6, json!(["again", "stop", "up"])),
        ] {
            let restored = restore(id, workflow, day).await;
            assert_eq!(restored["blueprint_id"], "cranes", "{id}");
            assert_eq!(places().await, want, "{id}");
        }
    });
}

#[test]
fn whoever_runs_an_execution_reports_with_its_token() {
    pollster::block_on(async {
        let application = Application::start().await;
        let event = json!({
            "event_type": "task_failed", "message": { "text": "a\u{0}b" }, "operation": "x.create",
            "context": { "node_id": "arm_crane", "task_error_causes": [{ "type": "E" }] },
            "timestamp": "2026-01-01T00:00:00Z",
        });
        let log =
            json!({ "logger": "l", "level": "info", "message": { "text": "hm" }, "context": {} });
        let body = json!({ "events": [event], "logs": [log], "manager_name": "m" });
        let post = async |caller, body: Value, status| {
            application
                .call(caller, Method::POST, "/events", body, status)
                .await
        };
        post(RUNNER, body.clone(), 201).await;
        post(OMAR, body.clone(), 409).await;
        post(
            OMAR,
            json!({ "execution_id": "a", "execution_group_id": "b" }),
            409,
        )
        .await;
        post(
            OMAR,
            json!({ "execution_id": "runner", "events": null }),
            204,
        )
        .await;
        post(
            VERA,
            json!({ "execution_id": "runner", "events": [event] }),
            403,
        )
        .await;
        post(
            STRANGER,
            json!({ "execution_id": "runner", "events": [event] }),
            404,
        )
        .await;
        let dated = json!({ "event_type": "x", "reported_timestamp": "2020-01-01" });
        post(
            OMAR,
            json!({ "execution_id": "runner", "events": [dated] }),
            403,
        )
        .await;
        let page = application
            .get(VERA, "/events?execution_id=runner&include_logs=true")
            .await;
        assert_eq!(page["metadata"]["pagination"]["total"], 2);
        let event = &page["items"][0];
        assert_eq!(event["message"], "a<NUL>b");
        assert_eq!(event["node_name"], "arm");
        assert_eq!(event["error_causes"], json!([{ "type": "E" }]));
        assert_eq!(event["reported_timestamp"], "2026-01-01T00:00:00.000Z");
        assert_eq!(event["manager_name"], "m");
        let path = "/events?deployment_id=crane&type=cloudify_event";
        application
            .call(
                OMAR,
                Method::DELETE,
                "/events?deployment_id=crane",
                Value::Null,
                400,
            )
            .await;
        let gone = "/events?deployment_id=gone&type=cloudify_event";
        for (caller, path, count) in [(STRANGER, path, 0), (OMAR, gone, 0), (OMAR, path, 1)] {
            let deleted = application
                .call(caller, Method::DELETE, path, Value::Null, 200)
                .await;
            assert_eq!(deleted["items"], json!([count]), "{path}");
        }
    });
}

#[test]
fn what_an_operation_stands_for_happens_when_its_execution_reports_it() {
    pollster::block_on(async {
        let application = Application::start().await;
        let task = json!({ "task_kwargs": { "node_instance_id": "arm_crane", "state": "started", "event": "Go" } });
        let stolen =
            json!({ "task_kwargs": { "node_instance_id": "arm_dock", "state": "deleted" } });
        let operation = |id: &str, kind: &str, parameters: &Value| json!({ "id": id, "name": "p.go", "type": kind, "dependencies": [], "parameters": parameters });
        let body = json!({ "execution_id": "runner", "name": "main", "operations": [
            operation("set", "SetNodeInstanceStateTask", &task),
            operation("steal", "SetNodeInstanceStateTask", &stolen),
            operation("tell", "SendNodeEventTask", &task),
            operation("call", "RemoteWorkflowTask", &json!({ "total_retries": 60, "current_retries": 1 })),
            operation("nop", "NOPLocalWorkflowTask", &json!({})),
        ] });
        let path = "/tasks_graphs/tasks_graphs";
        let graph = application
            .call(RUNNER, Method::POST, path, body, 201)
            .await;
        let graphs = application
            .get(VERA, "/tasks_graphs?execution_id=runner&name=main")
            .await;
        assert_eq!(graphs["items"][0]["id"], graph["id"]);
        assert_eq!(graph["state"], Value::Null);
        let path = format!("/tasks_graphs/{}", graph["id"].as_str().unwrap());
        for (caller, path, body, status) in [
            (OMAR, path.as_str(), json!({}), 400),
            (OMAR, "/tasks_graphs/none", json!({ "state": "x" }), 404),
            (STRANGER, path.as_str(), json!({ "state": "x" }), 404),
            (RUNNER, path.as_str(), json!({ "state": "finished" }), 200),
        ] {
            application
                .call(caller, Method::PATCH, path, body, status)
                .await;
        }
        let graphs = application
            .get(VERA, "/tasks_graphs?execution_id=runner&state=finished")
            .await;
        assert_eq!(graphs["items"][0]["state"], "finished");
        for (caller, id, state, status) in [
            (OMAR, "set", "started", 200),
            (RUNNER, "set", "succeeded", 200),
            (RUNNER, "steal", "succeeded", 404),
            (RUNNER, "tell", "succeeded", 200),
            (RUNNER, "call", "sending", 200),
            (RUNNER, "call", "sent", 200),
            (RUNNER, "call", "failed", 200),
            (RUNNER, "nop", "succeeded", 200),
            (STRANGER, "call", "succeeded", 404),
        ] {
            let body = json!({ "state": state, "exception": "boom", "result": null });
            let path = format!("/operations/{id}");
            let answer = application
                .call(caller, Method::PATCH, &path, body, status)
                .await;
            assert!(status == 404 || answer["state"] == state, "{id}: {answer}");
        }
        let events = application.get(VERA, "/events?execution_id=runner").await;
        let texts: Vec<&str> = events["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|e| e["message"].as_str())
            .collect();
        let failed = "Task failed 'p.go' -> boom [retry 1/60]";
        assert_eq!(texts, ["Go", "Sending task 'p.go' [retry 1/60]", failed]);
        let states = application
            .db
            .query(
                "select state, version from node_instances where id <> 'arm_bollard' order by id",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(
            (states[0].text(0).unwrap(), states[0].integer(1).unwrap()),
            ("started", 2)
        );
        assert_eq!(states[1].text(0).unwrap(), "uninitialized");
        let execution = application.get(VERA, "/executions/runner").await;
        assert_eq!(
            (
                &execution["total_operations"],
                &execution["finished_operations"]
            ),
            (&json!(4), &json!(3))
        );
        application
            .call(OMAR, Method::DELETE, "/operations/call", Value::Null, 204)
            .await;
        application
            .call(OMAR, Method::GET, "/operations/call", Value::Null, 404)
            .await;
        let page = application
            .get(VERA, "/operations?execution_id=runner&skip_internal=False")
            .await;
        assert_eq!(page["items"], json!([]));
    });
}

#[test]
fn an_execution_that_is_cancelled_starts_no_other() {
    pollster::block_on(async {
        let application = Application::start().await;
        let body = json!({ "deployment_id": "dock", "workflow_id": "paint", "parameters": { "colour": "red" } });
        application
            .call(RUNNER, Method::POST, "/executions", body.clone(), 201)
            .await;
        let cancel = json!({ "action": "cancel" });
        application
            .call(OMAR, Method::POST, "/executions/runner", cancel, 200)
            .await;
        let refusal = application
            .call(RUNNER, Method::POST, "/executions", body, 403)
            .await;
        assert_eq!(refusal["error_code"], "forbidden_while_cancelling");
    });
}
