use super::*;
use crate::deployments::{self, NewDeployment};
use crate::migrations;
use serde_json::json;
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::list::{ListQuery, page};
use windlass_core::{Kind, Request, Visibility};

pub(crate) async fn deployment() -> (NativeDb, Scope, Owner) {
    let db = NativeDb::in_memory();
    migrations::apply(&db).await.unwrap();
    db.execute(
        "insert into tenants (name, created_at) values ('harbour', '2024')",
        &[],
    )
    .await
    .unwrap();
    db.execute(
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
             updated_at, state) values (1, 'crane', 'harbour', 'ann', 'tenant', '2024', '2024', 'uploaded')",
        &[],
    )
    .await
    .unwrap();
    let scope = Scope::system("admin", "harbour");
    let new = NewDeployment {
        id: "d1".into(),
        blueprint_key: 1,
        blueprint_id: "crane".into(),
        display_name: "Crane".into(),
        ..NewDeployment::default()
    };
    let owner = db
        .transaction(async |tx| deployments::insert(tx, &scope, &new).await)
        .await
        .unwrap();
    (db, scope, owner)
}

fn node(id: &str, operations: &Rc<str>) -> NewNode {
    NewNode {
        id: id.into(),
        type_name: "ship \"Ann\"".into(),
        type_hierarchy: r#"["root", "ship"]"#.into(),
        properties: r#"{"length": 12.5, "name": "Ann"}"#.into(),
        operations: operations.clone(),
        relationships: r#"[{"type": "moored_at", "target_id": "pier"}]"#.into(),
        plugins: "null".into(),
        plugins_to_install: None,
        host_id: None,
        counts: Counts {
            number: 1,
            planned: 2,
            deploy: 1,
            min: 0,
            max: -1,
            actual_planned: 4,
        },
    }
}

/// Stores nodes in a transaction of its own.
async fn insert_many(db: &NativeDb, owner: &Owner, nodes: &[NewNode]) -> Result<()> {
    db.transaction(async |tx| super::insert_many(tx, owner, nodes).await)
        .await
}

async fn list(db: &NativeDb, scope: &Scope, query: &str) -> Vec<Json> {
    let request = Request::new(Method::GET, &format!("/nodes?{query}"));
    let query = ListQuery::parse(&NODE, &request, &[]).unwrap();
    page(db, &NODE.page_statement(scope, &query))
        .await
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn nodes_come_back_as_they_were_stored() {
    pollster::block_on(async {
        let (db, scope, owner) = deployment().await;
        let operations: Rc<str> = r#"{"start": {"plugin": "p"}}"#.into();
        let host = NewNode {
            plugins: r#"[{"name": "p"}]"#.into(),
            plugins_to_install: Some("[]".into()),
            host_id: Some("b".into()),
            ..node("b", &operations)
        };
        insert_many(&db, &owner, &[node("a", &operations), host])
            .await
            .unwrap();
        let nodes = list(&db, &scope, "").await;
        for (field, want) in [
            ("id", json!("a")),
            ("type", json!("ship \"Ann\"")),
            ("type_hierarchy", json!(["root", "ship"])),
            ("properties", json!({ "length": 12.5, "name": "Ann" })),
            ("operations", json!({ "start": { "plugin": "p" } })),
            (
                "relationships",
                json!([{ "type": "moored_at", "target_id": "pier" }]),
            ),
            ("plugins", Json::Null),
            ("plugins_to_install", Json::Null),
            ("host_id", Json::Null),
            ("planned_number_of_instances", json!(2)),
            ("max_number_of_instances", json!(-1)),
            ("actual_planned_number_of_instances", json!(4)),
            ("actual_number_of_instances", json!(0)),
            ("drifted_instances", json!(0)),
            ("deployment_display_name", json!("Crane")),
            ("blueprint_id", json!("crane")),
            ("tenant_name", json!("harbour")),
        ] {
            assert_eq!(nodes[0][field], want, "{field}");
        }
        assert_eq!(nodes[1]["plugins"], json!([{ "name": "p" }]));
        assert_eq!(nodes[1]["plugins_to_install"], json!([]));
        assert_eq!(nodes[1]["host_id"], "b");
        let again = insert_many(&db, &owner, &[node("a", &operations)])
            .await
            .unwrap_err();
        assert_eq!(again.kind(), Kind::Conflict);
    });
}

#[test]
fn an_instance_is_unavailable_until_a_check_went_well() {
    pollster::block_on(async {
        let (db, scope, owner) = deployment().await;
        insert_many(&db, &owner, &[node("a", &"{}".into())])
            .await
            .unwrap();
        for (id, system_properties) in [
            ("never", "{}"),
            ("failed", r#"{"status": {"ok": false}}"#),
            ("well", r#"{"status": {"ok": true}}"#),
        ] {
            db.execute(
                "insert into node_instances (deployment_key, deployment_id, id, node_id,
                     tenant_name, created_by, visibility, \"index\", relationships,
                     scaling_groups, system_properties)
                 values (?1, ?2, ?3, 'a', ?4, 'ann', 'tenant', 1, '[]', '[]', ?5)",
                params![
                    owner.key,
                    &owner.id,
                    id,
                    &owner.tenant_name,
                    system_properties
                ],
            )
            .await
            .unwrap();
        }
        let nodes = list(&db, &scope, "_include=unavailable_instances").await;
        assert_eq!(nodes, [json!({ "unavailable_instances": 2 })]);
        let sum = db.first("select unavailable from instance_counts", &[]);
        assert_eq!(sum.await.unwrap().unwrap().integer(0).unwrap(), 2);
    });
}

#[test]
fn large_deployments_are_stored_in_batches() {
    pollster::block_on(async {
        let (db, _, owner) = deployment().await;
        let operations: Rc<str> = format!("{{\"x\": \"{}\"}}", "y".repeat(500_000)).into();
        let mut nodes: Vec<NewNode> = (0..5)
            .map(|n| node(&format!("n{n}"), &operations))
            .collect();
        for node in &mut nodes {
            node.properties = format!("{{\"x\": \"{}\"}}", "z".repeat(500_000));
        }
        insert_many(&db, &owner, &nodes).await.unwrap();
        let row = db
            .first(
                "select count(*), min(length(operations)) from whole_nodes",
                &[],
            )
            .await;
        let row = row.unwrap().unwrap();
        assert_eq!(
            (row.integer(0).unwrap(), row.integer(1).unwrap() > 500_000),
            (5, true)
        );
    });
}

#[test]
fn what_is_too_large_for_a_row_is_refused_by_name() {
    pollster::block_on(async {
        let (db, _, owner) = deployment().await;
        let large: Rc<str> = format!("{{\"x\": \"{}\"}}", "y".repeat(600_000)).into();
        let mut properties = node("crane", &"{}".into());
        properties.properties = large.to_string();
        let operations = node("crane", &large);
        for (node, what) in [(properties, "properties"), (operations, "operations")] {
            let refusal = insert_many(&db, &owner, &[node]).await.unwrap_err();
            let text = format!("The {what} of the node `crane` have 600009 bytes");
            assert!(refusal.message().starts_with(&text), "{refusal:?}");
        }
        let nodes = db.first("select count(*) from nodes", &[]).await.unwrap();
        assert_eq!(nodes.unwrap().integer(0).unwrap(), 0);
    });
}

#[test]
fn a_node_is_changed_and_deleted() {
    pollster::block_on(async {
        let (db, scope, owner) = deployment().await;
        insert_many(&db, &owner, &[node("a", &"{}".into())])
            .await
            .unwrap();
        let found = find(&db, &scope, "d1", "a").await.unwrap();
        assert_eq!(found.properties["name"], "Ann");
        let parts = Map::from_iter([
            ("properties".into(), json!({ "a": 1 })),
            ("plugins".into(), Json::Null),
        ]);
        db.transaction(async |tx| {
            save(tx, &scope, &found, &parts).await?;
            add(tx, &scope, &owner, &[node("b", &"{}".into())]).await
        })
        .await
        .unwrap();
        let nodes = list(&db, &scope, "id=a&deployment_id=d1").await;
        assert_eq!(nodes[0]["properties"], json!({ "a": 1 }));
        assert_eq!(nodes[0]["relationships"][0]["target_id"], "pier");
        db.transaction(async |tx| set_visibility(tx, &owner, Visibility::Global).await)
            .await
            .unwrap();
        assert_eq!(list(&db, &Scope::system("x", "quay"), "").await.len(), 2);
        db.transaction(async |tx| delete(tx, &scope, &found).await)
            .await
            .unwrap();
        let sql = "select json_group_array(json_array(action, target_id)) from audit_log
                   where target_type = 'Node'";
        let audited: Json = db.first_json(sql, &[]).await.unwrap().unwrap();
        let want = json!([
            ["node_update", "a"],
            ["node_create", "b"],
            ["node_delete", "a"]
        ]);
        assert_eq!(audited, want);
        assert_eq!(
            find(&db, &scope, "d1", "a").await.unwrap_err().kind(),
            Kind::NotFound
        );
    });
}

#[test]
fn the_nodes_of_a_deployment_are_found_by_an_index() {
    pollster::block_on(async {
        let (db, scope, _) = deployment().await;
        for query in ["deployment_id=d1&_size=20", "deployment_id=d1&id=a"] {
            let request = Request::new(Method::GET, &format!("/nodes?{query}"));
            let list = ListQuery::parse(&NODE, &request, &[]).unwrap();
            let statement = NODE.page_statement(&scope, &list);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(plan.contains("nodes_by_deployment"), "{query}: {plan}");
            assert!(
                !plan.contains("USING INDEX nodes_by_tenant"),
                "{query}: {plan}"
            );
        }
    });
}

#[test]
fn nodes_are_read_whole_rewritten_and_taken_out() {
    pollster::block_on(async {
        let (db, scope, owner) = deployment().await;
        let operations: Rc<str> = r#"{"start": {"plugin": "p"}}"#.into();
        let nodes = ["a", "b", "c"].map(|id| node(id, &operations));
        insert_many(&db, &owner, &nodes).await.unwrap();
        let read = of_deployment(&db, &owner).await.unwrap();
        assert_eq!(read.len(), 3);
        for (stored, read) in nodes.iter().zip(&read) {
            let value = |text: &str| serde_json::from_str::<Json>(text).unwrap();
            assert_eq!(read.id, stored.id);
            assert_eq!(read.type_name, stored.type_name);
            assert_eq!(value(&read.properties), value(&stored.properties));
            for (read, stored) in [
                (&*read.type_hierarchy, &*stored.type_hierarchy),
                (&*read.operations, &*stored.operations),
                (&*read.relationships, &*stored.relationships),
                (&*read.plugins, &*stored.plugins),
            ] {
                assert_eq!(read, stored);
            }
            assert_eq!(read.counts, stored.counts);
            assert_eq!(read.host_id, stored.host_id);
        }
        let other: Rc<str> = r#"{"stop": {"plugin": "q"}}"#.into();
        let changed = NewNode {
            type_name: "barge".into(),
            properties: r#"{"length":2}"#.into(),
            ..node("b", &other)
        };
        db.transaction(async |tx| {
            rewrite(tx, &owner, std::slice::from_ref(&changed)).await?;
            set_relationships(tx, &owner, &[("c", "[]")]).await?;
            remove(tx, &owner, &["a", "nobody"]).await
        })
        .await
        .unwrap();
        let listed = list(&db, &scope, "").await;
        assert_eq!(listed[1]["relationships"], json!([]));
        let listed: Vec<_> = listed
            .iter()
            .map(|node| (&node["id"], &node["type"], &node["operations"]))
            .collect();
        assert_eq!(
            listed,
            [
                (
                    &json!("b"),
                    &json!("barge"),
                    &json!({ "stop": { "plugin": "q" } })
                ),
                (
                    &json!("c"),
                    &json!("ship \"Ann\""),
                    &json!({ "start": { "plugin": "p" } })
                ),
            ]
        );
        let large = NewNode {
            properties: "x".repeat(limits::VALUE_BYTES + 1),
            ..node("b", &other)
        };
        let refused = db
            .transaction(async |tx| rewrite(tx, &owner, std::slice::from_ref(&large)).await)
            .await;
        assert_eq!(refused.unwrap_err().kind(), Kind::PayloadTooLarge);
    });
}

#[test]
fn the_numbers_of_instances_of_a_node_are_set() {
    pollster::block_on(async {
        let (db, scope, owner) = deployment().await;
        insert_many(&db, &owner, &[node("a", &"{}".into())])
            .await
            .unwrap();
        let found = find(&db, &scope, &owner.id, "a").await.unwrap();
        let counts = Counts {
            number: 3,
            planned: 3,
            deploy: 1,
            min: 1,
            max: 9,
            actual_planned: 0,
        };
        db.transaction(async |tx| set_counts(tx, &found, counts).await)
            .await
            .unwrap();
        let nodes = list(&db, &scope, "").await;
        for (field, want) in [
            ("number_of_instances", 3),
            ("planned_number_of_instances", 3),
            ("deploy_number_of_instances", 1),
            ("min_number_of_instances", 1),
            ("max_number_of_instances", 9),
            // There were two groups of it.
            ("actual_planned_number_of_instances", 6),
        ] {
            assert_eq!(nodes[0][field], want, "{field}");
        }
    });
}
