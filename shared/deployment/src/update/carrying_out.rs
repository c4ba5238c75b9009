//! What an update writes: at its beginning, where nodes are replaced, and at its end.
//!
//! Each is part of a transaction of the engine's and leaves a deployment on which workflows can run. Until
//! the end the deployment is still of its old blueprint. Nodes have their new properties and operations from
//! the beginning on, so that what runs in between uses them; relationships that go stay until they are
//! unlinked, and a node that is replaced stays until its instances are uninstalled.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use windlass_blueprint::{InstanceRelationship, NodeInstance};
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope};
use windlass_store::blueprints;
use windlass_store::deployment_updates::later::{self, Column};
use windlass_store::deployment_updates::work::{self, Item, Role};
use windlass_store::deployment_updates::{self, Running, UpdateState};
use windlass_store::deployments::{self, Changes, Deployment};
use windlass_store::labels::{self, Label};
use windlass_store::node_instances::{self, NewRelationships};
use windlass_store::nodes::{self, Counts, NewNode};

use super::instances::stored;
use super::{Planned, schedules};
use crate::environment::plan_rows;

/// Where columns that are no column are kept: what the deployment gets besides, and what goes.
const LABELS: &str = "labels";
const REMOVED_NODES: &str = "removed_nodes";
const SCHEDULES: &str = "default_schedules";

/// Begins an update: new nodes and instances are there, those that stay have what the new plan says of
/// them, and it is written down what is to be done.
pub async fn begin(
    tx: &impl Tx,
    deployment: &Deployment,
    update: &Running,
    planned: &Planned,
) -> Result<()> {
    // What earlier ones left undone was looked at, and is this one's now.
    work::forget(tx, deployment.key, update.key).await?;
    later::forget(tx, deployment.key, update.key).await?;
    let later = begin_nodes(tx, deployment, planned).await?;
    later::insert(tx, update.key, &later).await?;
    begin_instances(tx, deployment, update, planned).await?;
    let (shown, inputs) = (planned.shown(), &planned.inputs);
    deployment_updates::set_shown(tx, update.key, &shown, inputs).await?;
    deployment_updates::set_state(tx, update.key, UpdateState::ExecutingWorkflow).await
}

/// Writes the nodes, and answers what becomes of them and of the deployment only later.
async fn begin_nodes(
    tx: &impl Tx,
    deployment: &Deployment,
    planned: &Planned,
) -> Result<Vec<Column>> {
    let replaced = planned.difference.replaced();
    let known: HashMap<&str, &NewNode> = planned
        .old_nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let (mut added, mut changed, mut later) = (Vec::new(), Vec::new(), Vec::new());
    for node in &planned.new.nodes {
        match known.get(node.id.as_str()) {
            None => added.push(node.clone()),
            Some(_) if replaced.contains(node.id.as_str()) => later.extend(columns_of(node)),
            Some(known) if is_same(known, node) => {}
            Some(known) => {
                let relationships = with_former(&known.relationships, &node.relationships);
                if relationships != node.relationships {
                    later.push(column(&node.id, "relationships", &node.relationships));
                }
                changed.push(NewNode {
                    relationships,
                    ..node.clone()
                });
            }
        }
    }
    nodes::insert_many(tx, deployment, &added).await?;
    nodes::rewrite(tx, deployment, &changed).await?;
    for (name, value) in &planned.new.columns {
        later.push(column("", name, &value.to_string()));
    }
    let there: HashSet<&str> = planned
        .new
        .nodes
        .iter()
        .map(|node| node.id.as_str())
        .collect();
    let gone: Vec<&&str> = known.keys().filter(|id| !there.contains(*id)).collect();
    later.push(column("", REMOVED_NODES, &json!(gone).to_string()));
    later.push(column("", LABELS, &json!(planned.labels).to_string()));
    let schedules = planned.schedules.definitions();
    later.push(column("", SCHEDULES, &schedules.to_string()));
    Ok(later)
}

async fn begin_instances(
    tx: &impl Tx,
    deployment: &Deployment,
    update: &Running,
    planned: &Planned,
) -> Result<()> {
    let changes = &planned.instances;
    let new = plan_rows::instances(changes.added.clone());
    let renamed = node_instances::insert_many(tx, deployment, new).await?;
    let named = |id: &String| renamed.get(id).unwrap_or(id).clone();
    let relationships: Vec<NewRelationships> = changes
        .relationships
        .iter()
        .map(|(id, relationships)| {
            let relationships = relationships.iter().map(|one| InstanceRelationship {
                target_id: named(&one.target_id),
                ..one.clone()
            });
            NewRelationships {
                id: id.clone(),
                relationships: stored(&relationships.collect::<Vec<_>>()),
            }
        })
        .collect();
    node_instances::set_relationships(tx, deployment, &relationships).await?;
    let items: Vec<Item> = changes
        .work
        .iter()
        .map(|item| Item {
            instance_id: named(&item.instance_id),
            target_id: named(&item.target_id),
            ..item.clone()
        })
        .collect();
    work::insert(tx, update.key, &items).await
}

fn is_same(old: &NewNode, new: &NewNode) -> bool {
    old.type_hierarchy == new.type_hierarchy
        && old.properties == new.properties
        && old.operations == new.operations
        && old.relationships == new.relationships
        && old.plugins == new.plugins
        && old.plugins_to_install == new.plugins_to_install
        && old.host_id == new.host_id
        && old.counts == new.counts
}

/// New relationships, followed by those of the old that are not among them, by type and target.
fn with_former(old: &str, new: &str) -> String {
    let read = |text: &str| serde_json::from_str::<Vec<Value>>(text).unwrap_or_default();
    let mut all = read(new);
    let is_there = |all: &[Value], one: &Value| {
        let is_same =
            |known: &Value| known["type"] == one["type"] && known["target_id"] == one["target_id"];
        all.iter().any(is_same)
    };
    let former: Vec<Value> = read(old)
        .into_iter()
        .filter(|one| !is_there(&all, one))
        .collect();
    if former.is_empty() {
        return new.to_owned();
    }
    all.extend(former);
    json!(all).to_string()
}

fn column(node_id: &str, name: &str, value: &str) -> Column {
    Column {
        node_id: node_id.to_owned(),
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// A whole node as columns.
fn columns_of(node: &NewNode) -> Vec<Column> {
    let text = |text: &str| json!(text).to_string();
    let counts = &node.counts;
    let to_install = node.plugins_to_install.as_deref().unwrap_or("null");
    [
        ("type", text(&node.type_name)),
        ("type_hierarchy", node.type_hierarchy.to_string()),
        ("properties", node.properties.clone()),
        ("operations", node.operations.to_string()),
        ("relationships", node.relationships.clone()),
        ("plugins", node.plugins.to_string()),
        ("plugins_to_install", to_install.to_owned()),
        ("host_id", json!(node.host_id).to_string()),
        (
            "counts",
            json!([
                counts.number,
                counts.planned,
                counts.deploy,
                counts.min,
                counts.max,
                counts.actual_planned
            ])
            .to_string(),
        ),
    ]
    .map(|(name, value)| column(&node.id, name, &value))
    .to_vec()
}

/// The columns of an update, by node and name; of the deployment under an empty name.
type Columns = BTreeMap<String, BTreeMap<String, String>>;

async fn columns(tx: &impl Tx, update: &Running) -> Result<Columns> {
    let mut columns = Columns::new();
    for Column {
        node_id,
        name,
        value,
    } in later::find(tx, update.key).await?
    {
        columns.entry(node_id).or_default().insert(name, value);
    }
    Ok(columns)
}

fn read<T: DeserializeOwned>(columns: &BTreeMap<String, String>, name: &str) -> Result<T> {
    let text = columns.get(name).map_or("null", String::as_str);
    serde_json::from_str(text)
        .map_err(|error| Error::internal(format!("what an update keeps of `{name}`: {error}")))
}

fn node(id: &str, columns: &BTreeMap<String, String>) -> Result<NewNode> {
    let text = |name: &str| columns.get(name).cloned().unwrap_or_default();
    let [number, planned, deploy, min, max, actual_planned] = read(columns, "counts")?;
    let to_install = text("plugins_to_install");
    Ok(NewNode {
        id: id.to_owned(),
        type_name: read(columns, "type")?,
        type_hierarchy: text("type_hierarchy").into(),
        properties: text("properties"),
        operations: text("operations").into(),
        relationships: text("relationships"),
        plugins: text("plugins").into(),
        plugins_to_install: (to_install != "null").then_some(to_install),
        host_id: read(columns, "host_id")?,
        counts: Counts {
            number,
            planned,
            deploy,
            min,
            max,
            actual_planned,
        },
    })
}

/// Puts nodes in the place of those of the same name, whose instances are uninstalled by now.
pub async fn replace_nodes(tx: &impl Tx, deployment: &Deployment, update: &Running) -> Result<()> {
    let mut new = Vec::new();
    for (id, columns) in columns(tx, update).await? {
        if columns.contains_key("type") {
            new.push(node(&id, &columns)?);
        }
    }
    nodes::rewrite(tx, deployment, &new).await
}

/// Gives the deployment its new blueprint, with all that it has from that, before anything else is done.
/// The answer says why that cannot be, if it cannot: then nothing is changed.
pub async fn settle(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Deployment,
    update: &Running,
) -> Result<Result<(), String>> {
    let mut columns = columns(tx, update).await?;
    match columns.remove("") {
        Some(own) => set_attributes(tx, scope, deployment, (update, &own)).await,
        None => Ok(Err(SUPERSEDED.to_owned())),
    }
}

const SUPERSEDED: &str = "Another update of the deployment has begun since";

async fn set_attributes(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Deployment,
    (update, own): (&Running, &BTreeMap<String, String>),
) -> Result<Result<(), String>> {
    let id = update.new_blueprint_id.as_deref().unwrap_or_default();
    let Some(blueprint) = blueprints::find_optional(tx, scope, id).await? else {
        return Ok(Err(format!("The blueprint `{id}` is gone")));
    };
    let mut plan = Map::new();
    for name in deployments::PLAN_COLUMNS {
        if own.contains_key(name) {
            plan.insert(name.to_owned(), read(own, name)?);
        }
    }
    let changes = Changes {
        blueprint: Some(blueprint),
        runtime_only_evaluation: Some(update.runtime_only_evaluation()),
        plan,
        ..Changes::default()
    };
    deployments::save(tx, scope, deployment, &changes).await?;
    Ok(Ok(()))
}

/// Ends an update: what was to go goes, and the deployment is of the new blueprint. The answer says why
/// that cannot be, if it cannot: then nothing is changed.
pub async fn finish(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Deployment,
    update: &Running,
) -> Result<Result<(), String>> {
    let mut columns = columns(tx, update).await?;
    let Some(own) = columns.remove("") else {
        return Ok(Err(SUPERSEDED.to_owned()));
    };
    // An update that began under an older version knows none.
    let given = match own.contains_key(SCHEDULES) {
        true => schedules::read(scope, read(&own, SCHEDULES)?).map(Some),
        false => Ok(None),
    };
    let given = match given {
        Ok(given) => given,
        Err(reason) => return Ok(Err(reason)),
    };
    if let Err(reason) = set_attributes(tx, scope, deployment, (update, &own)).await? {
        return Ok(Err(reason));
    }
    deployment_updates::set_state(tx, update.key, UpdateState::Finalizing).await?;
    finish_nodes(tx, deployment, update, (&own, &columns)).await?;
    add_labels(tx, scope, deployment, &read::<Vec<Label>>(&own, LABELS)?).await?;
    if let Some(given) = given {
        schedules::settle(tx, scope, deployment, &given).await?;
    }
    work::forget(tx, deployment.key, update.key).await?;
    later::forget(tx, deployment.key, update.key).await?;
    deployment_updates::set_state(tx, update.key, UpdateState::Successful).await?;
    Ok(Ok(()))
}

async fn finish_nodes(
    tx: &impl Tx,
    deployment: &Deployment,
    update: &Running,
    (own, of_nodes): (&BTreeMap<String, String>, &Columns),
) -> Result<()> {
    let work = work::find(tx, update.key).await?;
    let is = |role: Role| move |item: &&Item| item.role == role;
    let removed: Vec<&str> = work
        .iter()
        .filter(is(Role::Removed))
        .map(|item| item.instance_id.as_str())
        .collect();
    node_instances::remove(tx, deployment, &removed).await?;
    let reduced: HashSet<[&str; 3]> = work
        .iter()
        .filter(is(Role::Reduced))
        .map(|item| [item.instance_id.as_str(), &item.target_id, &item.type_name])
        .collect();
    if !reduced.is_empty() {
        drop_relationships(tx, deployment, &reduced).await?;
    }
    let gone: Vec<String> = read(own, REMOVED_NODES)?;
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    nodes::remove(tx, deployment, &gone).await?;
    let relationships: Vec<(&str, &str)> = of_nodes
        .iter()
        .filter(|(_, columns)| !columns.contains_key("type"))
        .filter_map(|(id, columns)| Some((id.as_str(), columns.get("relationships")?.as_str())))
        .collect();
    nodes::set_relationships(tx, deployment, &relationships).await
}

/// Takes relationships from instances that stay: each is an instance, a target and a type.
async fn drop_relationships(
    tx: &impl Tx,
    deployment: &Deployment,
    reduced: &HashSet<[&str; 3]>,
) -> Result<()> {
    let mut changed = Vec::new();
    for instance in node_instances::for_update::<NodeInstance>(tx, deployment).await? {
        let stays = |one: &&InstanceRelationship| {
            !reduced.contains(&[instance.id.as_str(), &one.target_id, &one.type_name])
        };
        let left: Vec<_> = instance
            .relationships
            .iter()
            .filter(stays)
            .cloned()
            .collect();
        if left.len() < instance.relationships.len() {
            changed.push(NewRelationships {
                id: instance.id.clone(),
                relationships: stored(&left),
            });
        }
    }
    node_instances::set_relationships(tx, deployment, &changed).await
}

/// Gives the deployment the labels that its new blueprint has; parents among them come to know it.
async fn add_labels(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Deployment,
    new: &[Label],
) -> Result<()> {
    let parents: Vec<&str> = deployments::parent_ids(new).collect();
    // Those that are gone by now are no reason to leave the update undone.
    let found = deployments::find_existing(tx, scope, &parents).await?;
    let exists = |label: &Label| {
        let named = deployments::parent_ids(std::slice::from_ref(label)).next();
        named.is_none_or(|id| found.iter().any(|parent| parent.id == id))
    };
    let new: Vec<Label> = new.iter().filter(|label| exists(label)).cloned().collect();
    deployments::link_parents(tx, scope, &deployment.id, &found).await?;
    labels::add(tx, scope, deployment, &new).await
}
