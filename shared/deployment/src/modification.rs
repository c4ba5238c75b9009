//! Modifications of deployments: other numbers of node instances, tried and then kept or taken back.
//!
//! Which instances come and go follows from the numbers alone, see
//! [`windlass_blueprint::modify`]; what a deployment has by now is read from its rows, so nodes that
//! were added or changed since its blueprint was uploaded count too.

mod groups;

pub use groups::{Groups, NodeNumbers};

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use windlass_blueprint::{
    DeploymentPlan, InstanceRelationship, Modification, NodeInstance, Plan, Wanted, modify,
};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope};
use windlass_store::deployment_modifications::{
    self as modifications, Change, DeploymentModification, Modified, New, Part, Status,
};
use windlass_store::deployments::{self, Owner};
use windlass_store::node_instances;
use windlass_store::nodes;

use crate::environment::{new_instances, random_numbers};

/// How often new ids are made, when some of them are in use.
const ATTEMPTS: usize = 20;

/// What a deployment has by now, as far as its instances follow from it.
pub struct Present {
    plan: DeploymentPlan,
    instances: Vec<NodeInstance>,
    groups: Groups,
}

impl Present {
    /// Reads it.
    pub async fn load(db: &impl Db, owner: &Owner) -> Result<Self> {
        let nodes = nodes::for_scaling(db, owner).await?;
        let groups = deployments::named::scaling_groups_of(db, owner).await?;
        let instances = node_instances::for_evaluation(db, owner.key).await?;
        let groups = Groups::new(groups, &nodes);
        let plan = json!({ "nodes": nodes, "scaling_groups": groups.section() });
        let plan = Plan::from_value(plan)
            .ok_or_else(|| Error::internal(format!("{}: no nodes", owner.id)))?;
        Ok(Self {
            plan: DeploymentPlan { plan },
            instances,
            groups,
        })
    }

    /// Its scaling groups and the numbers of its nodes.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Its instances.
    pub fn instances(&self) -> &[NodeInstance] {
        &self.instances
    }

    /// What comes and goes with these numbers, under ids that the tenant does not have yet.
    async fn modified(
        &self,
        db: &impl Db,
        owner: &Owner,
        modified: &BTreeMap<String, New>,
    ) -> Result<Modification> {
        let wanted: HashMap<String, Wanted> = modified
            .iter()
            .map(|(name, new)| (name.clone(), wanted(new)))
            .collect();
        for _ in 0..ATTEMPTS {
            let done = modify(&self.plan, &self.instances, &wanted, &mut random_numbers())
                .map_err(|problem| Error::bad_parameters(problem.message))?;
            let ids: Vec<&str> = done.added.iter().map(|one| one.id.as_str()).collect();
            if !modifications::any_in_use(db, &owner.tenant_name, &ids).await? {
                return Ok(done);
            }
        }
        Err(Error::internal("no ids for new instances were found"))
    }
}

fn wanted(new: &New) -> Wanted {
    Wanted {
        instances: usize::try_from(new.instances).unwrap_or(usize::MAX),
        removed_first: new.removed_ids_include_hint.clone(),
        removed_last: new.removed_ids_exclude_hint.clone(),
    }
}

/// A modification that has begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Its row.
    pub modification: DeploymentModification,
    /// The ids of the new instances.
    pub added: Vec<String>,
    /// The ids of those that go when it is finished.
    pub removed: Vec<String>,
}

/// Begins a modification: new instances are there at once, uninitialized, and connected with those
/// that were there; planned numbers are the new ones.
///
/// # Errors
/// 400 when the deployment has one under way, and for numbers that are impossible; 404 for a name
/// that is no node and no scaling group.
pub async fn start(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    modified: &BTreeMap<String, New>,
    context: &Map<String, Value>,
) -> Result<Begun> {
    // A workflow goes on after a refusal, so nothing may be written before the last one.
    modifications::demand_none_started(tx, owner).await?;
    let mut present = Present::load(tx, owner).await?;
    if let Some(name) = modified.keys().find(|name| !present.groups.knows(name)) {
        return Err(Error::not_found("Node", name));
    }
    let done = present.modified(tx, owner, modified).await?;
    let modification = modifications::insert(tx, scope, owner, modified, context).await?;
    keep_before(tx, &modification, &done).await?;
    let added = done.added.clone();
    node_instances::insert_many(tx, owner, new_instances(added)).await?;
    let connected = connected(&done);
    modifications::change_relationships(tx, owner, &connected).await?;
    let coming = kept(&done.added, &done.added_related, Change::Added);
    modifications::keep(tx, &modification, Part::Added, &coming).await?;
    let going = kept(&done.removed, &done.removed_related, Change::Removed);
    modifications::keep(tx, &modification, Part::Removed, &going).await?;
    for (name, new) in modified {
        present.groups.plan(name, i64::from(new.instances));
    }
    save_numbers(tx, owner, &present.groups).await?;
    Ok(Begun {
        modification,
        added: ids(&done.added),
        removed: ids(&done.removed),
    })
}

/// Keeps a modification: what was to go goes, and its numbers are the present ones.
///
/// # Errors
/// 400 for one that has ended.
pub async fn finish(
    tx: &impl Tx,
    scope: &Scope,
    modification: &DeploymentModification,
) -> Result<()> {
    demand_started(modification, "finish")?;
    let owner = owner_of(tx, modification).await?;
    modifications::remove_removed(tx, modification).await?;
    modifications::shorten_relationships(tx, modification).await?;
    let mut groups = Groups::load(tx, &owner).await?;
    for (name, new) in &modification.modified_nodes {
        groups.settle(name, i64::from(new.instances));
    }
    save_numbers(tx, &owner, &groups).await?;
    modifications::save_end(tx, scope, modification, Status::Finished).await
}

/// Takes a modification back: what was new is gone, and what was there is as it was when the
/// modification began, whatever happened to it since.
///
/// # Errors
/// 400 for one that has ended.
pub async fn roll_back(
    tx: &impl Tx,
    scope: &Scope,
    modification: &DeploymentModification,
) -> Result<()> {
    demand_started(modification, "rollback")?;
    let owner = owner_of(tx, modification).await?;
    modifications::keep_all(tx, modification).await?;
    modifications::remove_added(tx, modification).await?;
    modifications::restore(tx, modification, &owner).await?;
    let mut groups = Groups::load(tx, &owner).await?;
    for name in modification.modified_nodes.keys() {
        groups.unplan(name);
    }
    save_numbers(tx, &owner, &groups).await?;
    modifications::save_end(tx, scope, modification, Status::RolledBack).await
}

fn demand_started(modification: &DeploymentModification, what: &str) -> Result<()> {
    if modification.status == Status::Started.name() {
        return Ok(());
    }
    Err(Error::new(
        Kind::DeploymentModificationAlreadyEnded,
        format!(
            "Cannot {what} deployment modification: {}. It is already in {} status.",
            modification.id, modification.status
        ),
    ))
}

async fn owner_of(db: &impl Db, modification: &DeploymentModification) -> Result<Owner> {
    let key = modification.deployment_key;
    let found = deployments::find_by_key(db, &Scope::engine(), key).await?;
    let found = found.ok_or_else(|| Error::internal("a modification's deployment exists"))?;
    Ok(found.owner)
}

/// Keeps the instances that the modification touches as they are before it.
async fn keep_before(
    tx: &impl Tx,
    modification: &DeploymentModification,
    done: &Modification,
) -> Result<()> {
    let lists = [&done.added_related, &done.removed, &done.removed_related];
    let mut touched: BTreeMap<&str, Modified> = BTreeMap::new();
    for instance in lists.into_iter().flatten() {
        let id = instance.id.as_str();
        touched.entry(id).or_insert_with(|| Modified::of(id));
    }
    let touched: Vec<Modified> = touched.into_values().collect();
    modifications::keep(tx, modification, Part::Before, &touched).await
}

/// Instances that come or go, then those related to them with their relationships to those.
fn kept<'a>(
    changed: &'a [NodeInstance],
    related: &'a [NodeInstance],
    change: Change,
) -> Vec<Modified<'a>> {
    let changed = changed.iter().map(|instance| Modified {
        id: &instance.id,
        modification: Some(change.name()),
        relationships: None,
    });
    let related = related.iter().map(|instance| Modified {
        id: &instance.id,
        modification: None,
        relationships: Some(shown(&instance.relationships)),
    });
    changed.chain(related).collect()
}

/// The instances that were there and get relationships to new ones, with all relationships they have
/// then: the old ones stay until the modification is finished, in the order of the template.
fn connected(done: &Modification) -> Vec<Modified<'_>> {
    let after: HashMap<&str, &NodeInstance> = done
        .instances
        .iter()
        .chain(&done.removed)
        .map(|instance| (instance.id.as_str(), instance))
        .collect();
    let reduced: HashMap<&str, &NodeInstance> = done
        .reduced
        .iter()
        .map(|instance| (instance.id.as_str(), instance))
        .collect();
    let extended = done.extended.iter();
    extended
        .filter_map(|instance| {
            let id = instance.id.as_str();
            let mut relationships = after.get(id)?.relationships.clone();
            if let Some(reduced) = reduced.get(id) {
                relationships.extend(reduced.relationships.iter().cloned());
            }
            Some(Modified {
                id,
                modification: None,
                relationships: Some(shown(&relationships)),
            })
        })
        .collect()
}

fn shown(relationships: &[InstanceRelationship]) -> Vec<Map<String, Value>> {
    let shown = relationships.iter().map(|one| {
        Map::from_iter([
            ("type".to_owned(), one.type_name.clone().into()),
            ("target_id".to_owned(), one.target_id.clone().into()),
            ("target_name".to_owned(), one.target_name.clone().into()),
        ])
    });
    shown.collect()
}

async fn save_numbers(tx: &impl Tx, owner: &Owner, groups: &Groups) -> Result<()> {
    nodes::save_numbers(tx, owner, &groups.new_numbers()).await?;
    match groups.changed_section() {
        Some(section) => deployments::set_scaling_groups(tx, owner, section).await,
        None => Ok(()),
    }
}

fn ids(instances: &[NodeInstance]) -> Vec<String> {
    instances.iter().map(|one| one.id.clone()).collect()
}
