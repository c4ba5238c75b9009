//! Names that are known only when the deployment is there.

use super::*;

/// A blueprint whose deployments get this name.
fn named(yaml: &str, name: &str) -> String {
    yaml.replace("{concat: [crane, ' ', {get_input: load}]}", name)
}

#[test]
fn a_name_may_ask_about_the_deployment_itself_and_others() {
    pollster::block_on(async {
        for (name, expected) in [
            ("{get_sys: [deployment, id]}", "crane-1"),
            ("{get_label: [csys-obj-type, 0]}", "environment"),
            (
                "{concat: [quay, ' ', {get_label: [berth, 0]}]}",
                "quay north",
            ),
            (
                "{concat: [crane, ' ', {get_attribute: [lamp, node_instance_index]}]}",
                "crane 1",
            ),
            ("{get_attribute: [lamp, node_instance_index]}", "crane-1"),
            (
                "{concat: [port, ' ', {get_capability: [other, port]}]}",
                "port 80",
            ),
            ("{get_environment_capability: name}", "Yard"),
        ] {
            let (yaml, _) = CRANE.split_once("  chain:").unwrap();
            let yaml = format!("{yaml}  name: {{value: Yard}}\n");
            let (db, scope) = harbour(&yaml).await;
            let yaml = named(&yaml, name);
            let tree = Tree::from_texts([("b.yaml", yaml.as_str())]);
            let plan = parse(&tree, "b.yaml", &NoImports).unwrap();
            blueprint(&db, "pier", &plan).await;
            let mut other = wanted(&db, &scope, "other", json!({ "load": 1 })).await;
            other.display_name = Some("Other".into());
            make(&db, &scope, other).await.unwrap();
            for runtime_only_evaluation in [false, true] {
                let mut wanted = wanted(&db, &scope, "crane-1", json!({ "load": 1 })).await;
                wanted.blueprint = blueprints::find(&db, &scope, "pier").await.unwrap();
                wanted.runtime_only_evaluation = runtime_only_evaluation;
                wanted.labels = vec![
                    Label::new("berth", "north"),
                    Label::new("csys-obj-parent", "other"),
                ];
                let outcome = make(&db, &scope, wanted).await.unwrap();
                assert!(
                    matches!(outcome, Outcome::Created(_)),
                    "{name}: {outcome:?}"
                );
                let found = deployments::find(&db, &scope, "crane-1").await.unwrap();
                assert_eq!(
                    found.display_name, expected,
                    "{name} {runtime_only_evaluation}"
                );
                db.execute("delete from deployments where id = 'crane-1'", &[])
                    .await
                    .unwrap();
            }
        }
    });
}

#[test]
fn the_name_of_the_request_wins_and_nothing_is_evaluated() {
    pollster::block_on(async {
        let (db, scope) = harbour(&named(CRANE, "{get_capability: [none, port]}")).await;
        let mut wanted = wanted(&db, &scope, "crane-1", json!({ "load": 1 })).await;
        wanted.display_name = Some("Mine".into());
        let outcome = make(&db, &scope, wanted).await.unwrap();
        assert!(matches!(outcome, Outcome::Created(_)), "{outcome:?}");
        assert_eq!(shown(&db, &scope).await[0]["display_name"], "Mine");
    });
}

#[test]
fn a_name_that_cannot_be_evaluated_fails_the_environment_until_the_next_try() {
    pollster::block_on(async {
        let (db, scope) = harbour(&named(CRANE, "{get_capability: [none, port]}")).await;
        let bad = wanted(&db, &scope, "crane-1", json!({ "load": 1 })).await;
        let outcome = make(&db, &scope, bad.clone()).await.unwrap();
        let Outcome::Failed(_, reason) = outcome else {
            panic!("there is no deployment `none`");
        };
        assert!(reason.contains("none"), "{reason}");
        let one = &shown(&db, &scope).await[0];
        assert_eq!(one["latest_execution_status"], "failed");
        assert_eq!(one["display_name"], "crane-1");
        make(&db, &scope, bad).await.unwrap();
        assert_eq!(number(&db, "select count(*) from deployments").await, 1);
        let left =
            "select count(*) from nodes where deployment_key not in (select key from deployments)";
        assert_eq!(number(&db, left).await, 0);
    });
}
