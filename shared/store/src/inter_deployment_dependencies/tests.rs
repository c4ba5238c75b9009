use super::dependents::{ALL_COMPONENTS, children_sql, users_sql};
use super::evaluation::TO_EVALUATE;
use super::*;
use crate::deployments::{self, Owner};
use crate::labels::{self, Label};
use windlass_core::db::{Db, NativeDb};
use windlass_core::{Kind, Scope, params};

/// Deployments of one tenant: `a`, `b`, `c` and `d`.
async fn harbour() -> (NativeDb, Scope) {
    let db = crate::fresh_database().await;
    for sql in [
        "insert into tenants (name, created_at) values ('harbour', '2024')",
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (1, 'crane', 'harbour', 'ann', 'tenant', '2024', '2024', 'uploaded')",
        "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name, installation_status)
         select value, 'harbour', 'ann', 'tenant', '2024', '2024', 1, 'crane', value, 'active'
         from json_each('[\"a\", \"b\", \"c\", \"d\"]')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    (db, Scope::system("ann", "harbour"))
}

async fn owner(db: &NativeDb, id: &str) -> Owner {
    let scope = Scope::system("ann", "harbour");
    deployments::find(db, &scope, id).await.unwrap().owner
}

/// `source` uses `target`; the refusal's text, if there is one.
async fn uses(db: &NativeDb, source: &str, target: &str, creator: &str) -> Option<String> {
    let (source, target) = (owner(db, source).await, owner(db, target).await);
    let new = NewDependency {
        creator: creator.into(),
        target: Target {
            deployment: Some(target),
            ..Target::default()
        },
        ..NewDependency::default()
    };
    let scope = Scope::system("ann", "harbour");
    let made = db.transaction(async |tx| insert(tx, &scope, Some(&source), &new).await);
    made.await.err().map(|error| {
        assert_eq!(error.kind(), Kind::Conflict);
        error.message().to_owned()
    })
}

async fn labels_of(db: &NativeDb, id: &str) -> Vec<Label> {
    labels::find(db, &owner(db, id).await).await.unwrap()
}

fn consumers(ids: &[&str]) -> Vec<Label> {
    let label = |id: &&str| Label::new("csys-consumer-id", *id);
    ids.iter().map(label).collect()
}

#[test]
fn a_deployment_never_uses_itself_whatever_the_way() {
    pollster::block_on(async {
        let (db, _) = harbour().await;
        let text =
            |a: &str, b: &str| Some(format!("cyclic dependency between deployments {a} and {b}"));
        for (source, target, want) in [
            ("a", "a", text("a", "a")),
            ("a", "b", None),
            ("b", "c", None),
            ("b", "a", text("b", "a")),
            ("c", "a", text("c", "a")),
            ("c", "d", None),
            ("a", "d", None),
            ("d", "b", text("d", "b")),
        ] {
            let got = uses(&db, source, target, "outputs.x.get_capability").await;
            assert_eq!(got, want, "{source} uses {target}");
        }
        assert_eq!(labels_of(&db, "d").await, consumers(&["a", "c"]));
        assert_eq!(labels_of(&db, "a").await, []);
    });
}

#[test]
fn the_same_dependency_is_there_once() {
    pollster::block_on(async {
        let (db, _) = harbour().await;
        for creator in ["component.x_1", "component.x_1", "component.x_2"] {
            assert_eq!(uses(&db, "a", "b", creator).await, None);
        }
        let count = "select count(*) from inter_deployment_dependencies";
        let count = db.first(count, &[]).await.unwrap().unwrap();
        assert_eq!(count.integer(0).unwrap(), 2);
    });
}

#[test]
fn a_target_forgets_who_no_longer_uses_it_and_is_no_child() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        for (source, creator) in [("a", "one"), ("a", "two"), ("b", "one"), ("c", "one")] {
            assert_eq!(uses(&db, source, "d", creator).await, None);
        }
        let child = owner(&db, "b").await;
        let parent = [Label::new("csys-obj-parent", "d")];
        db.transaction(async |tx| labels::add(tx, &scope, &child, &parent).await)
            .await
            .unwrap();
        let target = owner(&db, "d").await;
        let forget = async |id: &str, creator: &str| {
            let source = owner(&db, id).await;
            let selection = Selection {
                creator,
                source: Some(&source),
                target: Some(&target),
                external_source: None,
                external_target: None,
            };
            let id = find_selected(&db, &scope, &selection).await?;
            db.transaction(async |tx| delete(tx, &scope, &selection, &id).await)
                .await
        };
        for (source, creator, left) in [
            ("a", "one", &["a", "b", "c"][..]),
            ("a", "two", &["b", "c"]),
            ("b", "one", &["b", "c"]),
            ("c", "one", &["b"]),
        ] {
            forget(source, creator).await.unwrap();
            assert_eq!(
                labels_of(&db, "d").await,
                consumers(left),
                "{source} {creator}"
            );
        }
        assert_eq!(forget("c", "one").await.unwrap_err().kind(), Kind::NotFound);
    });
}

#[test]
fn who_loses_its_target_by_force_stays() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        uses(&db, "a", "b", "one").await;
        uses(&db, "c", "a", "one").await;
        let target = owner(&db, "b").await;
        db.transaction(async |tx| deployments::delete(tx, &scope, &target).await)
            .await
            .unwrap();
        let rows = "select json_group_array(json_array(source_deployment_id, target_deployment_id))
                    from inter_deployment_dependencies";
        let rows: serde_json::Value = db.first_json(rows, &[]).await.unwrap().unwrap();
        assert_eq!(rows, serde_json::json!([["a", null], ["c", "a"]]));
        assert_eq!(crate::counts::audit(&db).await.unwrap(), []);
    });
}

#[test]
fn dependents_are_told_by_what_they_do_and_only_while_they_suffer() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        uses(&db, "a", "d", "component.tug_abc123").await;
        uses(&db, "b", "d", "sharedresource.pier_abc123").await;
        uses(&db, "c", "d", "outputs.x.get_capability").await;
        let on = owner(&db, "d").await;
        let lines = async |what, doomed: &[i64]| -> Vec<String> {
            let all = blocking(&db, &on, what, doomed).await.unwrap();
            all.iter().map(|one| one.line("d")).collect()
        };
        let uninstall = Blocked::Workflow {
            name: "uninstall",
            recursive: false,
        };
        let deletion = Blocked::Deletion { recursive: false };
        let all = [
            "Deployment `a` contains the current deployment in its node `tug_abc123`",
            "Deployment `b` uses a shared resource from the current deployment in its node `pier_abc123`",
            "Deployment `c` uses capabilities of the current deployment in its node `x`",
        ];
        assert_eq!(lines(uninstall, &[]).await, all);
        assert_eq!(lines(deletion, &[]).await, all);
        let doomed = [owner(&db, "a").await.key];
        assert_eq!(lines(deletion, &doomed).await, all[1..]);
        // Who is idle reads nothing.
        let idle = "update deployments set installation_status = 'inactive' where id in ('b', 'c')";
        db.execute(idle, &[]).await.unwrap();
        assert_eq!(lines(uninstall, &[]).await, all[..2]);
        assert_eq!(lines(deletion, &[]).await, all);
        // Who takes itself down suffers from nothing.
        let execution = |status: &str, workflow: &str| {
            format!(
                "insert into executions (id, tenant_name, created_by, visibility, created_at,
                     deployment_key, deployment_id, workflow_id, status)
                 values ('{status}{workflow}', 'harbour', 'ann', 'tenant', '', {}, 'a', '{workflow}', '{status}')",
                doomed[0]
            )
        };
        for (status, workflow, left) in [
            ("started", "install", 3),
            ("terminated", "uninstall", 3),
            ("started", "uninstall", 2),
        ] {
            db.execute(&execution(status, workflow), &[]).await.unwrap();
            assert_eq!(
                lines(deletion, &[]).await.len(),
                left,
                "{status} {workflow}"
            );
        }
        // A component that is a child: its parent takes it down, but does not let it be deleted.
        db.execute(
            "delete from inter_deployment_dependencies where source_deployment_id = 'c'",
            &[],
        )
        .await
        .unwrap();
        assert_eq!(uses(&db, "d", "c", "component.tug_x").await, None);
        let child = owner(&db, "c").await;
        let parent = [Label::new("csys-obj-parent", "d")];
        db.transaction(async |tx| labels::add(tx, &scope, &child, &parent).await)
            .await
            .unwrap();
        let first = "Deployment `d` is the parent of deployment `c`";
        assert_eq!(lines(deletion, &[]).await[0], first);
        assert_ne!(lines(uninstall, &[]).await[0], first);
        let targets = all_components(&db, on.key).await.unwrap();
        assert_eq!(targets, [child]);
    });
}

/// Looked at whenever an execution ends, or a deployment goes.
#[test]
fn every_way_to_a_dependency_has_an_index() {
    pollster::block_on(async {
        let (db, _) = harbour().await;
        for (sql, values, index) in [
            (TO_EVALUATE.to_owned(), params![1].to_vec(), "to_evaluate"),
            (
                ALL_COMPONENTS.to_owned(),
                params![1, 1001].to_vec(),
                "by_source",
            ),
            (users_sql(), params![1, 0, 3, "[]"].to_vec(), "by_target"),
            (
                children_sql(),
                params![1, "a", "harbour", 1, 3, "[]"].to_vec(),
                "deployment_labels_by_key",
            ),
        ] {
            let plan = db.plan(&sql, &values).await.unwrap().join("\n");
            assert!(plan.contains(index), "{index}: {plan}");
            assert!(
                !plan.contains("SCAN d") && !plan.contains("SCAN e"),
                "{plan}"
            );
        }
        let request = |query: &str| {
            let url = format!("/x?{query}");
            windlass_core::Request::new(windlass_core::http::Method::GET, &url)
        };
        let scope = Scope::system("ann", "harbour");
        for (query, index) in [
            ("", "inter_deployment_dependencies_by_tenant"),
            (
                "_sort=created_at",
                "inter_deployment_dependencies_by_creation",
            ),
            (
                "source_deployment_id=a",
                "inter_deployment_dependencies_by_source_id",
            ),
            (
                "target_deployment_id=a",
                "inter_deployment_dependencies_by_target_id",
            ),
        ] {
            let list = &INTER_DEPLOYMENT_DEPENDENCIES;
            let query_of = windlass_core::list::ListQuery::parse(list, &request(query), &[]);
            let statement = list.page_statement(&scope, &query_of.unwrap());
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let plan = plan.join("\n");
            assert!(plan.contains(index), "{query}: {plan}");
        }
    });
}
