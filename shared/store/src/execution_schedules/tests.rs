use super::*;
use crate::deployments::Owner;
use crate::executions::tests::{database, scope};
use crate::queue;
use serde_json::{Map, json};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::list::ListQuery;
use windlass_core::{Error, Kind, Request, Scope, Timestamp, Visibility, params};

const DAY: &str = "2026-05-01T00:00:00.000Z";

async fn deployment(db: &NativeDb, id: &str) -> Owner {
    let blueprint = "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (?1, 'harbour', 'ann', 'tenant', '', '', 'uploaded') returning key";
    let row = db.first(blueprint, params![id]).await.unwrap().unwrap();
    let insert =
        "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name)
         values (?1, 'harbour', 'ann', 'tenant', '', '', ?2, ?1, ?1) returning key";
    let values = params![id, row.integer(0).unwrap()];
    let key = db.first(insert, values).await.unwrap().unwrap();
    Owner {
        key: key.integer(0).unwrap(),
        id: id.to_owned(),
        tenant_name: "harbour".to_owned(),
        created_by: "ann".to_owned(),
        visibility: Visibility::Tenant,
    }
}

fn nightly(id: &str) -> NewSchedule {
    let since = Timestamp::parse("since", DAY).unwrap();
    NewSchedule {
        id: id.to_owned(),
        created_by: "ann".to_owned(),
        created_at: since,
        workflow_id: "install".to_owned(),
        parameters: Map::new(),
        arguments: Arguments::default(),
        rule: json!({ "recurrence": "1 day", "count": null, "weekdays": null }),
        slip: 0,
        stop_on_fail: false,
        enabled: true,
        since,
        until: None,
        next_occurrence: Some(since),
    }
}

async fn add(db: &NativeDb, owner: &Owner, new: &NewSchedule) -> Result<(), Error> {
    let scope = scope("ann", "harbour");
    db.transaction(async |tx| insert(tx, &scope, owner, new).await)
        .await
}

async fn own(db: &NativeDb, id: &str) -> Schedule {
    let scope = scope("ann", "harbour");
    find_own(db, &scope, "crane", id).await.unwrap()
}

/// When the row in the queue is due, in milliseconds.
async fn awaited(db: &NativeDb) -> Option<i64> {
    queue::next_due(db).await.unwrap()
}

#[test]
fn the_next_occurrence_is_in_the_queue_while_a_schedule_is_enabled() {
    pollster::block_on(async {
        let db = database().await;
        let crane = deployment(&db, "crane").await;
        let scope = scope("ann", "harbour");
        let day = Timestamp::parse("", DAY).unwrap();
        let disabled = NewSchedule {
            enabled: false,
            ..nightly("off")
        };
        add(&db, &crane, &disabled).await.unwrap();
        assert_eq!(awaited(&db).await, None);

        add(&db, &crane, &nightly("nightly")).await.unwrap();
        assert_eq!(awaited(&db).await, Some(day.millis()));
        let refusal = add(&db, &crane, &nightly("nightly")).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::Conflict);

        // An earlier or a later one takes the place of the one that is awaited.
        for seconds in [86_400, -86_400] {
            let mut schedule = own(&db, "nightly").await;
            let next = day.plus_seconds(seconds);
            schedule.next_occurrence = Some(next);
            db.transaction(async |tx| save(tx, &scope, &schedule).await)
                .await
                .unwrap();
            assert_eq!(awaited(&db).await, Some(next.millis()));
        }
        let mut schedule = own(&db, "nightly").await;
        schedule.enabled = false;
        db.transaction(async |tx| save(tx, &scope, &schedule).await)
            .await
            .unwrap();
        assert_eq!(awaited(&db).await, None);

        schedule.enabled = true;
        db.transaction(async |tx| save(tx, &scope, &schedule).await)
            .await
            .unwrap();
        assert!(awaited(&db).await.is_some());
        db.transaction(async |tx| delete(tx, &scope, &schedule).await)
            .await
            .unwrap();
        assert_eq!(awaited(&db).await, None);
        let gone = find_own(&db, &scope, "crane", "nightly").await.unwrap_err();
        assert_eq!(gone.kind(), Kind::NotFound);
    });
}

#[test]
fn schedules_go_with_their_deployment() {
    pollster::block_on(async {
        let db = database().await;
        let crane = deployment(&db, "crane").await;
        add(&db, &crane, &nightly("nightly")).await.unwrap();
        let sql = "delete from deployments where key = ?1";
        db.execute(sql, params![crane.key]).await.unwrap();
        assert_eq!(awaited(&db).await, None);
        assert!(crate::counts::audit(&db).await.unwrap().is_empty());
    });
}

#[test]
fn an_occurrence_is_found_recorded_and_followed_by_the_next() {
    pollster::block_on(async {
        let db = database().await;
        let crane = deployment(&db, "crane").await;
        add(&db, &crane, &nightly("nightly")).await.unwrap();
        let (engine, key) = (Scope::engine(), own(&db, "nightly").await.key.to_string());
        let due = find_due(&db, &engine, &key).await.unwrap().unwrap();
        assert_eq!(
            (due.deployment_id.as_str(), due.latest_status),
            ("crane", None)
        );
        assert_eq!(due.arguments, Arguments::default());

        db.execute(
            "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key, workflow_id, status)
             values ('e', 'harbour', 'ann', 'tenant', ?2, ?1, 'install', 'failed')",
            params![crane.key, DAY],
        )
        .await
        .unwrap();
        let scope = scope("ann", "harbour");
        let started = crate::executions::find(&db, &scope, "e").await.unwrap();
        let tomorrow = due.next_occurrence.plus_seconds(86_400);
        db.transaction(async |tx| move_on(tx, &due, Some(&started), Some(tomorrow)).await)
            .await
            .unwrap();
        assert_eq!(awaited(&db).await, Some(tomorrow.millis()));
        let due = find_due(&db, &engine, &key).await.unwrap().unwrap();
        assert_eq!(due.latest_status, Some(crate::executions::Status::Failed));

        // One that starts nothing keeps what was started before.
        db.transaction(async |tx| move_on(tx, &due, None, None).await)
            .await
            .unwrap();
        assert_eq!(awaited(&db).await, None);
        assert!(find_due(&db, &engine, &key).await.unwrap().is_none());
        let sql = "select latest_execution from execution_schedules";
        let row = db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.integer(0).unwrap(), started.key);

        db.transaction(async |tx| move_on(tx, &due, None, Some(tomorrow)).await)
            .await
            .unwrap();
        db.transaction(async |tx| disable(tx, &due).await)
            .await
            .unwrap();
        assert_eq!(awaited(&db).await, None);
        let stopped = own(&db, "nightly").await;
        assert!(!stopped.enabled && stopped.next_occurrence == Some(tomorrow));
    });
}

#[test]
fn lists_and_lookups_follow_indexes() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let scope = Scope::system("ann", "harbour");
        for (text, index) in [
            ("", "execution_schedules_by_tenant"),
            (
                "deployment_id=crane",
                "execution_schedules_by_deployment_id",
            ),
            ("workflow_id=install", "execution_schedules_by_workflow"),
            ("_sort=created_at", "execution_schedules_by_creation"),
            (
                "_sort=-next_occurrence",
                "execution_schedules_by_occurrence",
            ),
        ] {
            let request = Request::new(Method::GET, &format!("/execution-schedules?{text}"));
            let query = ListQuery::parse(&SCHEDULES, &request, &[]).unwrap();
            let statement = SCHEDULES.page_statement(&scope, &query);
            let plan = db.plan(&statement.sql, &statement.parameters).await;
            let plan = plan.unwrap().join("\n");
            assert!(plan.contains(index), "{text}: {plan}");
        }
        let found = SCHEDULES.find_statement(
            &scope,
            None,
            "t.deployment_id = {} and t.id = {}",
            ["crane".into(), "nightly".into()],
        );
        let plan = db.plan(&found.sql, &found.parameters).await.unwrap();
        let plan = plan.join("\n");
        assert!(
            plan.contains("execution_schedules_by_deployment "),
            "{plan}"
        );
    });
}
