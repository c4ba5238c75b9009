//! Nodes: the parts of a deployment, as its blueprint's templates describe them.
//!
//! The nodes of a type share their operations, which are most of their text, and all deployments of a
//! blueprint share the rest. So rows keep their properties and name everything else as parts of plans.

use crate::counts;
use crate::resource::fields::{DEPLOYMENT_DISPLAY_NAME, DEPLOYMENT_ID};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use windlass_core::db::{Db, Tx};
use windlass_core::list::{COMMON, Field, Resource, Search, concat};
use windlass_core::{Error, Kind, Result, Scope, Visibility, limits, params};

mod scaling;

pub use scaling::{NewNumbers, for_scaling, save_numbers};

use crate::audit;
use crate::deployments::Owner;
use crate::plan_parts::{self, part_sql};

/// How many bytes of nodes go into one statement.
const BATCH_BYTES: usize = 256 << 10;

static FIELDS: [Field; 26] = concat(
    &[
        Field::text("id", "t.id"),
        DEPLOYMENT_ID,
        DEPLOYMENT_DISPLAY_NAME,
        Field::text(
            "blueprint_id",
            "(select d.blueprint_id from deployments d where d.key = t.deployment_key)",
        ),
        Field::text("type", "t.type"),
        Field::json("type_hierarchy", part_sql!("t", "type_hierarchy")),
        Field::json("properties", "t.properties"),
        Field::json("operations", part_sql!("t", "operations")),
        Field::json("relationships", part_sql!("t", "relationships")),
        Field::json("plugins", part_sql!("t", "plugins")),
        Field::json("plugins_to_install", part_sql!("t", "plugins_to_install")),
        Field::text("host_id", "t.host_id"),
        Field::integer("number_of_instances", "t.number_of_instances"),
        Field::integer(
            "planned_number_of_instances",
            "t.planned_number_of_instances",
        ),
        Field::integer("deploy_number_of_instances", "t.deploy_number_of_instances"),
        Field::integer("min_number_of_instances", "t.min_number_of_instances"),
        Field::integer("max_number_of_instances", "t.max_number_of_instances"),
        Field::integer(
            "actual_number_of_instances",
            "(select count(*) from node_instances i
                 where i.deployment_key = t.deployment_key and i.node_id = t.id)",
        ),
        Field::integer(
            "actual_planned_number_of_instances",
            "t.actual_planned_number_of_instances",
        ),
        // One that was never checked is not known to be there.
        Field::integer(
            "unavailable_instances",
            "(select count(*) from node_instances i where i.deployment_key = t.deployment_key
                 and i.node_id = t.id and i.is_status_check_ok is not 1)",
        ),
        Field::integer(
            "drifted_instances",
            "(select count(*) from node_instances i where i.deployment_key = t.deployment_key
                 and i.node_id = t.id and i.has_configuration_drift = 1)",
        ),
    ],
    &COMMON,
);

/// Nodes, as they are listed.
pub static NODE: Resource = Resource {
    name: "Node",
    table: "nodes t",
    fields: &FIELDS,
    search: Some(Search::indexed("t.id", "nodes_search")),
    of_tenant: true,
    counts: &[&counts::NODES],
};

/// The row of a node's deployment: not shown, but asked for where functions are evaluated.
pub static DEPLOYMENT_KEY: Field = Field::integer("_deployment_key", "t.deployment_key");

/// A node to be stored. Texts are JSON; those that many nodes have are shared.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// The name, unique in its deployment.
    pub id: String,
    /// The type's name.
    pub type_name: String,
    /// The types it derives from and its own, root first.
    pub type_hierarchy: Rc<str>,
    /// The properties, an object.
    pub properties: String,
    /// The operations by full and short name, an object.
    pub operations: Rc<str>,
    /// The relationships, a list.
    pub relationships: String,
    /// The plugins its operations use, a list.
    pub plugins: Rc<str>,
    /// The plugins a host's agent needs, a list; only hosts have it.
    pub plugins_to_install: Option<String>,
    /// The name of the host it is contained in.
    pub host_id: Option<String>,
    /// How many there are, are planned, are deployed at first, at least, at most (-1: no limit).
    pub counts: Counts,
}

/// How many instances of a node there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The present number per container.
    pub number: i64,
    /// The planned number per container.
    pub planned: i64,
    /// The number a new deployment begins with.
    pub deploy: i64,
    /// The least.
    pub min: i64,
    /// The most; -1 is unlimited.
    pub max: i64,
    /// The planned number over all scaling groups; 0 where there are none.
    pub actual_planned: i64,
}

/// Stores the nodes of a new deployment, whose record in the audit trail tells of them.
///
/// # Errors
/// 409 for a name that the deployment has already, 413 for properties or operations that are too large
/// to be kept.
pub async fn insert_many(tx: &impl Tx, owner: &Owner, nodes: &[NewNode]) -> Result<()> {
    nodes.iter().try_for_each(demand_small)?;
    let mut texts = Texts::default();
    let parts: Vec<[Option<usize>; PARTS.len()]> =
        nodes.iter().map(|node| texts.places(node)).collect();
    let keys = plan_parts::keep(tx, &texts.texts).await?;
    let mut batch = Batch::default();
    for (node, parts) in nodes.iter().zip(parts) {
        let keys = parts.map(|place| place.and_then(|place| keys.get(place)));
        if batch.rows.len() + node.properties.len() > BATCH_BYTES {
            std::mem::take(&mut batch).insert(tx, owner).await?;
        }
        batch.add(node, keys);
    }
    batch.insert(tx, owner).await
}

/// Refuses a node with more in one of its columns than is kept as one value.
fn demand_small(node: &NewNode) -> Result<()> {
    for (what, text) in [
        ("properties", node.properties.as_str()),
        ("operations", &node.operations),
        ("relationships", &node.relationships),
        ("plugins", &node.plugins),
    ] {
        if text.len() > limits::VALUE_BYTES {
            return Err(Error::new(
                Kind::PayloadTooLarge,
                format!(
                    "The {what} of the node `{}` have {} bytes, more than the allowed {}",
                    node.id,
                    text.len(),
                    limits::VALUE_BYTES
                ),
            ));
        }
    }
    Ok(())
}

/// Adds nodes to a deployment that was there before.
///
/// # Errors
/// 409 for a name that the deployment has already.
pub async fn add(tx: &impl Tx, scope: &Scope, owner: &Owner, nodes: &[NewNode]) -> Result<()> {
    insert_many(tx, owner, nodes).await?;
    let ids: Vec<&str> = nodes.iter().map(|node| node.id.as_str()).collect();
    audit::insert_each(tx, scope, "node_create", NODE.name, &ids).await
}

/// The columns that name parts of plans.
const PARTS: [&str; 5] = [
    "type_hierarchy_part",
    "operations_part",
    "relationships_part",
    "plugins_part",
    "plugins_to_install_part",
];

/// The texts that nodes share, each once as far as their makers saw that they are the same.
#[derive(Default)]
struct Texts<'n> {
    texts: Vec<&'n str>,
    places: HashMap<*const u8, usize>,
}

impl<'n> Texts<'n> {
    /// Where the texts of a node are, in the order of [`PARTS`]. A null has none.
    fn places(&mut self, node: &'n NewNode) -> [Option<usize>; PARTS.len()] {
        let to_install = node.plugins_to_install.as_deref().unwrap_or("null");
        let texts = [
            &*node.type_hierarchy,
            &*node.operations,
            &node.relationships,
            &*node.plugins,
            to_install,
        ];
        texts.map(|text| (text != "null").then(|| self.place(text)))
    }

    fn place(&mut self, text: &'n str) -> usize {
        *self.places.entry(text.as_ptr()).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }
}

/// Rows on their way. They are written as JSON text by hand: properties are JSON already.
#[derive(Default)]
struct Batch {
    rows: String,
}

impl Batch {
    fn add(&mut self, node: &NewNode, keys: [Option<&i64>; PARTS.len()]) {
        let text = |text: &str| Json::from(text).to_string();
        let [hierarchy, operations, relationships, plugins, to_install] =
            keys.map(|key| key.map_or_else(|| "null".to_owned(), i64::to_string));
        let Counts {
            number,
            planned,
            deploy,
            min,
            max,
            actual_planned,
        } = node.counts;
        let _ = write!(
            self.rows,
            r#"{comma}{{"id": {id}, "type": {type_name}, "host_id": {host_id},
                "hierarchy": {hierarchy}, "operations": {operations}, "plugins": {plugins},
                "properties": {properties}, "relationships": {relationships},
                "to_install": {to_install}, "number": {number}, "planned": {planned},
                "deploy": {deploy}, "min": {min}, "max": {max},
                "actual_planned": {actual_planned}}}"#,
            comma = if self.rows.is_empty() { "[" } else { ", " },
            id = text(&node.id),
            type_name = text(&node.type_name),
            host_id = node.host_id.as_deref().map_or("null".to_owned(), text),
            properties = node.properties,
        );
    }

    async fn insert(mut self, tx: &impl Tx, owner: &Owner) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.rows.push(']');
        tx.execute(
            "insert into nodes (deployment_key, deployment_id, tenant_name, created_by, visibility,
                 id, type, properties, type_hierarchy_part, operations_part, relationships_part,
                 plugins_part, plugins_to_install_part, host_id, number_of_instances,
                 planned_number_of_instances, deploy_number_of_instances, min_number_of_instances,
                 max_number_of_instances, actual_planned_number_of_instances)
             select ?2, ?3, ?4, ?5, ?6, n.value ->> '$.id', n.value ->> '$.type',
                 n.value -> '$.properties', n.value ->> '$.hierarchy', n.value ->> '$.operations',
                 n.value ->> '$.relationships', n.value ->> '$.plugins',
                 n.value ->> '$.to_install', n.value ->> '$.host_id', n.value ->> '$.number',
                 n.value ->> '$.planned', n.value ->> '$.deploy', n.value ->> '$.min',
                 n.value ->> '$.max', n.value ->> '$.actual_planned'
             from json_each(?1) n order by n.key",
            params![
                self.rows,
                owner.key,
                &owner.id,
                &owner.tenant_name,
                &owner.created_by,
                owner.visibility,
            ],
        )
        .await
        .map_err(|error| {
            if error.is_unique_violation() {
                let text = format!("Deployment `{}` already has a node of this name", owner.id);
                return Error::conflict(text).context(error.for_log());
            }
            error
        })
    }
}

/// One node as far as code needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Node {
    /// The row.
    pub key: i64,
    /// The name.
    pub id: String,
    /// The tenant.
    pub tenant_name: String,
    /// The properties, functions unevaluated.
    pub properties: Map<String, Json>,
}

/// A node of a deployment that the caller can see.
///
/// # Errors
/// 404.
pub async fn find(db: &impl Db, scope: &Scope, deployment: &str, id: &str) -> Result<Node> {
    let sql = format!(
        "select json_object('key', key, 'id', id, 'tenant_name', tenant_name, 'properties', json(properties))
         from nodes where {} and deployment_id = ?4 and id = ?5 order by tenant_name = ?1 desc",
        Scope::VISIBLE
    );
    db.first_json(&sql, &scope.with(params![deployment, id]))
        .await?
        .ok_or_else(|| Error::not_found("Node", id))
}

/// What a deployment update may change of a node: the columns, by the name in the API.
pub const CHANGEABLE: [&str; 4] = ["plugins", "operations", "relationships", "properties"];

/// Saves changed parts of a node; those that are absent stay.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    node: &Node,
    parts: &Map<String, Json>,
) -> Result<()> {
    let text = |name: &str| {
        let given = parts.get(name).filter(|value| !value.is_null());
        given.map(Json::to_string)
    };
    let shared = ["plugins", "operations", "relationships"].map(text);
    let texts: Vec<&str> = shared.iter().flatten().map(String::as_str).collect();
    let mut keys = plan_parts::keep(tx, &texts).await?.into_iter();
    let [plugins, operations, relationships] = shared.map(|text| text.and_then(|_| keys.next()));
    tx.execute(
        "update nodes set plugins_part = coalesce(?2, plugins_part),
             operations_part = coalesce(?3, operations_part),
             relationships_part = coalesce(?4, relationships_part),
             properties = coalesce(?5, properties)
         where key = ?1",
        params![
            node.key,
            plugins,
            operations,
            relationships,
            text("properties")
        ],
    )
    .await?;
    audit::insert(tx, scope, "node_update", NODE.name, &node.id).await
}

/// Sets how many instances of a node there are to be, but for the number over all scaling groups, which
/// moves along. The record of the change that it is a part of tells of it.
pub async fn set_counts(tx: &impl Tx, node: &Node, counts: Counts) -> Result<()> {
    tx.execute(
        "update nodes set number_of_instances = ?2,
             actual_planned_number_of_instances = iif(planned_number_of_instances = 0, 0,
                 actual_planned_number_of_instances / planned_number_of_instances * ?3),
             planned_number_of_instances = ?3, deploy_number_of_instances = ?4,
             min_number_of_instances = ?5, max_number_of_instances = ?6
         where key = ?1",
        params![
            node.key,
            counts.number,
            counts.planned,
            counts.deploy,
            counts.min,
            counts.max
        ],
    )
    .await
}

/// Deletes a node. Its instances go with their own calls.
pub async fn delete(tx: &impl Tx, scope: &Scope, node: &Node) -> Result<()> {
    tx.execute("delete from nodes where key = ?1", params![node.key])
        .await?;
    audit::insert(tx, scope, "node_delete", NODE.name, &node.id).await
}

/// Gives a deployment's nodes, instances and modifications its visibility.
pub(crate) async fn set_visibility(
    tx: &impl Tx,
    owner: &Owner,
    visibility: Visibility,
) -> Result<()> {
    for sql in [
        "update nodes set visibility = ?2 where deployment_key = ?1",
        "update node_instances set visibility = ?2 where deployment_key = ?1",
        "update deployment_modifications set visibility = ?2 where deployment_key = ?1",
    ] {
        tx.execute(sql, params![owner.key, visibility]).await?;
    }
    Ok(())
}

mod rewriting;

pub use rewriting::{check, of_deployment, remove, rewrite, set_relationships};

#[cfg(test)]
pub(crate) mod tests;
