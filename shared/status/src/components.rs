//! Components: what the status page tells the state of.

use super::incidents;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_core::db::{Db, Row};
use windlass_core::{Error, Result, params};

pub mod catalogue;
pub mod list;

/// A property of a component, such as its region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name, at most 30 characters.
    pub name: String,
    /// Its value, at most 50 characters.
    pub value: String,
}

/// A component of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Its number.
    pub id: i64,
    /// Its name, which components of several regions share.
    pub name: String,
    /// Its attributes, in the order of the catalogue.
    pub attributes: Vec<Attribute>,
}

impl Component {
    /// The columns that [`Self::from_row`] reads, of a table with the alias `c`.
    pub const COLUMNS: &'static str = "c.id, c.name, c.attributes";

    /// The component in a row that starts with [`Self::COLUMNS`].
    pub fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.integer(0)?,
            name: row.text(1)?.to_owned(),
            attributes: row.json(2)?,
        })
    }

    /// Its name followed by the values of its attributes: `Volumes (EU-DE, Storage)`. Plain text.
    pub fn label(&self) -> String {
        let values: Vec<&str> = self.attributes.iter().map(|a| a.value.as_str()).collect();
        format!("{} ({})", self.name, values.join(", "))
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|a| a.name == name);
        found.map(|attribute| attribute.value.as_str())
    }
}

/// Attributes as one text, however they are ordered: what makes a component of a name the same one.
pub fn attributes_key(attributes: &[Attribute]) -> String {
    let mut sorted: Vec<&Attribute> = attributes.iter().collect();
    sorted.sort_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
    json!(sorted).to_string()
}

/// Which components a list shows, in the order of their numbers.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// What their names start with.
    pub prefix: &'a str,
    /// How many at most.
    pub limit: i64,
    /// How many of the first to leave out.
    pub offset: i64,
}

/// Components with what happened to them, as a JSON list.
pub async fn list_with_incidents(db: &impl Db, window: Window<'_>) -> Result<String> {
    let sql = with_incidents("(instr(c.name, ?1) = 1 or ?1 = '') order by c.id limit ?2 offset ?3");
    let values = params![window.prefix, window.limit, window.offset];
    let row = db.first(&sql, values).await?;
    let row = row.ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    Ok(format!("[{}]", row.text(0)?))
}

/// The first component of this name with this attribute, in the same shape; nothing when there is none.
pub async fn find_with_incidents(
    db: &impl Db,
    name: &str,
    attribute: &Attribute,
) -> Result<Option<String>> {
    let sql = with_incidents(
        "c.id = (select o.id from status_components o where o.name = ?1 and o.retired_at is null
             and exists (select 1 from json_each(o.attributes) a
                 where a.value ->> 'name' = ?2 and a.value ->> 'value' = ?3)
             order by o.id limit 1)",
    );
    let values = params![name, attribute.name.as_str(), attribute.value.as_str()];
    let row = db.first(&sql, values).await?;
    let row = row.ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    Ok(Some(row.text(0)?.to_owned()).filter(|text| !text.is_empty()))
}

/// The statement for components that fulfil a condition: their JSON, joined by commas, with the last
/// 200 incidents of each. An incident is written once, however many components it is on.
fn with_incidents(condition: &str) -> String {
    format!(
        "with told (id, body) as materialized (
             select i.id, {} from status_incidents i where i.kind <> 'info' and {})
         select coalesce(group_concat(body, ','), '') from (
             select '{{\"attributes\":' || c.attributes || ',\"id\":' || c.id || ',\"incidents\":['
                 || coalesce((select group_concat(body, ',') from (
                        select t.body from status_incident_components l join told t on t.id = l.incident_id
                        where l.component_id = c.id and l.incident_id >= coalesce((
                            select n.incident_id from status_incident_components n
                            where n.component_id = c.id order by n.incident_id desc limit 1 offset 199), 0)
                        order by l.incident_id)), '')
                 || '],\"name\":' || json_quote(c.name) || '}}' as body
             from status_components c where c.retired_at is null and {condition})",
        incidents::JSON,
        incidents::PUBLIC,
    )
}
