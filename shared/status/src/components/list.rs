//! The catalogue as people read it and add to it, one component at a time.

use super::{Attribute, Component, attributes_key};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_store::{audit, pieces};

const JSON: &str = Component::JSON;

/// The most components that a catalogue has.
const MOST: i64 = 10_000;

/// The components in the order of the catalogue, as a JSON list.
pub async fn list_json(db: &impl Db) -> Result<String> {
    let sql = format!(
        "select json_quote({JSON} || '') as item from status_components c
         where c.retired_at is null order by c.position, c.id"
    );
    let components: Vec<String> = pieces::read(db, &sql, &[]).await?;
    Ok(format!("[{}]", components.join(",")))
}

/// A component as JSON.
///
/// # Errors
/// 404 when there is none in the catalogue.
pub async fn find_json(db: &impl Db, id: i64) -> Result<String> {
    let sql =
        format!("select {JSON} from status_components c where c.id = ?1 and c.retired_at is null");
    match db.first(&sql, params![id]).await? {
        Some(row) => row.text(0).map(str::to_owned),
        None => Err(unknown()),
    }
}

/// A component of the catalogue.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, id: i64) -> Result<Component> {
    let sql =
        format!("select {JSON} from status_components c where c.id = ?1 and c.retired_at is null");
    let found = db.first_json(&sql, params![id]).await?;
    found.ok_or_else(unknown)
}

/// The components with these numbers, in their order.
///
/// # Errors
/// 400 naming the first that is not in the catalogue.
pub async fn find_all(db: &impl Db, ids: &[i64]) -> Result<Vec<Component>> {
    find_where(db, ids, "c.retired_at is null").await
}

/// The same, for components that may have left the catalogue.
pub(crate) async fn find_all_ever(db: &impl Db, ids: &[i64]) -> Result<Vec<Component>> {
    find_where(db, ids, "true").await
}

async fn find_where(db: &impl Db, ids: &[i64], condition: &str) -> Result<Vec<Component>> {
    let sql = format!(
        "select {JSON} as item
         from json_each(?1) wanted join status_components c on c.id = wanted.value
         where {condition} order by wanted.key"
    );
    let components: Vec<Component> = pieces::read_few(db, &sql, params![&Json::from(ids)]).await?;
    let is_known = |id: &&i64| components.iter().any(|component| component.id == **id);
    match ids.iter().find(|id| !is_known(id)) {
        Some(missing) => Err(Error::bad_parameters(format!(
            "component does not exist, component_id: {missing}"
        ))),
        None => Ok(components),
    }
}

/// A component that is there already, and the end of the catalogue.
#[derive(Deserialize)]
struct Place {
    /// The component of the same name and attributes.
    known: Option<Known>,
    /// How many components the catalogue has.
    count: i64,
    /// The position after the last of them.
    next: i64,
}

#[derive(Clone, Copy, Deserialize)]
struct Known {
    id: i64,
    is_retired: bool,
}

/// Adds a component at the end of the catalogue; one that had left it comes back. Answers it as JSON.
///
/// # Errors
/// 400 when it is there, or when the catalogue is full.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    name: &str,
    attributes: &[Attribute],
    now: Timestamp,
) -> Result<String> {
    let key = attributes_key(attributes);
    let place = tx
        .first_json(
            "select json_object('known', (
                     select json_object('id', id,
                         'is_retired', json(iif(retired_at is null, 'false', 'true')))
                     from status_components where name = ?1 and attributes_key = ?2),
                 'count', count(*), 'next', coalesce(max(position) + 1, 0))
             from status_components where retired_at is null",
            params![name, key.as_str()],
        )
        .await?;
    let place: Place = place.ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    if place.known.is_some_and(|known| !known.is_retired) {
        return Err(Error::bad_parameters("component already exists"));
    }
    if place.count >= MOST {
        return Err(Error::bad_parameters(format!(
            "the catalogue has {MOST} components already"
        )));
    }
    let value = |name: &str| attributes.iter().find(|a| a.name == name);
    let value = |name: &str| value(name).map(|attribute| attribute.value.as_str());
    let attributes = json!(attributes).to_string();
    let id = match place.known {
        Some(Known { id, .. }) => {
            tx.execute(
                "update status_components set retired_at = null, attributes = ?2, position = ?3
                 where id = ?1",
                params![id, attributes, place.next],
            )
            .await?;
            id
        }
        None => tx
            .first(
                "insert into status_components
                     (name, attributes, attributes_key, region, category, position, created_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7) returning id",
                params![
                    name,
                    attributes,
                    key,
                    value("region"),
                    value("category"),
                    place.next,
                    now
                ],
            )
            .await?
            .ok_or_else(|| Error::internal("an insert answers its key"))?
            .integer(0)?,
    };
    let target = id.to_string();
    audit::insert(tx, scope, "status_component_create", "Component", &target).await?;
    find_json(tx, id).await
}

/// The refusal of a component that there is not.
pub fn unknown() -> Error {
    Error::new(Kind::NotFound, "component does not exist")
}

#[cfg(test)]
mod tests;
