use super::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use windlass_core::Kind;
use windlass_core::Request;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::list::ListQuery;
use windlass_core::permission::PermissionSet;

async fn database() -> NativeDb {
    let db = crate::fresh_database().await;
    for sql in [
        "insert into tenants (name, created_at) values ('harbour', ''), ('quay', '')",
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (1, 'b', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
        "insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name)
         values (1, 'd', 'harbour', 'ann', 'tenant', '', '', 1, 'b', 'd')",
        "insert into executions (key, id, tenant_name, created_by, visibility, created_at, deployment_key,
             deployment_id, workflow_id, status, started_at, ended_at) values
         (1, 'e1', 'harbour', 'ann', 'tenant', '2024-01-01T00:00:00.000Z', 1, 'd', 'install', 'terminated',
             '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:01.500Z'),
         (2, 'e2', 'harbour', 'ann', 'tenant', '2024-01-02T00:00:00.000Z', 1, 'd', 'install', 'failed',
             '2024-01-02T00:00:00.000Z', '2024-01-02T00:00:00.500Z'),
         (3, 'e3', 'harbour', 'ann', 'tenant', '2024-01-03T00:00:00.000Z', 1, 'd', 'heal', 'terminated',
             '2024-01-03T00:00:00.000Z', '2024-01-03T00:00:00.001Z'),
         (4, 'e4', 'harbour', 'ann', 'tenant', '2024-01-03T00:00:00.000Z', 1, 'd', 'scale', 'started',
             '2024-01-03T00:00:00.000Z', null),
         (5, 'e5', 'quay', 'ann', 'tenant', '2024-01-03T00:00:00.000Z', null, null, 'other', 'terminated',
             '2024-01-03T00:00:00.000Z', '2024-01-03T00:00:00.001Z')",
        "insert into tasks_graphs (key, id, execution_key, execution_id, name, tenant_name, created_by, visibility, created_at)
         values (1, 'g', 1, 'e1', 'g', 'harbour', 'ann', 'tenant', '')",
        "insert into operations (id, tasks_graph_key, tasks_graph_id, execution_key, name, type, state, tenant_name,
             created_by, visibility, created_at, updated_at) values
         ('o1', 1, 'g', 1, 'create', 'RemoteWorkflowTask', 'succeeded', 'harbour', 'ann', 'tenant',
             '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.250Z'),
         ('o2', 1, 'g', 1, 'create', 'RemoteWorkflowTask', 'failed', 'harbour', 'ann', 'tenant',
             '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.750Z'),
         ('o3', 1, 'g', 1, 'wait', 'LocalWorkflowTask', 'succeeded', 'harbour', 'ann', 'tenant',
             '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.750Z')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    db
}

fn scope() -> Scope {
    Scope::system("ann", "harbour")
}

async fn stored(db: &NativeDb, id: &str, execution: &str) -> Result<()> {
    let new = Measured {
        id: id.into(),
        blueprint_id: "b".into(),
        deployment_id: "d".into(),
        execution_id: execution.into(),
        timestamp: Timestamp::from_millis(0),
        name: "cpu".into(),
        value: "0.5".into(),
    };
    db.transaction(async |tx| insert(tx, &scope(), &new).await)
        .await
}

#[test]
fn numbers_are_shown_as_numbers_and_found_as_they_were_given() {
    pollster::block_on(async {
        let db = database().await;
        for (id, shown) in [
            ("17", json!(17)),
            ("m-1", json!("m-1")),
            ("007", json!("007")),
        ] {
            stored(&db, id, "e1").await.unwrap();
            let statement = METRICS.find_statement(&scope(), None, WITH_ID, with_id(id));
            let found: Json = db
                .first_json(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(found["id"], shown);
            assert_eq!(found["timestamp"], "1970-01-01T00:00:00.000Z");
        }
        assert_eq!(
            stored(&db, "17", "e1").await.unwrap_err().kind(),
            Kind::Conflict
        );
        for execution in ["e5", "e9"] {
            let refusal = stored(&db, "18", execution).await.unwrap_err();
            assert_eq!(refusal.kind(), Kind::NotFound, "{execution}");
        }
    });
}

#[test]
fn what_all_tenants_would_see_is_told_by_the_executions_own() {
    pollster::block_on(async {
        let db = database().await;
        let sql = "update executions set visibility = 'global' where id = ?1";
        for execution in ["e1", "e5"] {
            db.execute(sql, params![execution]).await.unwrap();
        }
        let refusal = stored(&db, "m", "e5").await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::IllegalAction);
        stored(&db, "m", "e1").await.unwrap();
        let sql = "select json_group_array(execution_id || ' ' || visibility) from metrics";
        let all: Json = db.first_json(sql, &[]).await.unwrap().unwrap();
        assert_eq!(all, json!(["e1 global"]));
    });
}

#[test]
fn an_overview_is_about_what_has_ended_in_the_tenant() {
    pollster::block_on(async {
        let db = database().await;
        let day =
            |day: &str| Some(Timestamp::parse("day", &format!("2024-01-{day}T00:00:00Z")).unwrap());
        let row = |kind: &str, id: &str, seconds: f64, rate: f64| json!({ "event_type": kind, "event_id": id, "average_duration": seconds, "success_rate": rate });
        let heal = row("workflow", "heal", 0.001, 1.0);
        let install = row("workflow", "install", 1.0, 0.5);
        let create = row("task", "create", 0.5, 0.5);
        for (span, wanted) in [
            (
                Span::default(),
                vec![heal.clone(), install.clone(), create.clone()],
            ),
            (
                Span {
                    since: day("02"),
                    ..Span::default()
                },
                vec![heal.clone(), row("workflow", "install", 0.5, 0.0)],
            ),
            (
                Span {
                    until: day("01"),
                    ..Span::default()
                },
                vec![row("workflow", "install", 1.5, 1.0), create.clone()],
            ),
            (
                Span {
                    workflow_id: Some("install".into()),
                    ..Span::default()
                },
                vec![install],
            ),
            (
                Span {
                    task_name: Some("create".into()),
                    ..Span::default()
                },
                vec![create],
            ),
            (
                Span {
                    task_name: Some("wait".into()),
                    ..Span::default()
                },
                vec![],
            ),
        ] {
            let found = overview(&db, &scope(), &span).await.unwrap();
            assert_eq!(json!(found), json!(wanted), "{span:?}");
        }
    });
}

#[test]
fn an_overview_leaves_out_what_is_hidden_or_global_elsewhere() {
    pollster::block_on(async {
        let db = database().await;
        for sql in [
            "update executions set visibility = 'private' where id = 'e1'",
            "update executions set visibility = 'global' where id = 'e5'",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        // The caller who is nobody's manager: `e1` with its tasks is not theirs.
        let caller = Caller {
            user_id: 7,
            username: "bob".into(),
            role: "default".into(),
            method: AuthMethod::Basic,
            system: PermissionSet::default(),
            tenants: BTreeMap::new(),
            execution_id: None,
        };
        let reach = Reach::Tenant("harbour".into());
        let scope = Scope::of(caller.into(), reach, String::new());
        let found = overview(&db, &scope, &Span::default()).await.unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|row| (row.event_id.as_str(), row.average_duration))
            .collect();
        assert_eq!(found, [("heal", 0.001), ("install", 0.5)]);
    });
}

#[test]
fn lists_of_metrics_follow_indexes() {
    pollster::block_on(async {
        let db = database().await;
        for (text, index) in [
            ("", "metrics_by_tenant"),
            ("deployment_id=d", "metrics_by_deployment"),
            ("execution_id=e", "metrics_by_execution"),
            ("name=cpu", "metrics_by_name"),
            ("_sort=timestamp", "metrics_by_time"),
        ] {
            let request = Request::new(Method::GET, &format!("/metrics?{text}"));
            let query = ListQuery::parse(&METRICS, &request, &[]).unwrap();
            let statement = METRICS.page_statement(&scope(), &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let plan = plan.join("\n");
            assert!(plan.contains(index), "{text}: {plan}");
        }
    });
}
