use super::*;
use crate::deployments::Owner;
use crate::nodes::tests::deployment;
use serde_json::{Map, Value as Json, json};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::list::{ListQuery, page};
use windlass_core::{Kind, Request, Result, Scope};

fn instance(id: &str) -> NewInstance {
    NewInstance {
        id: id.into(),
        node_id: "vm".into(),
        host_id: Some(id.into()),
        ..NewInstance::default()
    }
}

async fn insert(db: &NativeDb, owner: &Owner, instances: Vec<NewInstance>) {
    db.transaction(async |tx| insert_many(tx, owner, instances).await)
        .await
        .unwrap();
}

async fn saved(db: &NativeDb, scope: &Scope, record: &Record) -> Result<()> {
    db.transaction(async |tx| save(tx, scope, record).await)
        .await
}

async fn list(db: &NativeDb, scope: &Scope, query: &str) -> Vec<Json> {
    let request = Request::new(Method::GET, &format!("/node-instances?{query}"));
    let query = ListQuery::parse(&NODE_INSTANCE, &request, &[]).unwrap();
    page(db, &NODE_INSTANCE.page_statement(scope, &query))
        .await
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn ids_that_are_taken_get_new_endings_everywhere() {
    pollster::block_on(async {
        let (db, scope, owner) = deployment().await;
        insert(&db, &owner, vec![instance("vm_1")]).await;
        let app = NewInstance {
            id: "app_1".into(),
            node_id: "app".into(),
            host_id: Some("vm_1".into()),
            relationships: Some(vec![Map::from_iter([
                ("type".to_owned(), json!("contained_in")),
                ("target_id".to_owned(), json!("vm_1")),
            ])]),
            ..NewInstance::default()
        };
        insert(&db, &owner, vec![instance("vm_1"), app]).await;
        let all = list(&db, &scope, "").await;
        assert_eq!(all.len(), 3);
        let new = all[1]["id"].as_str().unwrap();
        assert!(new.starts_with("vm_") && new.len() == 9, "{new}");
        assert_eq!(all[1]["host_id"], new);
        assert_eq!(all[2]["host_id"], new);
        assert_eq!(all[2]["relationships"][0]["target_id"], new);
        for (field, want) in [
            ("state", json!("uninitialized")),
            ("version", json!(1)),
            ("index", json!(1)),
            ("runtime_properties", json!({})),
            ("system_properties", json!({})),
            ("is_status_check_ok", json!(false)),
            ("has_configuration_drift", json!(false)),
            ("scaling_groups", json!([])),
        ] {
            assert_eq!(all[0][field], want, "{field}");
        }
    });
}

#[test]
fn two_writers_do_not_overwrite_each_other() {
    pollster::block_on(async {
        let (db, scope, owner) = deployment().await;
        insert(&db, &owner, vec![instance("vm_1")]).await;
        let mut first = find(&db, &scope, "vm_1").await.unwrap();
        let mut second = first.clone();
        first.runtime_properties = json!({ "ip": "10.0.0.1" });
        first.system_properties = json!({ "status": { "ok": true } });
        saved(&db, &scope, &first).await.unwrap();
        second.state = "started".into();
        let refused = saved(&db, &scope, &second).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Conflict);
        let now = &list(&db, &scope, "id=vm_1&deployment_id=d1").await[0];
        assert_eq!(
            (&now["version"], &now["state"]),
            (&json!(2), &json!("uninitialized"))
        );
        assert_eq!(now["is_status_check_ok"], true);
        db.transaction(async |tx| delete(tx, &scope, &first).await)
            .await
            .unwrap();
        assert_eq!(
            find(&db, &scope, "vm_1").await.unwrap_err().kind(),
            Kind::NotFound
        );
    });
}

#[test]
fn the_instances_of_a_deployment_are_found_by_an_index() {
    pollster::block_on(async {
        let (db, scope, _) = deployment().await;
        for query in [
            "deployment_id=d1&_size=20",
            "deployment_id=d1&node_id=vm",
            "id=vm_1",
        ] {
            let request = Request::new(Method::GET, &format!("/node-instances?{query}"));
            let list = ListQuery::parse(&NODE_INSTANCE, &request, &[]).unwrap();
            let statement = NODE_INSTANCE.page_statement(&scope, &list);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(
                !plan.contains("USING INDEX node_instances_by_tenant"),
                "{query}: {plan}"
            );
        }
    });
}

#[test]
fn an_update_moves_relationships_and_takes_instances_out() {
    pollster::block_on(async {
        let (db, scope, owner) = deployment().await;
        let all = ["vm_1", "vm_2", "vm_3"].map(instance).to_vec();
        insert(&db, &owner, all).await;
        let to = json!([{ "type": "t", "target_id": "vm_2", "target_name": "vm" }]);
        let new = |id: &str| NewRelationships {
            id: id.into(),
            relationships: to.clone(),
        };
        db.transaction(async |tx| {
            set_relationships(tx, &owner, &[new("vm_1"), new("nobody")]).await?;
            remove(tx, &owner, &["vm_3", "nobody"]).await
        })
        .await
        .unwrap();
        let read: Vec<Json> = for_update(&db, &owner).await.unwrap();
        let ids: Vec<&Json> = read.iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, ["vm_1", "vm_2"]);
        assert_eq!(read[0]["relationships"], to);
        assert_eq!(read[1]["relationships"], json!([]));
        let listed = list(&db, &scope, "").await;
        assert_eq!(
            (&listed[0]["version"], &listed[1]["version"]),
            (&json!(2), &json!(1))
        );
        let renamed = db
            .transaction(async |tx| {
                let (app, vm) = (instance("app_1"), instance("vm_1"));
                insert_many(tx, &owner, vec![app, vm]).await
            })
            .await
            .unwrap();
        assert_eq!(renamed.keys().collect::<Vec<_>>(), ["vm_1"]);
        assert!(instances_of(&db, &owner).await.contains(&renamed["vm_1"]));
    });
}

async fn instances_of(db: &NativeDb, owner: &Owner) -> Vec<String> {
    let read: Vec<Json> = for_update(db, owner).await.unwrap();
    let ids = read
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned());
    ids.collect()
}
