//! What is said about plugins, parents and capabilities that a blueprint needs and nobody has.

use super::*;

/// A blueprint with one node, whose plugins are these.
fn with_plugins(plugins: &str) -> String {
    let operations: String = ["first", "second"]
        .iter()
        .filter(|name| plugins.contains(&format!("{name}:")))
        .map(|name| format!("      {name}: {{implementation: {name}.run}}\n"))
        .collect();
    format!(
        "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
plugins:
{plugins}
node_templates:
  lamp:
    type: cloudify.nodes.Root
    interfaces:
      own:
{operations}"
    )
    .replace("      first", "        first")
    .replace("      second", "        second")
}

async fn refusal(yaml: &str) -> Option<Error> {
    let (db, scope) = harbour(yaml).await;
    let lamp = wanted(&db, &scope, "lamp", json!({})).await;
    make(&db, &scope, lamp).await.err()
}

#[test]
fn a_plugin_that_is_missing_is_named_with_its_version() {
    let agents = "  first: {executor: central_deployment_agent, package_name: cloudify-diamond-plugin, \
                  package_version: '1.3'}";
    pollster::block_on(async {
        for (plugins, text) in [
            (
                "  first: {executor: central_deployment_agent, package_name: aws, package_version: '2.0'}",
                Some("Required plugin aws, version 2.0 is not installed on the manager"),
            ),
            (
                "  first: {executor: central_deployment_agent, package_name: aws}",
                Some("Required plugin aws, version `any` is not installed on the manager"),
            ),
            (
                "  first: {executor: central_deployment_agent, source: aws-folder}",
                Some("Required plugin first, version `any` is not installed on the manager"),
            ),
            (
                "  first: {executor: central_deployment_agent, install: false}",
                None,
            ),
            (agents, None),
            (
                &format!(
                    "{agents}\n  second: {{executor: central_deployment_agent, package_name: aws}}"
                ),
                Some("Required plugin aws, version `any` is not installed on the manager"),
            ),
        ] {
            let refusal = refusal(&with_plugins(plugins)).await;
            let kind = refusal.as_ref().map(Error::kind);
            let want = text.map(|_| Kind::DeploymentPluginNotFound);
            assert_eq!(kind, want, "{plugins}");
            assert_eq!(refusal.as_ref().map(Error::message), text, "{plugins}");
        }
    });
}

const BERTH: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
capabilities:
  quay: {value: {length: 90, bollards: [a, b]}}
";

const SHIP: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
outputs:
  length: {value: {get_environment_capability: [quay, length]}}
  bollard: {value: {get_environment_capability: [quay, bollards, 5]}}
  crane: {value: {get_environment_capability: crane}}
  again: {value: {get_environment_capability: crane}}
";

#[test]
fn capabilities_that_the_environment_lacks_are_named() {
    pollster::block_on(async {
        let (db, scope) = harbour(BERTH).await;
        let berth = wanted(&db, &scope, "berth", json!({})).await;
        make(&db, &scope, berth).await.unwrap();
        let tree = Tree::from_texts([("b.yaml", SHIP)]);
        blueprint(&db, "ship", &parse(&tree, "b.yaml", &NoImports).unwrap()).await;
        for (id, parent, text) in [
            (
                "alone",
                None,
                "Environment not found, but environment capabilities are required: \
                 quay.length, quay.bollards.5, crane",
            ),
            (
                "moored",
                Some("berth"),
                "Environment berth does not have the required capabilities: \
                 quay.bollards.5, crane",
            ),
        ] {
            let mut ship = wanted(&db, &scope, id, json!({})).await;
            ship.blueprint = blueprints::find(&db, &scope, "ship").await.unwrap();
            ship.labels = parent
                .map(|id| Label::new("csys-obj-parent", id))
                .into_iter()
                .collect();
            let Outcome::Failed(_, reason) = make(&db, &scope, ship).await.unwrap() else {
                panic!("{id} was made");
            };
            assert_eq!(reason, text);
        }
    });
}
