//! Nodes of a blueprint that has no deployment yet: its plan says what there will be.

use serde_json::Value;
use windlass_blueprint::{Fields, Plan};
use windlass_core::db::Db;
use windlass_core::limits;
use windlass_core::list::{ListQuery, Page};
use windlass_core::{Context, Error, Response, Result, Scope};
use windlass_store::blueprints;
use windlass_store::searches::{Searched, Wanted};

/// A blueprint's plan.
///
/// # Errors
/// 404; 400 for a blueprint that was not uploaded completely.
pub async fn plan(db: &impl Db, scope: &Scope, id: &str) -> Result<Plan> {
    let blueprint = blueprints::find(db, scope, id).await?;
    let stored = blueprints::plan(db, &blueprint).await?;
    Plan::from_stored(stored)
        .ok_or_else(|| Error::bad_parameters(format!("The blueprint `{id}` has no plan")))
}

/// One page of the nodes of a blueprint's plan that are wanted.
pub async fn nodes(
    ctx: &Context<impl Db>,
    scope: &Scope,
    id: &str,
    query: &ListQuery,
    searched: Searched,
    wanted: &Wanted,
) -> Result<Response> {
    let plan = plan(&ctx.db, scope, id).await?;
    let search = ctx.request.query_value("_search").unwrap_or_default();
    let search = search.to_lowercase();
    let found: Vec<&Fields> = plan
        .nodes
        .iter()
        .filter(|node| is_wanted(node, searched, &search, wanted))
        .collect();
    let page = page_of(&found, query).map(|node| shown(node, query));
    let items: Vec<Value> = page.collect();
    let filtered = (!wanted.is_everything()).then(|| plan.nodes.len() - found.len());
    let page = Page {
        filtered: filtered.and_then(|count| i64::try_from(count).ok()),
        ..Page::of(items, found.len())
    };
    Ok(page.respond(query))
}

/// The part of a list that a query asks for.
pub fn page_of<'a, T>(
    found: &'a [T],
    query: &ListQuery,
) -> impl Iterator<Item = &'a T> + use<'a, T> {
    let all = query.paging.all_results;
    let size = match all {
        true => u64::MAX,
        false => query.paging.size.min(limits::PAGE_SIZE),
    };
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let offset = if all { 0 } else { number(query.paging.offset) };
    found.iter().skip(offset).take(number(size))
}

fn is_wanted(node: &Fields, searched: Searched, search: &str, wanted: &Wanted) -> bool {
    let types: Vec<&str> = (node.get("type_hierarchy").as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let operations: Vec<&str> = node
        .operations("operations")
        .map(|(name, _)| name)
        .collect();
    let looked_at = match searched {
        Searched::NodeTypes => types.last().copied().unwrap_or_default(),
        _ => node.name(),
    };
    looked_at.to_lowercase().contains(search)
        && wanted.allows_node(node.name(), &types, &operations)
}

/// A node as the plan has it, with its name as the id that it will have.
fn shown(node: &Fields, query: &ListQuery) -> Value {
    let mut value = node.to_value();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("id".into(), node.name().into());
        if let Some(include) = &query.include {
            fields.retain(|name, _| include.iter().any(|field| field.name == name));
        }
    }
    value
}
