//! The nodes of a deployment as a whole: what an update compares and changes.

use std::collections::HashMap;
use std::rc::Rc;
use windlass_core::db::{Db, Row, Tx};
use windlass_core::{Error, Result, params};

use super::{Counts, NewNode, PARTS, Texts, demand_small};
use crate::deployments::Owner;
use crate::pieces::batches;
use crate::plan_parts;

/// The nodes of a deployment as they were stored, in their order. Texts that are the same part are
/// one text here too.
pub async fn of_deployment(db: &impl Db, owner: &Owner) -> Result<Vec<NewNode>> {
    // Texts are values of their own: inside of JSON they could be more than a value may be.
    let sql = "select p.key, p.text from plan_parts p where p.key in (
                   select distinct part.value from nodes n, json_each(json_array(
                       n.type_hierarchy_part, n.operations_part, n.relationships_part,
                       n.plugins_part, n.plugins_to_install_part)) part
                   where n.deployment_key = ?1)";
    let mut parts: HashMap<i64, Rc<str>> = HashMap::new();
    for row in db.query(sql, params![owner.key]).await? {
        parts.insert(row.integer(0)?, row.text(1)?.into());
    }
    let sql = "select id, type, properties, host_id, type_hierarchy_part, operations_part,
                   relationships_part, plugins_part, plugins_to_install_part, number_of_instances,
                   planned_number_of_instances, deploy_number_of_instances, min_number_of_instances,
                   max_number_of_instances, actual_planned_number_of_instances
               from nodes where deployment_key = ?1 order by key";
    let rows = db.query(sql, params![owner.key]).await?;
    rows.iter().map(|row| node(row, &parts)).collect()
}

/// A node of its row and the texts of its parts.
fn node(row: &Row, texts: &HashMap<i64, Rc<str>>) -> Result<NewNode> {
    let part = |column: usize| {
        let key = row.optional_integer(column)?;
        Ok::<_, Error>(key.and_then(|key| texts.get(&key)).cloned())
    };
    let text = |column, otherwise: &str| Ok::<_, Error>(part(column)?.unwrap_or(otherwise.into()));
    Ok(NewNode {
        id: row.text(0)?.to_owned(),
        type_name: row.text(1)?.to_owned(),
        properties: row.text(2)?.to_owned(),
        host_id: row.optional_text(3)?.map(str::to_owned),
        type_hierarchy: text(4, "[]")?,
        operations: text(5, "{}")?,
        relationships: text(6, "[]")?.to_string(),
        plugins: text(7, "null")?,
        plugins_to_install: part(8)?.map(|text| text.to_string()),
        counts: Counts {
            number: row.integer(9)?,
            planned: row.integer(10)?,
            deploy: row.integer(11)?,
            min: row.integer(12)?,
            max: row.integer(13)?,
            actual_planned: row.integer(14)?,
        },
    })
}

/// Refuses nodes that [`rewrite`] and [`super::insert_many`] would refuse.
///
/// # Errors
/// 413 for properties or operations that are too large to be kept.
pub fn check(nodes: &[NewNode]) -> Result<()> {
    nodes.iter().try_for_each(demand_small)
}

/// Gives nodes of a deployment everything that another plan says of them, but for their names. The
/// record of what wanted it tells of it.
///
/// # Errors
/// 413, as [`insert_many`].
pub async fn rewrite(tx: &impl Tx, owner: &Owner, nodes: &[NewNode]) -> Result<()> {
    check(nodes)?;
    let mut texts = Texts::default();
    let parts: Vec<[Option<usize>; PARTS.len()]> =
        nodes.iter().map(|node| texts.places(node)).collect();
    let keys = plan_parts::keep(tx, &texts.texts).await?;
    for (node, parts) in nodes.iter().zip(parts) {
        let [hierarchy, operations, relationships, plugins, to_install] =
            parts.map(|place| place.and_then(|place| keys.get(place).copied()));
        let counts = node.counts;
        tx.execute(
            "update nodes set type = ?3, properties = ?4, type_hierarchy_part = ?5,
                 operations_part = ?6, relationships_part = ?7, plugins_part = ?8,
                 plugins_to_install_part = ?9, host_id = ?10, number_of_instances = ?11,
                 planned_number_of_instances = ?12, deploy_number_of_instances = ?13,
                 min_number_of_instances = ?14, max_number_of_instances = ?15,
                 actual_planned_number_of_instances = ?16
             where deployment_key = ?1 and id = ?2",
            params![
                owner.key,
                &node.id,
                &node.type_name,
                &node.properties,
                hierarchy,
                operations,
                relationships,
                plugins,
                to_install,
                node.host_id.as_deref(),
                counts.number,
                counts.planned,
                counts.deploy,
                counts.min,
                counts.max,
                counts.actual_planned,
            ],
        )
        .await?;
    }
    Ok(())
}

/// Takes nodes of these names out of a deployment. Their instances go by themselves.
pub async fn remove(tx: &impl Tx, owner: &Owner, ids: &[&str]) -> Result<()> {
    let sql =
        "delete from nodes where deployment_key = ?1 and id in (select value from json_each(?2))";
    for batch in batches(ids) {
        tx.execute(sql, params![owner.key, batch?]).await?;
    }
    Ok(())
}

/// Gives nodes of a deployment other relationships: names, and lists as JSON.
pub async fn set_relationships(tx: &impl Tx, owner: &Owner, of: &[(&str, &str)]) -> Result<()> {
    let texts: Vec<&str> = of.iter().map(|(_, text)| *text).collect();
    let keys = plan_parts::keep(tx, &texts).await?;
    for ((id, _), key) in of.iter().zip(keys) {
        let sql = "update nodes set relationships_part = ?3 where deployment_key = ?1 and id = ?2";
        tx.execute(sql, params![owner.key, *id, key]).await?;
    }
    Ok(())
}
