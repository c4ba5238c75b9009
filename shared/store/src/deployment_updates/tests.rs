use super::work::{Item, Role};
use super::*;
use crate::executions::Execution;
use crate::resource::{self, New, Origin};
use serde_json::{Map, json};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::list::{ListQuery, page};
use windlass_core::{Kind, Request, Scope, Visibility, limits, params};

/// A database with a deployment `crane`, and its owner.
async fn harbour() -> (NativeDb, Scope, crate::deployments::Owner) {
    let db = crate::fresh_database().await;
    for sql in [
        "insert into tenants (name, created_at) values ('harbour', '')",
        "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values ('b', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
        "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name)
         values ('crane', 'harbour', 'ann', 'tenant', '', '', 1, 'b', 'crane')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    let scope = Scope::system("ann", "harbour");
    let deployment = crate::deployments::find(&db, &scope, "crane")
        .await
        .unwrap();
    (db, scope, deployment.owner)
}

async fn update(
    db: &NativeDb,
    scope: &Scope,
    owner: &crate::deployments::Owner,
    (id, state): (&str, UpdateState),
) -> windlass_core::Result<()> {
    let new = New {
        id: id.into(),
        visibility: Visibility::Tenant,
        origin: Origin::default(),
    };
    let inputs = json!({ "port": 80 });
    let shown = json!({ "steps": [{ "id": "1" }] });
    let row = NewUpdate {
        deployment: owner,
        state,
        execution_id: Some(id),
        old_blueprint_id: Some("b"),
        new_blueprint_id: Some("c"),
        old_inputs: &Map::new(),
        new_inputs: inputs.as_object().unwrap(),
        runtime_only_evaluation: true,
        shown: shown.as_object().unwrap(),
    };
    db.transaction(async |tx| insert(tx, scope, &new, &row).await)
        .await
}

fn query(text: &str) -> ListQuery {
    let request = Request::new(Method::GET, &format!("/deployment-updates?{text}"));
    ListQuery::parse(&DEPLOYMENT_UPDATE, &request, &[]).unwrap()
}

#[test]
fn lists_and_lookups_of_updates_follow_indexes() {
    pollster::block_on(async {
        let (db, scope, _) = harbour().await;
        for (text, index) in [
            ("", "deployment_updates_by_tenant"),
            ("_sort=created_at", "deployment_updates_by_creation"),
            ("state=failed", "deployment_updates_by_state"),
            ("deployment_id=crane", "deployment_updates_by_deployment_id"),
        ] {
            let statement = DEPLOYMENT_UPDATE.page_statement(&scope, &query(text));
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(plan.contains(index), "{text}: {plan}");
            assert!(plan.contains("deployment_updates_global"), "{text}: {plan}");
        }
        let one = DEPLOYMENT_UPDATE.named_statement(&scope, None, "crane-1");
        let plan = db.plan(&one.sql, &one.parameters).await.unwrap().join("\n");
        assert!(plan.contains("deployment_updates_by_id"), "{plan}");
        let of_execution = "select key from deployment_updates where execution_id = ?1";
        let plan = db
            .plan(of_execution, params!["e"])
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("deployment_updates_by_execution"), "{plan}");
    });
}

#[test]
fn an_update_is_seen_by_nobody_who_does_not_see_its_deployment() {
    pollster::block_on(async {
        let (db, scope, mut owner) = harbour().await;
        let all = [
            ("hidden", Visibility::Private, "private"),
            ("known", Visibility::Tenant, "tenant"),
            ("world", Visibility::Global, "tenant"),
        ];
        for (id, deployment, _) in all {
            owner.visibility = deployment;
            update(&db, &scope, &owner, (id, UpdateState::Updating))
                .await
                .unwrap();
        }
        for (id, _, want) in all {
            let sql = "select visibility from deployment_updates where id = ?1";
            let row = db.first(sql, params![id]).await.unwrap().unwrap();
            assert_eq!(row.text(0).unwrap(), want, "{id}");
        }
    });
}

#[test]
fn an_update_is_shown_as_it_was_stored() {
    pollster::block_on(async {
        let (db, scope, owner) = harbour().await;
        update(&db, &scope, &owner, ("crane-1", UpdateState::Updating))
            .await
            .unwrap();
        let taken = update(&db, &scope, &owner, ("crane-1", UpdateState::Updating)).await;
        assert_eq!(taken.unwrap_err().kind(), Kind::Conflict);
        let row: DeploymentUpdate = resource::find(&db, &scope, "crane-1").await.unwrap();
        let parts = json!({ "deployment_update_nodes": ["vm"], "steps": [] });
        let parts = parts.as_object().unwrap();
        db.transaction(async |tx| {
            save(tx, &scope, &row, Some(UpdateState::Finalizing), parts).await
        })
        .await
        .unwrap();
        let statement = DEPLOYMENT_UPDATE.page_statement(&scope, &query("deployment_id=crane"));
        let items: Vec<serde_json::Value> = page(&db, &statement).await.unwrap().parse().unwrap();
        let [item] = items.as_slice() else {
            panic!("{items:?}");
        };
        for (name, want) in [
            ("id", json!("crane-1")),
            ("state", json!("finalizing")),
            ("old_blueprint_id", json!("b")),
            ("new_blueprint_id", json!("c")),
            ("old_inputs", json!({})),
            ("new_inputs", json!({ "port": 80 })),
            ("steps", json!([])),
            ("deployment_update_nodes", json!(["vm"])),
            ("deployment_update_deployment", json!(null)),
            ("labels_to_create", json!([])),
            ("runtime_only_evaluation", json!(true)),
            ("execution_id", json!("crane-1")),
            ("created_by", json!("ann")),
        ] {
            assert_eq!(item[name], want, "{name}");
        }
        let large = "x".repeat(limits::VALUE_BYTES);
        let parts = json!({ "deployment_plan": large });
        let refused = db
            .transaction(async |tx| save(tx, &scope, &row, None, parts.as_object().unwrap()).await)
            .await;
        assert_eq!(refused.unwrap_err().kind(), Kind::PayloadTooLarge);
    });
}

#[test]
fn an_execution_finds_its_update_and_moves_it_on() {
    pollster::block_on(async {
        let (db, scope, owner) = harbour().await;
        update(&db, &scope, &owner, ("crane-1", UpdateState::Updating))
            .await
            .unwrap();
        let execution = |id: &str| Execution {
            id: id.into(),
            deployment_key: Some(owner.key),
            ..Execution::default()
        };
        // One of another deployment carries out nothing that somebody recorded for it.
        let elsewhere = Execution {
            deployment_key: Some(owner.key + 1),
            ..execution("crane-1")
        };
        assert!(of_execution(&db, &elsewhere).await.unwrap().is_none());
        assert!(
            of_execution(&db, &execution("another"))
                .await
                .unwrap()
                .is_none()
        );
        let running = of_execution(&db, &execution("crane-1"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(running.state, UpdateState::Updating);
        assert!(running.runtime_only_evaluation());
        assert_eq!(running.new_inputs["port"], 80);
        let shown = json!({ "steps": [1] });
        db.transaction(async |tx| {
            set_shown(tx, running.key, shown.as_object().unwrap(), &Map::new()).await?;
            set_state(tx, running.key, UpdateState::Successful).await
        })
        .await
        .unwrap();
        let running = of_execution(&db, &execution("crane-1"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(running.state, UpdateState::Successful);
    });
}

#[test]
fn what_the_last_failed_update_left_is_found_until_one_succeeds() {
    pollster::block_on(async {
        let (db, scope, owner) = harbour().await;
        let left = [
            Item::of(Role::Added, "vm_1"),
            Item::of(Role::Removed, "vm_0"),
        ];
        for (id, state, has_work, want) in [
            ("u1", UpdateState::Failed, true, Some(1)),
            // One that was refused before it began leaves nothing, and hides nothing.
            ("u2", UpdateState::Failed, false, Some(1)),
            ("u3", UpdateState::Preview, false, Some(1)),
            ("u4", UpdateState::Failed, true, Some(4)),
            ("u5", UpdateState::Successful, false, None),
        ] {
            update(&db, &scope, &owner, (id, state)).await.unwrap();
            if has_work {
                let key = want.unwrap();
                db.transaction(async |tx| work::insert(tx, key, &left).await)
                    .await
                    .unwrap();
                assert_eq!(work::find(&db, key).await.unwrap(), left);
            }
            assert_eq!(
                latest_failed(&db, owner.key, None).await.unwrap(),
                want,
                "{id}"
            );
        }
        assert_eq!(
            latest_failed(&db, owner.key, Some(4)).await.unwrap(),
            Some(1)
        );
        db.transaction(async |tx| work::forget(tx, owner.key, 3).await)
            .await
            .unwrap();
        assert_eq!(work::find(&db, 1).await.unwrap(), []);
        assert_eq!(work::find(&db, 4).await.unwrap(), left);
    });
}

#[test]
fn columns_are_kept_until_they_are_set() {
    pollster::block_on(async {
        let (db, scope, owner) = harbour().await;
        update(&db, &scope, &owner, ("u1", UpdateState::Updating))
            .await
            .unwrap();
        let column = |node: &str, value: &str| later::Column {
            node_id: node.into(),
            name: "properties".into(),
            value: value.into(),
        };
        db.transaction(async |tx| {
            later::insert(tx, 1, &[column("vm", "{}"), column("", "[]")]).await?;
            later::insert(tx, 1, &[column("vm", "{\"a\":1}")]).await
        })
        .await
        .unwrap();
        // Nearly as much as is kept as one value, all of it quotation marks.
        let large = "\"".repeat(limits::VALUE_BYTES);
        db.transaction(async |tx| later::insert(tx, 1, &[column("quay", &large)]).await)
            .await
            .unwrap();
        let kept = later::find(&db, 1).await.unwrap();
        assert_eq!(kept[2], column("quay", &large));
        let kept = &kept[..2];
        assert_eq!(kept, [column("vm", "{\"a\":1}"), column("", "[]")]);
        db.transaction(async |tx| later::forget(tx, owner.key, 1).await)
            .await
            .unwrap();
        assert_eq!(later::find(&db, 1).await.unwrap(), []);
    });
}

#[test]
fn an_update_whose_execution_is_over_counts_as_failed_when_somebody_asks() {
    pollster::block_on(async {
        let (db, scope, owner) = harbour().await;
        for (id, state) in [
            ("gone", UpdateState::Updating),
            ("ended", UpdateState::ExecutingWorkflow),
            ("runs", UpdateState::ExecutingWorkflow),
            ("done", UpdateState::Successful),
        ] {
            update(&db, &scope, &owner, (id, state)).await.unwrap();
        }
        db.execute(
            "insert into executions (id, tenant_name, created_by, visibility, created_at,
                 workflow_id, status)
             values ('ended', 'harbour', 'ann', 'tenant', '', 'update', 'terminated'),
                 ('runs', 'harbour', 'ann', 'tenant', '', 'update', 'started')",
            &[],
        )
        .await
        .unwrap();
        db.transaction(async |tx| reevaluate(tx, &owner).await)
            .await
            .unwrap();
        let sql = "select json_group_object(id, state) from deployment_updates";
        let states: serde_json::Value = db.first_json(sql, &[]).await.unwrap().unwrap();
        let want = json!({
            "gone": "failed", "ended": "failed", "runs": "executing_workflow", "done": "successful",
        });
        assert_eq!(states, want);
        // An execution that ends takes its update along, and one that is resumed.
        for (status, want) in [("failed", "failed"), ("pending", "executing_workflow")] {
            let sql = "update executions set status = ?1 where id = 'runs'";
            db.execute(sql, params![status]).await.unwrap();
            let sql = "select state from deployment_updates where id = 'runs'";
            let row = db.first(sql, &[]).await.unwrap().unwrap();
            assert_eq!(row.text(0).unwrap(), want);
        }
    });
}
