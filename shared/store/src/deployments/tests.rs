use super::*;
use crate::labels::{self, LabelOwner};
use crate::migrations;
use serde_json::json;
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::list::{Paging, Statement, page};
use windlass_core::{Kind, Request};

/// Two tenants, each with a blueprint.
async fn harbour() -> (NativeDb, Scope) {
    let db = NativeDb::in_memory();
    migrations::apply(&db).await.unwrap();
    for (key, tenant) in [(1, "harbour"), (2, "quay")] {
        db.execute(
            "insert into tenants (name, created_at) values (?1, '2024')",
            params![tenant],
        )
        .await
        .unwrap();
        db.execute(
            "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, state) values (?1, 'crane', ?2, 'ann', 'tenant', '2024', '2024', 'uploaded')",
            params![key, tenant],
        )
        .await
        .unwrap();
    }
    (db, Scope::system("admin", "harbour"))
}

fn new(id: &str) -> NewDeployment {
    let workflows = json!([
        { "name": "install", "parameters": {}, "is_available": 0b11101, "availability_rules": null },
        { "name": "stop", "parameters": {}, "is_available": 0b00011, "availability_rules": null },
    ]);
    NewDeployment {
        id: id.into(),
        blueprint_key: 1,
        blueprint_id: "crane".into(),
        display_name: format!("The {id}"),
        plan: Map::from_iter([
            ("inputs".into(), json!({ "port": 80 })),
            ("workflows".into(), workflows),
        ]),
        ..NewDeployment::default()
    }
}

async fn instances(db: &NativeDb, owner: &Owner, states: &[&str]) {
    db.execute(
        "delete from node_instances where deployment_key = ?1",
        params![owner.key],
    )
    .await
    .unwrap();
    for (number, state) in states.iter().enumerate() {
        db.execute(
            "insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name,
                 created_by, visibility, \"index\", relationships, scaling_groups, state)
             values (?1, ?2, ?2 || '_' || ?3, 'vm', 'harbour', 'ann', 'tenant', 1, '[]', '[]', ?4)",
            params![owner.key, &owner.id, number, *state],
        )
        .await
        .unwrap();
    }
}

async fn shown(db: &NativeDb, statement: &Statement) -> Vec<Json> {
    page(db, statement).await.unwrap().parse().unwrap()
}

#[test]
fn a_deployment_is_found_changed_and_deleted() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let owner = insert(&db, &scope, &new("d1")).await.unwrap();
        let found = find(&db, &scope, "d1").await.unwrap();
        assert_eq!(
            (found.key, found.display_name.as_str()),
            (owner.key, "The d1")
        );
        assert_eq!(found.inputs["port"], 80);
        assert_eq!(found.owner().visibility, Visibility::Tenant);
        assert_eq!(
            find(&db, &Scope::system("x", "quay"), "d1")
                .await
                .unwrap_err()
                .kind(),
            Kind::NotFound
        );
        assert_eq!(
            insert(&db, &scope, &new("d1")).await.unwrap_err().kind(),
            Kind::Conflict
        );

        set_display_name(&db, owner.key, "Crane").await.unwrap();
        set_site(&db, owner.key, Some("pier")).await.unwrap();
        set_runtime_only(&db, owner.key, true).await.unwrap();
        set_blueprint(&db, owner.key, 2, "other").await.unwrap();
        let created = Timestamp::parse("t", "2020-01-01").unwrap();
        set_origin(&db, owner.key, Some("bob"), Some(created))
            .await
            .unwrap();
        touch(&db, owner.key).await.unwrap();
        let part = Map::from_iter([
            ("description".into(), json!("lifts")),
            ("outputs".into(), json!({ "a": 1 })),
        ]);
        save_plan(&db, owner.key, &part).await.unwrap();
        set_visibility(&db, owner.key, Visibility::Global)
            .await
            .unwrap();
        let found = by_key(&db, owner.key).await.unwrap().unwrap();
        assert_eq!(found.description.as_deref(), Some("lifts"));
        assert_eq!((found.blueprint_key, found.created_by.as_str()), (2, "bob"));
        assert!(found.runtime_only_evaluation);
        assert_eq!(found.inputs["port"], 80);
        assert_eq!(
            blueprint_visibility(&db, 2).await.unwrap(),
            Visibility::Tenant
        );
        // Global now, so another tenant sees it, and its id is taken there.
        let quay = Scope::system("x", "quay");
        assert!(find_optional(&db, &quay, "d1").await.unwrap().is_some());
        assert!(
            resource::is_taken::<Deployment>(&db, &quay, "d1", Visibility::Tenant)
                .await
                .unwrap()
        );
        let global = resource::demand_widening(&db, &scope, &found, Visibility::Global).await;
        assert!(global.is_ok(), "no other tenant has one of its id");

        delete(&db, owner.key).await.unwrap();
        assert!(find_optional(&db, &scope, "d1").await.unwrap().is_none());
        assert!(
            !resource::is_taken::<Deployment>(&db, &scope, "d1", Visibility::Global)
                .await
                .unwrap()
        );
    });
}

#[test]
fn workflows_are_available_as_the_instances_are() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let owner = insert(&db, &scope, &new("d1")).await.unwrap();
        for (states, install, stop) in [
            (&[][..], true, true),
            (&["started", "started"], false, true),
            (&["uninitialized", "deleted"], true, false),
            (&["starting", "uninitialized"], true, false),
            (&["started", "uninitialized"], true, false),
        ] {
            instances(&db, &owner, states).await;
            let listed = &workflows_of_each(&db, &[owner.key]).await.unwrap()[0].1;
            let got: Vec<bool> = listed
                .iter()
                .map(|one| one["is_available"].as_bool().unwrap())
                .collect();
            assert_eq!(got, [install, stop], "{states:?}");
        }
        // A list that comes later is brought up to date at once.
        let stop = json!([{ "name": "stop", "is_available": 0b11011 }]);
        save_plan(
            &db,
            owner.key,
            &Map::from_iter([("workflows".into(), stop)]),
        )
        .await
        .unwrap();
        let each = workflows_of_each(&db, &[owner.key]).await.unwrap();
        assert_eq!(each[0].1, [json!({ "name": "stop", "is_available": true })]);
        instances(&db, &owner, &["uninitialized"]).await;
        let each = workflows_of_each(&db, &[owner.key, 99]).await.unwrap();
        assert_eq!(each.len(), 1);
        assert_eq!(each[0].1[0]["is_available"], false);
    });
}

#[test]
fn counts_follow_every_change_of_an_instance() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let owner = insert(&db, &scope, &new("d1")).await.unwrap();
        instances(&db, &owner, &["uninitialized", "uninitialized", "started"]).await;
        let counts = async || {
            let sql = "select json_array(instances, started, idle, unavailable, drifted) from instance_counts";
            db.first(sql, &[])
                .await
                .unwrap()
                .unwrap()
                .text(0)
                .unwrap()
                .to_owned()
        };
        assert_eq!(counts().await, "[3,1,2,0,0]");
        let check = json!({ "status": { "ok": false }, "source_relationships_configuration_drift": { "x": { "ok": true, "result": { "a": 1 } } } });
        for (sql, want) in [
            (
                "update node_instances set state = 'starting' where id = 'd1_0'",
                "[3,1,1,0,0]",
            ),
            (
                "update node_instances set state = 'started', system_properties = ?1 where id = 'd1_0'",
                "[3,2,1,1,1]",
            ),
            (
                "update node_instances set system_properties = '{\"configuration_drift\": {\"ok\": true, \"result\": null}, \"status\": {\"ok\": true}}' where id = 'd1_0'",
                "[3,2,1,0,0]",
            ),
            (
                "update node_instances set system_properties = '{\"configuration_drift\": \"odd\", \"status\": 3}' where id = 'd1_0'",
                "[3,2,1,0,0]",
            ),
            (
                "delete from node_instances where id = 'd1_0'",
                "[2,1,1,0,0]",
            ),
        ] {
            let check = [Value::from(&check)];
            let parameters = if sql.contains("?1") { &check[..] } else { &[] };
            db.execute(sql, parameters).await.unwrap();
            assert_eq!(counts().await, want, "{sql}");
        }
    });
}

#[test]
fn what_ran_or_runs_on_a_deployment_is_known() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let owner = insert(&db, &scope, &new("d1")).await.unwrap();
        let failed = Creation {
            blueprint_id: "crane",
            began: Timestamp::now(),
            error: Some("no"),
        };
        let id = record_creation(&db, &scope, &owner, &failed).await.unwrap();
        assert!(is_failed_creation(&db, owner.key).await.unwrap());
        assert!(
            unfinished_executions(&db, owner.key)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(!is_update_execution(&db, &id).await.unwrap());
        db.execute(
            "update executions set status = 'cancelling', workflow_id = 'update'",
            &[],
        )
        .await
        .unwrap();
        assert_eq!(
            unfinished_executions(&db, owner.key).await.unwrap(),
            [id.as_str()]
        );
        assert!(is_cancelling(&db, &id).await.unwrap());
        assert!(is_update_execution(&db, &id).await.unwrap());
        assert!(!is_failed_creation(&db, owner.key).await.unwrap());
        instances(&db, &owner, &["uninitialized", "started"]).await;
        assert_eq!(live_instances(&db, owner.key).await.unwrap(), ["d1_1"]);
    });
}

#[test]
fn parents_are_found_by_labels() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let top = insert(&db, &scope, &new("top")).await.unwrap();
        let child = insert(&db, &scope, &new("child")).await.unwrap();
        let label = [("csys-obj-parent".to_owned(), "top".to_owned())];
        let found = find_parents(&db, "harbour", "child", &["top"])
            .await
            .unwrap();
        link_parents(&db, &scope, "child", &found).await.unwrap();
        labels::add(&db, LabelOwner::Deployment, child.key, &label, &scope)
            .await
            .unwrap();
        assert_eq!(parent_ids(&label).collect::<Vec<_>>(), ["top"]);
        assert_eq!(
            children(&db, "harbour", "top").await.unwrap(),
            [(child.key, "child".into())]
        );
        assert_eq!(
            consumers(&db, "harbour", top.key).await.unwrap(),
            [("child".into(), "The child".into())]
        );
        assert!(is_below(&db, "harbour", "child", "top").await.unwrap());
        assert!(!is_below(&db, "harbour", "top", "child").await.unwrap());
        assert_eq!(
            find_keys(&db, "harbour", &["top", "none"]).await.unwrap(),
            [top.key]
        );
        for (child, parent, kind) in [
            ("top", "child", Kind::Conflict),
            ("top", "top", Kind::Conflict),
            ("top", "none", Kind::DeploymentParentNotFound),
        ] {
            let refusal = find_parents(&db, "harbour", child, &[parent])
                .await
                .unwrap_err();
            assert_eq!(refusal.kind(), kind, "{child} below {parent}");
        }
        unlink_parents(&db, "harbour", "child", &["top"])
            .await
            .unwrap();
        assert!(consumers(&db, "harbour", top.key).await.unwrap().is_empty());
        assert_eq!(label_values(&db, child.key).await.unwrap(), label);
    });
}

#[test]
fn one_deployment_of_each_blueprint_stands_for_its_workflows() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let mut keys = Vec::new();
        for (id, blueprint) in [("a", 1), ("b", 1), ("c", 2)] {
            let deployment = NewDeployment {
                blueprint_key: blueprint,
                ..new(id)
            };
            keys.push(insert(&db, &scope, &deployment).await.unwrap().key);
        }
        let all = first_of_each_blueprint(&db, &scope, &ListQuery::everything())
            .await
            .unwrap();
        assert_eq!(all, [keys[0], keys[2]]);
        let request = Request::new(Method::GET, "/workflows?id=b");
        let query = ListQuery::parse(&DEPLOYMENT, &request, &[]).unwrap();
        assert_eq!(
            first_of_each_blueprint(&db, &scope, &query).await.unwrap(),
            [keys[1]]
        );
    });
}

/// A workflow list of the size that the built-in types give a deployment.
fn usual_workflows() -> Json {
    let parameter = json!({ "type": "list", "item_type": "node_instance", "default": [] });
    (0..15)
        .map(|number| {
            let parameters: Map<String, Json> = (0..5)
                .map(|place| (format!("parameter_{place}"), parameter.clone()))
                .collect();
            json!({
                "name": format!("workflow_{number}"), "plugin": "default_workflows",
                "operation": "cloudify.plugins.workflows.install", "parameters": parameters,
                "is_cascading": false, "is_available": 29,
                "availability_rules": { "node_instances_active": ["none", "partial"] },
            })
        })
        .collect()
}

/// Ten thousand deployments with labels, executions and an instance each.
async fn many() -> (NativeDb, Scope) {
    let (db, scope) = harbour().await;
    for sql in [
        "with recursive n (k) as (select 1 union all select k + 1 from n where k < 10000)
         insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name, workflows, latest_execution)
         select k, 'd' || k, 'harbour', 'ann', 'tenant', '2024-' || k, '2024', 1, 'crane', 'name' || (k % 100), ?1, 'e' || k from n",
        "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
             deployment_id, workflow_id, status)
         select 'e' || key, 'harbour', 'ann', 'tenant', '2024', key, id, 'install', 'terminated' from deployments where ?1 <> ''",
        "insert into deployment_labels (deployment_key, key, value, created_at, created_by)
         select key, 'team', 't' || (key % 10), '2024', 'ann' from deployments where ?1 <> ''",
        "insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name,
             created_by, visibility, \"index\", relationships, scaling_groups)
         select key, id, 'vm_' || key, 'vm', 'harbour', 'ann', 'tenant', 1, '[]', '[]' from deployments where ?1 <> ''",
    ] {
        db.execute(sql, &[Value::from(&usual_workflows())]).await.unwrap();
    }
    (db, scope)
}

#[test]
fn a_page_of_many_deployments_follows_indexes() {
    pollster::block_on(async {
        let (db, scope) = many().await;
        for (query, index) in [
            ("_size=20", "deployments_by_tenant"),
            ("_size=20&_sort=-created_at", "deployments_by_creation"),
            ("_size=20&_sort=display_name", "deployments_by_name"),
            ("_size=20&_sort=blueprint_id", "deployments_by_blueprint_id"),
            ("id=d77", "sqlite_autoindex_deployments"),
            ("blueprint_id=crane&_size=20", "deployments_by"),
            (
                "_size=20&_include=id,display_name,created_at,deployment_status",
                "deployments_by_tenant",
            ),
        ] {
            let request = Request::new(Method::GET, &format!("/deployments?{query}"));
            let list = ListQuery::parse(&DEPLOYMENT, &request, &[]).unwrap();
            let statement = DEPLOYMENT.page_statement(&scope, &list);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(plan.contains(index), "{query}: {plan}");
            let scans = plan.lines().filter(|line| line.starts_with("SCAN t"));
            assert!(
                scans.clone().all(|line| line.contains("global")),
                "{query}: {plan}"
            );
        }
        let list = shown(
            &db,
            &DEPLOYMENT.page_statement(
                &scope,
                &ListQuery {
                    paging: Paging {
                        size: 1,
                        offset: 0,
                        all_results: false,
                    },
                    ..ListQuery::everything()
                },
            ),
        )
        .await;
        assert_eq!(list[0]["latest_execution_status"], "completed");
        assert_eq!(list[0]["labels"][0]["key"], "team");
        assert_eq!(list[0]["workflows"][0]["name"], "workflow_0");
        assert_eq!(list[0]["deployment_groups"], json!([]));
    });
}
