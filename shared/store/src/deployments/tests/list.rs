//! Lists of deployments: what they show, their order, and the indexes they follow.

use super::*;
use windlass_core::list::Paging;

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
        "insert into plan_parts (key, hash, text) values (1, 'workflows', ?1)",
        "with recursive n (k) as (select 1 union all select k + 1 from n where k < 10000)
         insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name, workflow_parts, latest_execution)
         select k, 'd' || k, 'harbour', 'ann', 'tenant', '2024-' || k, '2024', 1, 'crane', 'name' || (k % 100), '[1, 1, 1, 1, 1]', 'e' || k from n where ?1 <> ''",
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
                        with_total: true,
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

#[test]
fn deployments_are_sorted_by_the_values_of_a_label() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        for (id, values) in [("a", &["2"][..]), ("b", &["1", "9"]), ("c", &["1"])] {
            let owner = insert(&db, &scope, &new(id)).await.unwrap();
            let labels: Vec<Label> = values
                .iter()
                .map(|value| Label::new("rank", *value))
                .collect();
            db.transaction(async |tx| labels::add(tx, &scope, &owner, &labels).await)
                .await
                .unwrap();
        }
        for (sort, want) in [
            ("label:Rank", ["c", "b", "a"]),
            ("-label:Rank", ["a", "b", "c"]),
        ] {
            let request = Request::new(Method::GET, &format!("/deployments?_sort={sort}"));
            let query = DEPLOYMENT_LIST.parse(&request, &[]).unwrap();
            let list = shown(&db, &DEPLOYMENT.page_statement(&scope, &query)).await;
            let ids: Vec<&Json> = list.iter().map(|one| &one["id"]).collect();
            assert_eq!(ids, want);
        }
        let request = Request::new(Method::GET, "/deployments?_sort=label:no'quote");
        assert!(DEPLOYMENT_LIST.parse(&request, &[]).is_err());
    });
}
