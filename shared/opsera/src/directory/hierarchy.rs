//! The organisation: what is below what. Its links are mappings of the relationship `org-hierarchy`.

use super::fields::{demand, refuse, texts};
use super::{demand_writer, mappings};
use crate::access::Asker;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, params};

/// What makes a mapping a link of the hierarchy.
pub const RELATIONSHIP: &str = "org-hierarchy";

/// The most nodes of a tree that is answered: one with several parents is there once for each.
const MOST_NODES: usize = 10_000;

/// A query for the names of a node and of everything below it. Both parameters are given as SQL.
pub(crate) fn below(account: &str, node: &str) -> String {
    format!(
        "with recursive nodes (name) as (
             select {node} union
             select m.attribute2 from nodes n cross join directory_mappings m on m.tenant_name = {account}
                 and m.attribute1 = n.name and m.relationship = 'org-hierarchy')
         select name from nodes"
    )
}

/// Reads a link, as a mapping.
pub(super) fn read(object: &Map<String, Json>) -> Result<mappings::Mapping> {
    let mut record = texts(object, &["parent", "parentType", "child", "childType"])?;
    demand(&record, &["parent", "child"])?;
    record.insert("mappingType".into(), "parent-child".into());
    record.insert("relationship".into(), RELATIONSHIP.into());
    mappings::read(&record)
}

/// Stores a link. Answers the mapping that it is.
///
/// # Errors
/// 403; 400 for what is missing, and for a circle; 409 for one that is there.
pub async fn insert(tx: &impl Tx, asker: &Asker, object: &Map<String, Json>) -> Result<String> {
    demand_writer(asker)?;
    let link = read(object)?;
    let link = json!({
        "parent": link.attribute1, "child": link.attribute2, "mappingType": "parent-child",
        "relationship": RELATIONSHIP, "parentType": object.get("parentType"),
        "childType": object.get("childType"),
    });
    let link = link.as_object().cloned().unwrap_or_default();
    mappings::insert(tx, asker, &link).await
}

/// Refuses a link that would close a circle. `but` is the key of the link that it replaces.
pub(super) async fn demand_tree(
    db: &impl Db,
    asker: &Asker,
    (parent, child): (&str, &str),
    but: i64,
) -> Result<()> {
    if parent == child {
        return Err(refuse("child", "parent and child must differ"));
    }
    let row = db
        .first(CLOSES, params![asker.account(), child, parent, but])
        .await?;
    match row {
        Some(_) => Err(refuse("child", "cyclic hierarchy")),
        None => Ok(()),
    }
}

/// Whether `?3` is below `?2`.
pub(super) const CLOSES: &str = "with recursive nodes (name) as (
         select ?2 union
         select m.attribute2 from nodes n cross join directory_mappings m on m.tenant_name = ?1
             and m.attribute1 = n.name and m.relationship = 'org-hierarchy' and m.key <> ?4)
     select 1 from nodes where name = ?3 limit 1";

#[derive(Deserialize)]
struct Link {
    parent: String,
    child: String,
    parent_type: Option<String>,
    child_type: Option<String>,
}

/// The hierarchy as nested nodes, each with its name, type and children; with `root` what is below one.
///
/// # Errors
/// 400 for one that is too large to be answered.
pub async fn tree(db: &impl Db, asker: &Asker, root: Option<&str>) -> Result<Json> {
    let condition = match root {
        None => String::new(),
        Some(_) => format!("and t.attribute1 in ({})", below("?1", "?2")),
    };
    let sql = format!(
        "select json_object('parent', t.attribute1, 'child', t.attribute2,
             'parent_type', t.parent_type, 'child_type', t.child_type)
         from directory_mappings t
         where t.tenant_name = ?1 and t.relationship = 'org-hierarchy' {condition}
         order by t.key limit {}",
        MOST_NODES + 1
    );
    let mut values = params![asker.account()].to_vec();
    values.extend(root.map(Into::into));
    let links: Vec<Link> = db.json_rows(&sql, &values).await?;
    let mut forest = Forest::default();
    for link in links {
        forest.add(link);
    }
    let roots = match root {
        Some(root) => vec![root.to_owned()],
        None => forest.roots(),
    };
    let mut left = MOST_NODES;
    let nodes: Option<Vec<Json>> = roots
        .iter()
        .map(|root| forest.node(root, &mut left))
        .collect();
    let nodes = nodes.ok_or_else(|| {
        refuse(
            "tree",
            "the hierarchy has more than 10000 nodes: name a root, or read the mappings",
        )
    })?;
    Ok(json!({ "count": nodes.len(), "data": nodes }))
}

#[derive(Default)]
struct Forest {
    children: BTreeMap<String, Vec<String>>,
    kinds: BTreeMap<String, String>,
    order: Vec<String>,
    has_parent: BTreeMap<String, ()>,
}

impl Forest {
    fn add(&mut self, link: Link) {
        for (name, kind) in [
            (&link.parent, link.parent_type),
            (&link.child, link.child_type),
        ] {
            if let Some(kind) = kind {
                self.kinds.entry(name.clone()).or_insert(kind);
            }
        }
        self.has_parent.insert(link.child.clone(), ());
        if !self.children.contains_key(&link.parent) {
            self.order.push(link.parent.clone());
        }
        self.children
            .entry(link.parent)
            .or_default()
            .push(link.child);
    }

    fn roots(&self) -> Vec<String> {
        let parents = self.order.iter();
        parents
            .filter(|name| !self.has_parent.contains_key(*name))
            .cloned()
            .collect()
    }

    /// A node with what is below it; nothing when that is too much. There are no circles, so this ends.
    fn node(&self, name: &str, left: &mut usize) -> Option<Json> {
        *left = left.checked_sub(1)?;
        let children = self.children.get(name).map_or(&[][..], Vec::as_slice);
        let nodes: Option<Vec<Json>> = children
            .iter()
            .map(|child| self.node(child, left))
            .collect();
        let mut node = Map::new();
        node.insert("name".into(), name.into());
        if let Some(kind) = self.kinds.get(name) {
            node.insert("type".into(), kind.as_str().into());
        }
        node.insert("children".into(), Json::Array(nodes?));
        Some(Json::Object(node))
    }
}
