use super::*;
use crate::events::EventKind;
use crate::subscriptions::tests::stage;
use crate::testing::NewIncident;
use crate::testing::{self, component_of};
use windlass_core::db::NativeDb;
use windlass_store::tenants;

const PIPELINE: Subject<'_> = Subject::Pipeline { id: "ship" };

/// A stage whose component 1 follows the pipeline `ship`.
async fn bound() -> NativeDb {
    let db = stage().await;
    bind(&db, 1).await;
    db
}

async fn bind(db: &NativeDb, component: i64) {
    let scope = Scope::system("ann", TENANT);
    let before = Timestamp::now().plus_seconds(-3600);
    save(db, &scope, component, PIPELINE, 2, before)
        .await
        .unwrap();
}

async fn save(
    db: &NativeDb,
    scope: &Scope,
    component: i64,
    subject: Subject<'_>,
    impact: i64,
    now: Timestamp,
) -> Result<()> {
    let failure = Failure {
        impact,
        publish_errors: false,
    };
    let component = component_of(component);
    db.transaction(async |tx| super::save(tx, scope, &component, subject, failure, now).await)
        .await
}

async fn find(db: &NativeDb, component: i64) -> Result<Binding> {
    assert!(super::find(db, &Scope::public(), component).await.is_err());
    super::find(db, &Scope::engine(), component).await
}

async fn delete(db: &NativeDb, scope: &Scope, component: i64) -> Result<()> {
    db.transaction(async |tx| {
        let binding = super::find(tx, scope, component).await?;
        super::delete(tx, scope, &binding).await
    })
    .await
}

async fn run_ended(
    db: &NativeDb,
    subject: Subject<'_>,
    outcome: Outcome<'_>,
    at: Timestamp,
) -> Result<()> {
    db.transaction(async |tx| super::run_ended(tx, subject, outcome, at).await)
        .await
}

/// The incidents: number, impact, whether open, the components in it, the updates.
async fn incidents(db: &NativeDb) -> Vec<(i64, i64, bool, i64, i64)> {
    let rows = db
        .query(
            "select id, impact, ended_at is null,
                 (select count(*) from status_incident_components where incident_id = i.id),
                 (select count(*) from status_updates where incident_id = i.id)
             from status_incidents i order by id",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            let number = |column| row.integer(column).unwrap();
            (number(0), number(1), number(2) == 1, number(3), number(4))
        })
        .collect()
}

fn minute(number: i64) -> Timestamp {
    Timestamp::now().plus_seconds(-3000 + number * 60)
}

#[test]
fn a_failure_opens_and_a_success_closes() {
    pollster::block_on(async {
        let db = bound().await;
        let failed = Outcome::Failed("exit\ncode 1 <b>");
        run_ended(&db, PIPELINE, Outcome::Succeeded, minute(0))
            .await
            .unwrap();
        assert_eq!(incidents(&db).await, []);
        run_ended(&db, PIPELINE, failed, minute(1)).await.unwrap();
        assert_eq!(incidents(&db).await, [(1, 2, true, 1, 1)]);
        let row = db.first(
            "select title, (select text from status_updates) from status_incidents",
            &[],
        );
        let row = row.await.unwrap().unwrap();
        assert_eq!(row.text(0).unwrap(), "A run of the pipeline ship failed");
        assert_eq!(row.text(1).unwrap(), "A run of the pipeline ship failed");
        assert_eq!(last_error(&db).await.as_deref(), Some("exit code 1 <b>"));
        // The same again, and one that is told late.
        let at = find(&db, 1).await.unwrap().run_ended_at.unwrap();
        run_ended(&db, PIPELINE, failed, at).await.unwrap();
        run_ended(&db, PIPELINE, Outcome::Succeeded, minute(0))
            .await
            .unwrap();
        assert_eq!(incidents(&db).await, [(1, 2, true, 1, 1)]);
        // A second failure says nothing new, and the incident stays this binding's.
        run_ended(&db, PIPELINE, failed, minute(2)).await.unwrap();
        assert_eq!(find(&db, 1).await.unwrap().incident_id, Some(1));
        run_ended(
            &db,
            Subject::Pipeline { id: "other" },
            Outcome::Succeeded,
            minute(3),
        )
        .await
        .unwrap();
        assert_eq!(incidents(&db).await, [(1, 2, true, 1, 1)]);
        run_ended(&db, PIPELINE, Outcome::Succeeded, minute(3))
            .await
            .unwrap();
        assert_eq!(incidents(&db).await, [(1, 2, false, 1, 2)]);
        assert_eq!(find(&db, 1).await.unwrap().incident_id, None);
        assert_eq!(last_error(&db).await, None);
    });
}

async fn last_error(db: &NativeDb) -> Option<String> {
    find(db, 1).await.unwrap().last_error
}

#[test]
fn what_went_wrong_is_public_only_where_operators_want_it_so() {
    pollster::block_on(async {
        let error = "RecoverableError POST http://127.0.0.1:1/lamps";
        for publish_errors in [false, true] {
            let db = stage().await;
            let scope = Scope::system("ann", TENANT);
            let failure = Failure {
                impact: 2,
                publish_errors,
            };
            db.transaction(async |tx| {
                let component = component_of(1);
                super::save(tx, &scope, &component, PIPELINE, failure, minute(-1)).await
            })
            .await
            .unwrap();
            run_ended(&db, PIPELINE, Outcome::Failed(error), minute(1))
                .await
                .unwrap();
            let sql = "select json_group_array(title || coalesce(description, '') || (
                           select group_concat(text) from status_updates))
                       from status_incidents";
            let told: Value = db.first_json(sql, &[]).await.unwrap().unwrap();
            assert_eq!(
                told.to_string().contains("127.0.0.1"),
                publish_errors,
                "{told}"
            );
            assert_eq!(last_error(&db).await.as_deref(), Some(error));
        }
    });
}

#[test]
fn what_a_person_touched_or_a_monitor_opened_stays_open() {
    pollster::block_on(async {
        let db = bound().await;
        let failed = Outcome::Failed("");
        run_ended(&db, PIPELINE, failed, minute(1)).await.unwrap();
        db.execute("update status_incidents set is_system = 0", &[])
            .await
            .unwrap();
        run_ended(&db, PIPELINE, Outcome::Succeeded, minute(2))
            .await
            .unwrap();
        assert_eq!(incidents(&db).await, [(1, 2, true, 1, 1)]);
        db.execute("delete from status_incidents", &[])
            .await
            .unwrap();

        let monitor = Scope::system("monitor", TENANT);
        let report = Report {
            subject: reports::Subject::Id(1),
            impact: 1,
            text: "Slow",
        };
        reports::report(&db, &monitor, &report).await.unwrap();
        run_ended(&db, PIPELINE, failed, minute(3)).await.unwrap();
        let raised = incidents(&db).await;
        assert_eq!(
            (raised.len(), raised[0].1),
            (1, 2),
            "raised, not opened: {raised:?}"
        );
        run_ended(&db, PIPELINE, Outcome::Succeeded, minute(4))
            .await
            .unwrap();
        assert!(incidents(&db).await[0].2, "it is the monitor's");
    });
}

#[test]
fn components_leave_an_incident_one_by_one() {
    pollster::block_on(async {
        let db = bound().await;
        bind(&db, 2).await;
        run_ended(&db, PIPELINE, Outcome::Failed("x"), minute(1))
            .await
            .unwrap();
        let both = incidents(&db).await;
        assert_eq!(
            (both.len(), both[0].3),
            (1, 2),
            "the second joined the first: {both:?}"
        );
        let monitor = Scope::system("monitor", TENANT);
        let report = Report {
            subject: reports::Subject::Id(3),
            impact: 2,
            text: "Net",
        };
        reports::report(&db, &monitor, &report).await.unwrap();
        run_ended(&db, PIPELINE, Outcome::Succeeded, minute(2))
            .await
            .unwrap();
        let left = incidents(&db).await;
        assert_eq!(
            (left[0].2, left[0].3),
            (true, 1),
            "the monitor's component stays: {left:?}"
        );
    });
}

#[test]
fn a_component_under_maintenance_is_left_alone() {
    pollster::block_on(async {
        let db = bound().await;
        let now = Timestamp::now();
        let maintenance = NewIncident {
            kind: EventKind::Maintenance,
            title: "Work",
            description: None,
            impact: 0,
            started_at: now.plus_seconds(-60),
            ended_at: Some(now.plus_seconds(600)),
            is_system: false,
            status: "in_progress",
            contact_email: None,
            components: &[1],
        };
        testing::insert(&db, &maintenance, "ann", now)
            .await
            .unwrap();
        run_ended(&db, PIPELINE, Outcome::Failed("x"), minute(1))
            .await
            .unwrap();
        assert_eq!(incidents(&db).await.len(), 1);
        assert_eq!(find(&db, 1).await.unwrap().incident_id, None);
    });
}

#[test]
fn only_executions_of_bound_deployments_are_queued() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::now();
        let scope = Scope::system("ann", TENANT);
        let subject = Subject::Deployment {
            tenant: "harbour",
            id: "shop",
            workflow: "",
        };
        save(&db, &scope, 1, subject, 3, now.plus_seconds(-60))
            .await
            .unwrap();
        db.execute(
            "insert into tenants (name, created_at) values ('harbour', ?1), ('quay', ?1)",
            params![now],
        )
        .await
        .unwrap();
        for (tenant, deployment, dry_run, was, status, count) in [
            ("harbour", "other", false, "started", "failed", 0),
            ("quay", "shop", false, "started", "failed", 0),
            ("harbour", "shop", true, "started", "failed", 0),
            ("harbour", "shop", false, "cancelling", "cancelled", 0),
            ("harbour", "shop", false, "pending", "started", 0),
            ("harbour", "shop", false, "failed", "failed", 0),
            ("harbour", "shop", false, "started", "failed", 1),
        ] {
            let insert =
                "insert or replace into executions (id, tenant_name, created_by, visibility,
                 created_at, deployment_id, workflow_id, status, is_dry_run)
                 values ('e1', ?1, 'ann', 'tenant', ?2, ?3, 'install', ?4, ?5)";
            let values = params![tenant, now, deployment, was, dry_run];
            db.execute(insert, values).await.unwrap();
            let end = "update executions set status = ?1, error = 'no disk', ended_at = ?2";
            db.execute(end, params![status, now]).await.unwrap();
            let rows = db.query("select payload from queue", &[]).await.unwrap();
            assert_eq!(
                rows.len(),
                count,
                "{tenant} {deployment} {dry_run} {was} {status}"
            );
        }
        let payload: Value = db
            .first_json("select payload from queue", &[])
            .await
            .unwrap()
            .unwrap();
        db.transaction(async |tx| run_queued(tx, &payload).await)
            .await
            .unwrap();
        assert_eq!(incidents(&db).await, [(1, 3, true, 1, 1)]);
        let row = db
            .first("select title from status_incidents", &[])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            row.text(0).unwrap(),
            "Workflow install of the deployment shop failed"
        );
        // Bound to something else, the incident is not this binding's any more.
        save(&db, &scope, 1, PIPELINE, 1, now).await.unwrap();
        let binding = find(&db, 1).await.unwrap();
        assert_eq!(
            (binding.kind, binding.incident_id),
            (SubjectKind::Pipeline, None)
        );
        delete(&db, &scope, 1).await.unwrap();
        assert!(find(&db, 1).await.is_err() && delete(&db, &scope, 1).await.is_err());
        let plan = db.plan(
            "select 1 from status_bindings where kind = 'deployment' and tenant_name = 'a' and target = 'b'",
            &[],
        );
        let plan = plan.await.unwrap().join("\n");
        assert!(plan.contains("status_bindings_by_target"), "{plan}");
    });
}

#[test]
fn a_binding_goes_with_its_tenant() {
    pollster::block_on(async {
        let db = bound().await;
        let scope = Scope::system("ann", "quay");
        db.transaction(async |tx| tenants::insert(tx, &scope, "quay").await)
            .await
            .unwrap();
        let subject = Subject::Deployment {
            tenant: "quay",
            id: "north",
            workflow: "",
        };
        let now = Timestamp::now();
        save(&db, &scope, 2, subject, 2, now).await.unwrap();
        assert_eq!(
            find(&db, 2).await.unwrap().tenant_name.as_deref(),
            Some("quay")
        );
        db.transaction(async |tx| {
            let quay = tenants::find(tx, &scope, "quay").await?;
            tenants::delete(tx, &scope, &quay).await
        })
        .await
        .unwrap();
        assert!(find(&db, 2).await.is_err());
        assert!(find(&db, 1).await.is_ok(), "a pipeline is of no tenant");
    });
}
