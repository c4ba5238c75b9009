use super::*;
use crate::events::{NewEvent, insert};
use crate::executions::tests::{database, scope};
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::{Request, params};

/// Two executions' rows: seconds, execution, type, event type or level, message.
const ROWS: [(&str, &str, &str, &str, &str); 6] = [
    (
        "01",
        "e1",
        "cloudify_event",
        "workflow_started",
        "Starting 'install' workflow execution",
    ),
    ("02", "e1", "cloudify_log", "info", "Configuring the crane"),
    (
        "03",
        "e1",
        "cloudify_event",
        "task_failed",
        "Task failed 'a.b' -> 50% of it",
    ),
    (
        "03",
        "e1",
        "cloudify_event",
        "task_rescheduled",
        "Task rescheduled 'a.b'",
    ),
    ("04", "e2", "cloudify_log", "error", "The crane is down"),
    ("05", "e2", "cloudify_event", "workflow_failed", "It failed"),
];

async fn events() -> NativeDb {
    let db = database().await;
    for (second, execution, kind, detail, message) in ROWS {
        db.execute(
            "insert into events (tenant_name, visibility, created_by, type, event_type, level,
                 message, timestamp, reported_timestamp, execution_id, deployment_id, operation,
                 node_name, node_instance_id)
             values ('harbour', 'tenant', 'ann', ?3, iif(?3 = 'cloudify_event', ?4, null),
                 iif(?3 = 'cloudify_log', ?4, null), ?5, ?1, ?1, ?2, 'crane', 'x.create',
                 'motor', 'motor_abc123')",
            params![
                format!("2026-01-01T00:00:{second}.000Z"),
                execution,
                kind,
                detail,
                message
            ],
        )
        .await
        .unwrap();
    }
    db
}

fn parse(text: &str) -> Result<EventQuery> {
    let request = Request::new(Method::GET, &format!("/events?{text}"));
    EventQuery::parse(&request, EventQuery::kinds(&request)?)
}

async fn answer(db: &NativeDb, scope: &Scope, text: &str) -> serde_json::Value {
    let query = parse(text).unwrap();
    let page = list(db, scope, &query).await.unwrap();
    let response = page.respond_unfiltered(&query);
    serde_json::from_slice(&response.body).unwrap()
}

async fn storage_ids(db: &NativeDb, scope: &Scope, text: &str) -> (Vec<i64>, i64) {
    let answer = answer(db, scope, text).await;
    let items = answer["items"].as_array().unwrap();
    let ids = items
        .iter()
        .map(|item| item["_storage_id"].as_i64().unwrap())
        .collect();
    (
        ids,
        answer["metadata"]["pagination"]["total"].as_i64().unwrap(),
    )
}

async fn forget(db: &NativeDb, scope: &Scope, text: &str) -> i64 {
    let crane = crate::deployments::Owner {
        key: 1,
        id: "crane".into(),
        tenant_name: "harbour".into(),
        created_by: "ann".into(),
        visibility: windlass_core::Visibility::Tenant,
    };
    db.transaction(async |tx| delete(tx, scope, &crane, &parse(text).unwrap()).await)
        .await
        .unwrap()
}

#[test]
fn a_list_shows_what_was_asked_for_in_its_order() {
    pollster::block_on(async {
        let db = events().await;
        let ann = scope("ann", "harbour");
        let both = "type=cloudify_event&type=cloudify_log";
        for (text, want) in [
            ("", &[1, 3, 4, 6][..]),
            ("include_logs=True", &[1, 2, 3, 4, 5, 6]),
            ("include_logs=true&type=cloudify_log", &[2, 5]),
            (both, &[1, 2, 3, 4, 5, 6]),
            ("execution_id=e1&include_logs=true", &[1, 2, 3, 4]),
            (
                "execution_id=e1&execution_id=e2&include_logs=true",
                &[1, 2, 3, 4, 5, 6],
            ),
            ("include_logs=true&level=error&level=info", &[2, 5]),
            ("include_logs=true&event_type=task_failed", &[3]),
            ("include_logs=true&event_type=task_failed&level=info", &[]),
            ("message=task%25", &[3, 4]),
            ("message.text=task%25&message=%25FAILED%25", &[3]),
            ("message=task", &[]),
            ("message=%2550\\%25 of%25", &[3]),
            ("message=Task_failed%25", &[3]),
            ("operation=X.%25", &[1, 3, 4, 6]),
            ("node_id=motor&execution_id=e2", &[6]),
            ("node_id=motor_abc123&execution_id=e2", &[6]),
            (
                "_range=@timestamp,2026-01-01T00:00:03Z,2026-01-01T00:00:05Z",
                &[3, 4],
            ),
            ("_range=reported_timestamp,,2026-01-01T00:00:03.000", &[1]),
            ("_range=timestamp,2026-01-01T01:00:05+01:00,", &[6]),
            ("_sort=-timestamp", &[6, 4, 3, 1]),
            ("_sort=@timestamp", &[1, 3, 4, 6]),
            ("_sort=-execution_id", &[6, 4, 3, 1]),
            ("_sort=+event_type", &[3, 4, 6, 1]),
            ("_all_tenants=true&_get_data=True", &[1, 3, 4, 6]),
        ] {
            let (got, total) = storage_ids(&db, &ann, text).await;
            assert_eq!(got, want, "{text}");
            assert_eq!(total, want.len() as i64, "{text}");
        }
        for (text, want) in [("_size=2&_offset=1", &[3, 4][..]), ("_size=0", &[])] {
            assert_eq!(
                storage_ids(&db, &ann, text).await,
                (want.to_vec(), 4),
                "{text}"
            );
        }
    });
}

#[test]
fn an_event_has_no_level_and_a_log_no_event_type() {
    pollster::block_on(async {
        let db = events().await;
        let ann = scope("ann", "harbour");
        let all = answer(&db, &ann, "include_logs=true&_size=2").await;
        let has = |item: usize, name: &str| all["items"][item].get(name).is_some();
        assert!(has(0, "event_type") && !has(0, "level") && !has(0, "logger"));
        assert!(!has(1, "event_type") && has(1, "level") && has(1, "logger"));
        assert_eq!(
            all["metadata"],
            serde_json::json!({ "pagination": { "total": 6, "offset": 0, "size": 2 } })
        );
        let some = answer(&db, &ann, "_include=message,paint,timestamp&_size=1").await;
        assert_eq!(
            some["items"][0],
            serde_json::json!({
                "message": "Starting 'install' workflow execution",
                "timestamp": "2026-01-01T00:00:01.000Z",
            })
        );
        assert_eq!(some["metadata"]["pagination"]["size"], 1);
    });
}

#[test]
fn rows_of_other_tenants_are_seen_only_when_they_are_global() {
    pollster::block_on(async {
        let db = events().await;
        let (ann, bob) = (scope("ann", "harbour"), scope("bob", "harbour"));
        let stranger = scope("quentin", "quay");
        for text in ["", "execution_id=e1"] {
            assert!(
                storage_ids(&db, &stranger, text).await.0.is_empty(),
                "{text}"
            );
        }
        db.execute(
            "update events set visibility = 'global' where storage_id = 3",
            &[],
        )
        .await
        .unwrap();
        db.execute(
            "update events set visibility = 'private' where storage_id = 4",
            &[],
        )
        .await
        .unwrap();
        for text in ["", "execution_id=e1", "execution_id=e1&_sort=-timestamp"] {
            assert_eq!(
                storage_ids(&db, &stranger, text).await,
                (vec![3], 1),
                "{text}"
            );
        }
        assert_eq!(storage_ids(&db, &ann, "").await.0, [1, 3, 4, 6]);
        assert_eq!(storage_ids(&db, &bob, "").await.0, [1, 3, 6]);
        assert_eq!(forget(&db, &stranger, "").await, 0);
        assert_eq!(forget(&db, &bob, "execution_id=e1").await, 2);
        assert_eq!(
            storage_ids(&db, &ann, "include_logs=true").await.0,
            [2, 4, 5, 6]
        );
    });
}

#[test]
fn unusable_parameters_are_refused() {
    let long = format!("message={}", "a".repeat(1001));
    for (text, refusal) in [
        (
            "paint=red",
            "Unknown field to filter by: paint. Allowed values: blueprint_id, deployment_id, event_type, execution_group_id, execution_id, level, message, node_id, node_instance_id, operation",
        ),
        ("_range=timestamp", "must be of the form"),
        ("_range=timestamp,,", "must have a beginning or an end"),
        (
            "_range=paint,2026-01-01,",
            "Unknown field to filter by range: paint",
        ),
        ("_range=timestamp,soon,", "is not a time"),
        ("_sort=-@paint", "Unknown field to sort by: paint"),
        ("type=cloudify_rumour", "Unknown type: cloudify_rumour"),
        (
            "include_logs=perhaps",
            "include_logs must be <true/false>, got perhaps",
        ),
        ("_size=-1", "_size must be an integer"),
        ("_offset=x", "_offset must be an integer"),
        (long.as_str(), "longer than 1000 bytes"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.message().contains(refusal), "{text}: {error:?}");
        assert_eq!(error.kind(), windlass_core::Kind::BadParameters);
    }
}

#[test]
fn a_page_walks_one_index_and_sorts_nothing() {
    pollster::block_on(async {
        let db = events().await;
        let ann = scope("ann", "harbour");
        for (text, index) in [
            ("", "events_by_tenant"),
            ("_sort=-timestamp&include_logs=true", "events_by_tenant"),
            ("_range=timestamp,2026-01-01,", "events_by_tenant"),
            ("execution_id=e1", "events_by_execution"),
            ("execution_id=e1&_sort=-timestamp", "events_by_execution"),
            (
                "deployment_id=crane&include_logs=true",
                "events_by_deployment",
            ),
            ("node_instance_id=motor_abc123", "events_by_instance"),
        ] {
            let statement = page_statement(&ann, &parse(text).unwrap());
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(plan.contains(index), "{text}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{text}: {plan}");
            for line in plan.lines().filter(|line| line.starts_with("SCAN t")) {
                assert!(line.contains("events_global"), "{text}: {plan}");
            }
        }
    });
}

#[test]
fn what_is_reported_belongs_to_its_execution() {
    pollster::block_on(async {
        let db = database().await;
        let execution = crate::executions::Execution {
            id: "e9".into(),
            tenant_name: "harbour".into(),
            created_by: "ann".into(),
            visibility: windlass_core::Visibility::Private,
            workflow_id: "install".into(),
            deployment_id: Some("crane".into()),
            blueprint_id: Some("cranes".into()),
            ..Default::default()
        };
        let mut event = NewEvent::event("task_failed", "It \"failed\"".into());
        event.error_causes = serde_json::json!([{ "type": "E", "message": "m" }]);
        event.node_instance_id = Some("motor_abc123".into());
        let mut log = NewEvent::event("", "a\nb".into());
        (log.kind, log.event_type, log.level) = ("cloudify_log", None, Some("info".into()));
        db.transaction(async |tx| insert(tx, &execution, &[event, log]).await)
            .await
            .unwrap();
        let answer = answer(&db, &scope("ann", "harbour"), "include_logs=true").await;
        let (event, log) = (&answer["items"][0], &answer["items"][1]);
        assert_eq!(event["message"], "It \"failed\"");
        assert_eq!(
            event["error_causes"],
            serde_json::json!([{ "type": "E", "message": "m" }])
        );
        assert_eq!(event["blueprint_id"], "cranes");
        assert_eq!(log["level"], "info");
        assert_eq!(log["message"], "a\nb");
        assert_eq!(log["error_causes"], serde_json::Value::Null);
        assert_eq!(storage_ids(&db, &scope("bob", "harbour"), "").await.1, 0);
    });
}
