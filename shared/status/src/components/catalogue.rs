//! The catalogue: which components there are, as the operator's file says.
//!
//! It is always set as a whole. A component is the same one while its name and its attributes stay;
//! one that is gone from the catalogue is deleted if nothing ever happened to it, else retired: its past
//! is kept, nobody sees or reports it, and it comes back when the catalogue names it again.

use super::{Attribute, attributes_key};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp, params};
use windlass_store::audit;

/// A component as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its attributes, each name once.
    pub attributes: Vec<Attribute>,
}

impl Entry {
    /// The value of an attribute, as a JSON text or null.
    fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|known| known.name == name)
            .map(|known| known.value.as_str())
    }
}

/// How many components became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// New ones.
    pub created: usize,
    /// Retired ones that are back.
    pub returned: usize,
    /// Ones that stand elsewhere in the catalogue, or whose attributes are in another order.
    pub moved: usize,
    /// Ones that stayed as they were.
    pub unchanged: usize,
    /// Ones that are gone, with a past.
    pub retired: usize,
    /// Ones that are gone without one.
    pub deleted: usize,
}

impl Changes {
    fn is_empty(self) -> bool {
        let same = Self {
            unchanged: self.unchanged,
            ..Self::default()
        };
        self == same
    }
}

/// A component as it is stored: id, name, key and text of its attributes, position, whether it is retired.
type Stored = (i64, String, String, String, i64, i64);

/// Makes these the catalogue; no two of them may be the same. The same catalogue again changes
/// nothing.
pub async fn replace(db: &impl Db, scope: &Scope, entries: &[Entry]) -> Result<Changes> {
    db.transaction(async |db| {
        let stored: Vec<Stored> = db
            .first_json(
                "select json_group_array(json_array(id, name, attributes_key, attributes, position,
                     retired_at is not null)) from status_components",
                &[],
            )
            .await?
            .unwrap_or_default();
        let mut changes = Changes::default();
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        let mut known: HashMap<(String, String), &Stored> = stored
            .iter()
            .map(|stored| ((stored.1.clone(), stored.2.clone()), stored))
            .collect();
        for (position, entry) in entries.iter().enumerate() {
            let key = attributes_key(&entry.attributes);
            let attributes = json!(entry.attributes).to_string();
            let found = known.remove(&(entry.name.clone(), key.clone()));
            let Some((id, _, _, old_attributes, old_position, is_retired)) = found else {
                changes.created += 1;
                new.push(json!([
                    entry.name,
                    attributes,
                    key,
                    entry.attribute("region"),
                    entry.attribute("category"),
                    position
                ]));
                continue;
            };
            let stays =
                i64::try_from(position) == Ok(*old_position) && *old_attributes == attributes;
            match (*is_retired != 0, stays) {
                (false, true) => changes.unchanged += 1,
                (false, false) => changes.moved += 1,
                (true, _) => changes.returned += 1,
            }
            if *is_retired != 0 || !stays {
                changed.push(json!([id, attributes, position]));
            }
        }
        let gone = known.values().filter(|stored| stored.5 == 0);
        let gone: Vec<i64> = gone.map(|stored| stored.0).collect();
        let deleted = write(db, Timestamp::now(), new, changed, &gone).await?;
        changes.deleted = deleted;
        changes.retired = gone.len().saturating_sub(deleted);
        if !changes.is_empty() {
            audit::insert(db, scope, "status_catalogue_set", "Catalogue", "catalogue").await?;
        }
        Ok(changes)
    })
    .await
}

/// Writes the differences; how many of those that are gone could be deleted.
async fn write(
    db: &impl Db,
    now: Timestamp,
    new: Vec<Value>,
    changed: Vec<Value>,
    gone: &[i64],
) -> Result<usize> {
    if !new.is_empty() {
        db.execute(
            "insert into status_components
                 (name, attributes, attributes_key, region, category, position, created_at)
             select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, ?2
             from json_each(?1) order by key",
            params![&Value::from(new), now],
        )
        .await?;
    }
    if !changed.is_empty() {
        db.execute(
            "update status_components
             set attributes = e.value ->> 1, position = e.value ->> 2, retired_at = null
             from json_each(?1) e where status_components.id = e.value ->> 0",
            params![&Value::from(changed)],
        )
        .await?;
    }
    if gone.is_empty() {
        return Ok(0);
    }
    let ids = Value::from(gone);
    let deleted = db
        .query(
            "delete from status_components where id in (select value from json_each(?1))
                 and not exists (select 1 from status_incident_components l where l.component_id = id)
             returning id",
            params![&ids],
        )
        .await?;
    if deleted.len() < gone.len() {
        db.execute(
            "update status_components set retired_at = ?2
             where id in (select value from json_each(?1))",
            params![&ids, now],
        )
        .await?;
    }
    Ok(deleted.len())
}

/// The components of the catalogue in its order, as a JSON list of names with attributes.
pub async fn list_json(db: &impl Db) -> Result<String> {
    let row = db
        .first(
            "select json_group_array(json_object('name', c.name, 'attributes', json((
                 select json_group_object(a.value ->> 'name', a.value ->> 'value')
                 from json_each(c.attributes) a))))
             from (select name, attributes from status_components where retired_at is null
                 order by position, id) c",
            &[],
        )
        .await?;
    row.map_or_else(|| Ok("[]".into()), |row| row.text(0).map(str::to_owned))
}

#[cfg(test)]
mod tests;
