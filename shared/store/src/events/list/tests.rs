use super::*;
use crate::events::{NewEvent, insert};
use crate::executions::tests::{database, scope};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::{Request, Timestamp, params};

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

/// The blueprint and the deployment of the executions, and these.
const BEFORE: [&str; 4] = [
    "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state)
     values ('cranes', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
    "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
         blueprint_key, blueprint_id, display_name)
     select 'crane', tenant_name, created_by, visibility, '', '', key, id, 'The crane' from blueprints",
    "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
         deployment_id, blueprint_id, workflow_id, status)
     select 'e1', tenant_name, created_by, visibility, '2026-01-01T00:00:00.000Z', key, id, blueprint_id, 'install', 'started'
     from deployments",
    "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
         deployment_id, blueprint_id, workflow_id, status)
     select 'e2', tenant_name, created_by, visibility, '2026-01-01T00:00:00.000Z', key, id, blueprint_id, 'install', 'started'
     from deployments",
];

async fn events() -> NativeDb {
    let db = database().await;
    for sql in BEFORE {
        db.execute(sql, &[]).await.unwrap();
    }
    for (second, execution, kind, detail, message) in ROWS {
        let mut row = NewEvent::event(detail, message.into());
        row.timestamp =
            Timestamp::parse("row", &format!("2026-01-01T00:00:{second}.000Z")).unwrap();
        row.reported_timestamp = row.timestamp;
        row.operation = Some("x.create".into());
        row.node_instance_id = Some("motor_abc123".into());
        if kind == "cloudify_log" {
            row.is_log = true;
            row.level = row.event_type.take();
        }
        report(&db, execution, &[row]).await;
    }
    db.execute("update events set node_name = 'motor'", &[])
        .await
        .unwrap();
    db
}

async fn report(db: &NativeDb, execution: &str, rows: &[NewEvent]) {
    let system = Scope::engine();
    let execution = crate::executions::find(db, &system, execution)
        .await
        .unwrap();
    db.transaction(async |tx| insert(tx, &execution, rows).await)
        .await
        .unwrap();
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
        let wanted = ["", "execution_id=e1", "execution_id=e1&_sort=-timestamp"];
        for text in wanted {
            assert!(
                storage_ids(&db, &stranger, text).await.0.is_empty(),
                "{text}"
            );
        }
        for (execution, visibility) in [("e1", "global"), ("e2", "private")] {
            let sql = "update executions set visibility = ?2 where id = ?1";
            db.execute(sql, params![execution, visibility])
                .await
                .unwrap();
        }
        for text in wanted {
            let (mut ids, total) = storage_ids(&db, &stranger, text).await;
            ids.sort();
            assert_eq!((ids, total), (vec![1, 3, 4], 3), "{text}");
        }
        assert_eq!(storage_ids(&db, &ann, "").await, (vec![1, 3, 4, 6], 4));
        assert_eq!(storage_ids(&db, &bob, "").await, (vec![1, 3, 4], 3));
        assert_eq!(crate::counts::audit(&db).await.unwrap(), []);
        assert_eq!(forget(&db, &stranger, "").await, 0);
        assert_eq!(forget(&db, &bob, "execution_id=e1").await, 3);
        assert_eq!(
            storage_ids(&db, &ann, "include_logs=true").await.0,
            [2, 5, 6]
        );
    });
}

#[test]
fn what_is_global_is_in_no_tenants_list() {
    pollster::block_on(async {
        let db = events().await;
        for sql in [
            "insert into tenants (id, name, created_at) values (0, 'default_tenant', '')",
            "update executions set visibility = 'global' where id = 'e1'",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        report(&db, "e1", &[NewEvent::event("task_started", String::new())]).await;
        let sql = "select json_array(count(*), count(t.id)) from whole_events e
                   left join tenants t on t.id = e.list_key where e.visibility = 'global'";
        let of_tenants: serde_json::Value = db.first_json(sql, &[]).await.unwrap().unwrap();
        assert_eq!(of_tenants, serde_json::json!([5, 0]));
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
        for (text, index, sorts) in [
            ("", "events_by_list", false),
            (
                "_sort=-timestamp&include_logs=true",
                "events_by_list",
                false,
            ),
            ("_range=timestamp,2026-01-01,", "events_by_list", false),
            ("execution_id=e1", "events_by_execution", false),
            (
                "execution_id=e1&_sort=-timestamp",
                "events_by_execution",
                false,
            ),
            ("node_instance_id=motor_abc123", "events_by_instance", false),
            // Of several executions, and those of a deployment are several, what was found is sorted.
            (
                "execution_id=e1&execution_id=e2",
                "events_by_execution",
                true,
            ),
            (
                "deployment_id=crane&include_logs=true",
                "events_by_execution",
                true,
            ),
        ] {
            let statement = page_statement(&ann, &parse(text).unwrap());
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let has = |words: &str| plan.iter().any(|line| line.contains(words));
            assert!(has(index), "{text}: {plan:#?}");
            assert_eq!(has("TEMP B-TREE"), sorts, "{text}: {plan:#?}");
            for table in ["e", "x", "executions", "deployments", "tenants"] {
                assert!(!has(&format!("SCAN {table} ")), "{text}: {plan:#?}");
            }
        }
    });
}

#[test]
fn times_are_shown_to_the_millisecond_in_all_years() {
    pollster::block_on(async {
        let db = events().await;
        let mut texts: Vec<String> = [
            "0000-01-01T00:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
            "2024-02-29T23:59:59.001Z",
            "9999-12-31T23:59:59.999Z",
        ]
        .map(str::to_owned)
        .to_vec();
        texts.extend((0..1000).map(|number| {
            Timestamp::from_millis(1_700_000_000_000 + number * 7_919_033).to_string()
        }));
        let rows: Vec<NewEvent> = texts
            .iter()
            .map(|text| {
                let mut row = NewEvent::event("task_started", String::new());
                row.reported_timestamp = Timestamp::parse("row", text).unwrap();
                row
            })
            .collect();
        db.execute("delete from events", &[]).await.unwrap();
        report(&db, "e1", &rows).await;
        let answer = answer(&db, &scope("ann", "harbour"), "_sort=_storage_id").await;
        for (item, text) in answer["items"].as_array().unwrap().iter().zip(&texts) {
            assert_eq!(item["reported_timestamp"], **text);
        }
        assert_eq!(
            answer["items"][0]["timestamp"],
            rows[0].timestamp.to_string()
        );
    });
}

#[test]
fn events_of_an_older_schema_show_the_same_afterwards() {
    pollster::block_on(async {
        let db = NativeDb::in_memory();
        crate::migrations::apply_before(&db, "events")
            .await
            .unwrap();
        let tenants = "insert into tenants (name, created_at) values ('harbour', ''), ('quay', '')";
        for sql in std::iter::once(tenants).chain(BEFORE) {
            db.execute(sql, &[]).await.unwrap();
        }
        for sql in [
            "update executions set visibility = 'private' where id = 'e2'",
            "insert into events (tenant_name, visibility, created_by, type, event_type, level, message,
                 timestamp, reported_timestamp, execution_id, blueprint_id, deployment_key,
                 deployment_id, workflow_id, operation, node_name, node_instance_id, error_causes)
             select x.tenant_name, x.visibility, x.created_by, k.value, iif(k.key, null, 'task_failed'),
                 iif(k.key, 'info', null), 'It failed', '2026-01-01T00:00:01.001Z',
                 '2026-01-01T00:00:00.99' || k.key || 'Z', x.id, x.blueprint_id, x.deployment_key,
                 x.deployment_id, x.workflow_id, 'x.create', 'motor', 'motor_abc123', '[{\"type\":\"E\"}]'
             from executions x, json_each('[\"cloudify_event\", \"cloudify_log\"]') k",
            "insert into events (tenant_name, visibility, created_by, type, timestamp,
                 reported_timestamp, execution_id)
             values ('harbour', 'tenant', 'ann', 'cloudify_event', '', '', 'gone')",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let columns = [
            "type",
            "event_type",
            "level",
            "message",
            "timestamp",
            "reported_timestamp",
            "blueprint_id",
            "deployment_id",
            "execution_id",
            "workflow_id",
            "operation",
            "node_name",
            "node_instance_id",
        ];
        let object: Vec<String> = columns.iter().map(|c| format!("'{c}', {c}")).collect();
        let sql = format!(
            "select json_object({}, 'error_causes', json(error_causes)) from events
             where execution_id <> 'gone' order by storage_id",
            object.join(", ")
        );
        let before: Vec<serde_json::Value> = db.json_rows(&sql, &[]).await.unwrap();
        crate::migrations::apply(&db).await.unwrap();
        let after = answer(&db, &scope("ann", "harbour"), "include_logs=true").await;
        assert_eq!(before.len(), 4);
        assert_eq!(after["metadata"]["pagination"]["total"], 4);
        for (before, after) in before.iter().zip(after["items"].as_array().unwrap()) {
            for (name, value) in before.as_object().unwrap() {
                let left_out = match after["type"].as_str() {
                    Some("cloudify_log") => "event_type",
                    _ => "level",
                };
                assert!(after[name] == *value || name == left_out, "{name}: {after}");
            }
        }
        assert_eq!(crate::counts::audit(&db).await.unwrap(), []);
        assert_eq!(storage_ids(&db, &scope("bob", "harbour"), "").await.1, 1);
        let row = NewEvent::event("task_started", String::new());
        report(&db, "e1", &[row]).await;
        let newest = storage_ids(&db, &scope("ann", "harbour"), "_sort=-_storage_id").await;
        assert_eq!(newest.0[0], 6, "no number is given twice");
    });
}

#[test]
fn what_is_reported_belongs_to_its_execution() {
    pollster::block_on(async {
        let db = database().await;
        let mut execution = crate::executions::Execution {
            id: "e9".into(),
            tenant_name: "harbour".into(),
            created_by: "ann".into(),
            visibility: windlass_core::Visibility::Private,
            workflow_id: "install".into(),
            blueprint_id: Some("cranes".into()),
            ..Default::default()
        };
        let mut event = NewEvent::event("task_failed", "It \"failed\"".into());
        event.error_causes = serde_json::json!([{ "type": "E", "message": "m" }]);
        event.node_instance_id = Some("motor_abc123".into());
        let mut log = NewEvent::event("", "a\nb".into());
        (log.is_log, log.event_type, log.level) = (true, None, Some("info".into()));
        db.transaction(async |tx| {
            execution.key = crate::executions::insert(tx, &execution).await?;
            insert(tx, &execution, &[event, log]).await
        })
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

#[test]
fn a_report_may_be_larger_than_what_is_kept_as_one_value() {
    pollster::block_on(async {
        let db = events().await;
        let rows: Vec<NewEvent> = (0..150)
            .map(|_| NewEvent::event("task_started", "x".repeat(10_000)))
            .collect();
        report(&db, "e1", &rows).await;
        let count = db.first("select count(*) from events", &[]).await;
        assert_eq!(count.unwrap().unwrap().integer(0).unwrap(), 156);
    });
}
