//! New node instances: of a new deployment, or added to one by a workflow.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, ids, params};

use crate::deployments::Owner;
use crate::pieces::batches;
use crate::{audit, json_text};

/// An instance to be stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct NewInstance {
    /// The id, new in its tenant.
    pub id: String,
    /// The node's name.
    pub node_id: String,
    /// The instance of the host that it is in.
    #[serde(default)]
    pub host_id: Option<String>,
    /// 1, 2, ... among the instances of its node; the next one where it is not given.
    #[serde(default)]
    pub index: Option<i64>,
    /// `{type, target_id, target_name}` of each.
    #[serde(default)]
    pub relationships: Option<Vec<Map<String, Json>>>,
    /// `{id, name}` of each.
    #[serde(default)]
    pub scaling_groups: Option<Json>,
    /// What operations have written.
    #[serde(default)]
    pub runtime_properties: Option<Map<String, Json>>,
}

/// The row of a new instance, as its statement reads it by name.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    node_id: &'a str,
    host_id: Option<&'a str>,
    index: i64,
    relationships: &'a [Map<String, Json>],
    scaling_groups: &'a [Json],
    runtime_properties: Cow<'a, Map<String, Json>>,
}

impl<'a> Row<'a> {
    fn of(instance: &'a NewInstance) -> Self {
        let groups = instance.scaling_groups.as_ref().and_then(Json::as_array);
        Self {
            id: &instance.id,
            node_id: &instance.node_id,
            host_id: instance.host_id.as_deref(),
            index: instance.index.unwrap_or(1),
            relationships: instance.relationships.as_deref().unwrap_or_default(),
            scaling_groups: groups.map(Vec::as_slice).unwrap_or_default(),
            runtime_properties: instance
                .runtime_properties
                .as_ref()
                .map_or_else(Cow::default, Cow::Borrowed),
        }
    }
}

/// Adds instances to a deployment that is there already.
pub async fn add_many(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    instances: Vec<NewInstance>,
) -> Result<()> {
    insert_many(tx, owner, instances).await?;
    let action = "node_instance_create";
    audit::insert(tx, scope, action, "Deployment", &owner.id).await
}

/// Stores the instances of a new deployment, whose audit row names the deployment: uninitialized,
/// version 1. An id that the tenant has already gets a new ending, also where hosts and
/// relationships name it; an instance without an index gets the next one of its node. Answers the new
/// ids of those that got one, by the old.
pub async fn insert_many(
    tx: &impl Tx,
    owner: &Owner,
    mut instances: Vec<NewInstance>,
) -> Result<HashMap<String, String>> {
    let renamed = rename_taken(tx, owner, &mut instances).await?;
    number(tx, owner, &mut instances).await?;
    for batch in batches(instances.iter().map(Row::of)) {
        tx.execute(
            "insert into node_instances (deployment_key, deployment_id, tenant_name, created_by,
                 visibility, id, node_id, host_id, \"index\", relationships, scaling_groups,
                 runtime_properties)
             select ?2, ?3, ?4, ?5, ?6, i.value ->> 'id', i.value ->> 'node_id',
                 i.value ->> 'host_id', i.value ->> 'index', i.value -> 'relationships',
                 i.value -> 'scaling_groups', i.value -> 'runtime_properties'
             from json_each(?1) i order by i.key",
            params![
                batch?,
                owner.key,
                &owner.id,
                &owner.tenant_name,
                &owner.created_by,
                owner.visibility,
            ],
        )
        .await?;
    }
    Ok(renamed)
}

/// Gives those without an index the next one that is free after all that their node has.
async fn number(db: &impl Db, owner: &Owner, instances: &mut [NewInstance]) -> Result<()> {
    let mut given: HashMap<String, HashSet<i64>> = HashMap::new();
    let mut nodes = HashSet::new();
    for NewInstance { node_id, index, .. } in instances.iter() {
        match index {
            Some(index) => drop(given.entry(node_id.clone()).or_default().insert(*index)),
            None => drop(nodes.insert(node_id.as_str())),
        }
    }
    if nodes.is_empty() {
        return Ok(());
    }
    let sql = "select json_group_object(node_id, last) from (
                   select node_id, max(\"index\") as last from node_instances
                   where deployment_key = ?1 and node_id in (select value from json_each(?2))
                   group by node_id)";
    let last = db
        .first_json(sql, params![owner.key, json_text(&nodes)?])
        .await?;
    let mut last: HashMap<String, i64> = last.unwrap_or_default();
    for instance in instances.iter_mut().filter(|one| one.index.is_none()) {
        let given = given.entry(instance.node_id.clone()).or_default();
        let last = last.entry(instance.node_id.clone()).or_default();
        *last = last.saturating_add(1);
        while given.contains(last) && *last < i64::MAX {
            *last = last.saturating_add(1);
        }
        instance.index = Some(*last);
    }
    Ok(())
}

/// Renames instances whose ids are taken, or occur twice among the new ones. Answers the last name of
/// each by its first.
async fn rename_taken(
    db: &impl Db,
    owner: &Owner,
    instances: &mut [NewInstance],
) -> Result<HashMap<String, String>> {
    let mut all: HashMap<String, String> = HashMap::new();
    loop {
        let taken = taken(db, owner, instances).await?;
        let mut seen = HashSet::with_capacity(instances.len());
        let mut renamed: HashMap<String, String> = HashMap::new();
        for instance in instances.iter_mut() {
            let twice = !seen.insert(instance.id.clone());
            if twice || taken.contains(&instance.id) {
                let id = format!("{}_{}", instance.node_id, ids::random_text(6));
                let old = std::mem::replace(&mut instance.id, id.clone());
                renamed.insert(old, id);
            }
        }
        if renamed.is_empty() {
            return Ok(all);
        }
        for last in all.values_mut() {
            if let Some(id) = renamed.get(last) {
                last.clone_from(id);
            }
        }
        for (old, id) in &renamed {
            all.entry(old.clone()).or_insert_with(|| id.clone());
        }
        for instance in instances.iter_mut() {
            if let Some(id) = instance.host_id.as_ref().and_then(|host| renamed.get(host)) {
                instance.host_id = Some(id.clone());
            }
            for relationship in instance.relationships.iter_mut().flatten() {
                let target = relationship.get("target_id").and_then(Json::as_str);
                if let Some(id) = target.and_then(|target| renamed.get(target)) {
                    relationship.insert("target_id".into(), id.clone().into());
                }
            }
        }
    }
}

/// Which of the ids the tenant has already.
async fn taken(db: &impl Db, owner: &Owner, instances: &[NewInstance]) -> Result<HashSet<String>> {
    let ids: Vec<&str> = instances
        .iter()
        .map(|instance| instance.id.as_str())
        .collect();
    let rows = db
        .query(
            "select t.id from json_each(?1) given
             cross join node_instances t on t.tenant_name = ?2 and t.id = given.value",
            params![json_text(&ids)?, &owner.tenant_name],
        )
        .await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}
