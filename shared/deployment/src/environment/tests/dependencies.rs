//! What functions make a deployment depend on.

use super::*;
use crate::dependencies::evaluate_again;
use windlass_store::inter_deployment_dependencies::INTER_DEPLOYMENT_DEPENDENCIES;

/// Reads a capability of `quay`, of whichever deployment its lamp says, and one of its own.
const TUG: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  load: {default: 1}
node_templates:
  lamp:
    type: cloudify.nodes.Root
outputs:
  pier: {value: {get_capability: [quay, pier]}}
  other: {value: {get_capability: [{get_attribute: [lamp, other]}, pier]}}
capabilities:
  own: {value: {get_capability: [tug, pier]}}
";

async fn targets(db: &NativeDb, scope: &Scope) -> Vec<(String, Value)> {
    let list = &INTER_DEPLOYMENT_DEPENDENCIES;
    let statement = list.page_statement(scope, &ListQuery::everything());
    let items: Vec<Value> = page(db, &statement).await.unwrap().parse().unwrap();
    items
        .iter()
        .map(|item| {
            let creator = item["dependency_creator"].as_str().unwrap();
            assert_eq!(item["source_deployment_id"], "tug");
            (creator.to_owned(), item["target_deployment_id"].clone())
        })
        .collect()
}

async fn lamp_says(db: &NativeDb, scope: &Scope, other: &str) {
    let sql = "update node_instances set runtime_properties = json_object('other', ?1)
               where deployment_id = 'tug'";
    db.execute(sql, params![other]).await.unwrap();
    let tug = deployments::find(db, scope, "tug").await.unwrap();
    db.transaction(async |tx| evaluate_again(tx, tug.key).await)
        .await
        .unwrap();
}

#[test]
fn who_reads_capabilities_depends_on_whom_they_belong_to() {
    pollster::block_on(async {
        let (db, scope) = harbour(TUG).await;
        let deploy = async |id: &str| {
            let wanted = wanted(&db, &scope, id, json!({})).await;
            make(&db, &scope, wanted).await.unwrap();
        };
        deploy("tug").await;
        let named = |quay: Value, other: Value| {
            [("outputs.pier", quay), ("outputs.other", other)]
                .map(|(place, target)| (format!("{place}.value.get_capability"), target))
        };
        // Nobody knows yet which they are. What is its own makes nobody depend on anybody.
        assert_eq!(targets(&db, &scope).await, named(Value::Null, Value::Null));
        for sql in [
            "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
                 blueprint_key, blueprint_id, display_name)
             select value, 'harbour', 'admin', 'tenant', '', '', 1, 'crane', value
             from json_each('[\"quay\", \"mole\"]')",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        for (other, target) in [
            ("mole", json!("mole")),
            ("quay", json!("quay")),
            ("nowhere", Value::Null),
            ("tug", Value::Null),
        ] {
            lamp_says(&db, &scope, other).await;
            assert_eq!(targets(&db, &scope).await, named(json!("quay"), target));
        }
        let labels = async |id: &str| {
            let owner = deployments::find(&db, &scope, id).await.unwrap();
            labels::find(&db, &owner).await.unwrap()
        };
        assert_eq!(
            labels("quay").await,
            [Label::new("csys-consumer-id", "tug")]
        );
        assert_eq!(labels("mole").await, []);
        let refusal = attempt(&db, &scope, "quay", Removal::default()).await;
        assert_eq!(
            refusal.unwrap_err().message(),
            "Can't delete deployment quay - the following existing installations depend on it:\n\
             [1] Deployment `tug` uses capabilities of the current deployment in its node `pier`"
        );
        attempt(&db, &scope, "tug", Removal::default())
            .await
            .unwrap();
        assert_eq!(labels("quay").await, []);
        assert_eq!(targets(&db, &scope).await, []);
    });
}
