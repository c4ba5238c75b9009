//! The catalogue: which components there are, as the operator's file says.
//!
//! It is always set as a whole. A component is the same one while its name and its attributes stay;
//! one that is gone from the catalogue is deleted if nothing ever happened to it, else retired: its past
//! is kept, nobody sees or reports it, and it comes back when the catalogue names it again.

use super::{Attribute, attributes_key};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};
use windlass_store::audit;
use windlass_store::pieces::{self, batches};

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
    /// Ones that are new.
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

/// A component as its row has it.
#[derive(Deserialize)]
struct ComponentRow {
    id: i64,
    name: String,
    attributes_key: String,
    /// The text of its attributes, in the order of the catalogue.
    attributes: String,
    position: i64,
    is_retired: bool,
}

/// A component that is new.
#[derive(Serialize)]
struct NewComponent<'a> {
    name: &'a str,
    attributes: String,
    attributes_key: String,
    region: Option<&'a str>,
    category: Option<&'a str>,
    position: usize,
}

/// A component that is back, or stands elsewhere than before.
#[derive(Serialize)]
struct ChangedComponent {
    id: i64,
    attributes: String,
    position: usize,
}

/// Makes these the catalogue; no two of them may be the same. The same catalogue again changes
/// nothing.
pub async fn replace(db: &impl Db, scope: &Scope, entries: &[Entry]) -> Result<Changes> {
    db.transaction(async |tx| {
        let sql = "select json_object('id', id, 'name', name, 'attributes_key', attributes_key,
                       'attributes', attributes, 'position', position,
                       'is_retired', json(iif(retired_at is null, 'false', 'true'))) as item
                   from status_components";
        let stored: Vec<ComponentRow> = pieces::read(tx, sql, &[]).await?;
        let mut changes = Changes::default();
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        let mut known: HashMap<(String, String), &ComponentRow> = stored
            .iter()
            .map(|row| ((row.name.clone(), row.attributes_key.clone()), row))
            .collect();
        for (position, entry) in entries.iter().enumerate() {
            let key = attributes_key(&entry.attributes);
            let attributes = json!(entry.attributes).to_string();
            let Some(row) = known.remove(&(entry.name.clone(), key.clone())) else {
                changes.created += 1;
                new.push(NewComponent {
                    name: &entry.name,
                    attributes,
                    attributes_key: key,
                    region: entry.attribute("region"),
                    category: entry.attribute("category"),
                    position,
                });
                continue;
            };
            let stays = i64::try_from(position) == Ok(row.position) && row.attributes == attributes;
            match (row.is_retired, stays) {
                (false, true) => changes.unchanged += 1,
                (false, false) => changes.moved += 1,
                (true, _) => changes.returned += 1,
            }
            if row.is_retired || !stays {
                changed.push(ChangedComponent {
                    id: row.id,
                    attributes,
                    position,
                });
            }
        }
        let gone = known.values().filter(|row| !row.is_retired);
        let gone: Vec<i64> = gone.map(|row| row.id).collect();
        let deleted = write(tx, Timestamp::now(), &new, &changed, &gone).await?;
        changes.deleted = deleted;
        changes.retired = gone.len().saturating_sub(deleted);
        if !changes.is_empty() {
            audit::insert(tx, scope, "status_catalogue_set", "Catalogue", "catalogue").await?;
        }
        Ok(changes)
    })
    .await
}

/// Writes the differences; how many of those that are gone could be deleted.
async fn write(
    tx: &impl Tx,
    now: Timestamp,
    new: &[NewComponent<'_>],
    changed: &[ChangedComponent],
    gone: &[i64],
) -> Result<usize> {
    for batch in batches(new) {
        tx.execute(
            "insert into status_components
                 (name, attributes, attributes_key, region, category, position, created_at)
             select value ->> 'name', value ->> 'attributes', value ->> 'attributes_key',
                 value ->> 'region', value ->> 'category', value ->> 'position', ?2
             from json_each(?1) order by key",
            params![batch?, now],
        )
        .await?;
    }
    for batch in batches(changed) {
        tx.execute(
            "update status_components
             set attributes = e.value ->> 'attributes', position = e.value ->> 'position',
                 retired_at = null
             from json_each(?1) e where status_components.id = e.value ->> 'id'",
            params![batch?],
        )
        .await?;
    }
    if gone.is_empty() {
        return Ok(0);
    }
    let ids = Value::from(gone);
    let deleted = tx
        .query(
            "delete from status_components where id in (select value from json_each(?1))
                 and not exists (select 1 from status_incident_components l where l.component_id = id)
             returning id",
            params![&ids],
        )
        .await?;
    if deleted.len() < gone.len() {
        tx.execute(
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
    let sql = "select json_quote(json_object('name', c.name, 'attributes', json((
                   select json_group_object(a.value ->> 'name', a.value ->> 'value')
                   from json_each(c.attributes) a))) || '') as item
               from status_components c where retired_at is null order by position, id";
    let components: Vec<String> = pieces::read(db, sql, &[]).await?;
    Ok(format!("[{}]", components.join(",")))
}

#[cfg(test)]
mod tests;
