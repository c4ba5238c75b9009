//! What there is in a deployment that values of inputs and parameters may name.
//!
//! The nodes of a type share their operations and types as parts of plans, so these are read once
//! for each part and not for each node.

use serde_json::{Map, Value as Json};
use windlass_core::db::Db;
use windlass_core::{Result, params};

use super::Owner;
use crate::plan_parts::object_part_sql;

/// Those of the ids that nodes of the deployment have.
pub async fn node_ids(db: &impl Db, owner: &Owner, ids: &[Json]) -> Result<Vec<String>> {
    let sql = "select id from nodes
               where deployment_key = ?1 and id in (select value from json_each(?2))";
    texts(db, sql, params![owner.key, &Json::from(ids)]).await
}

/// Those of the ids that node instances of the deployment have.
pub async fn node_instance_ids(db: &impl Db, owner: &Owner, ids: &[Json]) -> Result<Vec<String>> {
    let sql = "select id from node_instances
               where deployment_key = ?1 and id in (select value from json_each(?2))";
    texts(db, sql, params![owner.key, &Json::from(ids)]).await
}

/// The types of the deployment's nodes, each after those that it derives from.
pub async fn type_hierarchies(db: &impl Db, owner: &Owner) -> Result<Vec<Vec<String>>> {
    let sql = "select coalesce(json_group_array(json(p.text)), '[]') from plan_parts p
               where p.key in (select type_hierarchy_part from nodes where deployment_key = ?1)";
    let found = db.first_json(sql, params![owner.key]).await?;
    Ok(found.unwrap_or_default())
}

/// The names of the operations that the deployment's nodes have.
pub async fn operation_names(db: &impl Db, owner: &Owner) -> Result<Vec<String>> {
    let sql = "select distinct o.key from plan_parts p, json_each(p.text) o
               where p.key in (select operations_part from nodes where deployment_key = ?1)";
    texts(db, sql, params![owner.key]).await
}

/// The names of the deployment's scaling groups.
pub async fn scaling_groups(db: &impl Db, owner: &Owner) -> Result<Vec<String>> {
    let sql = concat!(
        "select g.key from deployments d, json_each(",
        object_part_sql!("d", "scaling_groups"),
        ") g where d.key = ?1"
    );
    texts(db, sql, params![owner.key]).await
}

/// The deployment's scaling groups as its plan has them, by name, with their present numbers.
pub async fn scaling_groups_of(db: &impl Db, owner: &Owner) -> Result<Map<String, Json>> {
    let sql = concat!(
        "select ",
        object_part_sql!("d", "scaling_groups"),
        " from deployments d where d.key = ?1"
    );
    let found = db.first_json(sql, params![owner.key]).await?;
    Ok(found.unwrap_or_default())
}

async fn texts(
    db: &impl Db,
    sql: &str,
    values: &[windlass_core::db::Value],
) -> Result<Vec<String>> {
    let rows = db.query(sql, values).await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}
