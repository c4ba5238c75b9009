//! Schedules, as callers make, read, change and delete them.

use super::application::{Application, OMAR, ROOT, STRANGER, VERA};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::http::Method;

const NIGHTLY: &str = "/execution-schedules/nightly?deployment_id=dock";

fn nightly() -> Value {
    // As the Python client sends it, with every key.
    json!({
        "workflow_id": "paint", "parameters": { "colour": "red" },
        "execution_arguments": {
            "allow_custom_parameters": "true", "force": null, "dry_run": true, "wait_after_fail": "5",
        },
        "since": "2999-01-01T03:00:00", "until": null, "recurrence": "1 day", "count": "3",
        "weekdays": null, "rrule": null, "slip": "5", "stop_on_fail": true,
        "created_by": null, "created_at": null,
    })
}

async fn rows(application: &Application) -> i64 {
    let sql = "select count(*) from execution_schedules";
    let row = application.db.first(sql, &[]).await.unwrap().unwrap();
    row.integer(0).unwrap()
}

#[test]
fn a_schedule_is_made_read_changed_and_deleted() {
    pollster::block_on(async {
        let application = Application::start().await;
        let made = application
            .call(OMAR, Method::PUT, NIGHTLY, nightly(), 201)
            .await;
        let created_at = made["created_at"].clone();
        assert_eq!(
            made,
            json!({
                "id": "nightly", "deployment_id": "dock", "deployment_display_name": "dock",
                "workflow_id": "paint", "parameters": { "colour": "red" },
                "execution_arguments": {
                    "allow_custom_parameters": true, "force": false, "is_dry_run": true,
                    "wait_after_fail": 5,
                },
                "rule": { "recurrence": "1 day", "count": 3, "weekdays": null },
                "slip": 5, "stop_on_fail": true, "enabled": true,
                "since": "2999-01-01T03:00:00.000Z", "until": null,
                "next_occurrence": "2999-01-01T03:00:00.000Z",
                "all_next_occurrences":
                    ["2999-01-01 03:00:00", "2999-01-02 03:00:00", "2999-01-03 03:00:00"],
                "latest_execution_status": null, "created_at": created_at, "created_by": "omar",
                "tenant_name": "default_tenant", "visibility": "tenant",
                "private_resource": false, "resource_availability": "tenant",
            })
        );
        let again = application
            .call(OMAR, Method::PUT, NIGHTLY, nightly(), 409)
            .await;
        assert_eq!(again["error_code"], "conflict_error");
        // The same id belongs to each deployment by itself.
        let other = "/execution-schedules/nightly?deployment_id=crane&_include=id,next_occurrence";
        let other = application
            .call(OMAR, Method::PUT, other, nightly(), 201)
            .await;
        let only = json!({ "id": "nightly", "next_occurrence": "2999-01-01T03:00:00.000Z" });
        assert_eq!(other, only);
        // The path has two spellings.
        for path in [NIGHTLY, &NIGHTLY.replace("execution-", "executions-")] {
            assert_eq!(application.get(VERA, path).await, made);
        }

        let changes = json!({ "recurrence": "1 month", "weekdays": ["l-fr"], "enabled": false });
        let changed = application
            .call(OMAR, Method::PATCH, NIGHTLY, changes, 201)
            .await;
        let rule = json!({ "recurrence": "1 month", "count": 3, "weekdays": ["L-FR"] });
        assert_eq!(
            (&changed["rule"], &changed["enabled"]),
            (&rule, &json!(false))
        );
        assert_eq!(changed["next_occurrence"], "2999-01-25T03:00:00.000Z");
        assert_eq!(changed["slip"], 5);

        for (caller, status) in [(VERA, 403), (STRANGER, 404), (OMAR, 204), (OMAR, 404)] {
            application
                .call(caller, Method::DELETE, NIGHTLY, Value::Null, status)
                .await;
        }
        let sql = "select count(*) from queue where kind = 'execution_schedule'";
        let row = application.db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.integer(0).unwrap(), 1, "that of the other deployment");
    });
}

#[test]
fn a_refused_schedule_leaves_nothing() {
    pollster::block_on(async {
        let application = Application::start().await;
        let with = |name: &str, value: Value| {
            let mut body = nightly();
            body[name] = value;
            body
        };
        let path = "/execution-schedules/x";
        let of = |deployment: &str| format!("{path}?deployment_id={deployment}");
        let null = Value::Null;
        for (caller, path, body, status, code) in [
            (VERA, of("dock"), nightly(), 403, "forbidden_error"),
            (
                OMAR,
                "/execution-schedules/1x?deployment_id=dock".into(),
                nightly(),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                path.to_owned(),
                nightly(),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("workflow_id", null.clone()),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("since", null.clone()),
                400,
                "bad_parameters_error",
            ),
            (OMAR, of("ship"), nightly(), 404, "not_found_error"),
            (STRANGER, of("dock"), nightly(), 404, "not_found_error"),
            (
                OMAR,
                of("dock"),
                with("workflow_id", json!("sing")),
                400,
                "nonexistent_workflow_error",
            ),
            (
                OMAR,
                of("dock"),
                with("parameters", json!("red")),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("execution_arguments", json!([])),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("execution_arguments", json!({ "force": "so" })),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("since", json!("tomorrow")),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("until", json!("2998-01-01")),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("recurrence", null.clone()),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("rrule", json!("FREQ=DAILY")),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("slip", json!(-1)),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("slip", json!("long")),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("stop_on_fail", json!("so")),
                400,
                "bad_parameters_error",
            ),
            (
                OMAR,
                of("dock"),
                with("created_by", json!("vera")),
                403,
                "forbidden_error",
            ),
            (
                OMAR,
                of("dock"),
                with("created_at", json!("2026-01-01T00:00:00Z")),
                403,
                "forbidden_error",
            ),
            (
                OMAR,
                format!("{}&_include=moon", of("dock")),
                nightly(),
                400,
                "no_such_include_field_error",
            ),
        ] {
            let refusal = application
                .call(caller, Method::PUT, &path, body.clone(), status)
                .await;
            assert_eq!(refusal["error_code"], code, "{path} {body}: {refusal}");
        }
        let endless =
            json!({ "workflow_id": "paint", "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30" });
        let refusal = application
            .call(OMAR, Method::PUT, &of("dock"), endless, 400)
            .await;
        assert!(
            refusal["message"]
                .as_str()
                .unwrap()
                .contains("never occurs"),
            "{refusal}"
        );
        assert_eq!(rows(&application).await, 0);

        let restored = with("created_by", json!("vera"));
        let made = application
            .call(ROOT, Method::PUT, &of("dock"), restored, 201)
            .await;
        assert_eq!(made["created_by"], "vera");
        for change in [
            json!({ "recurrence": "often" }),
            json!({ "workflow_id": "sing" }),
            json!({ "until": "2998-01-01" }),
        ] {
            application
                .call(OMAR, Method::PATCH, &of("dock"), change, 400)
                .await;
        }
        assert_eq!(application.get(OMAR, &of("dock")).await, made);
    });
}

#[test]
fn lists_show_what_is_still_to_come() {
    pollster::block_on(async {
        let application = Application::start().await;
        for (id, deployment, recurrence) in [("a", "dock", "1 week"), ("b", "crane", "1 day")] {
            let mut body = nightly();
            body["recurrence"] = json!(recurrence);
            body["count"] = Value::Null;
            let path = format!("/execution-schedules/{id}?deployment_id={deployment}");
            application.call(OMAR, Method::PUT, &path, body, 201).await;
        }
        for (query, ids) in [
            ("", vec!["a", "b"]),
            ("?_sort=-id", vec!["b", "a"]),
            ("?deployment_id=dock", vec!["a"]),
            ("?workflow_id=paint&_search=B", vec!["b"]),
            ("?_size=1&_offset=1&_include=id", vec!["b"]),
        ] {
            let path = format!("/execution-schedules{query}");
            let found = application.get(OMAR, &path).await;
            let got: Vec<&str> = found["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["id"].as_str().unwrap())
                .collect();
            assert_eq!(got, ids, "{query}");
        }
        let all = application.get(OMAR, "/execution-schedules").await;
        assert_eq!(all["metadata"]["pagination"]["total"], 2);
        let moments = all["items"][1]["all_next_occurrences"].as_array().unwrap();
        assert_eq!(moments.len(), 1000);
        assert_eq!(moments[31], "2999-02-01 03:00:00");
        assert_eq!(
            application.get(STRANGER, "/execution-schedules").await["items"],
            json!([])
        );
    });
}

#[test]
fn a_start_at_a_later_time_is_a_schedule_that_occurs_once() {
    pollster::block_on(async {
        let application = Application::start().await;
        let body = json!({
            "deployment_id": "dock", "workflow_id": "paint", "parameters": { "colour": "red" },
            "dry_run": "true", "scheduled_time": "299901030400+0100",
        });
        let execution = application
            .call(OMAR, Method::POST, "/executions", body, 201)
            .await;
        assert_eq!(execution["id"], Value::Null);
        assert_eq!(execution["status"], "scheduled");
        assert_eq!(execution["scheduled_for"], "2999-01-03T03:00:00.000Z");
        let schedules = application.get(OMAR, "/execution-schedules").await;
        let [schedule] = schedules["items"].as_array().unwrap().as_slice() else {
            panic!("{schedules}")
        };
        assert!(schedule["id"].as_str().unwrap().starts_with("paint_"));
        assert_eq!(schedule["rule"]["count"], 1);
        assert_eq!(
            schedule["all_next_occurrences"],
            json!(["2999-01-03 03:00:00"])
        );
        assert_eq!(schedule["execution_arguments"]["is_dry_run"], true);
        for (deployment, parameters, status) in [("ship", json!({}), 404), ("dock", json!(5), 400)]
        {
            let body = json!({
                "deployment_id": deployment, "workflow_id": "paint", "parameters": parameters,
                "schedule": "299901030400+0100",
            });
            application
                .call(OMAR, Method::POST, "/executions", body, status)
                .await;
        }
        assert_eq!(rows(&application).await, 1);
    });
}
