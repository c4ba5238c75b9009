use super::workflows::{first_of_each_blueprint, of_each};
use super::*;
use crate::blueprints;
use crate::labels::{self, Label};
use crate::migrations;
use serde_json::{Map, Value as Json, json};
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::{Db, NativeDb, Value};
use windlass_core::http::Method;
use windlass_core::list::{ListQuery, PageStatement, page};
use windlass_core::{Kind, Request, Result, Scope, Timestamp, Visibility, params};

mod child_sums;
mod list;

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

/// Stores a deployment in a transaction of its own.
async fn insert(db: &NativeDb, scope: &Scope, new: &NewDeployment) -> Result<Owner> {
    db.transaction(async |tx| super::insert(tx, scope, new).await)
        .await
}

#[test]
fn a_part_of_a_plan_that_is_too_large_for_a_row_is_refused_by_name() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        for name in ["inputs", "outputs", "groups"] {
            let mut large = new("large");
            let value = json!({ "x": "y".repeat(600_000) });
            large.plan.insert(name.into(), value);
            let refusal = insert(&db, &scope, &large).await.unwrap_err();
            let text = format!("{name} has 600008 bytes");
            assert!(refusal.message().starts_with(&text), "{refusal:?}");
        }
        assert!(
            !is_taken(&db, &scope, "large", Visibility::Tenant)
                .await
                .unwrap()
        );
    });
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

async fn shown(db: &NativeDb, statement: &PageStatement) -> Vec<Json> {
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
        assert_eq!(found.visibility, Visibility::Tenant);
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

        db.execute("update blueprints set id = 'other' where key = 2", &[])
            .await
            .unwrap();
        let quay = Scope::system("x", "quay");
        let changes = Changes {
            display_name: Some("Crane".into()),
            created_by: Some("bob".into()),
            created_at: Some(Timestamp::parse("t", "2020-01-01").unwrap()),
            blueprint: Some(blueprints::find(&db, &quay, "other").await.unwrap()),
            runtime_only_evaluation: Some(true),
            plan: Map::from_iter([
                ("description".into(), json!("lifts")),
                ("outputs".into(), json!({ "a": 1 })),
            ]),
        };
        db.transaction(async |tx| {
            save(tx, &scope, &found, &changes).await?;
            set_site(tx, &scope, &found, Some("pier")).await?;
            set_visibility(tx, &scope, &found, Visibility::Global).await
        })
        .await
        .unwrap();
        let engine = Scope::engine();
        let found = find_by_key(&db, &engine, owner.key).await.unwrap().unwrap();
        assert_eq!(found.description.as_deref(), Some("lifts"));
        assert_eq!(found.display_name, "Crane");
        assert_eq!((found.blueprint_key, found.created_by.as_str()), (2, "bob"));
        assert_eq!(found.blueprint_id, "other");
        assert!(found.runtime_only_evaluation);
        assert_eq!(found.inputs["port"], 80);
        assert_eq!(
            blueprint_visibility(&db, &found).await.unwrap(),
            Visibility::Tenant
        );
        let all = DEPLOYMENT.page_statement(&scope, &ListQuery::everything());
        let shown = &shown(&db, &all).await[0];
        assert_eq!(shown["site_name"], "pier");
        assert_eq!(shown["created_at"], "2020-01-01T00:00:00.000Z");
        let sql = "select json_group_array(action) from audit_log where target_id = 'd1'";
        let audited: Json = db.first_json(sql, &[]).await.unwrap().unwrap();
        assert_eq!(
            audited,
            json!([
                "deployment_create",
                "deployment_update",
                "deployment_set_site",
                "deployment_set_visibility"
            ])
        );
        // Global now, so another tenant sees it, and its id is taken there.
        assert!(find_optional(&db, &quay, "d1").await.unwrap().is_some());
        assert!(
            is_taken(&db, &quay, "d1", Visibility::Tenant)
                .await
                .unwrap()
        );
        assert!(!exists_elsewhere(&db, &found).await.unwrap());
        let refusal = find_own(&db, &quay, "d1").await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::IllegalAction);
        assert!(find_own(&db, &scope, "d1").await.is_ok());

        db.transaction(async |tx| delete(tx, &scope, &found).await)
            .await
            .unwrap();
        assert!(find_optional(&db, &scope, "d1").await.unwrap().is_none());
        assert!(
            !is_taken(&db, &scope, "d1", Visibility::Global)
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
            let listed = &of_each(&db, &[owner.key]).await.unwrap()[0].workflows;
            let got: Vec<bool> = listed
                .iter()
                .map(|one| one["is_available"].as_bool().unwrap())
                .collect();
            assert_eq!(got, [install, stop], "{states:?}");
        }
        // A list that comes later is brought up to date at once.
        let stop = json!([{ "name": "stop", "is_available": 0b11011 }]);
        let changes = Changes {
            plan: Map::from_iter([("workflows".into(), stop)]),
            ..Changes::default()
        };
        let found = find(&db, &scope, "d1").await.unwrap();
        db.transaction(async |tx| save(tx, &scope, &found, &changes).await)
            .await
            .unwrap();
        let each = of_each(&db, &[owner.key]).await.unwrap();
        assert_eq!(
            json!(each[0].workflows),
            json!([{ "name": "stop", "is_available": true }])
        );
        instances(&db, &owner, &["uninitialized"]).await;
        let each = of_each(&db, &[owner.key, 99]).await.unwrap();
        assert_eq!(each.len(), 1);
        assert_eq!(each[0].workflows[0]["is_available"], false);
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
        assert_eq!(counts().await, "[3,1,2,3,0]");
        let check = json!({ "status": { "ok": false }, "source_relationships_configuration_drift": { "x": { "ok": true, "result": { "a": 1 } } } });
        for (sql, want) in [
            (
                "update node_instances set state = 'starting' where id = 'd1_0'",
                "[3,1,1,3,0]",
            ),
            (
                "update node_instances set state = 'started', system_properties = ?1 where id = 'd1_0'",
                "[3,2,1,3,1]",
            ),
            (
                "update node_instances set system_properties = '{\"configuration_drift\": {\"ok\": true, \"result\": null}, \"status\": {\"ok\": true}}' where id = 'd1_0'",
                "[3,2,1,2,0]",
            ),
            (
                "update node_instances set system_properties = '{\"configuration_drift\": \"odd\", \"status\": 3}' where id = 'd1_0'",
                "[3,2,1,3,0]",
            ),
            (
                "delete from node_instances where id = 'd1_0'",
                "[2,1,1,2,0]",
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
        db.execute(
            "insert into executions (id, tenant_name, created_by, visibility, created_at,
                 deployment_key, workflow_id, status)
             values ('e1', 'harbour', 'ann', 'tenant', '2024', ?1, ?2, 'failed')",
            params![owner.key, CREATE_WORKFLOW],
        )
        .await
        .unwrap();
        db.transaction(async |tx| set_creation(tx, &owner, "e1").await)
            .await
            .unwrap();
        let caller = Caller {
            user_id: 7,
            username: "ann".into(),
            role: "default".into(),
            method: AuthMethod::ExecutionToken,
            system: Default::default(),
            tenants: Default::default(),
            execution_id: Some("e1".into()),
        };
        let reach = Reach::Tenant("harbour".into());
        let e1 = Scope::of(std::rc::Rc::new(caller), reach, String::new());
        assert!(is_failed_creation(&db, &owner).await.unwrap());
        assert!(
            unfinished_executions(&db, &owner, None)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(!is_update_calling(&db, &e1).await.unwrap());
        assert!(!is_cancelled_calling(&db, &e1).await.unwrap());
        db.execute(
            "update executions set status = 'cancelling', workflow_id = 'update'",
            &[],
        )
        .await
        .unwrap();
        assert_eq!(
            unfinished_executions(&db, &owner, None).await.unwrap(),
            ["e1"]
        );
        assert!(is_cancelled_calling(&db, &e1).await.unwrap());
        assert!(is_update_calling(&db, &e1).await.unwrap());
        assert!(!is_update_calling(&db, &scope).await.unwrap());
        assert!(!is_failed_creation(&db, &owner).await.unwrap());
        instances(&db, &owner, &["uninitialized", "started"]).await;
        assert_eq!(live_instances(&db, &owner).await.unwrap(), ["d1_1"]);
    });
}

#[test]
fn parents_are_found_by_labels() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let top = insert(&db, &scope, &new("top")).await.unwrap();
        let child = insert(&db, &scope, &new("child")).await.unwrap();
        let label = [Label::new("csys-obj-parent", "top")];
        let found = find_parents(&db, &scope, "child", &["top"]).await.unwrap();
        db.transaction(async |tx| {
            link_parents(tx, &scope, "child", &found).await?;
            labels::add(tx, &scope, &child, &label).await
        })
        .await
        .unwrap();
        assert_eq!(parent_ids(&label).collect::<Vec<_>>(), ["top"]);
        assert_eq!(
            children(&db, &top).await.unwrap(),
            std::slice::from_ref(&child)
        );
        let consumer = Consumer {
            id: "child".into(),
            display_name: "The child".into(),
        };
        assert_eq!(consumers(&db, &top).await.unwrap(), [consumer]);
        let is_below = async |id, above| relatives::is_below(&db, &scope, id, above).await.unwrap();
        assert!(is_below("child", "top").await);
        assert!(!is_below("top", "child").await);
        assert_eq!(
            find_existing(&db, &scope, &["top", "none"]).await.unwrap(),
            std::slice::from_ref(&top)
        );
        for (child, parent, kind) in [
            ("top", "child", Kind::Conflict),
            ("top", "top", Kind::Conflict),
            ("top", "none", Kind::DeploymentParentNotFound),
        ] {
            let refusal = find_parents(&db, &scope, child, &[parent])
                .await
                .unwrap_err();
            assert_eq!(refusal.kind(), kind, "{child} below {parent}");
        }
        let parents = ["none", "top", "nowhere"];
        let refusal = find_parents(&db, &scope, "other", &parents).await;
        assert_eq!(
            refusal.unwrap_err().message(),
            "Deployment other: is referencing deployments using label `csys-obj-parent` that does \
             not exist, make sure that deployment(s) none,nowhere exist before creating deployment"
        );
        db.transaction(async |tx| unlink_parents(tx, &child, &["top"]).await)
            .await
            .unwrap();
        assert!(consumers(&db, &top).await.unwrap().is_empty());
        assert_eq!(labels::find(&db, &child).await.unwrap(), label);
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
        let each = workflows_of_each_blueprint(&db, &scope, &query).await;
        assert_eq!(each.unwrap()[0].workflows.len(), 2);
    });
}

#[test]
fn what_a_deployment_has_of_its_plan_is_read_as_it_was_given() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        let mut crane = new("crane-1");
        crane
            .plan
            .insert("outputs".into(), json!({ "a": { "value": 1 } }));
        crane.plan.insert("description".into(), json!("A crane"));
        let owner = insert(&db, &scope, &crane).await.unwrap();
        let plan = plan_of(&db, &owner).await.unwrap();
        for (name, want) in [
            ("description", json!("A crane")),
            ("inputs", json!({ "port": 80 })),
            ("outputs", json!({ "a": { "value": 1 } })),
            ("capabilities", json!({})),
            ("groups", json!({})),
            ("resource_tags", Json::Null),
        ] {
            assert_eq!(plan[name], want, "{name}");
        }
        assert_eq!(plan["workflows"][0]["name"], "install");
        assert_eq!(plan.len(), PLAN_COLUMNS.len());
    });
}
