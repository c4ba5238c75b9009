use super::*;
use std::rc::Rc;
use windlass_core::caller::Reach;
use windlass_core::caller::{AuthMethod, Caller};
use windlass_core::db::Db;
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::list::{self, ListQuery};
use windlass_core::permission::PermissionSet;
use windlass_core::{Kind, Scope, Timestamp, Visibility};
use windlass_core::{Request, params};

pub async fn database() -> NativeDb {
    let db = NativeDb::in_memory();
    crate::migrations::apply(&db).await.unwrap();
    for name in ["harbour", "quay"] {
        db.execute(
            "insert into tenants (name, created_at) values (?1, '2026-01-01T00:00:00.000Z')",
            params![name],
        )
        .await
        .unwrap();
    }
    db
}

pub fn scope(user: &str, tenant: &str) -> Scope {
    let caller = Caller {
        user_id: 7,
        username: user.into(),
        role: "default".into(),
        method: AuthMethod::Basic,
        system: PermissionSet::default(),
        tenants: Default::default(),
        execution_id: None,
    };
    Scope::of(Rc::new(caller), Reach::Tenant(tenant.into()), String::new())
}

/// Executions of one deployment, oldest first, one per day of January.
async fn run(db: &NativeDb, rows: &[(&str, &str, &str)]) {
    for (day, (id, workflow, status)) in rows.iter().enumerate() {
        db.execute(
            "insert into executions (id, tenant_name, created_by, visibility, created_at,
                 deployment_id, workflow_id, status, is_system_workflow)
             values (?1, 'harbour', 'ann', 'tenant', ?2, 'crane', ?3, ?4, ?3 = 'create_snapshot')",
            params![
                *id,
                format!("2026-01-{:02}T00:00:00.000Z", day + 1),
                *workflow,
                *status
            ],
        )
        .await
        .unwrap();
    }
}

fn query(text: &str) -> ListQuery {
    let request = Request::new(Method::GET, &format!("/executions?{text}"));
    ListQuery::parse(&EXECUTIONS, &request, &[]).unwrap()
}

async fn ids(db: &NativeDb, scope: &Scope, query: &ListQuery) -> Vec<String> {
    let page = list::page(db, &EXECUTIONS.page_statement(scope, query))
        .await
        .unwrap();
    let items: Vec<serde_json::Value> = page.parse().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn remove(db: &NativeDb, scope: &Scope, text: &str, removal: Removal) -> usize {
    db.transaction(async |tx| delete(tx, scope, &query(text), removal).await)
        .await
        .unwrap()
}

const HISTORY: [(&str, &str, &str); 6] = [
    ("c1", "create_deployment_environment", "failed"),
    ("c2", "create_deployment_environment", "terminated"),
    ("i1", "install", "failed"),
    ("i2", "install", "terminated"),
    ("s1", "create_snapshot", "terminated"),
    ("u1", "uninstall", "started"),
];

#[test]
fn a_list_shows_what_was_asked_for() {
    pollster::block_on(async {
        let db = database().await;
        run(&db, &HISTORY).await;
        let ann = scope("ann", "harbour");
        for (text, want) in [
            ("", &["c1", "c2", "i1", "i2", "s1", "u1"][..]),
            (
                "status_display=completed&_sort=-created_at",
                &["s1", "i2", "c2"],
            ),
            ("status=failed&status=started", &["c1", "i1", "u1"]),
            ("workflow_id=install&status=failed", &["i1"]),
            ("is_system_workflow=True", &["s1"]),
        ] {
            assert_eq!(ids(&db, &ann, &query(text)).await, want, "{text}");
        }
        let mut without = query("");
        without_system_workflows(&mut without);
        assert_eq!(
            ids(&db, &ann, &without).await,
            ["c1", "c2", "i1", "i2", "u1"]
        );
        assert!(
            ids(&db, &scope("quentin", "quay"), &query(""))
                .await
                .is_empty()
        );
    });
}

#[test]
fn an_execution_looks_as_clients_expect() {
    pollster::block_on(async {
        let db = database().await;
        run(&db, &[("i1", "install", "terminated")]).await;
        let statement = EXECUTIONS.page_statement(&scope("ann", "harbour"), &query(""));
        let page = list::page(&db, &statement).await.unwrap();
        let items: Vec<serde_json::Value> = page.parse().unwrap();
        assert_eq!(
            items[0],
            serde_json::json!({
                "id": "i1", "workflow_id": "install", "deployment_id": "crane",
                "deployment_display_name": null, "blueprint_id": null, "status": "terminated",
                "status_display": "completed", "error": "", "parameters": {},
                "is_system_workflow": false, "is_dry_run": false,
                "created_at": "2026-01-01T00:00:00.000Z", "started_at": null, "ended_at": null,
                "scheduled_for": null, "allow_custom_parameters": false, "resume": false,
                "total_operations": 0, "finished_operations": 0, "created_by": "ann",
                "tenant_name": "harbour", "visibility": "tenant", "private_resource": false,
                "resource_availability": "tenant",
            })
        );
    });
}

#[test]
fn only_what_is_over_says_that_nothing_went_wrong() {
    pollster::block_on(async {
        let db = database().await;
        let rows = Status::ALL.map(|status| (status.name(), "install", status.name()));
        run(&db, &rows).await;
        let statement =
            EXECUTIONS.page_statement(&scope("ann", "harbour"), &query("_include=error,status"));
        let page = list::page(&db, &statement).await.unwrap();
        for item in page.parse::<serde_json::Value>().unwrap() {
            let status = Status::named(item["status"].as_str().unwrap()).unwrap();
            let want = status.has_ended().then_some("");
            assert_eq!(item["error"].as_str(), want, "{status:?}");
        }
    });
}

#[test]
fn a_removal_takes_ended_executions_and_leaves_the_last_creation() {
    for (text, removal, left) in [
        ("", Removal::All, &["c2", "u1"][..]),
        (
            "workflow_id=install",
            Removal::All,
            &["c1", "c2", "s1", "u1"],
        ),
        ("", Removal::AllBut(2), &["c2", "i2", "s1", "u1"]),
        (
            "",
            Removal::AllBut(9),
            &["c1", "c2", "i1", "i2", "s1", "u1"],
        ),
        (
            "",
            Removal::Before(Timestamp::parse("to", "2026-01-04").unwrap()),
            &["c2", "i2", "s1", "u1"],
        ),
    ] {
        pollster::block_on(async {
            let db = database().await;
            run(&db, &HISTORY).await;
            let count = remove(&db, &scope("ann", "harbour"), text, removal).await;
            let rest = ids(&db, &scope("ann", "harbour"), &query("")).await;
            assert_eq!(rest, left, "{text} {removal:?}");
            assert_eq!(count, HISTORY.len() - left.len(), "{text} {removal:?}");
            let audited = db
                .first("select count(*) from audit_log", &[])
                .await
                .unwrap()
                .unwrap();
            assert_eq!(audited.integer(0).unwrap(), count as i64);
        });
    }
}

#[test]
fn events_go_with_their_execution() {
    pollster::block_on(async {
        let db = database().await;
        run(&db, &HISTORY).await;
        for execution in ["i1", "u1"] {
            db.execute(
                "insert into events (execution_key, list_key, is_log, timestamp)
                 select key, 1, 0, 0 from executions where id = ?1",
                params![execution],
            )
            .await
            .unwrap();
        }
        remove(&db, &scope("ann", "harbour"), "", Removal::All).await;
        let rest = db
            .query("select execution_id from whole_events", &[])
            .await
            .unwrap();
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].text(0).unwrap(), "u1");
    });
}

#[test]
fn a_global_execution_of_another_tenant_is_not_removed() {
    pollster::block_on(async {
        let db = database().await;
        run(&db, &[("i1", "install", "failed")]).await;
        db.execute("update executions set visibility = 'global'", &[])
            .await
            .unwrap();
        let stranger = scope("quentin", "quay");
        assert_eq!(ids(&db, &stranger, &query("")).await, ["i1"]);
        assert_eq!(remove(&db, &stranger, "", Removal::All).await, 0);
    });
}

#[test]
fn lists_follow_their_indexes() {
    pollster::block_on(async {
        let db = database().await;
        for (text, index) in [
            ("", "executions_by_tenant"),
            ("_sort=-created_at", "executions_by_creation"),
            ("deployment_id=crane", "executions_by_deployment_id"),
            ("status=started", "executions_by_"),
            ("workflow_id=install", "executions_by_workflow"),
        ] {
            let mut query = query(text);
            without_system_workflows(&mut query);
            let statement = EXECUTIONS.page_statement(&scope("ann", "harbour"), &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(plan.contains(index), "{text}: {plan}");
            let scans = plan.lines().filter(|line| line.starts_with("SCAN t"));
            for scan in scans {
                assert!(scan.contains("global"), "{text}: {plan}");
            }
        }
    });
}

#[test]
fn a_row_is_read_as_it_was_written() {
    pollster::block_on(async {
        let db = database().await;
        let ann = scope("ann", "harbour");
        let time = Timestamp::parse("", "2020-02-02").unwrap();
        let mut execution = Execution {
            id: "e1".into(),
            tenant_name: "harbour".into(),
            created_by: "Ann".into(),
            visibility: Visibility::Private,
            created_at: time,
            workflow_id: "install".into(),
            status: Status::ForceCancelling,
            parameters: serde_json::from_str(r#"{"a":[1.5,"\u00e9"]}"#).unwrap(),
            is_dry_run: true,
            resume: true,
            scheduled_for: Some(time.plus_seconds(1)),
            total_operations: 7,
            ..Execution::default()
        };
        let started = db
            .transaction(async |tx| start(tx, &ann, &execution).await)
            .await;
        execution.key = started.unwrap();
        let admin = Scope::engine();
        assert_eq!(find(&db, &admin, "e1").await.unwrap(), execution);
        assert_eq!(find_if_any(&db, &ann, "e1").await.unwrap(), None);

        let was = std::mem::replace(&mut execution.status, Status::Cancelled);
        execution.ended_at = Some(time);
        let cancel = async |was| {
            db.transaction(async |tx| save_for(tx, &ann, "execution_kill", &execution, was).await)
                .await
        };
        cancel(was).await.unwrap();
        assert_eq!(cancel(was).await.unwrap_err().kind(), Kind::Conflict);
        assert_eq!(find(&db, &admin, "e1").await.unwrap(), execution);
        let audited = db.query("select action from audit_log", &[]).await.unwrap();
        let actions: Vec<&str> = audited.iter().map(|row| row.text(0).unwrap()).collect();
        assert_eq!(actions, ["execution_start", "execution_kill"]);
    });
}
