//! Mappings, the table `directory_mappings`: who belongs to what, and what is below what.
//!
//! Two spellings mean the same: `attribute1` and `attribute2`, or `parent` and `child`. What the two ends
//! are is not looked up, since sources bring them in any order.

use super::fields::{demand, merged, refuse, texts};
use super::{demand_writer, hierarchy, not_found};
use crate::access::Asker;
use crate::body::new_id;
use crate::rows::{Listed, Paging};
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx, Value};
use windlass_core::{Error, Result, Timestamp, params};
use windlass_store::audit;

/// What clients may call the kind of a mapping.
const TYPES: [&str; 3] = ["project-people", "parent-child", "project-member"];

/// How many of one end belong to how many of the other.
const RELATIONSHIPS: [&str; 5] = [
    "many-to-many",
    "many-to-one",
    "one-to-one",
    "one-to-many",
    hierarchy::RELATIONSHIP,
];

/// A mapping as clients see it: parent and child only where it is one.
fn item_sql() -> &'static str {
    "json_patch(json_object('_id', t.id, 'id', t.id, 'attribute1', t.attribute1,
         'attribute2', t.attribute2, 'mappingType', t.mapping_type, 'relationship', t.relationship,
         'createdAt', t.created_at, 'updatedAt', t.updated_at),
         case t.mapping_type when 'parent-child' then json_object('parent', t.attribute1,
             'parentType', t.parent_type, 'child', t.attribute2, 'childType', t.child_type)
         else '{}' end)"
}

/// A mapping that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mapping {
    pub attribute1: String,
    pub attribute2: String,
    mapping_type: String,
    pub relationship: String,
    parent_type: Option<String>,
    child_type: Option<String>,
}

/// Reads a mapping, in either spelling.
///
/// # Errors
/// 400 naming what is missing or wrong.
pub(super) fn read(object: &Map<String, Json>) -> Result<Mapping> {
    let names = [
        "attribute1",
        "attribute2",
        "parent",
        "child",
        "mappingType",
        "relationship",
        "parentType",
        "childType",
    ];
    let mut record = texts(object, &names)?;
    let is_parental = record.contains_key("parent") || record.contains_key("child");
    for (ours, other) in [("attribute1", "parent"), ("attribute2", "child")] {
        if let Some(value) = record.shift_remove(other) {
            record.entry(ours).or_insert(value);
        }
    }
    demand(&record, &["attribute1", "attribute2"])?;
    let text = |name: &str| record.get(name).and_then(Json::as_str).map(str::to_owned);
    let usual = if is_parental {
        "parent-child"
    } else {
        "project-people"
    };
    let mapping_type = text("mappingType").unwrap_or_else(|| usual.into());
    if !TYPES.contains(&mapping_type.as_str()) {
        return Err(refuse(
            "mappingType",
            "mappingType must be project-people or parent-child",
        ));
    }
    let relationship = text("relationship").unwrap_or_else(|| "many-to-many".into());
    if !RELATIONSHIPS.contains(&relationship.as_str()) {
        let text = format!("relationship must be one of {}", RELATIONSHIPS.join(", "));
        return Err(refuse("relationship", &text));
    }
    Ok(Mapping {
        attribute1: text("attribute1").unwrap_or_default(),
        attribute2: text("attribute2").unwrap_or_default(),
        mapping_type,
        relationship,
        parent_type: text("parentType"),
        child_type: text("childType"),
    })
}

impl Mapping {
    /// What no two mappings of an account have in common.
    pub fn key(&self) -> [&str; 4] {
        [
            &self.attribute1,
            &self.attribute2,
            &self.mapping_type,
            &self.relationship,
        ]
    }

    fn is_of_hierarchy(&self) -> bool {
        self.relationship == hierarchy::RELATIONSHIP
    }
}

/// What a list is narrowed to, by the names of the API.
pub const FILTERS: [(&str, &str); 6] = [
    ("mappingType", "mapping_type"),
    ("relationship", "relationship"),
    ("attribute1", "attribute1"),
    ("attribute2", "attribute2"),
    ("parent", "attribute1"),
    ("child", "attribute2"),
];

/// The mappings of the account in the order in which they came; `filters` are columns and values.
///
/// # Errors
/// Of the database.
pub async fn list(
    db: &impl Db,
    asker: &Asker,
    filters: &[(&'static str, &str)],
    paging: Paging,
) -> Result<Listed> {
    let (keys, values) = keys(asker, filters, paging);
    Listed::read(db, &keys, &values, (item_sql(), "directory_mappings")).await
}

pub(super) fn keys(
    asker: &Asker,
    filters: &[(&'static str, &str)],
    paging: Paging,
) -> (String, Vec<Value>) {
    let mut values = params![asker.account(), paging.limit, paging.offset].to_vec();
    let mut condition = String::from("t.tenant_name = ?1");
    for (column, value) in filters {
        values.push((*value).into());
        condition.push_str(&format!(" and t.{column} = ?{}", values.len()));
    }
    let sql = format!(
        "select t.key, 600 from directory_mappings t where {condition}
         order by t.key limit ?2 offset ?3"
    );
    (sql, values)
}

/// The key of a mapping of the account.
async fn key(db: &impl Db, asker: &Asker, id: &str) -> Result<i64> {
    // Sources of other installations have ids of other shapes, which are looked up all the same.
    let is_id = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_id {
        return Err(refuse(
            "id",
            "id must be at most 64 letters, digits and hyphens",
        ));
    }
    let sql = "select key from directory_mappings where id = ?1 and tenant_name = ?2";
    let row = db.first(sql, params![id, asker.account()]).await?;
    row.ok_or_else(|| not_found("Mapping"))?.integer(0)
}

/// One of them, as JSON text.
///
/// # Errors
/// 400 for what can be no id, 404.
pub async fn show(db: &impl Db, asker: &Asker, id: &str) -> Result<String> {
    let key = key(db, asker, id).await?;
    shown(db, key).await
}

async fn shown(db: &impl Db, key: i64) -> Result<String> {
    let sql = format!(
        "select {} from directory_mappings t where t.key = ?1",
        item_sql()
    );
    let row = db.first(&sql, params![key]).await?;
    row.ok_or_else(|| not_found("Mapping"))?
        .text(0)
        .map(str::to_owned)
}

/// Stores a mapping. Answers the record.
///
/// # Errors
/// 403, 400, also for a cycle of the hierarchy; 409 for one that is there.
pub async fn insert(tx: &impl Tx, asker: &Asker, object: &Map<String, Json>) -> Result<String> {
    demand_writer(asker)?;
    let mapping = read(object)?;
    let key = insert_one(tx, asker, &mapping).await?;
    shown(tx, key).await
}

pub(super) async fn insert_one(tx: &impl Tx, asker: &Asker, mapping: &Mapping) -> Result<i64> {
    demand_new(tx, asker, mapping, 0).await?;
    let (id, now) = (new_id(), Timestamp::now());
    let row = tx
        .first(
            "insert into directory_mappings (id, tenant_name, attribute1, attribute2, mapping_type,
                 relationship, parent_type, child_type, created_at, updated_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) returning key",
            params![
                id.as_str(),
                asker.account(),
                mapping.attribute1.as_str(),
                mapping.attribute2.as_str(),
                mapping.mapping_type.as_str(),
                mapping.relationship.as_str(),
                mapping.parent_type.as_deref(),
                mapping.child_type.as_deref(),
                now
            ],
        )
        .await?;
    record(tx, asker, mapping, "create", &id).await?;
    row.ok_or_else(|| Error::internal("an inserted mapping has no key"))?
        .integer(0)
}

async fn record(
    tx: &impl Tx,
    asker: &Asker,
    mapping: &Mapping,
    verb: &str,
    id: &str,
) -> Result<()> {
    let (action, target) = match mapping.is_of_hierarchy() {
        true => (format!("organization_{verb}"), "Organization"),
        false => (format!("mapping_{verb}"), "Mapping"),
    };
    audit::insert(tx, &asker.scope, &action, target, id).await
}

/// Refuses a mapping that is there, or would close a circle. `but` is the key of the one that changes.
async fn demand_new(db: &impl Db, asker: &Asker, mapping: &Mapping, but: i64) -> Result<()> {
    let [first, second, kind, relationship] = mapping.key();
    if mapping.is_of_hierarchy() {
        hierarchy::demand_tree(db, asker, (first, second), but).await?;
    }
    let sql = "select 1 from directory_mappings where tenant_name = ?1 and attribute1 = ?2
               and attribute2 = ?3 and mapping_type = ?4 and relationship = ?5 and key <> ?6";
    let values = params![asker.account(), first, second, kind, relationship, but];
    match db.first(sql, values).await? {
        Some(_) => Err(Error::conflict("Mapping already exists")),
        None => Ok(()),
    }
}

async fn stored(db: &impl Db, key: i64) -> Result<Map<String, Json>> {
    let sql = "select json_object('attribute1', attribute1, 'attribute2', attribute2,
             'mappingType', mapping_type, 'relationship', relationship, 'parentType', parent_type,
             'childType', child_type) from directory_mappings where key = ?1";
    let found = db.first_json(sql, params![key]).await?;
    found.ok_or_else(|| not_found("Mapping"))
}

/// Changes a mapping. Answers the record.
///
/// # Errors
/// 403, 404, 400, 409.
pub async fn update(
    tx: &impl Tx,
    asker: &Asker,
    id: &str,
    changes: &Map<String, Json>,
) -> Result<String> {
    demand_writer(asker)?;
    let key = key(tx, asker, id).await?;
    let mut changes = changes.clone();
    for (ours, other) in [("attribute1", "parent"), ("attribute2", "child")] {
        if let Some(value) = changes.shift_remove(other) {
            changes.insert(ours.into(), value);
        }
    }
    let mapping = read(&merged(stored(tx, key).await?, &changes))?;
    demand_new(tx, asker, &mapping, key).await?;
    tx.execute(
        "update directory_mappings set attribute1 = ?2, attribute2 = ?3, mapping_type = ?4,
             relationship = ?5, parent_type = ?6, child_type = ?7, updated_at = ?8 where key = ?1",
        params![
            key,
            mapping.attribute1.as_str(),
            mapping.attribute2.as_str(),
            mapping.mapping_type.as_str(),
            mapping.relationship.as_str(),
            mapping.parent_type.as_deref(),
            mapping.child_type.as_deref(),
            Timestamp::now()
        ],
    )
    .await?;
    record(tx, asker, &mapping, "update", id).await?;
    shown(tx, key).await
}

/// Removes a mapping.
///
/// # Errors
/// 403, 400, 404.
pub async fn delete(tx: &impl Tx, asker: &Asker, id: &str) -> Result<()> {
    demand_writer(asker)?;
    let key = key(tx, asker, id).await?;
    let mapping = read(&stored(tx, key).await?)?;
    let sql = "delete from directory_mappings where key = ?1";
    tx.execute(sql, params![key]).await?;
    record(tx, asker, &mapping, "delete", id).await
}
