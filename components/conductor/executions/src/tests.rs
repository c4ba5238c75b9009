//! Stories of the handlers on the native database, as different callers live them.

mod agents;
mod application;
mod reports;
mod schedules;
mod statuses;

use application::{Application, OMAR, ROOT, RUNNER, STRANGER, VERA};
use serde_json::json;
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
