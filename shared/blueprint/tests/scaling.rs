//! Other numbers of instances for a deployment that exists.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use serde_json::{Map, json};
use std::collections::{BTreeSet, HashMap};
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{
    DeploymentPlan, Modification, NoImports, NodeInstance, Wanted, instantiate, modify, parse,
    prepare_deployment,
};

const BLUEPRINT: &str = "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  host: {type: cloudify.nodes.Compute, instances: {deploy: 2}}
  app:
    type: cloudify.nodes.Root
    instances: {deploy: 2}
    relationships:
      - {type: cloudify.relationships.contained_in, target: host}
      - {type: cloudify.relationships.connected_to, target: db, properties: {connection_type: all_to_one}}
  db: {type: cloudify.nodes.Root, instances: {deploy: 2}}
  watch: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.connected_to, target: app}]}
";

/// A source of bits that is the same for every run.
fn bits(mut state: u32) -> impl FnMut() -> u32 {
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    }
}

fn deployed() -> (DeploymentPlan, Vec<NodeInstance>) {
    let tree = Tree::from_texts([("b.yaml", BLUEPRINT)]);
    let plan = parse(&tree, "b.yaml", &NoImports).expect("the blueprint is good");
    let plan = prepare_deployment(&plan, &Map::new(), &|_| true, false).expect("no inputs");
    let mut instances = instantiate(&plan, &mut bits(7)).expect("instances can be made");
    for instance in &mut instances {
        instance
            .runtime_properties
            .insert("kept".to_owned(), json!(instance.id));
    }
    (plan, instances)
}

fn scaled(
    plan: &DeploymentPlan,
    instances: &[NodeInstance],
    node: &str,
    wanted: Wanted,
) -> Modification {
    let wanted = HashMap::from([(node.to_owned(), wanted)]);
    modify(plan, instances, &wanted, &mut bits(9)).expect("it can be scaled")
}

fn ids(instances: &[NodeInstance]) -> BTreeSet<&str> {
    instances.iter().map(|one| one.id.as_str()).collect()
}

fn nodes(instances: &[NodeInstance]) -> Vec<&str> {
    instances.iter().map(|one| one.node_id.as_str()).collect()
}

#[test]
fn a_host_grows_with_what_it_contains() {
    let (plan, before) = deployed();
    let wanted = Wanted {
        instances: 3,
        ..Wanted::default()
    };
    let done = scaled(&plan, &before, "host", wanted);
    assert_eq!(nodes(&done.added), ["host", "app", "app"]);
    assert_eq!(
        (
            done.added[0].index,
            done.added[1].index,
            done.added[2].index
        ),
        (3, 5, 6)
    );
    assert_eq!(done.added[1].host_id.as_ref(), Some(&done.added[0].id));
    assert!(done.removed.is_empty() && done.removed_related.is_empty());
    // The database that the others use is used by the new ones as well.
    let used = |one: &NodeInstance| one.relationships[1].target_id.clone();
    let old = before
        .iter()
        .find(|one| one.node_id == "app")
        .expect("there is one");
    assert_eq!(used(&done.added[1]), used(old));
    assert_eq!(nodes(&done.added_related), ["db", "watch"]);
    assert_eq!(nodes(&done.extended), ["watch"]);
    assert_eq!(done.extended[0].relationships.len(), 2);
    assert_eq!(done.instances.len(), before.len() + 3);
    for one in &before {
        let after = done
            .instances
            .iter()
            .find(|after| after.id == one.id)
            .expect("it stays");
        assert_eq!(after.runtime_properties, one.runtime_properties);
    }
}

#[test]
fn hints_say_who_goes() {
    let (plan, before) = deployed();
    let hosts: Vec<&NodeInstance> = before.iter().filter(|one| one.node_id == "host").collect();
    for (first, last, gone) in [
        (Vec::new(), Vec::new(), 1),
        (vec![hosts[0].id.clone()], Vec::new(), 0),
        (Vec::new(), vec![hosts[1].id.clone()], 0),
        (
            vec!["unknown".to_owned()],
            hosts.iter().map(|one| one.id.clone()).collect(),
            1,
        ),
    ] {
        let wanted = Wanted {
            instances: 1,
            removed_first: first,
            removed_last: last,
        };
        let done = scaled(&plan, &before, "host", wanted.clone());
        assert_eq!(nodes(&done.removed), ["host", "app", "app"], "{wanted:?}");
        assert_eq!(done.removed[0].id, hosts[gone].id, "{wanted:?}");
        assert_eq!(nodes(&done.reduced), ["watch"]);
        assert_eq!(
            ids(&done.removed).len() + done.instances.len(),
            before.len()
        );
        assert!(done.added.is_empty());
    }
}

#[test]
fn too_many_instances_are_refused() {
    let (plan, before) = deployed();
    for instances in [60_000, usize::MAX] {
        let wanted = Wanted {
            instances,
            ..Wanted::default()
        };
        let wanted = HashMap::from([("db".to_owned(), wanted)]);
        assert!(
            modify(&plan, &before, &wanted, &mut bits(1)).is_err(),
            "{instances}"
        );
    }
}
