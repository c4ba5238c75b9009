//! Updates from their beginning to their end, without the workflow in between.

use super::*;
use crate::environment::Outcome;
use crate::environment::tests::{blueprint, harbour, make, wanted};
use std::collections::BTreeSet;
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{NoImports, NodeInstance, parse};
use windlass_core::db::{Db, NativeDb};
use windlass_core::{Scope, params};
use windlass_store::deployment_updates::work::{self, Item, Role};
use windlass_store::deployment_updates::{self, NewUpdate, Running, UpdateState};
use windlass_store::deployments::{self, Deployment};
use windlass_store::executions::Execution;
use windlass_store::resource::{New, Origin};
use windlass_store::{blueprints, node_instances, nodes};

/// A blueprint of these node templates, with inputs of its own.
fn yaml(templates: &str) -> String {
    format!(
        "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  port: {{default: 80}}
node_templates:
{templates}
"
    )
}

const HOSTS: &str = "
  vm:
    type: cloudify.nodes.Compute
    capabilities: {scalable: {properties: {default_instances: 2}}}
  app:
    type: cloudify.nodes.WebServer
    properties: {port: {get_input: port}}
    relationships:
      - {type: cloudify.relationships.contained_in, target: vm}
      - {type: cloudify.relationships.connected_to, target: net}
  net:
    type: cloudify.nodes.Network
";

/// The same with another network, more hosts, a changed server and something new.
const MORE: &str = "
  vm:
    type: cloudify.nodes.Compute
    capabilities: {scalable: {properties: {default_instances: 3}}}
  app:
    type: cloudify.nodes.WebServer
    properties: {port: 8080}
    relationships:
      - {type: cloudify.relationships.contained_in, target: vm}
      - {type: cloudify.relationships.connected_to, target: lan}
  lan:
    type: cloudify.nodes.Network
";

/// The host is of another type, and so all in it is new.
const OTHER: &str = "
  vm:
    type: cloudify.nodes.Container
  app:
    type: cloudify.nodes.WebServer
    relationships: [{type: cloudify.relationships.contained_in, target: vm}]
  net:
    type: cloudify.nodes.Network
    relationships: [{type: cloudify.relationships.depends_on, target: vm}]
";

const EMPTY: &str = "  alone: {type: cloudify.nodes.Root}";

/// A harbour with the deployment `crane-1` of one blueprint, and a second blueprint `other`.
async fn two(first: &str, second: &str) -> (NativeDb, Scope) {
    let (db, scope) = harbour(&yaml(first)).await;
    let made = make(&db, &scope, wanted(&db, &scope, "crane-1", json!({})).await).await;
    assert!(matches!(made.unwrap(), Outcome::Created(_)));
    let tree = Tree::from_texts([("b.yaml", yaml(second).as_str())]);
    let plan = parse(&tree, "b.yaml", &NoImports).unwrap();
    blueprint(&db, "other", &plan).await;
    (db, scope)
}

async fn crane(db: &NativeDb, scope: &Scope) -> Deployment {
    deployments::find(db, scope, "crane-1").await.unwrap()
}

async fn goal(db: &NativeDb, scope: &Scope, blueprint: &str) -> Goal {
    Goal {
        blueprint: blueprints::find(db, scope, blueprint).await.unwrap(),
        inputs: Map::new(),
        runtime_only_evaluation: false,
        auto_correct_types: false,
        update_plugins: true,
        update: None,
    }
}

/// Begins an update to a blueprint; it is carried out by the execution of its own id.
async fn begun(db: &NativeDb, scope: &Scope, id: &str, blueprint: &str) -> Running {
    let deployment = crane(db, scope).await;
    let goal = goal(db, scope, blueprint).await;
    let planned = plan(db, scope, &deployment, &goal).await.unwrap().unwrap();
    let new = New {
        id: id.into(),
        visibility: deployment.visibility,
        origin: Origin::default(),
    };
    let row = NewUpdate {
        deployment: &deployment,
        state: UpdateState::Updating,
        execution_id: Some(id),
        old_blueprint_id: None,
        new_blueprint_id: Some(blueprint),
        old_inputs: &Map::new(),
        new_inputs: &Map::new(),
        runtime_only_evaluation: false,
        shown: &Map::new(),
    };
    let execution = Execution {
        id: id.into(),
        deployment_key: Some(deployment.owner.key),
        ..Execution::default()
    };
    db.transaction(async |tx| {
        deployment_updates::insert(tx, scope, &new, &row).await?;
        let running = deployment_updates::of_execution(tx, &execution)
            .await?
            .unwrap();
        begin(tx, &deployment, &running, &planned).await?;
        Ok(running)
    })
    .await
    .unwrap()
}

async fn finished(db: &NativeDb, scope: &Scope, running: &Running) -> Result<(), String> {
    let deployment = crane(db, scope).await;
    db.transaction(async |tx| {
        replace_nodes(tx, &deployment, running).await?;
        finish(tx, scope, &deployment, running).await
    })
    .await
    .unwrap()
}

async fn instances(db: &NativeDb, id: &str, scope: &Scope) -> Vec<NodeInstance> {
    let deployment = deployments::find(db, scope, id).await.unwrap();
    node_instances::for_update(db, &deployment).await.unwrap()
}

async fn set_states(db: &NativeDb, state: &str) {
    let sql = "update node_instances set state = ?1 where deployment_id = 'crane-1'";
    db.execute(sql, params![state]).await.unwrap();
}

/// Nodes as text that says everything of them; instances by node, with the nodes of their targets.
async fn described(db: &NativeDb, scope: &Scope, id: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let deployment = deployments::find(db, scope, id).await.unwrap();
    let mut plan = deployments::plan_of(db, &deployment).await.unwrap();
    // What is available depends on what has been started.
    plan.remove("workflows");
    let mut all = BTreeSet::from([format!("{} {:?}", deployment.blueprint_id, plan)]);
    for node in nodes::of_deployment(db, &deployment).await.unwrap() {
        all.insert(format!("{node:?}"));
    }
    let there = instances(db, id, scope).await;
    let ids: BTreeSet<&str> = there.iter().map(|one| one.id.as_str()).collect();
    let mut number: BTreeMap<&str, usize> = BTreeMap::new();
    let mut described = BTreeSet::new();
    for one in &there {
        let count = number.entry(&one.node_id).or_default();
        *count += 1;
        let targets = one.relationships.iter().map(|to| {
            assert!(ids.contains(to.target_id.as_str()), "{id}: {one:?}");
            format!("{} {}", to.type_name, to.target_name)
        });
        let targets: Vec<String> = targets.collect();
        let host = one.host_id.as_deref().map(|host| host.split('_').next());
        described.insert(format!("{} {count} {host:?} {targets:?}", one.node_id));
    }
    (all, described)
}

#[test]
fn an_updated_deployment_is_as_one_that_was_made_of_the_new_blueprint() {
    pollster::block_on(async {
        let all = [HOSTS, MORE, OTHER, EMPTY];
        for first in all {
            for second in all {
                let (db, scope) = two(first, second).await;
                set_states(&db, "started").await;
                let running = begun(&db, &scope, "u1", "other").await;
                finished(&db, &scope, &running).await.unwrap();
                let mut fresh = wanted(&db, &scope, "crane-2", json!({})).await;
                fresh.blueprint = blueprints::find(&db, &scope, "other").await.unwrap();
                make(&db, &scope, fresh).await.unwrap();
                let updated = described(&db, &scope, "crane-1").await;
                let made = described(&db, &scope, "crane-2").await;
                assert_eq!(updated, made, "{first} to {second}");
                let left = "select (select count(*) from deployment_update_instances)
                    + (select count(*) from deployment_update_columns)";
                let left = db.first(left, &[]).await.unwrap().unwrap();
                assert_eq!(left.integer(0).unwrap(), 0);
            }
        }
    });
}

fn of(items: &[Item], role: Role) -> Vec<&str> {
    let items = items.iter().filter(|item| item.role == role);
    let names = items.map(|item| item.instance_id.split('_').next().unwrap());
    names.collect()
}

#[test]
fn what_is_to_be_done_follows_from_what_is_different() {
    pollster::block_on(async {
        for (first, second, [added, removed, changed, extended, reduced]) in [
            (HOSTS, HOSTS, [&[][..], &[], &[], &[], &[]]),
            (
                HOSTS,
                MORE,
                [
                    &["app", "lan", "vm"][..],
                    &["net"],
                    &["app", "app"],
                    &["app", "app"],
                    &["app", "app"],
                ],
            ),
            (
                HOSTS,
                OTHER,
                [
                    &["app", "vm"],
                    &["app", "app", "vm", "vm"],
                    &[],
                    &["net"],
                    &[],
                ],
            ),
        ] {
            let (db, scope) = two(first, second).await;
            let before = instances(&db, "crane-1", &scope).await;
            let running = begun(&db, &scope, "u1", "other").await;
            let items = work::find(&db, running.key).await.unwrap();
            for (role, want) in [
                (Role::Added, added),
                (Role::Removed, removed),
                (Role::Changed, changed),
                (Role::Extended, extended),
                (Role::Reduced, reduced),
            ] {
                assert_eq!(of(&items, role), want, "{role:?} {second}");
            }
            // Nothing is gone before the end.
            let after = instances(&db, "crane-1", &scope).await;
            for one in &before {
                assert!(after.iter().any(|known| known.id == one.id), "{one:?}");
            }
            let deployment = crane(&db, &scope).await;
            assert_eq!(deployment.blueprint_id, "crane");
        }
    });
}

#[test]
fn an_update_that_cannot_be_says_why() {
    pollster::block_on(async {
        let group = "\ngroups: {yard: {members: [alone]}}";
        let (db, scope) = two(EMPTY, &format!("{EMPTY}{group}")).await;
        let deployment = crane(&db, &scope).await;
        let goal = goal(&db, &scope, "other").await;
        for (inputs, want) in [
            (json!({}), "Unsupported changes: groups:yard"),
            (json!({ "ship": 1 }), "unknown inputs: ship"),
        ] {
            let goal = Goal {
                inputs: inputs.as_object().unwrap().clone(),
                ..goal.clone()
            };
            let why = plan(&db, &scope, &deployment, &goal)
                .await
                .unwrap()
                .unwrap_err();
            assert!(why.ends_with(want), "{why}");
        }
    });
}

#[test]
fn what_a_failed_update_left_undone_is_done_by_the_next() {
    pollster::block_on(async {
        let (db, scope) = two(HOSTS, MORE).await;
        set_states(&db, "started").await;
        begun(&db, &scope, "u1", "other").await;
        let fail = "update deployment_updates set state = 'failed'";
        db.execute(fail, &[]).await.unwrap();
        // The network was uninstalled, and nothing else.
        let sql = "update node_instances set state = 'deleted' where node_id = 'net'";
        db.execute(sql, &[]).await.unwrap();
        let running = begun(&db, &scope, "u2", "other").await;
        let items = work::find(&db, running.key).await.unwrap();
        assert_eq!(of(&items, Role::Added), ["app", "lan", "vm"]);
        assert_eq!(of(&items, Role::Removed), ["net"]);
        assert_eq!(of(&items, Role::Changed), ["app", "app"]);
        assert_eq!(of(&items, Role::Reduced), ["app", "app"]);
        assert_eq!(work::find(&db, running.key - 1).await.unwrap(), []);
        finished(&db, &scope, &running).await.unwrap();
        let net = instances(&db, "crane-1", &scope).await;
        assert_eq!(net.len(), 7, "{net:?}");
    });
}

#[test]
fn a_failed_update_is_taken_back_by_one_to_the_old_blueprint() {
    pollster::block_on(async {
        let (db, scope) = two(HOSTS, MORE).await;
        set_states(&db, "started").await;
        let before = described(&db, &scope, "crane-1").await;
        let first = begun(&db, &scope, "u1", "other").await;
        let fail = "update deployment_updates set state = 'failed'";
        db.execute(fail, &[]).await.unwrap();
        let running = begun(&db, &scope, "u2", "crane").await;
        assert_eq!(
            finished(&db, &scope, &first).await.unwrap_err(),
            "Another update of the deployment has begun since"
        );
        finished(&db, &scope, &running).await.unwrap();
        assert_eq!(described(&db, &scope, "crane-1").await, before);
    });
}

#[test]
fn a_deployment_that_was_scaled_keeps_its_numbers() {
    pollster::block_on(async {
        let (db, scope) = two(
            HOSTS,
            &HOSTS.replace("get_input: port", "concat: ['8', '0']"),
        )
        .await;
        let sql = "update nodes set number_of_instances = 1, planned_number_of_instances = 1
                   where id = 'vm'";
        db.execute(sql, &[]).await.unwrap();
        let vm = instances(&db, "crane-1", &scope).await.into_iter();
        let mut vms = vm.filter(|one| one.node_id == "vm");
        let vm = vms.next_back().unwrap();
        let sql = "delete from node_instances where host_id = ?1";
        db.execute(sql, params![vm.id]).await.unwrap();
        let running = begun(&db, &scope, "u1", "other").await;
        let items = work::find(&db, running.key).await.unwrap();
        assert_eq!(of(&items, Role::Added), [""; 0]);
        assert_eq!(of(&items, Role::Changed), ["app"]);
        finished(&db, &scope, &running).await.unwrap();
        assert_eq!(instances(&db, "crane-1", &scope).await.len(), 3);
    });
}

#[test]
fn inputs_stay_as_far_as_the_blueprint_has_them() {
    let map = |value: Value| value.as_object().unwrap().clone();
    let old = map(json!({ "a": 1, "b": 2, "gone": 3 }));
    let after = inputs_after(
        &old,
        &map(json!({ "b": 4, "new": 5 })),
        &json!({ "a": {}, "b": {} }),
    );
    assert_eq!(after, map(json!({ "a": 1, "b": 4, "new": 5 })));
}
