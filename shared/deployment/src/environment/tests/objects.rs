//! Inputs whose types say that they name deployments, nodes and other objects.

use super::*;

const QUAY: &str = "
tosca_definitions_version: cloudify_dsl_1_5
imports: [cloudify/types/types.yaml]
node_types:
  crane:
    derived_from: cloudify.nodes.Compute
    interfaces: {work: {lift: {}}}
node_templates:
  crane_1: {type: crane}
  lamp: {type: cloudify.nodes.Root}
groups:
  yard: {members: [crane_1]}
policies:
  yard_scale: {type: cloudify.policies.scaling, targets: [yard]}
labels:
  berth: {values: [north]}
deployment_settings: {display_name: Quay North}
capabilities:
  port: {value: 8080}
  lit: {value: {get_attribute: [lamp, lit]}}
";

/// A database in which `quay` is a deployment of the blueprint `crane`, and `pier` is a blueprint
/// that is the same but for these inputs.
async fn with_inputs(inputs: &str) -> (NativeDb, Scope) {
    let (db, scope) = harbour(QUAY).await;
    make(&db, &scope, wanted(&db, &scope, "quay", json!({})).await)
        .await
        .unwrap();
    db.execute(
        "update node_instances set id = 'lamp_abc' where node_id = 'lamp'",
        &[],
    )
    .await
    .unwrap();
    let yaml = format!("{QUAY}inputs:\n{inputs}");
    let tree = Tree::from_texts([("b.yaml", yaml.as_str())]);
    let plan = parse(&tree, "b.yaml", &NoImports).unwrap();
    blueprint(&db, "pier", &plan).await;
    (db, scope)
}

/// Why a deployment could not be made with this input; empty if it could.
async fn refusal(db: &NativeDb, scope: &Scope, input: &str, value: Value) -> String {
    let wanted = Wanted {
        blueprint: blueprints::find(db, scope, "pier").await.unwrap(),
        ..wanted(db, scope, "new", json!({ input: value })).await
    };
    let outcome = make(db, scope, wanted).await.unwrap();
    let made = "delete from deployments where id = 'new'";
    db.execute(made, &[]).await.unwrap();
    match outcome {
        Outcome::Created(_) => String::new(),
        Outcome::Failed(_, reason) => reason,
    }
}

#[test]
fn what_an_input_names_exists_and_fulfils_its_constraints() {
    pollster::block_on(async {
        let no_value = "is not a valid value for data type";
        let no_match = "does not match any relevant entity or violates at least one";
        let quay = "{deployment_id: quay}";
        let rows = [
            ("deployment_id", "", json!("quay"), ""),
            ("deployment_id", "", json!("pier"), no_value),
            (
                "deployment_id",
                "",
                json!({"get_sys": ["deployment", "id"]}),
                no_value,
            ),
            (
                "deployment_id",
                "{labels: [{Berth: north}]}",
                json!("quay"),
                "",
            ),
            (
                "deployment_id",
                "{labels: [{berth: south}]}",
                json!("quay"),
                no_match,
            ),
            (
                "deployment_id",
                "{name_pattern: {starts_with: Quay}}",
                json!("quay"),
                "",
            ),
            (
                "deployment_id",
                "{name_pattern: {starts_with: quay}}",
                json!("quay"),
                no_match,
            ),
            ("deployment_id", "{tenants: [harbour]}", json!("quay"), ""),
            (
                "deployment_id",
                "{tenants: [desert]}",
                json!("quay"),
                no_match,
            ),
            (
                "deployment_id",
                "{filter_id: f}",
                json!("quay"),
                "with ID `f` was not found",
            ),
            (
                "deployment_id",
                "{valid_values: [pier]}",
                json!("quay"),
                "violates constraint valid_values(pier)",
            ),
            ("blueprint_id", "", json!("pier"), ""),
            ("blueprint_id", "", json!("quay"), no_value),
            (
                "blueprint_id",
                "{name_pattern: {ends_with: r}}",
                json!("crane"),
                no_match,
            ),
            ("secret_key", "", json!("s"), no_value),
            ("node_id", "", json!("lamp"), ""),
            ("node_id", "", json!("lamp_2"), no_value),
            ("node_id", quay, json!("lamp"), ""),
            ("node_id", quay, json!("lamp_2"), no_match),
            ("node_id", "{deployment_id: none}", json!("lamp"), no_match),
            ("node_id", "{blueprint_id: crane}", json!("lamp"), ""),
            ("node_id", "{blueprint_id: none}", json!("lamp"), no_match),
            (
                "node_id",
                "{deployment_id: quay}, {valid_values: [crane_1]}",
                json!("lamp"),
                no_match,
            ),
            (
                "node_id",
                "{deployment_id: quay}, {name_pattern: {contains: am}}",
                json!("lamp"),
                "",
            ),
            ("node_type", quay, json!("crane"), ""),
            ("node_type", quay, json!("cloudify.nodes.Compute"), ""),
            ("node_type", quay, json!("cloudify.nodes.Volume"), no_match),
            (
                "node_type",
                "{deployment_id: quay}, {valid_values: [cloudify.nodes.Compute]}",
                json!("crane"),
                "",
            ),
            (
                "node_type",
                "{valid_values: [cloudify.nodes.Compute]}",
                json!("crane"),
                "",
            ),
            (
                "node_type",
                "{valid_values: [crane]}",
                json!("cloudify.nodes.Compute"),
                no_match,
            ),
            ("node_instance", quay, json!("lamp_abc"), ""),
            ("node_instance", quay, json!("lamp"), no_match),
            (
                "node_instance",
                "",
                json!("lamp_abc"),
                "lacks 'deployment_id' constraint",
            ),
            ("scaling_group", quay, json!("yard"), ""),
            ("scaling_group", quay, json!("lamp"), no_match),
            ("scaling_group", "", json!("yard"), ""),
            ("operation_name", quay, json!("work.lift"), ""),
            ("operation_name", quay, json!("work.drop"), no_match),
            ("operation_name", "", json!("work.lift"), ""),
            ("capability_value", quay, json!(8080), ""),
            ("capability_value", quay, json!("8080"), no_match),
            (
                "capability_value",
                "{deployment_id: quay}, {name_pattern: {equals_to: port}}",
                json!(8080),
                "",
            ),
            (
                "capability_value",
                "{deployment_id: quay}, {name_pattern: {equals_to: lit}}",
                json!(8080),
                no_match,
            ),
            (
                "capability_value",
                "",
                json!(8080),
                "lacks 'deployment_id' constraint",
            ),
        ];
        let inputs = rows
            .iter()
            .enumerate()
            .map(|(at, (kind, constraints, ..))| {
                format!(
                    "  i{at}: {{type: {kind}, required: false, constraints: [{constraints}]}}\n"
                )
            });
        let (db, scope) = with_inputs(&inputs.collect::<String>()).await;
        for (at, (kind, constraints, value, refused)) in rows.into_iter().enumerate() {
            let reason = refusal(&db, &scope, &format!("i{at}"), value.clone()).await;
            let row = format!("{kind} [{constraints}] {value}: {reason}");
            assert_eq!(reason.is_empty(), refused.is_empty(), "{row}");
            assert!(reason.contains(refused), "{row}");
        }
    });
}

#[test]
fn every_item_of_a_list_is_looked_for() {
    pollster::block_on(async {
        let schema = "  i: {type: list, item_type: node_id, constraints: [{deployment_id: quay}]}";
        let (db, scope) = with_inputs(schema).await;
        for (value, refused) in [
            (json!([]), None),
            (json!(["lamp", "crane_1", "lamp"]), None),
            (json!(["lamp", "boat"]), Some("Value 'boat' of input 'i'")),
        ] {
            let reason = refusal(&db, &scope, "i", value.clone()).await;
            assert!(
                reason.contains(refused.unwrap_or_default()),
                "{value}: {reason}"
            );
            assert_eq!(refused.is_none(), reason.is_empty(), "{value}: {reason}");
        }
    });
}

#[test]
fn an_input_that_may_be_absent_names_nothing_then() {
    pollster::block_on(async {
        let (db, scope) = with_inputs("  i: {type: deployment_id, required: false}").await;
        let wanted = Wanted {
            blueprint: blueprints::find(&db, &scope, "pier").await.unwrap(),
            ..wanted(&db, &scope, "new", json!({})).await
        };
        let outcome = make(&db, &scope, wanted).await.unwrap();
        assert!(matches!(outcome, Outcome::Created(_)), "{outcome:?}");
    });
}

#[test]
fn what_the_caller_does_not_see_does_not_exist() {
    pollster::block_on(async {
        for (change, visible) in [
            ("visibility = 'tenant'", true),
            ("visibility = 'global', tenant_name = 'desert'", true),
            ("tenant_name = 'desert'", false),
        ] {
            let (db, scope) = with_inputs("  i: {type: deployment_id}").await;
            db.execute(
                "insert into tenants (name, created_at) values ('desert', '2024')",
                &[],
            )
            .await
            .unwrap();
            db.execute(
                &format!("update deployments set {change} where id = 'quay'"),
                &[],
            )
            .await
            .unwrap();
            let wanted = Wanted {
                blueprint: blueprints::find(&db, &scope, "pier").await.unwrap(),
                ..wanted(&db, &scope, "new", json!({ "i": "quay" })).await
            };
            let outcome = make(&db, &scope, wanted).await.unwrap();
            assert_eq!(
                matches!(outcome, Outcome::Created(_)),
                visible,
                "{change}: {outcome:?}"
            );
        }
    });
}
