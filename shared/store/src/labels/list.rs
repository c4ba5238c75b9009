//! Listing the keys and values that labels have: what a user interface offers for filters.

use super::{LabelOwner, RESERVED};
use serde_json::json;
use windlass_core::caller::Reach;
use windlass_core::db::{Db, Value};
use windlass_core::limits;
use windlass_core::list::{ListQuery, Page, Resource, like_pattern};
use windlass_core::{Error, Request, Result, Scope};

/// Reads the list parameters of keys and values; these lists have no fields.
pub static LABEL_LIST: Resource = Resource {
    name: "Label",
    table: "",
    fields: &[],
    search: None,
    of_tenant: true,
};

/// Distinct keys of the labels that the caller may see, ascending.
pub async fn keys(
    db: &impl Db,
    owner: LabelOwner,
    scope: &Scope,
    request: &Request,
    query: &ListQuery,
) -> Result<Page> {
    distinct(db, owner, scope, "l.key", None, request, query).await
}

/// Distinct values of one key, ascending.
pub async fn values(
    db: &impl Db,
    owner: LabelOwner,
    scope: &Scope,
    key: &str,
    request: &Request,
    query: &ListQuery,
) -> Result<Page> {
    distinct(db, owner, scope, "l.value", Some(key), request, query).await
}

/// The reserved keys that users may give, as a page.
pub fn reserved(request: &Request, query: &ListQuery) -> Page {
    let search = request
        .query_value("_search")
        .unwrap_or_default()
        .to_lowercase();
    let found: Vec<&str> = RESERVED
        .into_iter()
        .filter(|key| key.contains(&search))
        .collect();
    let (size, offset) = bounds(query);
    let items: Vec<&str> = found
        .iter()
        .copied()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(size).unwrap_or(usize::MAX))
        .collect();
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    Page {
        items: json!(items).to_string(),
        total,
        filtered: None,
    }
}

/// Limit and offset for SQLite: a negative limit is none.
fn bounds(query: &ListQuery) -> (i64, i64) {
    let limit = match query.all_results {
        true => -1,
        false => i64::try_from(query.size.min(limits::PAGE_SIZE)).unwrap_or(i64::MAX),
    };
    (limit, i64::try_from(query.offset).unwrap_or(i64::MAX))
}

async fn distinct(
    db: &impl Db,
    owner: LabelOwner,
    scope: &Scope,
    column: &str,
    key: Option<&str>,
    request: &Request,
    query: &ListQuery,
) -> Result<Page> {
    let (sql, parameters) = statement(owner, scope, column, key, request, query);
    let row = db.first(&sql, &parameters).await?;
    let row = row.ok_or_else(|| Error::internal("a page answers one row"))?;
    Ok(Page {
        total: row.integer(0)?,
        items: row.text(1)?.to_owned(),
        filtered: None,
    })
}

/// The statement behind [`keys`] and [`values`].
///
/// The caller's own tenant and what is global are two parts, so that each follows its index.
pub(super) fn statement(
    owner: LabelOwner,
    scope: &Scope,
    column: &str,
    key: Option<&str>,
    request: &Request,
    query: &ListQuery,
) -> (String, Vec<Value>) {
    let (labels, owner_key, owners) = owner.tables();
    let search = request
        .query_value("_search")
        .filter(|text| !text.is_empty());
    let tenants = match scope.reach() {
        Reach::Tenants(names) => json!(names),
        _ => json!([scope.tenant()]),
    };
    let (limit, offset) = bounds(query);
    let mut parameters = vec![
        Value::from(scope.username()),
        Value::from(scope.sees_private()),
        Value::from(&tenants),
        Value::from(limit),
        Value::from(offset),
    ];
    let mut own = String::new();
    if let Some(key) = key {
        parameters.push(Value::from(key));
        own.push_str(&format!(" and l.key = ?{}", parameters.len()));
    }
    if let Some(text) = search {
        parameters.push(Value::Text(like_pattern(text)));
        own.push_str(&format!(
            " and {column} like ?{} escape '\\'",
            parameters.len()
        ));
    }
    let mine = match scope.reach() {
        Reach::Everywhere => "1",
        _ => "t.tenant_name in (select value from json_each(?3))",
    };
    // `cross join` keeps the order: from the few owners one may see to their labels.
    let from = format!("from {owners} t cross join {labels} l on l.{owner_key} = t.key");
    // The third column is there for `?3` only: SQLite refuses parameters that nothing names.
    let sql = format!(
        "with found (item) as (
             select {column} {from} where {mine}
                 and (t.visibility <> 'private' or t.created_by = ?1 or ?2){own}
             union select {column} {from} where t.visibility = 'global'{own})
         select (select count(*) from found), (select json_group_array(item) from
             (select item from found order by item limit ?4 offset ?5)), ?3"
    );
    (sql, parameters)
}
