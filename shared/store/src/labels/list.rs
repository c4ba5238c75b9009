//! Listing the keys and values that labels have: what a user interface offers for filters.

use super::{LabelOwner, RESERVED};
use crate::counts;
use windlass_core::db::Db;
use windlass_core::limits;
use windlass_core::list::{ListQuery, Listing, Page, Statement, page_of_texts};
use windlass_core::{Request, Result, Scope};

/// Keys are searched by themselves, values by themselves. These lists have no fields.
static KEYS: Listing = Listing::searched("l.key");
static VALUES: Listing = Listing::searched("l.value");

/// The page of keys that a request asks for, ascending: those of the labels that the caller may
/// see, or with `_reserved` those that the server has meanings for.
///
/// # Errors
/// 400 for parameters that lists of labels do not have.
pub async fn keys(
    db: &impl Db,
    owner: LabelOwner,
    scope: &Scope,
    request: &Request,
) -> Result<(ListQuery, Page)> {
    let query = KEYS.parse(request, &[])?;
    let page = if request.query_bool("_reserved")?.unwrap_or(false) {
        reserved(request.query_value("_search").unwrap_or_default(), &query)
    } else {
        page_of_texts(db, &statement(owner, scope, "l.key", &query)).await?
    };
    Ok((query, page))
}

/// The page of one key's values that a request asks for, ascending.
///
/// # Errors
/// 400 for what is no key, and for parameters that lists of labels do not have.
pub async fn values(
    db: &impl Db,
    owner: LabelOwner,
    scope: &Scope,
    key: &str,
    request: &Request,
) -> Result<(ListQuery, Page)> {
    let key = super::check_key(key)?;
    let mut query = VALUES.parse(request, &[])?;
    query.and("l.key = {}", [key.into()]);
    let page = page_of_texts(db, &statement(owner, scope, "l.value", &query)).await?;
    Ok((query, page))
}

/// The reserved keys that users may give, as a page.
fn reserved(search: &str, query: &ListQuery) -> Page {
    let search = search.to_lowercase();
    let found: Vec<&str> = RESERVED
        .into_iter()
        .filter(|key| key.contains(&search))
        .collect();
    let size = match query.paging.all_results {
        true => u64::MAX,
        false => query.paging.size.min(limits::PAGE_SIZE),
    };
    let items: Vec<&str> = found
        .iter()
        .copied()
        .skip(usize::try_from(query.paging.offset).unwrap_or(usize::MAX))
        .take(usize::try_from(size).unwrap_or(usize::MAX))
        .collect();
    Page::of(items, found.len())
}

/// The statement behind [`keys`] and [`values`]: what labels there are is asked of their counts, which
/// are few however many rows have a label. `union` makes the items distinct.
pub(super) fn statement(
    owner: LabelOwner,
    scope: &Scope,
    column: &str,
    query: &ListQuery,
) -> Statement {
    let counts = match owner {
        LabelOwner::Blueprint => &counts::BLUEPRINT_LABELS,
        LabelOwner::Deployment => &counts::DEPLOYMENT_LABELS,
    };
    let mut statement = Statement::under(scope);
    let own = statement.conditions(query);
    let from = counts.table_sql();
    let parts: Vec<String> = scope
        .parts("l", &mut statement)
        .iter()
        .map(|part| format!("select {column} as item from {from} l where {part}{own}"))
        .collect();
    let found = match parts.as_slice() {
        // Without a `union` nothing else makes them distinct.
        [all] => all.replacen("select", "select distinct", 1),
        parts => parts.join(" union "),
    };
    let total = match query.paging.with_total {
        true => "select count(*) from found",
        false => "select null",
    };
    let [limit, offset] = query.paging.limit_and_offset(limits::PAGE_SIZE);
    let (limit, offset) = (statement.parameter(limit), statement.parameter(offset));
    statement.sql = format!(
        "with found as ({found})
         {total} union all select * from
             (select item from found order by item limit {limit} offset {offset})"
    );
    statement
}
