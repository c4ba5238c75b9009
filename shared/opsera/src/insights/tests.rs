use super::*;
use crate::testing::{asker, database};
use windlass_core::db::NativeDb;
use windlass_core::http::Method;

fn ask(query: &str) -> Result<Question> {
    let now = Timestamp::parse("now", "2026-03-10T12:00:00Z").unwrap();
    Question::of(&Request::new(Method::GET, &format!("/x?{query}")), now)
}

/// Two pipelines of two projects: `crane` of the team Cranes, `boat` of none.
async fn world() -> NativeDb {
    let db = database().await;
    for sql in [
        "insert into pipelines (key, id, tenant_name, created_by, name, project_id, plan_key, created_at, updated_at, is_delivery)
         values (1, 'a', 'harbour', 'ann', 'A', 'crane', 1, '', '', 1), (2, 'b', 'harbour', 'ann', 'B', 'boat', 1, '', '', 1),
             (3, 'c', 'harbour', 'ann', 'C', 'crane', 1, '', '', 0), (4, 'd', 'quay', 'ann', 'D', 'crane', 1, '', '', 1)",
        "insert into pipeline_plans (key, pipeline_key, plan) values (1, 1, '[]')",
        "insert into directory_projects (id, tenant_name, project_id, document, created_at, updated_at)
         values ('x', 'harbour', 'crane', '{\"team\": \"Cranes\", \"organization\": \"Harbour\"}', '', '')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    db
}

/// A run that ended so many hours into March 9th.
async fn run(db: &NativeDb, pipeline: i64, hour: i64, state: &str, lead_hours: Option<i64>) {
    let at = Timestamp::parse("at", "2026-03-09T00:00:00Z")
        .unwrap()
        .millis()
        + hour * 3_600_000;
    let committed = lead_hours.map(|hours| at - hours * 3_600_000);
    db.execute(
        "insert into pipeline_runs (pipeline_key, number, tenant_name, plan_key, state, cause, started_by,
             committed_at, started_at, ended_at)
         select ?1, (select count(*) + 1 from pipeline_runs where pipeline_key = ?1), tenant_name, 1, ?2, 'push',
             'ann', ?3, ?4, ?4 from pipelines where key = ?1",
        params![pipeline, state, committed, at],
    )
    .await
    .unwrap();
}

#[test]
fn questions_are_read_or_refused() {
    let usual = ask("").unwrap();
    assert_eq!(
        (usual.days(), usual.to.to_string().as_str()),
        (30, "2026-03-11T00:00:00.000Z")
    );
    let some = ask("from=2026-03-01&to=2026-03-01&by=team&project=crane").unwrap();
    assert_eq!(
        (some.days(), some.by, some.only.len()),
        (1, Some("team"), 1)
    );
    for query in [
        "from=x",
        "from=2026-03-02&to=2026-03-01",
        "from=1900-01-01",
        "by=planet",
        "to=2026-02-30",
    ] {
        assert!(ask(query).is_err(), "{query}");
    }
}

#[test]
fn the_four_measures_come_from_what_happened() {
    pollster::block_on(async {
        let db = world().await;
        for (hour, state, lead) in [
            (1, "success", Some(10)),
            (2, "failed", None),
            (4, "success", Some(30)),
            (5, "stopped", None),
            (6, "success", Some(20)),
        ] {
            run(&db, 1, hour, state, lead).await;
        }
        run(&db, 2, 3, "failed", None).await;
        run(&db, 3, 3, "success", None).await;
        run(&db, 4, 3, "success", None).await;
        let mia = asker("mia");
        let all = measures(&db, &mia, &ask("from=2026-03-09&to=2026-03-10").unwrap())
            .await
            .unwrap();
        let [one] = &all[..] else { panic!("{all:?}") };
        assert_eq!((one.deployments, one.failures), (3, 2));
        let value = |told: &Option<Told>| told.as_ref().map(|told| (told.value, told.band.name()));
        assert_eq!(value(&one.deployment_frequency), Some((1.5, "elite")));
        assert_eq!(value(&one.lead_time), Some((72_000.0, "elite")));
        assert_eq!(value(&one.change_failure_rate), Some((0.4, "low")));
        assert_eq!(value(&one.time_to_restore), Some((7_200.0, "high")));
        let by = measures(&db, &mia, &ask("by=project").unwrap())
            .await
            .unwrap();
        let groups: Vec<(Option<&str>, i64, i64)> = by
            .iter()
            .map(|one| (one.group.as_deref(), one.deployments, one.failures))
            .collect();
        assert_eq!(groups, [(Some("crane"), 3, 1), (Some("boat"), 0, 1)]);
        let by = measures(&db, &mia, &ask("by=team&organization=Harbour").unwrap())
            .await
            .unwrap();
        assert_eq!((by.len(), by[0].group.as_deref()), (1, Some("Cranes")));
        let none = measures(&db, &mia, &ask("from=2020-01-01&to=2020-01-02").unwrap())
            .await
            .unwrap();
        assert_eq!(none, [Measures::default()]);
        for (metric, count) in [
            (Metric::Deployments, 3),
            (Metric::Changes, 3),
            (Metric::Failures, 2),
            (Metric::Restores, 1),
        ] {
            let paging = Paging {
                limit: 10,
                offset: 0,
            };
            let text = list(&db, &mia, &ask("").unwrap(), metric, paging)
                .await
                .unwrap();
            let listed: Json = serde_json::from_str(&text).unwrap();
            assert_eq!(listed["count"], count, "{metric:?} {listed}");
        }
    });
}

#[test]
fn incidents_and_executions_count_where_the_page_follows_them() {
    pollster::block_on(async {
        let db = world().await;
        run(&db, 1, 1, "failed", None).await;
        run(&db, 1, 9, "success", None).await;
        for sql in [
            "insert into status_components (id, name, attributes, attributes_key, position, created_at) values (1, 'V', '[]', '', 1, '')",
            "insert into status_bindings (component_id, kind, tenant_name, target, impact, created_at, created_by) values (1, 'pipeline', '', 'a', 1, '', '')",
            "insert into status_incidents (id, kind, title, impact, started_at, ended_at, is_system, status, created_at, created_by, updated_at)
             values (5, 'incident', 't', 1, '2026-03-09T01:00:00.000Z', '2026-03-09T01:30:00.000Z', 1, 'resolved', '', '', '')",
            "insert into status_incident_components values (5, 1)",
            "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_id, workflow_id, status, ended_at)
             values ('e1', 'harbour', 'ann', 'tenant', '', 'd', 'install', 'terminated', '2026-03-09T02:00:00.000Z'),
                 ('e2', 'harbour', 'ann', 'tenant', '', 'd', 'heal', 'failed', '2026-03-09T02:00:00.000Z'),
                 ('e3', 'harbour', 'ann', 'tenant', '', 'd', 'install', 'failed', '2026-03-09T02:00:00.000Z')",
            "insert into pipeline_steps (run_key, position, id, state, started_at, external) values (1, 0, 's', 'failed', 0, '{\"execution\": \"e3\"}')",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let all = measures(
            &db,
            &asker("mia"),
            &ask("from=2026-03-09&to=2026-03-09").unwrap(),
        )
        .await
        .unwrap();
        assert_eq!((all[0].deployments, all[0].failures), (2, 1));
        assert_eq!(all[0].time_to_restore.as_ref().unwrap().value, 1800.0);
    });
}

#[test]
fn answers_are_lines_and_pictures_too() {
    pollster::block_on(async {
        let db = world().await;
        db.execute(
            "update pipelines set project_id = '=cmd()<b>' where key = 2",
            &[],
        )
        .await
        .unwrap();
        run(&db, 1, 1, "success", Some(1)).await;
        run(&db, 2, 2, "failed", None).await;
        let question = ask("by=project&from=2026-03-01").unwrap();
        let mia = asker("mia");
        let measures = measures(&db, &mia, &question).await.unwrap();
        let lines = String::from_utf8(csv(&measures).unwrap()).unwrap();
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines[1], "crane,1,0,0.1,medium,3600,elite,0,elite,,");
        assert!(lines[2].starts_with("'=cmd()<b>,0,1,"), "{}", lines[2]);
        let days = days(&db, &mia, &question).await.unwrap();
        assert_eq!(
            days,
            [DayCount {
                day: 8,
                good: 1,
                bad: 1
            }]
        );
        let picture = chart(&question, &measures, &days);
        assert!(
            picture.starts_with("<svg xmlns") && picture.matches("<rect").count() == 3,
            "{picture}"
        );
        assert!(!picture.contains("<b>"));
        let long = ask("from=2017-01-01&to=2026-03-09").unwrap();
        assert!(chart(&long, &measures, &days).matches("<rect").count() >= 2);
    });
}

#[test]
fn numbers_are_read_from_indexes() {
    pollster::block_on(async {
        let db = world().await;
        let mia = asker("mia");
        let question = ask("by=team").unwrap();
        let values = question.values(&mia);
        for (sql, values, index) in [
            (
                sql::PIPELINES.to_owned(),
                &values[..3],
                "COVERING INDEX pipeline_runs_by_end (pipeline_key=? AND ended_at>? AND ended_at<?)",
            ),
            (
                sql::PIPELINES.to_owned(),
                &values[..3],
                "INDEX pipeline_runs_successes (pipeline_key=? AND ended_at>?)",
            ),
            (
                sql::executions(),
                &values[..5],
                "INDEX executions_by_end (tenant_name=? AND workflow_id=? AND ended_at>? AND ended_at<?)",
            ),
            (
                sql::executions(),
                &values[..5],
                "INDEX pipeline_steps_by_execution (<expr>=?)",
            ),
            (
                sql::incidents(),
                &values[..5],
                "INDEX status_incidents_by_start (started_at>? AND started_at<?)",
            ),
            (
                sql::days(&question),
                &values[..5],
                "INDEX pipeline_runs_by_end (pipeline_key=? AND ended_at>? AND ended_at<?)",
            ),
        ] {
            let plan = crate::testing::plan(&db, &sql, values).await;
            assert!(plan.contains(index), "{index}: {plan}");
        }
    });
}
