use super::*;
use crate::deployments;
use crate::filters::{Target, rules};
use crate::labels::{self, Label};
use crate::resource::Origin;
use serde_json::json;
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::list::ListQuery;
use windlass_core::{Kind, Request, Timestamp};

/// A tenant with deployments `d0`, `d1` and so on of one blueprint.
async fn harbour(deployments: usize) -> (NativeDb, Scope) {
    let db = crate::fresh_database().await;
    for sql in [
        "insert into tenants (name, created_at) values ('harbour', '2024'), ('quay', '2024')".to_owned(),
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (1, 'crane', 'harbour', 'ann', 'tenant', '2024', '2024', 'uploaded')"
            .to_owned(),
        format!(
            "with recursive n (k) as (select 0 union all select k + 1 from n where k + 1 < {deployments})
             insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
                 blueprint_key, blueprint_id, display_name)
             select k + 1, 'd' || k, 'harbour', 'ann', 'tenant', '', '', 1, 'crane', 'd' from n"
        ),
    ] {
        db.execute(&sql, &[]).await.unwrap();
    }
    (db, Scope::system("ann", "harbour"))
}

async fn group(db: &NativeDb, scope: &Scope, id: &str) -> DeploymentGroup {
    let new = New {
        id: id.into(),
        visibility: Visibility::Tenant,
        origin: Origin::default(),
    };
    let changes = Changes::default();
    db.transaction(async |tx| insert(tx, scope, &new, &changes).await)
        .await
        .unwrap()
}

async fn shown(db: &NativeDb, scope: &Scope, id: &str) -> Json {
    let statement = DEPLOYMENT_GROUPS.named_statement(scope, None, id);
    let row = db.first_json(&statement.sql, &statement.parameters).await;
    row.unwrap().unwrap()
}

async fn labels_of(db: &NativeDb, scope: &Scope, id: &str) -> Vec<Label> {
    let owner = deployments::find(db, scope, id).await.unwrap();
    labels::find(db, &owner).await.unwrap()
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn rules_select_among_the_deployments_of_the_tenant() {
    pollster::block_on(async {
        let (db, scope) = harbour(4).await;
        for sql in [
            "insert into deployment_labels (deployment_key, key, value, created_at, created_by)
             select key, 'team', 'red', '', 'ann' from deployments where key < 4",
            "update deployments set tenant_name = 'quay', visibility = 'global' where key = 2",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let rule = |kind: &str, key: &str, value: &str| json!({ "type": kind, "key": key, "operator": "any_of", "values": [value] });
        for (given, selected) in [
            (rule("label", "team", "red"), vec![1, 3]),
            (rule("attribute", "blueprint_id", "crane"), vec![1, 3, 4]),
            (rule("label", "team", "blue"), vec![]),
        ] {
            let given = [given];
            let rules = rules::parse(Target::Deployments, &given).unwrap();
            let found = select(&db, &scope, &rules).await.unwrap();
            assert_eq!(found, selected, "{given:?}");
        }
    });
}

#[test]
fn members_come_with_the_groups_labels_and_go_without_losing_them() {
    pollster::block_on(async {
        let (db, scope) = harbour(4).await;
        let fleet = group(&db, &scope, "fleet").await;
        let [red, blue] = ["red", "blue"].map(|colour| [Label::new("team", colour)]);
        let set = async |labels: &[Label]| {
            db.transaction(async |tx| {
                let all = members(tx, &Scope::engine(), &fleet).await?;
                replace_labels(tx, &scope, &fleet, labels, &all).await
            })
            .await
            .unwrap();
        };
        set(&red).await;
        let two = find_deployments(&db, &scope, &owned(&["d0", "d2", "d0"]))
            .await
            .unwrap();
        assert_eq!(two, [1, 3]);
        db.transaction(async |tx| join(tx, &scope, &fleet, &two).await)
            .await
            .unwrap();
        assert_eq!(labels_of(&db, &scope, "d2").await, red);
        assert_eq!(labels_of(&db, &scope, "d1").await, []);
        set(&blue).await;
        assert_eq!(labels_of(&db, &scope, "d2").await, blue);
        db.transaction(async |tx| remove(tx, &fleet, &[3, 4]).await)
            .await
            .unwrap();
        assert_eq!(labels_of(&db, &scope, "d2").await, blue);
        let shown = shown(&db, &scope, "fleet").await;
        assert_eq!(shown["deployment_ids"], serde_json::json!(["d0"]));
        assert_eq!(shown["labels"][0]["value"], "blue");
        let mut query = ListQuery::everything();
        only_members(&db, &scope, &mut query, "fleet")
            .await
            .unwrap();
        let list = deployments::DEPLOYMENT.page_statement(&scope, &query);
        let plan = db
            .plan(&list.sql, &list.parameters)
            .await
            .unwrap()
            .join("\n");
        assert!(!plan.contains("SCAN t"), "{plan}");
        let refusal = only_members(&db, &scope, &mut query, "flotilla").await;
        assert_eq!(refusal.unwrap_err().kind(), Kind::NotFound);
    });
}

#[test]
fn a_parent_among_the_labels_of_a_group_knows_all_members() {
    pollster::block_on(async {
        let (db, scope) = harbour(4).await;
        let fleet = group(&db, &scope, "fleet").await;
        db.transaction(async |tx| join(tx, &scope, &fleet, &[1, 2]).await)
            .await
            .unwrap();
        let set = async |labels: &[Label]| {
            db.transaction(async |tx| replace_labels(tx, &scope, &fleet, labels, &[1, 2]).await)
                .await
        };
        set(&[Label::new("csys-obj-parent", "d3")]).await.unwrap();
        let count = async || {
            let sql = "select sub_services_count from deployments where id = 'd3'";
            db.first(sql, &[])
                .await
                .unwrap()
                .unwrap()
                .integer(0)
                .unwrap()
        };
        assert_eq!(
            (labels_of(&db, &scope, "d3").await.len(), count().await),
            (2, 2)
        );
        set(&[]).await.unwrap();
        assert_eq!(
            (labels_of(&db, &scope, "d3").await.len(), count().await),
            (0, 0)
        );
        // Nobody is above itself.
        let refusal = set(&[Label::new("csys-obj-parent", "d0")])
            .await
            .unwrap_err();
        assert_eq!(refusal.kind(), Kind::Conflict);
        assert_eq!(
            shown(&db, &scope, "fleet").await["labels"],
            serde_json::json!([])
        );
    });
}

#[test]
fn private_members_are_told_to_those_who_see_them() {
    pollster::block_on(async {
        let (db, scope) = harbour(3).await;
        let fleet = group(&db, &scope, "fleet").await;
        db.transaction(async |tx| join(tx, &scope, &fleet, &[1, 2, 3]).await)
            .await
            .unwrap();
        for sql in [
            "update deployments set visibility = 'private' where id = 'd1'",
            "update deployments set visibility = 'global' where id = 'd2'",
            "update deployment_groups set visibility = 'global'",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let other = Scope::system("bob", "quay");
        let ids = |shown: Json| shown["deployment_ids"].to_string();
        assert_eq!(
            ids(shown(&db, &scope, "fleet").await),
            r#"["d0","d1","d2"]"#
        );
        assert_eq!(ids(shown(&db, &other, "fleet").await), r#"["d2"]"#);
        let engine = Scope::engine();
        assert_eq!(
            ids(shown(&db, &engine, "fleet").await),
            r#"["d0","d1","d2"]"#
        );
    });
}

#[test]
fn ten_thousand_members_are_the_most() {
    pollster::block_on(async {
        let (db, scope) = harbour(10_001).await;
        let fleet = group(&db, &scope, "fleet").await;
        let ids: Vec<String> = (0..10_001).map(|number| format!("d{number}")).collect();
        let began = std::time::Instant::now();
        let all = find_deployments(&db, &scope, &ids).await.unwrap();
        assert_eq!(all.len(), 10_001);
        let add = async |some: &[i64]| {
            db.transaction(async |tx| {
                join(tx, &scope, &fleet, some).await?;
                demand_room(tx, &fleet).await
            })
            .await
        };
        let refusal = add(&all).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::BadParameters);
        assert!(members(&db, &scope, &fleet).await.unwrap().is_empty());
        add(&all[1..]).await.unwrap();
        let shown = shown(&db, &scope, "fleet").await;
        assert_eq!(shown["deployment_ids"].as_array().unwrap().len(), 10_000);
        println!("10,000 members: {:?}", began.elapsed());
        let room = has_room(&db, &fleet).await.unwrap();
        assert!(!room);
    });
}

#[test]
fn pending_deployments_have_ids_that_nobody_has() {
    pollster::block_on(async {
        let (db, scope) = harbour(2).await;
        let free = async |ids: &[&str]| {
            db.transaction(async |tx| demand_free(tx, &scope, Visibility::Tenant, ids).await)
                .await
                .map_err(|error| error.message().to_owned())
        };
        assert!(free(&["e0", "e1"]).await.is_ok());
        for ids in [&["e0", "d1"][..], &["d1", "d1"]] {
            let refusal = free(ids).await.unwrap_err();
            assert!(
                refusal.starts_with("<Deployment id=`d1` tenant=`harbour`> already exists"),
                "{refusal}"
            );
        }
        let fleet = group(&db, &scope, "fleet").await;
        let blueprint = crate::blueprints::find(&db, &scope, "crane").await.unwrap();
        let one = |id: &str| PendingDeployment {
            id: id.into(),
            display_name: id.into(),
            site_name: None,
            runtime_only_evaluation: true,
            execution_id: format!("x-{id}"),
            parameters: serde_json::json!({ "inputs": { "a": 1 } }),
        };
        let of = (&blueprint, Visibility::Tenant);
        db.execute(
            "insert into execution_groups (key, id, tenant_name, created_by, visibility, created_at, workflow_id, concurrency)
             values (7, 'g', 'harbour', 'ann', 'tenant', '', 'create_deployment_environment', 10)",
            &[],
        )
        .await
        .unwrap();
        let made = db
            .transaction(async |tx| {
                let made = insert_pending(tx, &scope, of, 7, &[one("e0"), one("e1")]).await?;
                join(tx, &scope, &fleet, &made).await?;
                count_up(tx, &fleet, 2).await?;
                Ok(made)
            })
            .await
            .unwrap();
        assert_eq!(made.len(), 2);
        let next = crate::executions::next_startable(&db, 20)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (next.id.as_str(), next.execution_group_key),
            ("x-e0", Some(7))
        );
        assert_eq!(next.parameters["inputs"]["a"], 1);
        assert_eq!(defaults(&db, &fleet).await.unwrap().creation_counter, 2);
        assert_eq!(crate::counts::audit(&db).await.unwrap(), []);
        let _ = Timestamp::now();
    });
}

#[test]
fn lists_of_groups_follow_indexes() {
    pollster::block_on(async {
        let (db, scope) = harbour(1).await;
        for (text, index) in [
            ("", "deployment_groups_by_tenant"),
            ("_sort=created_at", "deployment_groups_by_creation"),
        ] {
            let request = Request::new(Method::GET, &format!("/x?{text}"));
            let query = ListQuery::parse(&DEPLOYMENT_GROUPS, &request, &[]).unwrap();
            let statement = DEPLOYMENT_GROUPS.page_statement(&scope, &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let plan = plan.join("\n");
            assert!(
                plan.contains(index) && plan.contains("deployment_groups_global"),
                "{plan}"
            );
        }
        let one = DEPLOYMENT_GROUPS.named_statement(&scope, None, "fleet");
        let plan = db.plan(&one.sql, &one.parameters).await.unwrap().join("\n");
        assert!(plan.contains("deployment_groups_by_id"), "{plan}");
    });
}
