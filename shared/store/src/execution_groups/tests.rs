use super::*;
use crate::events::{EventQuery, Kinds};
use crate::executions::{self, Status};
use crate::resource::Origin;
use serde_json::Map;
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::{Request, Timestamp, Visibility};

/// So many deployments, all in the deployment group 1.
async fn harbour(deployments: usize) -> (NativeDb, Scope) {
    let db = crate::fresh_database().await;
    for sql in [
        "insert into tenants (name, created_at) values ('harbour', '2024')".to_owned(),
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (1, 'crane', 'harbour', 'ann', 'tenant', '2024', '2024', 'uploaded')"
            .to_owned(),
        "insert into plan_parts (key, hash, text) values (5, 'x', '[{\"name\": \"install\"}]')".to_owned(),
        format!(
            "with recursive n (k) as (select 0 union all select k + 1 from n where k + 1 < {deployments})
             insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
                 blueprint_key, blueprint_id, display_name, workflow_parts)
             select k + 1, 'd' || k, 'harbour', 'ann', 'tenant', '', '', 1, 'crane', 'd',
                 iif(k = 1, '[]', '[5, 5, 5, 5, 5]') from n"
        ),
        "insert into deployment_groups (key, id, tenant_name, created_by, visibility, created_at)
         values (1, 'fleet', 'harbour', 'ann', 'tenant', '')"
            .to_owned(),
        "insert into deployment_group_members select 1, key from deployments".to_owned(),
    ] {
        db.execute(&sql, &[]).await.unwrap();
    }
    (db, Scope::system("ann", "harbour"))
}

async fn group(db: &NativeDb, scope: &Scope, id: &str, concurrency: i64) -> ExecutionGroup {
    let new = New {
        id: id.into(),
        visibility: Visibility::Tenant,
        origin: Origin::default(),
    };
    let columns = NewGroup {
        workflow_id: "install",
        deployment_group: 1,
        concurrency,
    };
    db.transaction(async |tx| insert(tx, scope, &new, columns).await)
        .await
        .unwrap()
}

async fn fill(db: &NativeDb, scope: &Scope, group: &ExecutionGroup, prefix: &str, keys: &[i64]) {
    let one = |key: &i64| NewExecution {
        id: format!("{prefix}{key}"),
        deployment_key: *key,
        parameters: Map::new(),
    };
    let all: Vec<NewExecution> = keys.iter().map(one).collect();
    db.transaction(async |tx| insert_waiting(tx, scope, group, ("install", false), &all).await)
        .await
        .unwrap();
}

async fn set(db: &NativeDb, id: &str, status: &str) {
    let sql = "update executions set status = ?2 where id = ?1";
    db.execute(sql, params![id, status]).await.unwrap();
}

async fn status(db: &NativeDb, scope: &Scope) -> serde_json::Value {
    let statement = EXECUTION_GROUPS.named_statement(scope, None, "g");
    let row = db.first_json(&statement.sql, &statement.parameters).await;
    let shown: serde_json::Value = row.unwrap().unwrap();
    shown["status"].clone()
}

#[test]
fn a_group_stands_where_its_executions_do() {
    pollster::block_on(async {
        let (db, scope) = harbour(3).await;
        let all = group(&db, &scope, "g", 5).await;
        assert_eq!(status(&db, &scope).await, serde_json::Value::Null);
        fill(&db, &scope, &all, "e", &[1, 2]).await;
        for (first, second, want) in [
            ("queued", "queued", "queued"),
            ("pending", "queued", "queued"),
            ("pending", "pending", "pending"),
            ("scheduled", "pending", "queued"),
            ("started", "pending", "started"),
            ("terminated", "queued", "started"),
            ("terminated", "started", "started"),
            ("terminated", "terminated", "terminated"),
            ("terminated", "cancelled", "terminated"),
            ("failed", "cancelled", "failed"),
            ("failed", "started", "started"),
        ] {
            set(&db, "e1", first).await;
            set(&db, "e2", second).await;
            assert_eq!(status(&db, &scope).await, want, "{first} and {second}");
        }
        db.execute("delete from executions where id = 'e2'", &[])
            .await
            .unwrap();
        assert_eq!(status(&db, &scope).await, "failed");
        db.execute("delete from executions", &[]).await.unwrap();
        assert_eq!(status(&db, &scope).await, serde_json::Value::Null);
    });
}

#[test]
fn no_more_of_a_group_begin_than_it_may_have_and_others_are_not_kept_waiting() {
    pollster::block_on(async {
        let (db, scope) = harbour(9).await;
        let (paused, slow) = (
            group(&db, &scope, "paused", 0).await,
            group(&db, &scope, "g", 2).await,
        );
        fill(&db, &scope, &paused, "p", &[1, 3]).await;
        fill(&db, &scope, &slow, "s", &[4, 5, 6]).await;
        let alone = "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
                         workflow_id, status) values ('alone', 'harbour', 'ann', 'tenant', '2024-01-01T00:00:00Z', 7, 'install', 'queued')";
        db.execute(alone, &[]).await.unwrap();
        let mut order = Vec::new();
        while let Some(next) = executions::next_startable(&db, 20).await.unwrap() {
            set(&db, &next.id, "pending").await;
            order.push(next.id);
        }
        assert_eq!(order, ["s4", "s5", "alone"]);
        set(&db, "s4", "terminated").await;
        let next = executions::next_startable(&db, 20).await.unwrap().unwrap();
        assert_eq!(next.id, "s6");
        // A busy deployment is passed over.
        db.transaction(async |tx| set_concurrency(tx, &scope, &paused, 1).await)
            .await
            .unwrap();
        let busy = "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
                        workflow_id, status) values ('busy', 'harbour', 'ann', 'tenant', '2024-01-01T00:00:00Z', 1, 'install', 'started')";
        db.execute(busy, &[]).await.unwrap();
        let next = executions::next_startable(&db, 20).await.unwrap().unwrap();
        assert_eq!(next.id, "p3");
    });
}

#[test]
fn members_without_the_workflow_are_known() {
    pollster::block_on(async {
        let (db, scope) = harbour(3).await;
        let members = with_workflow(&db, &scope, 1, "install").await.unwrap();
        let found: Vec<_> = members
            .iter()
            .map(|member| (member.id.as_str(), member.has_workflow.unwrap_or(0)))
            .collect();
        assert_eq!(found, [("d0", 1), ("d1", 0), ("d2", 1)]);
        let members = with_workflow(&db, &scope, 1, "scale").await.unwrap();
        assert!(members.iter().all(|member| member.has_workflow != Some(1)));
        assert!(members.iter().all(|member| member.is_being_made == 0));
    });
}

#[test]
fn a_member_that_is_being_made_is_waited_for_even_by_force() {
    pollster::block_on(async {
        let (db, scope) = harbour(3).await;
        let making = "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
                          workflow_id, status)
                      values ('making', 'harbour', 'ann', 'tenant', '2024-01-01T00:00:00Z', 2,
                          'create_deployment_environment', 'started')";
        db.execute(making, &[]).await.unwrap();
        let members = with_workflow(&db, &scope, 1, "install").await.unwrap();
        let made: Vec<_> = members.iter().map(|member| member.is_being_made).collect();
        assert_eq!(made, [0, 1, 0]);
        let all = group(&db, &scope, "g", 5).await;
        let one = NewExecution {
            id: "forced".into(),
            deployment_key: 2,
            parameters: Map::new(),
        };
        let install = ("install", true);
        db.transaction(async |tx| {
            insert_waiting(tx, &scope, &all, install, std::slice::from_ref(&one)).await
        })
        .await
        .unwrap();
        assert!(executions::next_startable(&db, 20).await.unwrap().is_none());
        set(&db, "making", "terminated").await;
        let next = executions::next_startable(&db, 20).await.unwrap().unwrap();
        assert_eq!(next.id, "forced");
    });
}

#[test]
fn whoever_acts_on_a_group_acts_on_what_they_see_of_it() {
    pollster::block_on(async {
        let (db, scope) = harbour(4).await;
        let all = group(&db, &scope, "g", 5).await;
        fill(&db, &scope, &all, "e", &[1, 3, 4]).await;
        set(&db, "e1", "started").await;
        let private = "update executions set visibility = 'private', created_by = 'ann'
                       where id in ('e1', 'e3')";
        db.execute(private, &[]).await.unwrap();
        let bob = Scope::in_name_of("bob", "harbour");
        let seen = async |scope: &Scope, status: Status| {
            ids_in(&db, scope, &all, |one| one == status).await.unwrap()
        };
        assert!(seen(&bob, Status::Started).await.is_empty());
        db.transaction(async |tx| cancel_waiting(tx, &bob, &all, Timestamp::now()).await)
            .await
            .unwrap();
        let ann = Scope::in_name_of("ann", "harbour");
        assert_eq!(seen(&ann, Status::Started).await, ["e1"]);
        assert_eq!(seen(&ann, Status::Queued).await, ["e3"]);
        assert_eq!(seen(&ann, Status::Cancelled).await, ["e4"]);
    });
}

#[test]
fn what_waits_is_cancelled_at_once_and_told() {
    pollster::block_on(async {
        let (db, scope) = harbour(4).await;
        let all = group(&db, &scope, "g", 5).await;
        fill(&db, &scope, &all, "e", &[1, 3, 4]).await;
        set(&db, "e1", "started").await;
        let now = Timestamp::now();
        let unmade = db
            .transaction(async |tx| cancel_waiting(tx, &scope, &all, now).await)
            .await
            .unwrap();
        assert!(unmade.is_empty());
        let cancelled = ids_in(&db, &scope, &all, |status| status == Status::Cancelled)
            .await
            .unwrap();
        assert_eq!(cancelled, ["e3", "e4"]);
        let told = "select json_group_array(message) from events";
        let told: Vec<String> = db.first_json(told, &[]).await.unwrap().unwrap();
        assert_eq!(told, vec!["'install' workflow execution cancelled"; 2]);
        assert_eq!(running(&db, &all).await.unwrap(), (1, 5));
        let event = GroupEvent::warning("x".into());
        db.transaction(async |tx| note(tx, &all, &[event], now).await)
            .await
            .unwrap();
        let query = EventQuery::parse(
            &Request::new(
                Method::GET,
                "/events?execution_group_id=g&type=cloudify_log",
            ),
            Kinds::Logs,
        )
        .unwrap();
        let list = events::EVENTS.page_statement(&scope, query.query());
        let plan = db
            .plan(&list.sql, &list.parameters)
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("execution_group_events_by_group"), "{plan}");
        let page = windlass_core::list::page(&db, &list).await.unwrap();
        let lines: Vec<serde_json::Value> = page.parse().unwrap();
        assert_eq!(
            (&lines[0]["message"], &lines[0]["level"]),
            (&"x".into(), &"warning".into())
        );
    });
}

#[test]
fn deployments_go_where_their_executions_send_them() {
    pollster::block_on(async {
        let (db, scope) = harbour(3).await;
        let all = group(&db, &scope, "g", 5).await;
        fill(&db, &scope, &all, "e", &[1, 2, 3]).await;
        db.transaction(async |tx| set_targets(tx, &scope, &all, (Some(1), None)).await)
            .await
            .unwrap();
        for (id, status, target) in [
            ("e1", "terminated", Some("fleet")),
            ("e2", "failed", None),
            ("e3", "cancelled", None),
        ] {
            set(&db, id, status).await;
            let execution = executions::find(&db, &scope, id).await.unwrap();
            let found = targets_of(&db, &execution).await.unwrap();
            let found = found.as_ref().map(|group| group.head().id.as_str());
            assert_eq!(found, target, "{id}");
        }
        let ended = ended_deployments(&db, &all, Status::Failed).await.unwrap();
        assert_eq!(ended, [2]);
    });
}

/// One tenant's runs are no reason for another's to wait.
#[test]
fn a_tenant_with_enough_running_keeps_only_itself_waiting() {
    pollster::block_on(async {
        let (db, scope) = harbour(2).await;
        db.execute(
            "insert into tenants (name, created_at) values ('quay', '')",
            &[],
        )
        .await
        .unwrap();
        let run = async |key: i64, tenant: &str, status: &str| {
            let sql = "insert into executions (key, id, tenant_name, created_by, visibility,
                           created_at, workflow_id, status)
                       values (?1, 'x' || ?1, ?2, 'ann', 'tenant', '2026-01-01T00:00:00.000Z', 'install', ?3)";
            let values = params![key, tenant, status];
            db.execute(sql, values).await.unwrap();
        };
        for key in 1001..1021 {
            run(key, "harbour", "started").await;
        }
        run(1021, "harbour", "queued").await;
        run(1022, "quay", "queued").await;
        let one = group(&db, &scope, "g", 1).await;
        fill(&db, &scope, &one, "g", &[1]).await;
        let next = async |most| {
            let next = executions::next_startable(&db, most).await.unwrap();
            next.map(|next| next.key)
        };
        assert_eq!(next(21).await, Some(1021));
        assert_eq!(next(20).await, Some(1022));
        db.execute(
            "update executions set status = 'started' where key = 1022",
            &[],
        )
        .await
        .unwrap();
        assert_eq!(next(20).await, None);
        // One of the group's, which is younger.
        db.execute("delete from executions where key in (1001, 1021)", &[])
            .await
            .unwrap();
        assert!(next(20).await.is_some_and(|key| key > 1022));
    });
}

/// Asked for whenever an execution ends, however many wait.
#[test]
fn who_is_next_is_found_by_indexes() {
    pollster::block_on(async {
        let (db, scope) = harbour(1).await;
        let plan = db
            .plan(&executions::next_startable_sql(), params![20])
            .await
            .unwrap()
            .join("\n");
        for index in [
            "executions_waiting ",
            "executions_waiting_in_group",
            "execution_groups_open",
            "executions_running",
            "executions_waiting (is_system_workflow=? AND tenant_name=?",
        ] {
            assert!(plan.contains(index), "{index}: {plan}");
        }
        assert!(!plan.contains("SCAN executions\n"), "{plan}");
        for (text, index) in [
            ("", "execution_groups_by_tenant"),
            ("_sort=created_at", "execution_groups_by_creation"),
            ("workflow_id=install", "execution_groups_by_workflow"),
        ] {
            let request = Request::new(Method::GET, &format!("/x?{text}"));
            let query = ListQuery::parse(&EXECUTION_GROUPS, &request, &[]).unwrap();
            let statement = EXECUTION_GROUPS.page_statement(&scope, &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let plan = plan.join("\n");
            assert!(plan.contains(index), "{text}: {plan}");
        }
        let mut query = ListQuery::everything();
        group(&db, &scope, "g", 1).await;
        only_executions_of(&db, &scope, &mut query, "g")
            .await
            .unwrap();
        let list = executions::EXECUTIONS.page_statement(&scope, &query);
        let plan = db
            .plan(&list.sql, &list.parameters)
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("executions_by_group"), "{plan}");
    });
}
