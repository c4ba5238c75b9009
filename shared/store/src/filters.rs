//! Filters: rules under a name, to select blueprints or deployments by.
//!
//! [`rules`] says what a rule may be, [`selection`] what it selects. The two kinds have tables of one shape
//! and names of their own, so each is a type here.

pub mod rules;
pub mod selection;

pub use rules::{Rule, Target};

use crate::resource::fields::CREATED_AT;
use crate::resource::{self, Head, New, TenantRow};
use serde::Deserialize;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::{COMMON, Field, Resource, Search, concat};
use windlass_core::{Error, Permission, Request, Result, Scope, Timestamp, Visibility, params};

static FIELDS: [Field; 12] = concat(
    &[
        Field::text("id", "t.id"),
        Field::json("value", "t.value"),
        Field::json(
            "labels_filter_rules",
            "(select json_group_array(json(r.value)) from json_each(t.value) r
                 where r.value ->> 'type' = 'label')",
        ),
        Field::json(
            "attrs_filter_rules",
            "(select json_group_array(json(r.value)) from json_each(t.value) r
                 where r.value ->> 'type' = 'attribute')",
        ),
        Field::boolean("is_system_filter", "t.is_system_filter"),
        CREATED_AT,
        Field::text("updated_at", "t.updated_at"),
    ],
    &COMMON,
);

const fn resource(name: &'static str, table: &'static str) -> Resource {
    Resource {
        name,
        table,
        fields: &FIELDS,
        search: Some(Search::scan("t.id")),
        of_tenant: true,
        counts: &[],
    }
}

static BLUEPRINTS_FILTERS: Resource = resource("BlueprintsFilter", "blueprints_filters t");
static DEPLOYMENTS_FILTERS: Resource = resource("DeploymentsFilter", "deployments_filters t");

/// A row of one of the two tables.
pub trait Filter: TenantRow {
    /// What its rules are about.
    const TARGET: Target;
}

/// A filter of blueprints.
#[derive(Clone, Debug, Deserialize)]
pub struct BlueprintsFilter(Head);

/// A filter of deployments.
#[derive(Clone, Debug, Deserialize)]
pub struct DeploymentsFilter(Head);

impl TenantRow for BlueprintsFilter {
    const RESOURCE: &'static Resource = &BLUEPRINTS_FILTERS;

    fn head(&self) -> &Head {
        &self.0
    }
}

impl TenantRow for DeploymentsFilter {
    const RESOURCE: &'static Resource = &DEPLOYMENTS_FILTERS;

    fn head(&self) -> &Head {
        &self.0
    }
}

impl Filter for BlueprintsFilter {
    const TARGET: Target = Target::Blueprints;
}

impl Filter for DeploymentsFilter {
    const TARGET: Target = Target::Deployments;
}

/// What the application's own filters are called.
const SYSTEM_PREFIX: &str = "csys-";

/// Refuses a name that is kept for the application's own filters.
///
/// # Errors
/// 400.
pub fn demand_own_name(id: &str) -> Result<()> {
    let start = id.get(..SYSTEM_PREFIX.len()).unwrap_or_default();
    if start.eq_ignore_ascii_case(SYSTEM_PREFIX) {
        return Err(Error::bad_parameters(format!(
            "All filters with a `{SYSTEM_PREFIX}` prefix are reserved for internal use."
        )));
    }
    Ok(())
}

/// Stores a new filter.
///
/// # Errors
/// 403 and 409, see [`resource::insert`].
pub async fn insert<T: Filter>(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    rules: &[Rule],
) -> Result<()> {
    let columns = [
        ("updated_at", new.origin.created_at().into()),
        ("value", Value::json(&rules)?),
    ];
    resource::insert::<T>(tx, scope, new, &columns, Permission::FilterCreate).await
}

/// The rules of a filter, and whether it is one of the application's own.
#[derive(Deserialize)]
struct Stored {
    value: Vec<Rule>,
    is_system_filter: i64,
}

async fn stored<T: Filter>(db: &impl Db, filter: &T) -> Result<Stored> {
    let sql = format!(
        "select json_object('value', json(t.value), 'is_system_filter', t.is_system_filter)
         from {} where t.key = ?1",
        T::RESOURCE.table
    );
    let found = db.first_json(&sql, params![filter.head().key]).await?;
    found.ok_or_else(|| Error::not_found(T::RESOURCE.name, &filter.head().id))
}

/// Saves changes to a filter. Given rules replace those of their types; those of a type of which none is
/// given stay, before the new ones.
///
/// # Errors
/// 400 for a filter of the application's own; see [`resource::demand_widening`].
pub async fn save<T: Filter>(
    tx: &impl Tx,
    scope: &Scope,
    filter: &T,
    visibility: Option<Visibility>,
    given: &[Rule],
) -> Result<()> {
    let Stored {
        value,
        is_system_filter,
    } = stored(tx, filter).await?;
    if is_system_filter != 0 {
        return Err(Error::illegal_action("Cannot update a system filter"));
    }
    let mut columns = vec![("updated_at", Timestamp::now().into())];
    if !given.is_empty() {
        let mut rules = value;
        rules.retain(|rule| given.iter().all(|new| new.kind != rule.kind));
        rules.extend_from_slice(given);
        columns.push(("value", Value::json(&rules)?));
    }
    let action = Permission::FilterUpdate;
    resource::save(tx, scope, filter, visibility, &columns, action).await
}

/// Deletes a filter.
///
/// # Errors
/// 400 for one of the application's own.
pub async fn delete<T: Filter>(tx: &impl Tx, scope: &Scope, filter: &T) -> Result<()> {
    if stored(tx, filter).await?.is_system_filter != 0 {
        return Err(Error::illegal_action("Cannot delete a system filter"));
    }
    resource::delete(tx, scope, filter, Permission::FilterDelete).await
}

/// The rules of a filter that the caller sees.
///
/// # Errors
/// 404.
pub async fn find_rules<T: Filter>(db: &impl Db, scope: &Scope, id: &str) -> Result<Vec<Rule>> {
    let filter: T = resource::find(db, scope, id).await?;
    Ok(stored(db, &filter).await?.value)
}

/// The rules of a filter, by what it is about. Only blueprints and deployments have filters.
///
/// # Errors
/// 404.
pub async fn rules_of(db: &impl Db, scope: &Scope, target: Target, id: &str) -> Result<Vec<Rule>> {
    match target {
        Target::Blueprints => find_rules::<BlueprintsFilter>(db, scope, id).await,
        _ => find_rules::<DeploymentsFilter>(db, scope, id).await,
    }
}

/// The rules that the query of a list names: `_filter_id`, and `_filter_rules` as JSON.
///
/// # Errors
/// 404 for an unknown filter, 400 for what are no rules.
pub async fn of_request(
    db: &impl Db,
    scope: &Scope,
    target: Target,
    request: &Request,
) -> Result<Vec<Rule>> {
    let mut rules = match request.query_value("_filter_rules") {
        Some(text) if !text.is_empty() => {
            let given: serde_json::Value = serde_json::from_str(text)
                .map_err(|_| Error::bad_parameters("_filter_rules must be a JSON list"))?;
            let list = given
                .as_array()
                .ok_or_else(|| Error::wrong_type("_filter_rules", "list", &given))?;
            rules::parse(target, list)?
        }
        _ => Vec::new(),
    };
    if let Some(id) = request
        .query_value("_filter_id")
        .filter(|id| !id.is_empty())
    {
        rules.extend(rules_of(db, scope, target, id).await?);
    }
    Ok(rules)
}

#[cfg(test)]
#[path = "filters/tests.rs"]
mod tests;
