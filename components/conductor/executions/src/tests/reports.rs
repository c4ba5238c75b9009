//! What whoever runs an execution reports of it, with its token.

use super::application::{Application, OMAR, RUNNER, STRANGER, VERA};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::http::Method;

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
