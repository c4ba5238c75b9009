//! Nodes: the parts of a deployment, as its blueprint's templates describe them.
//!
//! The nodes of a type share their operations, which are most of their text. Rows keep them whole,
//! so that a list needs no join, but on their way into the database they travel once.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use windlass_core::db::{Db, Tx};
use windlass_core::list::{COMMON, Field, Resource, concat};
use windlass_core::{Error, Result, Scope, Visibility, params};

use crate::audit;
use crate::deployments::Owner;

/// How many bytes of nodes go into one statement.
const BATCH_BYTES: usize = 4 << 20;

static FIELDS: [Field; 26] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("deployment_id", "t.deployment_id"),
        Field::text(
            "deployment_display_name",
            "(select d.display_name from deployments d where d.key = t.deployment_key)",
        ),
        Field::text(
            "blueprint_id",
            "(select d.blueprint_id from deployments d where d.key = t.deployment_key)",
        ),
        Field::text("type", "t.type"),
        Field::json("type_hierarchy", "t.type_hierarchy"),
        Field::json("properties", "t.properties"),
        Field::json("operations", "t.operations"),
        Field::json("relationships", "t.relationships"),
        Field::json("plugins", "t.plugins"),
        Field::json("plugins_to_install", "t.plugins_to_install"),
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
    search: Some("t.id"),
    of_tenant: true,
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
/// 409 for a name that the deployment has already.
pub async fn insert_many(tx: &impl Tx, owner: &Owner, nodes: &[NewNode]) -> Result<()> {
    let mut rest = nodes;
    while !rest.is_empty() {
        let mut batch = Batch::default();
        let taken = rest.iter().take_while(|node| batch.add(node)).count();
        let (_, left) = rest.split_at(taken);
        rest = left;
        batch.insert(tx, owner).await?;
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

/// What stands for an absent value in JSON text.
fn null() -> String {
    "null".to_owned()
}

/// Rows on their way, and the texts they share, each once. Rows are written as JSON text by hand:
/// what they are made of is JSON already.
#[derive(Default)]
struct Batch<'n> {
    rows: String,
    parts: Vec<&'n str>,
    places: HashMap<*const u8, usize>,
    bytes: usize,
}

impl<'n> Batch<'n> {
    /// Adds a node unless the batch is full. An empty one takes any.
    fn add(&mut self, node: &'n NewNode) -> bool {
        if self.bytes > BATCH_BYTES {
            return false;
        }
        self.bytes += node.properties.len() + node.relationships.len() + 256;
        let text = |text: &str| Json::from(text).to_string();
        let [hierarchy, operations, plugins] =
            [&node.type_hierarchy, &node.operations, &node.plugins].map(|text| self.place(text));
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
                "plugins_to_install": {to_install}, "number": {number}, "planned": {planned},
                "deploy": {deploy}, "min": {min}, "max": {max},
                "actual_planned": {actual_planned}}}"#,
            comma = if self.rows.is_empty() { "[" } else { ", " },
            id = text(&node.id),
            type_name = text(&node.type_name),
            host_id = node.host_id.as_deref().map_or_else(null, text),
            properties = node.properties,
            relationships = node.relationships,
            to_install = node.plugins_to_install.clone().unwrap_or_else(null),
        );
        true
    }

    fn place(&mut self, text: &'n Rc<str>) -> usize {
        *self.places.entry(text.as_ptr()).or_insert_with(|| {
            self.bytes += text.len();
            self.parts.push(text);
            self.parts.len() - 1
        })
    }

    async fn insert(mut self, tx: &impl Tx, owner: &Owner) -> Result<()> {
        self.rows.push(']');
        tx.execute(
            "with part as materialized (select key as place, value as text from json_each(?2))
             insert into nodes (deployment_key, deployment_id, tenant_name, created_by, visibility,
                 id, type, type_hierarchy, properties, operations, relationships, plugins,
                 plugins_to_install, host_id, number_of_instances, planned_number_of_instances,
                 deploy_number_of_instances, min_number_of_instances, max_number_of_instances,
                 actual_planned_number_of_instances)
             select ?3, ?4, ?5, ?6, ?7, n.value ->> '$.id', n.value ->> '$.type', hierarchy.text,
                 n.value -> '$.properties', operations.text, n.value -> '$.relationships',
                 plugins.text, nullif(n.value -> '$.plugins_to_install', 'null'),
                 n.value ->> '$.host_id', n.value ->> '$.number', n.value ->> '$.planned',
                 n.value ->> '$.deploy', n.value ->> '$.min', n.value ->> '$.max',
                 n.value ->> '$.actual_planned'
             from json_each(?1) n
             left join part hierarchy on hierarchy.place = n.value ->> '$.hierarchy'
             left join part operations on operations.place = n.value ->> '$.operations'
             left join part plugins on plugins.place = n.value ->> '$.plugins'
             order by n.key",
            params![
                self.rows,
                &json!(self.parts),
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
    let part = |name: &str| {
        parts
            .get(name)
            .filter(|value| !value.is_null())
            .map(Json::to_string)
    };
    tx.execute(
        "update nodes set plugins = coalesce(?2, plugins), operations = coalesce(?3, operations),
             relationships = coalesce(?4, relationships), properties = coalesce(?5, properties)
         where key = ?1",
        params![
            node.key,
            part("plugins"),
            part("operations"),
            part("relationships"),
            part("properties")
        ],
    )
    .await?;
    audit::insert(tx, scope, "node_update", NODE.name, &node.id).await
}

/// Deletes a node. Its instances go with their own calls.
pub async fn delete(tx: &impl Tx, scope: &Scope, node: &Node) -> Result<()> {
    tx.execute("delete from nodes where key = ?1", params![node.key])
        .await?;
    audit::insert(tx, scope, "node_delete", NODE.name, &node.id).await
}

/// Gives a deployment's nodes and instances its visibility.
pub(crate) async fn set_visibility(
    tx: &impl Tx,
    owner: &Owner,
    visibility: Visibility,
) -> Result<()> {
    for sql in [
        "update nodes set visibility = ?2 where deployment_key = ?1",
        "update node_instances set visibility = ?2 where deployment_key = ?1",
    ] {
        tx.execute(sql, params![owner.key, visibility]).await?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
