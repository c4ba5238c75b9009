use super::*;
use crate::deployments::{self, NewDeployment};
use crate::migrations;
use crate::nodes::tests::deployment;
use serde_json::{Map, Value as Json, json};
use windlass_core::Scope;
use windlass_core::db::NativeDb;

async fn number(db: &NativeDb, sql: &str) -> i64 {
    let row = db.first(sql, &[]).await.unwrap().unwrap();
    row.integer(0).unwrap()
}

async fn count(db: &NativeDb) -> i64 {
    number(db, "select count(*) from plan_parts").await
}

fn plan(outputs: &str) -> Map<String, Json> {
    let workflows = json!([{ "name": "install", "is_available": 0b00101 }]);
    Map::from_iter([
        ("description".into(), json!("A crane")),
        ("inputs".into(), json!({ "berth": outputs })),
        ("outputs".into(), json!({ "berth": outputs })),
        ("groups".into(), json!({})),
        ("policy_types".into(), json!({ "scale": "x".repeat(5000) })),
        ("workflows".into(), workflows),
    ])
}

async fn insert(db: &NativeDb, scope: &Scope, id: &str, outputs: &str) {
    let new = NewDeployment {
        id: id.into(),
        blueprint_key: 1,
        blueprint_id: "crane".into(),
        display_name: id.into(),
        plan: plan(outputs),
        ..NewDeployment::default()
    };
    db.transaction(async |tx| deployments::insert(tx, scope, &new).await)
        .await
        .unwrap();
}

#[test]
fn what_deployments_have_in_common_is_there_once_and_goes_with_the_last() {
    pollster::block_on(async {
        let (db, scope, _) = deployment().await;
        insert(&db, &scope, "d2", "east").await;
        // A description, outputs, policy types, and the workflows available or not.
        assert_eq!(count(&db).await, 5);
        insert(&db, &scope, "d3", "east").await;
        assert_eq!(count(&db).await, 5);
        insert(&db, &scope, "d4", "west").await;
        assert_eq!(count(&db).await, 6);

        let found = deployments::find(&db, &scope, "d4").await.unwrap();
        let changes = deployments::Changes {
            plan: plan("north"),
            ..deployments::Changes::default()
        };
        db.transaction(async |tx| deployments::save(tx, &scope, &found, &changes).await)
            .await
            .unwrap();
        assert_eq!(count(&db).await, 6, "`west` gave way to `north`");
        for (id, left) in [("d2", 6), ("d3", 5), ("d4", 0)] {
            let found = deployments::find(&db, &scope, id).await.unwrap();
            assert_eq!(found.description.as_deref(), Some("A crane"));
            db.transaction(async |tx| deployments::delete(tx, &scope, &found).await)
                .await
                .unwrap();
            assert_eq!(count(&db).await, left, "{id}");
        }
        let uses = number(&db, "select count(*) from plan_part_uses").await;
        assert_eq!(uses, 0);
    });
}

#[test]
fn texts_of_any_size_keep_their_order_and_are_not_confused() {
    pollster::block_on(async {
        let (db, ..) = deployment().await;
        let large = "y".repeat(PIECE as usize + 1);
        let quotes = "\"".repeat(PIECE as usize);
        let some: Vec<String> = (1..6).map(|place| "\\".repeat(90_000 + place)).collect();
        let mut texts = vec!["a", &large, &quotes, "b", "a", "\"{\u{1}}'", "c"];
        texts.extend(some.iter().map(String::as_str));
        for _ in 0..2 {
            let keys = db.transaction(async |tx| keep(tx, &texts).await);
            for (key, text) in keys.await.unwrap().into_iter().zip(&texts) {
                let sql = "select text from plan_parts where key = ?1";
                let row = db.first(sql, params![key]).await.unwrap().unwrap();
                assert_eq!(row.text(0).unwrap(), *text);
            }
            assert_eq!(count(&db).await, 11);
        }
    });
}

/// Rows as they were before parts had a table.
const BEFORE: [&str; 6] = [
    "insert into tenants (name, created_at) values ('harbour', '2024')",
    "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at,
         state) values (1, 'crane', 'harbour', 'ann', 'tenant', '2024', '2024', 'uploaded')",
    r#"insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
         blueprint_key, blueprint_id, display_name, description, outputs, workflow_situations,
         workflows)
     select value, 'harbour', 'ann', 'tenant', '2024', '2024', 1, 'crane', value, 'A crane',
         '{"berth":1.0}', '[5,31]',
         '[{"name":"install","is_available":true},{"name":"heal","is_available":true}]'
     from json_each('["d1", "d2"]')"#,
    "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
         blueprint_key, blueprint_id, display_name)
     values ('d3', 'harbour', 'ann', 'tenant', '2024', '2024', 1, 'crane', 'd3')",
    r#"insert into nodes (deployment_key, deployment_id, id, tenant_name, created_by, visibility,
         type, type_hierarchy, properties, operations, relationships, plugins,
         number_of_instances, planned_number_of_instances, deploy_number_of_instances,
         min_number_of_instances, max_number_of_instances)
     select key, id, 'lamp', 'harbour', 'ann', 'tenant', 'lamp', '["lamp"]', '{"a":1}',
         '{"start":{}}', '[]', 'null', 1, 1, 1, 1, 1 from deployments"#,
    r#"insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name,
         created_by, visibility, "index", relationships, scaling_groups, state)
     select key, id, 'lamp_' || id, 'lamp', 'harbour', 'ann', 'tenant', 1, '[]', '[]', 'started'
     from deployments where id = 'd1'"#,
];

async fn shown(db: &NativeDb, resource: &windlass_core::list::Resource) -> String {
    let scope = Scope::system("admin", "harbour");
    let everything = windlass_core::list::ListQuery::everything();
    let statement = resource.page_statement(&scope, &everything);
    let page = windlass_core::list::page(db, &statement).await;
    page.unwrap().items
}

#[test]
fn rows_of_an_older_schema_show_the_same_afterwards() {
    pollster::block_on(async {
        let db = NativeDb::in_memory();
        migrations::apply_before(&db, "plan_parts").await.unwrap();
        for sql in BEFORE {
            db.execute(sql, &[]).await.unwrap();
        }
        let before: Vec<Json> = db
            .json_rows(
                "select json_object('id', d.id, 'description', description, 'outputs', json(outputs),
                     'groups', json(groups), 'workflows', json(workflows),
                     'operations', json(operations), 'relationships', json(relationships),
                     'type_hierarchy', json(type_hierarchy), 'plugins', json(plugins))
                 from deployments d join nodes n on n.deployment_key = d.key order by d.key",
                &[],
            )
            .await
            .unwrap();
        migrations::apply(&db).await.unwrap();
        let deployments: Vec<Json> =
            serde_json::from_str(&shown(&db, &deployments::DEPLOYMENT).await).unwrap();
        let nodes: Vec<Json> =
            serde_json::from_str(&shown(&db, &crate::nodes::NODE).await).unwrap();
        for (place, before) in before.iter().enumerate() {
            for (name, value) in before.as_object().unwrap() {
                let after = match deployments[place].get(name) {
                    Some(after) => after,
                    None => &nodes[place][name],
                };
                assert_eq!(after, value, "{name} of {}", before["id"]);
            }
        }
        // The instances of d1 are started; its `install` is available to none and some.
        assert_eq!(deployments[0]["workflows"][0]["is_available"], false);
        let unhashed = "select count(*) from plan_parts where hash is null or length(hash) <> 32";
        assert_eq!(number(&db, unhashed).await, 0);
        let (before, scope) = (count(&db).await, Scope::system("admin", "harbour"));
        for (id, left) in [("d1", before), ("d2", 3), ("d3", 0)] {
            let found = deployments::find(&db, &scope, id).await.unwrap();
            db.transaction(async |tx| deployments::delete(tx, &scope, &found).await)
                .await
                .unwrap();
            assert_eq!(count(&db).await, left, "{id}");
        }
    });
}
