//! Parents, children, and taking deployments away.

use super::*;

pub(super) async fn child_of(db: &NativeDb, scope: &Scope, id: &str, parent: &str) {
    let mut child = wanted(db, scope, id, json!({ "load": 1 })).await;
    child.labels = vec![Label::new("csys-obj-parent", parent)];
    make(db, scope, child).await.unwrap();
}

#[test]
fn parents_know_their_children_and_count_them() {
    pollster::block_on(async {
        let (db, scope) = harbour(CRANE).await;
        make(
            &db,
            &scope,
            wanted(&db, &scope, "top", json!({ "load": 1 })).await,
        )
        .await
        .unwrap();
        child_of(&db, &scope, "middle", "top").await;
        child_of(&db, &scope, "bottom", "middle").await;
        db.execute(
            "delete from deployment_labels where key = 'csys-obj-type' and deployment_key =
            (select key from deployments where id = 'bottom')",
            &[],
        )
        .await
        .unwrap();
        let bottom = deployments::find(&db, &scope, "bottom").await.unwrap();
        db.transaction(async |tx| deployment_status::recompute(tx, &bottom).await)
            .await
            .unwrap();
        let all = shown(&db, &scope).await;
        for (place, want) in [(0, (1, 1, true)), (1, (1, 0, true)), (2, (0, 0, false))] {
            let one = &all[place];
            let counts = (
                &one["sub_services_count"],
                &one["sub_environments_count"],
                &one["has_sub_deployments"],
            );
            assert_eq!(
                counts,
                (&json!(want.0), &json!(want.1), &json!(want.2)),
                "{}",
                one["id"]
            );
        }
        assert_eq!(all[0]["sub_services_status"], "requires_attention");
        assert_eq!(all[1]["sub_environments_status"], Value::Null);
        let top = deployments::find(&db, &scope, "top").await.unwrap();
        let labels = labels::find(&db, &top).await.unwrap();
        assert!(
            labels.contains(&Label::new("csys-consumer-id", "middle")),
            "{labels:?}"
        );
        assert_eq!(deployments::consumers(&db, &top).await.unwrap().len(), 1);
        let refusal = deployments::find_parents(&db, &scope, "top", &["bottom"])
            .await
            .unwrap_err();
        assert_eq!(refusal.kind(), Kind::Conflict);
        let shallow =
            deployments::DEPLOYMENT_SHALLOW.page_statement(&scope, &ListQuery::everything());
        let shallow: Vec<Value> = page(&db, &shallow).await.unwrap().parse().unwrap();
        assert_eq!(shallow[0]["sub_services_count"], 0);
        assert_eq!(shallow[0]["sub_environments_count"], 1);
        attempt(&db, &scope, "bottom", Removal::default())
            .await
            .unwrap();
        assert_eq!(shown(&db, &scope).await[0]["sub_services_count"], 0);
        child_of(&db, &scope, "bottom", "middle").await;
        let mut query = ListQuery::everything();
        deployments::only_dependencies_of(&mut query, "harbour", "bottom");
        let above: Vec<Value> = page(&db, &DEPLOYMENT.page_statement(&scope, &query))
            .await
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(above.len(), 2);
    });
}

pub(super) async fn attempt(
    db: &NativeDb,
    scope: &Scope,
    id: &str,
    removal: Removal,
) -> Result<(), Error> {
    db.transaction(async |db| remove(db, scope, id, removal).await)
        .await
}

#[test]
fn what_is_in_use_is_not_deleted() {
    pollster::block_on(async {
        let (db, scope) = harbour(CRANE).await;
        make(
            &db,
            &scope,
            wanted(&db, &scope, "top", json!({ "load": 1 })).await,
        )
        .await
        .unwrap();
        child_of(&db, &scope, "child", "top").await;
        let plain = Removal::default();
        let force = Removal {
            force: true,
            ..plain
        };
        let recursive = Removal {
            recursive: true,
            ..plain
        };
        let refusal = attempt(&db, &scope, "none", force).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::NotFound);
        let refusal = attempt(&db, &scope, "top", plain).await.unwrap_err();
        assert_eq!(
            refusal.message(),
            "Can't delete deployment top - the following existing installations depend on it:\n[1] Deployment `top` is the parent of deployment `child`"
        );
        db.execute("update node_instances set state = 'started' where deployment_id = 'child' and node_id = 'lamp'", &[]).await.unwrap();
        let refusal = attempt(&db, &scope, "top", recursive).await.unwrap_err();
        assert!(refusal.message().starts_with("Can't delete deployment child - There are live nodes for this deployment. Live nodes ids: lamp_"), "{refusal:?}");
        db.execute(
            "update executions set status = 'queued' where deployment_id = 'child'",
            &[],
        )
        .await
        .unwrap();
        let refusal = attempt(&db, &scope, "child", force).await.unwrap_err();
        assert!(refusal.message().contains("There are running or queued executions for this deployment. Running executions ids: "), "{refusal:?}");
        db.execute("update executions set status = 'terminated'", &[])
            .await
            .unwrap();
        attempt(&db, &scope, "child", force).await.unwrap();
        let top = deployments::find(&db, &scope, "top").await.unwrap();
        assert!(deployments::consumers(&db, &top).await.unwrap().is_empty());
        child_of(&db, &scope, "child", "top").await;
        attempt(&db, &scope, "top", recursive).await.unwrap();
        for table in [
            "deployments",
            "nodes",
            "node_instances",
            "executions",
            "events",
            "instance_counts",
            "deployment_labels",
        ] {
            assert_eq!(
                number(&db, &format!("select count(*) from {table}")).await,
                0,
                "{table}"
            );
        }
    });
}
