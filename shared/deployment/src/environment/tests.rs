use super::*;
use serde_json::{Value, json};
use windlass_blueprint::archive::Tree;
use windlass_blueprint::functions::Context;
use windlass_blueprint::{NoImports, Plan, parse};
use windlass_core::db::{Db, NativeDb};
use windlass_core::list::{ListQuery, page};
use windlass_core::{Error, Kind, Result, Scope, Visibility, params};
use windlass_store::blueprints;
use windlass_store::deployments::{self, DEPLOYMENT};
use windlass_store::executions::deployment_status;
use windlass_store::labels::{self, Label};

mod blueprint_gone;
mod default_schedules;
mod dependencies;
mod display_name;
mod family;
mod objects;
mod refusals;
mod weight;
use family::attempt;

const CRANE: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  port: {type: integer, default: 80, constraints: [{in_range: [1, 65535]}]}
  load: {}
labels:
  csys-obj-type: {values: [environment]}
deployment_settings:
  display_name: {concat: [crane, ' ', {get_input: load}]}
node_templates:
  vm:
    type: cloudify.nodes.Compute
    properties: {ip: '10.0.0.1'}
    capabilities: {scalable: {properties: {default_instances: 2}}}
  app:
    type: cloudify.nodes.Root
    relationships: [{type: cloudify.relationships.contained_in, target: vm}]
  lamp:
    type: cloudify.nodes.Root
groups:
  yard: {members: [vm]}
policies:
  yard_scale:
    type: cloudify.policies.scaling
    targets: [yard]
    properties: {default_instances: 3}
outputs:
  load: {value: {get_input: load}}
  colour: {value: {get_attribute: [lamp, colour]}}
  which: {value: {get_attribute: [vm, node_instance_id]}}
capabilities:
  port: {value: {get_input: port}}
  chain: {value: {get_capability: [crane-2, port]}}
  circle: {value: {get_capability: [crane-1, circle]}}
";

/// A database with a tenant and a blueprint.
pub(crate) async fn harbour(yaml: &str) -> (NativeDb, Scope) {
    let db = NativeDb::in_memory();
    windlass_store::migrations::apply(&db).await.unwrap();
    db.execute(
        "insert into tenants (name, created_at) values ('harbour', '2024')",
        &[],
    )
    .await
    .unwrap();
    let tree = Tree::from_texts([("b.yaml", yaml)]);
    let plan = parse(&tree, "b.yaml", &NoImports).unwrap();
    blueprint(&db, "crane", &plan).await;
    (db, Scope::system("admin", "harbour"))
}

pub(crate) async fn blueprint(db: &NativeDb, id: &str, plan: &Plan) {
    db.execute(
        "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at,
             state) values (?1, 'harbour', 'ann', 'tenant', '2024', '2024', 'uploaded')",
        params![id],
    )
    .await
    .unwrap();
    db.execute(
        "insert into blueprint_plans (blueprint_key, plan, stored)
         values ((select max(key) from blueprints), '{}', ?1)",
        params![&plan.to_stored()],
    )
    .await
    .unwrap();
}

pub(crate) async fn wanted(db: &NativeDb, scope: &Scope, id: &str, inputs: Value) -> Wanted {
    Wanted {
        id: id.into(),
        blueprint: blueprints::find(db, scope, "crane").await.unwrap(),
        inputs: inputs.as_object().unwrap().clone(),
        labels: Vec::new(),
        visibility: Visibility::Tenant,
        display_name: None,
        site_name: None,
        skip_plugins_validation: false,
        runtime_only_evaluation: false,
        created_by: None,
        created_at: None,
    }
}

pub(crate) async fn make(db: &NativeDb, scope: &Scope, wanted: Wanted) -> Result<Outcome> {
    let prepared = Prepared::new(db, scope, wanted).await?;
    db.transaction(async |db| create(db, scope, &prepared).await)
        .await
}

pub(crate) async fn number(db: &NativeDb, sql: &str) -> i64 {
    db.first(sql, &[])
        .await
        .unwrap()
        .unwrap()
        .integer(0)
        .unwrap()
}

async fn shown(db: &NativeDb, scope: &Scope) -> Vec<Value> {
    let statement = DEPLOYMENT.page_statement(scope, &ListQuery::everything());
    page(db, &statement).await.unwrap().parse().unwrap()
}

#[test]
fn a_deployment_comes_with_nodes_instances_labels_and_its_execution() {
    pollster::block_on(async {
        let (db, scope) = harbour(CRANE).await;
        let mut crane = wanted(&db, &scope, "crane-1", json!({ "load": 7 })).await;
        crane.labels = vec![Label::new("colour", "red")];
        assert!(matches!(
            make(&db, &scope, crane).await.unwrap(),
            Outcome::Created(_)
        ));
        let one = &shown(&db, &scope).await[0];
        for (field, want) in [
            ("display_name", json!("crane 7")),
            ("inputs", json!({ "port": 80, "load": 7 })),
            ("installation_status", json!("inactive")),
            ("deployment_status", json!("requires_attention")),
            ("latest_execution_status", json!("completed")),
            (
                "latest_execution_workflow_id",
                json!("create_deployment_environment"),
            ),
            ("latest_execution_total_operations", json!(0)),
            ("environment_type", json!("")),
            ("sub_services_count", json!(0)),
            ("sub_services_status", Value::Null),
            ("has_sub_deployments", json!(false)),
            ("runtime_only_evaluation", json!(false)),
            ("created_by", json!("admin")),
            ("resource_tags", json!({})),
            ("site_name", Value::Null),
        ] {
            assert_eq!(one[field], want, "{field}");
        }
        assert_eq!(one["create_execution"], one["latest_execution"]);
        let keys: Vec<&str> = one["labels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l["key"].as_str().unwrap())
            .collect();
        assert_eq!(keys, ["colour", "csys-obj-type"]);
        let available: Vec<&str> = one["workflows"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|workflow| workflow["is_available"] == true)
            .map(|workflow| workflow["name"].as_str().unwrap())
            .collect();
        assert!(available.contains(&"install"), "{available:?}");
        assert!(!available.contains(&"uninstall"), "{available:?}");
        assert_eq!(number(&db, "select count(*) from nodes").await, 3);
        assert_eq!(number(&db, "select count(*) from node_instances").await, 13);
        let events = db
            .query(
                "select event_type, message from events order by storage_id",
                &[],
            )
            .await;
        let events = events.unwrap();
        assert_eq!(
            events[0].text(1).unwrap(),
            "Starting 'create_deployment_environment' workflow execution"
        );
        assert_eq!(events[1].text(0).unwrap(), "workflow_succeeded");
        assert_eq!(number(&db, "select count(*) from audit_log").await, 1);
        let counts = db
            .first(r#"select json_array(planned_number_of_instances, actual_planned_number_of_instances,
                 max_number_of_instances, operations ->> '$."cloudify.interfaces.lifecycle.create".operation', relationships ->> '$[0].target_id')
                 from whole_nodes where id = 'app'"#, &[])
            .await;
        let counts: Value = counts.unwrap().unwrap().json(0).unwrap();
        assert_eq!(counts, json!([1, 3, -1, "", "vm"]));
    });
}

#[test]
fn refusals_come_in_the_order_of_the_api_and_leave_nothing() {
    pollster::block_on(async {
        let (db, scope) = harbour(CRANE).await;
        make(
            &db,
            &scope,
            wanted(&db, &scope, "taken", json!({ "load": 1 })).await,
        )
        .await
        .unwrap();
        let label = |value: &str| vec![Label::new("csys-obj-parent", value)];
        for (id, inputs, visibility, labels, kind, text) in [
            (
                "taken",
                json!({}),
                Visibility::Tenant,
                vec![],
                Kind::Conflict,
                "<Deployment id=`taken` tenant=`harbour`> already exists on <Tenant name=`harbour`> or with global visibility",
            ),
            (
                "taken",
                json!({}),
                Visibility::Global,
                vec![],
                Kind::Forbidden,
                "Can't create global deployment",
            ),
            (
                "new",
                json!({}),
                Visibility::Tenant,
                label("none"),
                Kind::MissingRequiredDeploymentInput,
                "missing inputs: load",
            ),
            (
                "new",
                json!({ "load": 1, "q": 2 }),
                Visibility::Tenant,
                label("none"),
                Kind::UnknownDeploymentInput,
                "unknown inputs: q",
            ),
            (
                "new",
                json!({ "load": 1 }),
                Visibility::Tenant,
                label("none"),
                Kind::DeploymentParentNotFound,
                "none",
            ),
        ] {
            let mut asked = wanted(&db, &scope, id, inputs).await;
            asked.visibility = visibility;
            asked.labels = labels;
            let refusal = make(&db, &scope, asked).await.unwrap_err();
            assert_eq!(refusal.kind(), kind, "{refusal:?}");
            assert!(refusal.message().contains(text), "{refusal:?}");
        }
        assert_eq!(number(&db, "select count(*) from deployments").await, 1);
        assert_eq!(number(&db, "select count(*) from executions").await, 1);
    });
}

#[test]
fn a_failed_environment_stays_until_the_next_try() {
    pollster::block_on(async {
        let (db, scope) = harbour(CRANE).await;
        let bad = wanted(&db, &scope, "crane-1", json!({ "load": 1, "port": 70000 })).await;
        let Outcome::Failed(owner, reason) = make(&db, &scope, bad.clone()).await.unwrap() else {
            panic!("a port of 70000 is too high");
        };
        assert!(reason.contains("violates constraint in_range"), "{reason}");
        let one = &shown(&db, &scope).await[0];
        assert_eq!(one["latest_execution_status"], "failed");
        assert_eq!(one["workflows"], json!([]));
        assert_eq!(one["deployment_status"], "requires_attention");
        assert!(deployments::is_failed_creation(&db, &owner).await.unwrap());
        make(&db, &scope, bad).await.unwrap();
        let good = wanted(&db, &scope, "crane-1", json!({ "load": 1 })).await;
        assert!(matches!(
            make(&db, &scope, good).await.unwrap(),
            Outcome::Created(_)
        ));
        assert_eq!(number(&db, "select count(*) from deployments").await, 1);
        assert_eq!(number(&db, "select count(*) from executions").await, 1);
        assert_eq!(number(&db, "select count(*) from events").await, 2);
    });
}

#[test]
fn outputs_and_capabilities_are_evaluated_as_far_as_they_can_be() {
    pollster::block_on(async {
        let (db, scope) = harbour(CRANE).await;
        for id in ["crane-1", "crane-2"] {
            make(
                &db,
                &scope,
                wanted(&db, &scope, id, json!({ "load": 7 })).await,
            )
            .await
            .unwrap();
        }
        db.execute("update node_instances set runtime_properties = '{\"colour\": \"red\"}' where node_id = 'lamp'", &[])
            .await
            .unwrap();
        let deployment = deployments::find(&db, &scope, "crane-1").await.unwrap();
        let (outputs, capabilities) = (deployment.outputs.clone(), deployment.capabilities.clone());
        let world = World::load(&db, &scope, deployment, &[&outputs, &capabilities])
            .await
            .unwrap();
        let values = world.outputs(&outputs).unwrap();
        assert_eq!(values["load"], 7);
        assert_eq!(values["colour"], "red");
        assert!(
            values["which"].as_str().unwrap().starts_with("<ERROR: "),
            "{values:?}"
        );
        let chain = json!({ "chain": capabilities["chain"] });
        assert_eq!(world.outputs(&chain).unwrap()["chain"], 80);
        // A capability that needs itself has no value, and ends.
        assert!(
            world
                .outputs(&json!({ "circle": capabilities["circle"] }))
                .is_err()
        );
    });
}

#[test]
fn the_engine_knows_what_the_tenant_sees_and_says_what_it_does_not_know() {
    pollster::block_on(async {
        let (db, scope) = harbour(CRANE).await;
        for id in ["crane-1", "crane-2"] {
            let wanted = wanted(&db, &scope, id, json!({ "load": 7 })).await;
            make(&db, &scope, wanted).await.unwrap();
        }
        let key = deployments::find(&db, &scope, "crane-1").await.unwrap().key;
        db.execute(
            "insert into tenants (name, created_at) values ('quay', '')",
            &[],
        )
        .await
        .unwrap();
        // Somebody else's private deployment, and one of another tenant, are not there.
        for (id, change) in [
            ("crane-3", "visibility = 'private', created_by = 'vera'"),
            ("crane-4", "tenant_name = 'quay'"),
        ] {
            let wanted = wanted(&db, &scope, id, json!({ "load": 7 })).await;
            make(&db, &scope, wanted).await.unwrap();
            let sql = format!("update deployments set {change} where id = '{id}'");
            db.execute(&sql, &[]).await.unwrap();
        }
        let no_label =
            "The deployment `crane-1` does not have a label with the key `x` assigned to it";
        for (value, want) in [
            (json!({ "get_input": "load" }), Ok(json!(7))),
            (
                json!({ "get_label": ["csys-obj-type", 0] }),
                Ok(json!("environment")),
            ),
            (
                json!({ "get_sys": ["deployment", "id"] }),
                Ok(json!("crane-1")),
            ),
            // The others read a capability of it.
            (json!({ "get_consumers": "count" }), Ok(json!(2))),
            (
                json!({ "get_capability": ["crane-1", "port"] }),
                Ok(json!(80)),
            ),
            (
                json!({ "get_capability": ["crane-2", "port"] }),
                Ok(json!(80)),
            ),
            (
                json!({ "get_capability": [{ "concat": ["crane-", { "get_input": "two" }] }, "port"] }),
                Err("unknown input 'two'"),
            ),
            (
                json!({ "get_capability": [{ "concat": ["crane", "-2"] }, "port"] }),
                Ok(json!(80)),
            ),
            (
                json!({ "get_capability": ["crane-2", "moon"] }),
                Err("Requested capability `moon` is not declared in deployment `crane-2`"),
            ),
            (
                json!({ "get_capability": ["crane-3", "port"] }),
                Err("Requested `Deployment` with ID `crane-3` was not found"),
            ),
            (
                json!({ "get_capability": ["crane-4", "port"] }),
                Err("Requested `Deployment` with ID `crane-4` was not found"),
            ),
            (
                json!({ "get_group_capability": ["all", "port"] }),
                Err("Requested `DeploymentGroup` with ID `all` was not found"),
            ),
            (json!({ "get_label": "x" }), Err(no_label)),
            (json!({ "get_label": ["x", 0] }), Err(no_label)),
            (
                json!({ "get_label": ["csys-obj-type", 4] }),
                Err(
                    "has the values ['environment'] of the label `csys-obj-type`, and none at the index 4",
                ),
            ),
            (
                json!({ "get_secret": "key" }),
                Err("secret 'key' was not found"),
            ),
        ] {
            let nobody = Context::default();
            let alone = World::load_for_engine(&db, key, &value, &nobody).await;
            let alone = alone.unwrap();
            let got = alone
                .here()
                .evaluate(&value, &Context::default())
                .map_err(|problem| alone.explain(&problem.message));
            match (got, want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{value}"),
                (Err(got), Err(want)) => assert!(got.ends_with(want), "{value}: {got}"),
                (got, want) => panic!("{value}: {got:?} instead of {want:?}"),
            }
        }
        let input = json!({ "get_input": "load" });
        let gone = World::load_for_engine(&db, key + 9, &input, &Context::default()).await;
        let gone = gone.unwrap();
        assert!(gone.here().evaluate(&input, &Context::default()).is_err());
    });
}

#[test]
fn nodes_of_requests_are_read_in_both_forms() {
    let listed = json!({ "id": "vm", "type": "t", "number_of_instances": 2, "planned_number_of_instances": 3 });
    let planned = json!({ "name": "vm", "type": "t", "capabilities": { "scalable": { "properties": { "current_instances": 2, "planned_instances": 3 } } } });
    for node in [listed, planned] {
        let node = new_node(node.as_object().unwrap());
        assert_eq!(
            (node.id.as_str(), node.counts.number, node.counts.planned),
            ("vm", 2, 3)
        );
        assert_eq!(&*node.operations, "{}");
    }
}

#[test]
fn a_large_blueprint_is_one_deployment() {
    pollster::block_on(async {
        let mut yaml = String::from(
            "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  n0: {type: cloudify.nodes.Compute}
",
        );
        for number in 1..400 {
            let host = number / 2;
            yaml.push_str(&format!(
                "  n{number}: {{type: cloudify.nodes.Root, relationships: \
                 [{{type: cloudify.relationships.connected_to, target: n{host}}}]}}\n"
            ));
        }
        let (db, scope) = harbour(&yaml).await;
        make(&db, &scope, wanted(&db, &scope, "large", json!({})).await)
            .await
            .unwrap();
        let whole = "select count(*) from whole_nodes where operations like '{%' and relationships like '[%'";
        assert_eq!(number(&db, whole).await, 400);
        assert_eq!(
            number(&db, "select instances from instance_counts").await,
            400
        );
        attempt(&db, &scope, "large", Removal::default())
            .await
            .unwrap();
        assert_eq!(number(&db, "select count(*) from node_instances").await, 0);
    });
}
