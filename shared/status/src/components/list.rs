//! The catalogue as people read it and add to it, one component at a time.

use super::{Attribute, Component, attributes_key};
use serde_json::{Value as Json, json};
use windlass_core::db::{Db, Row};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_store::audit;

const JSON: &str = "json_object('id', c.id, 'name', c.name, 'attributes', json(c.attributes))";

/// The most components that a catalogue has.
const MOST: i64 = 10_000;

/// The components in the order of the catalogue, as a JSON list.
pub async fn list_json(db: &impl Db) -> Result<String> {
    let sql = format!(
        "select '[' || coalesce(group_concat(body, ','), '') || ']' from (
             select {JSON} as body from status_components c
             where c.retired_at is null order by c.position, c.id)"
    );
    let row = db.first(&sql, &[]).await?;
    let row = row.ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    row.text(0).map(str::to_owned)
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

/// The components with these numbers, in their order.
///
/// # Errors
/// 400 naming the first that is not in the catalogue.
pub async fn find_all(db: &impl Db, ids: &[i64]) -> Result<Vec<Component>> {
    find_where(db, ids, "c.retired_at is null").await
}

/// The same, for components that may have left the catalogue.
pub async fn find_all_ever(db: &impl Db, ids: &[i64]) -> Result<Vec<Component>> {
    find_where(db, ids, "true").await
}

async fn find_where(db: &impl Db, ids: &[i64], condition: &str) -> Result<Vec<Component>> {
    let sql = format!(
        "select {} from json_each(?1) wanted join status_components c on c.id = wanted.value
         where {condition} order by wanted.key",
        Component::COLUMNS
    );
    let rows = db.query(&sql, params![&Json::from(ids)]).await?;
    let components: Vec<Component> = rows
        .iter()
        .map(Component::from_row)
        .collect::<Result<_>>()?;
    let is_known = |id: &&i64| components.iter().any(|component| component.id == **id);
    match ids.iter().find(|id| !is_known(id)) {
        Some(missing) => Err(Error::bad_parameters(format!(
            "component does not exist, component_id: {missing}"
        ))),
        None => Ok(components),
    }
}

/// Adds a component at the end of the catalogue; one that had left it comes back. Answers it as JSON.
/// To be called inside a transaction.
///
/// # Errors
/// 400 when it is there, or when the catalogue is full.
pub async fn insert(
    db: &impl Db,
    scope: &Scope,
    name: &str,
    attributes: &[Attribute],
    now: Timestamp,
) -> Result<String> {
    let key = attributes_key(attributes);
    let known = db
        .first(
            "select id, retired_at is null from status_components
             where name = ?1 and attributes_key = ?2",
            params![name, key.as_str()],
        )
        .await?;
    if let Some(row) = &known
        && row.boolean(1)?
    {
        return Err(Error::bad_parameters("component already exists"));
    }
    let (count, next) = db
        .first(
            "select count(*), coalesce(max(position) + 1, 0) from status_components
             where retired_at is null",
            &[],
        )
        .await?
        .map_or(Ok((0, 0)), |row: Row| {
            Ok::<_, Error>((row.integer(0)?, row.integer(1)?))
        })?;
    if count >= MOST {
        return Err(Error::bad_parameters(format!(
            "the catalogue has {MOST} components already"
        )));
    }
    let value = |name: &str| attributes.iter().find(|a| a.name == name);
    let value = |name: &str| value(name).map(|attribute| attribute.value.as_str());
    let attributes = json!(attributes).to_string();
    let id = match known {
        Some(row) => {
            let id = row.integer(0)?;
            db.execute(
                "update status_components set retired_at = null, attributes = ?2, position = ?3
                 where id = ?1",
                params![id, attributes, next],
            )
            .await?;
            id
        }
        None => db
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
                    next,
                    now
                ],
            )
            .await?
            .ok_or_else(|| Error::internal("an insert answers its key"))?
            .integer(0)?,
    };
    let target = id.to_string();
    audit::insert(db, scope, "status_component_create", "Component", &target).await?;
    find_json(db, id).await
}

/// The refusal of a component that there is not.
pub fn unknown() -> Error {
    Error::new(Kind::NotFound, "component does not exist")
}

#[cfg(test)]
mod tests;
