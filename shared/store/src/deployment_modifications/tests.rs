use super::*;
use crate::deployments::Owner;
use crate::fresh_database;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::list::ListQuery;
use windlass_core::{Kind, Request, Scope, Visibility, params};

fn owner() -> Owner {
    Owner {
        key: 1,
        id: "north".into(),
        tenant_name: "harbour".into(),
        created_by: "ann".into(),
        visibility: Visibility::Tenant,
    }
}

async fn harbour() -> (NativeDb, Scope) {
    let db = fresh_database().await;
    for sql in [
        "insert into tenants (name, created_at) values ('harbour', '')",
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (1, 'crane', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
        "insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name)
         values (1, 'north', 'harbour', 'ann', 'tenant', '', '', 1, 'crane', 'north')",
        r#"insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name,
             created_by, visibility, "index", relationships, scaling_groups, state)
         values (1, 'north', 'vm_1', 'vm', 'harbour', 'ann', 'tenant', 1, '[]', '[]', 'started'),
             (1, 'north', 'vm_2', 'vm', 'harbour', 'ann', 'tenant', 2, '[]', '[]', 'started'),
             (1, 'north', 'app_1', 'app', 'harbour', 'ann', 'tenant', 1,
              '[{"target_id": "vm_1"}, {"target_id": "vm_2"}]', '[]', 'started')"#,
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    (db, Scope::system("ann", "harbour"))
}

async fn begun(db: &NativeDb, scope: &Scope) -> DeploymentModification {
    let modified = BTreeMap::from([(
        "vm".to_owned(),
        New {
            instances: 1,
            ..New::default()
        },
    )]);
    db.transaction(async |tx| insert(tx, scope, &owner(), &modified, &Map::new()).await)
        .await
        .unwrap()
}

fn related(id: &str, to: &str) -> Modified<'static> {
    let relationship = json!({ "target_id": to }).as_object().unwrap().clone();
    Modified {
        id: Box::leak(id.to_owned().into_boxed_str()),
        modification: None,
        relationships: Some(vec![relationship]),
    }
}

/// What is kept of a part, as JSON.
async fn shown(db: &NativeDb, key: i64, part: Part) -> Json {
    let mut all = Vec::new();
    let mut after = -1;
    while let Some((text, last)) = instances_text(db, key, part, after).await.unwrap() {
        all.push(text);
        after = last;
    }
    serde_json::from_str(&format!("[{}]", all.join(","))).unwrap()
}

async fn instances(db: &NativeDb) -> Vec<String> {
    let sql = "select id || ' ' || state || ' ' || relationships from node_instances order by key";
    let rows = db.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_removed_goes_when_it_is_finished_and_related_ones_forget_it() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let modification = begun(&db, &scope).await;
        let removed = Modified {
            id: "vm_2",
            modification: Some(Change::Removed.name()),
            relationships: None,
        };
        db.transaction(async |tx| {
            keep(
                tx,
                &modification,
                Part::Removed,
                &[removed, related("app_1", "vm_2")],
            )
            .await?;
            remove_removed(tx, &modification).await?;
            shorten_relationships(tx, &modification).await?;
            save_end(tx, &scope, &modification, Status::Finished).await
        })
        .await
        .unwrap();
        let left = [
            r#"vm_1 started []"#,
            r#"app_1 started [{"target_id":"vm_1"}]"#,
        ];
        assert_eq!(instances(&db).await, left);
        let kept = shown(&db, modification.key, Part::Removed).await;
        assert_eq!(kept[0]["id"], "vm_2");
        assert_eq!(kept[0]["modification"], "removed");
        assert_eq!(kept[1]["relationships"], json!([{ "target_id": "vm_2" }]));
        assert_eq!(kept[1]["modification"], Json::Null);
        let ended = find(&db, &scope, &modification.id).await.unwrap();
        assert_eq!(ended.status, "finished");
        assert_eq!(crate::counts::audit(&db).await.unwrap(), []);
    });
}

#[test]
fn taken_back_everything_is_as_it_was_but_for_versions() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let before = instances(&db).await;
        let modification = begun(&db, &scope).await;
        let all = ["vm_1", "vm_2", "app_1"].map(|id| Modified {
            id,
            ..Modified::default()
        });
        let added = Modified {
            id: "vm_9",
            modification: Some(Change::Added.name()),
            relationships: None,
        };
        db.transaction(async |tx| {
            keep(tx, &modification, Part::Before, &all).await?;
            for sql in [
                r#"insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name,
                     created_by, visibility, "index", relationships, scaling_groups)
                 values (1, 'north', 'vm_9', 'vm', 'harbour', 'ann', 'tenant', 3, '[]', '[]')"#,
                "update node_instances set state = 'deleted' where id = 'app_1'",
                "delete from node_instances where id = 'vm_2'",
            ] {
                tx.execute(sql, &[]).await?;
            }
            change_relationships(tx, &owner(), &[related("vm_1", "vm_9")]).await?;
            keep(tx, &modification, Part::Added, &[added]).await?;
            remove_added(tx, &modification).await?;
            restore(tx, &modification, &owner()).await?;
            save_end(tx, &scope, &modification, Status::RolledBack).await
        })
        .await
        .unwrap();
        let mut after: Vec<String> = instances(&db).await;
        after.sort();
        let mut before: Vec<String> = before
            .iter()
            .map(|line| line.replace(": ", ":").replace(", ", ","))
            .collect();
        before.sort();
        assert_eq!(
            after
                .iter()
                .map(|line| line.replace(": ", ":").replace(", ", ","))
                .collect::<Vec<_>>(),
            before
        );
        // What nobody had touched keeps its version.
        let untouched = "select count(*) from node_instances where version = 1";
        assert_eq!(
            db.first(untouched, &[])
                .await
                .unwrap()
                .unwrap()
                .integer(0)
                .unwrap(),
            0
        );
        assert_eq!(crate::counts::audit(&db).await.unwrap(), []);
    });
}

#[test]
fn a_deployment_has_one_under_way_at_most() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let first = begun(&db, &scope).await;
        let again = db
            .transaction(async |tx| {
                insert(tx, &scope, &owner(), &BTreeMap::new(), &Map::new()).await
            })
            .await;
        let refusal = again.unwrap_err();
        assert_eq!(refusal.kind(), Kind::ExistingStartedDeploymentModification);
        let text = format!(
            "Cannot start deployment modification while there are existing started deployment \
             modifications. Currently started deployment modifications: ['{}']",
            first.id
        );
        assert_eq!(refusal.message(), text);
        db.transaction(async |tx| save_end(tx, &scope, &first, Status::RolledBack).await)
            .await
            .unwrap();
        begun(&db, &scope).await;
        let stranger = Scope::system("mia", "quay");
        let hidden = find(&db, &stranger, &first.id).await.unwrap_err();
        assert_eq!(hidden.kind(), Kind::NotFound);
    });
}

#[test]
fn many_instances_are_read_in_their_order() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let modification = begun(&db, &scope).await;
        let sql = r#"with recursive n (k) as (select 1 union all select k + 1 from n where k < 2500)
             insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name,
                 created_by, visibility, "index", relationships, scaling_groups)
             select 1, 'north', 'n_' || k, 'n', 'harbour', 'ann', 'tenant', k, '[]', '[]' from n"#;
        db.execute(sql, &[]).await.unwrap();
        let ids: Vec<String> = (1..=2500).map(|k| format!("n_{k}")).collect();
        let kept: Vec<Modified> = ids
            .iter()
            .map(|id| Modified {
                id,
                ..Modified::default()
            })
            .collect();
        db.transaction(async |tx| keep(tx, &modification, Part::Before, &kept).await)
            .await
            .unwrap();
        let shown = shown(&db, modification.key, Part::Before).await;
        let shown: Vec<&str> = shown
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_str().unwrap())
            .collect();
        assert_eq!(shown, ids);
        assert!(any_in_use(&db, "harbour", &["x", "n_7"]).await.unwrap());
        assert!(!any_in_use(&db, "quay", &["x", "n_7"]).await.unwrap());
    });
}

#[test]
fn lists_and_ends_of_modifications_follow_indexes() {
    pollster::block_on(async {
        let db = fresh_database().await;
        let scope = Scope::system("ann", "harbour");
        for (text, index) in [
            ("", "deployment_modifications_by_tenant"),
            ("_sort=created_at", "deployment_modifications_by_creation"),
            (
                "deployment_id=north",
                "deployment_modifications_by_deployment",
            ),
            ("status=started", "deployment_modifications_by_status"),
            ("id=abc", "sqlite_autoindex_deployment_modifications"),
        ] {
            let path = format!("/deployment-modifications?{text}");
            let request = Request::new(Method::GET, &path);
            let query = ListQuery::parse(&DEPLOYMENT_MODIFICATION, &request, &[]).unwrap();
            let statement = DEPLOYMENT_MODIFICATION.page_statement(&scope, &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            assert!(
                plan.iter().any(|line| line.contains(index)),
                "{text}: {plan:#?}"
            );
        }
        for sql in [
            "select key from deployment_modifications where deployment_key = ?1 and status = 'started'",
            "select instance, number from modified_instances
             where modification_key = ?1 and part = 'x' and number > 1 order by number limit 2",
        ] {
            let plan = db.plan(sql, params![1]).await.unwrap();
            assert!(plan.iter().all(|line| line.contains("SEARCH")), "{plan:?}");
        }
    });
}
