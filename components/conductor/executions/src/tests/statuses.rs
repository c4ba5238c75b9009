//! Statuses that callers set: those that end an execution, and those that a restore brings along.

use super::application::{Application, OMAR, ROOT, VERA};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::http::Method;

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
