//! `/deployments` and `/deployments/{deployment_id}`: list, get, delete.

use windlass_core::db::{Db, Value};
use windlass_core::list::{ListQuery, Sort, like_pattern};
use windlass_core::{Context, Error, Permission, Request, Response, Result, Scope};
use windlass_deployment::environment::{self, Removal};
use windlass_store::deployments::{self, DEPLOYMENT, DEPLOYMENT_SHALLOW};

/// Parameters of lists of deployments that are no fields of theirs.
const OWN: [&str; 1] = ["deployment_group_id"];

/// `GET /deployments`: the deployments the caller can see; with `?id=` a single one, as a list.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentList)?;
    let query = selection(&scope, &ctx.request)?;
    ctx.page(&DEPLOYMENT, &scope, &query).await
}

/// Reads which deployments a request selects, in which order.
///
/// # Errors
/// 400 for unknown fields; 404 for filters and groups, of which there are none yet.
pub fn selection(scope: &Scope, request: &Request) -> Result<ListQuery> {
    let mut plain = request.clone();
    plain
        .query
        .retain(|(name, _)| name != "_sort" && name != "_search");
    let mut query = ListQuery::parse(&DEPLOYMENT, &plain, &OWN)?;
    for text in request
        .query_values("_sort")
        .flat_map(|text| text.split(','))
    {
        query.sort.extend(sort(text)?);
    }
    search(&mut query, request);
    if let Some(id) = request.query_value("_dependencies_of") {
        deployments::only_dependencies_of(&mut query, scope.tenant(), id);
    }
    // `_environments_only` leaves components out, of which there are none yet.
    if let Some(id) = request.query_value("_filter_id") {
        return Err(Error::not_found("DeploymentsFilter", id));
    }
    for name in ["_group_id", "deployment_group_id"] {
        if let Some(id) = request.query_value(name) {
            return Err(Error::not_found("DeploymentGroup", id));
        }
    }
    Ok(query)
}

/// One sort key: a field, or `label:<key>`, which goes by the ordered list of the key's values.
fn sort(text: &str) -> Result<Vec<Sort>> {
    let trimmed = text.trim();
    let (name, descending) = match trimmed.strip_prefix('-') {
        Some(name) => (name, true),
        None => (trimmed.strip_prefix('+').unwrap_or(trimmed), false),
    };
    let Some(key) = name.trim().strip_prefix("label:") else {
        let mut request = Request::new(windlass_core::http::Method::GET, "/");
        request.query.push(("_sort".into(), trimmed.into()));
        return Ok(ListQuery::parse(&DEPLOYMENT, &request, &[])?.sort);
    };
    Ok(vec![deployments::by_label(key, descending)?])
}

/// `_search` looks into ids, `_search_name` into display names; with both, one of them must fit.
fn search(query: &mut ListQuery, request: &Request) {
    let given = |name| {
        request
            .query_value(name)
            .filter(|text: &&str| !text.is_empty())
    };
    let parts: Vec<(&str, &str)> = [("t.id", "_search"), ("t.display_name", "_search_name")]
        .into_iter()
        .filter_map(|(sql, name)| Some((sql, given(name)?)))
        .collect();
    if parts.is_empty() {
        return;
    }
    let conditions: Vec<String> = parts
        .iter()
        .map(|(sql, _)| format!("{sql} like {{}} escape '\\'"))
        .collect();
    let values: Vec<Value> = parts
        .iter()
        .map(|(_, text)| Value::Text(like_pattern(text)))
        .collect();
    query.and(conditions.join(" or "), values);
}

/// `GET /deployments/{deployment_id}`.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentGet)?;
    ctx.request.query_bool("include_workdir")?;
    let all = ctx
        .request
        .query_bool("all_sub_deployments")?
        .unwrap_or(true);
    let resource = if all {
        &DEPLOYMENT
    } else {
        &DEPLOYMENT_SHALLOW
    };
    let id = ctx.path("deployment_id");
    ctx.one(resource, &scope, id, "t.id = {}", [id.into()])
        .await
}

/// The answer of a change: the deployment as it is now, with the fields that `_include` names.
pub async fn show(
    ctx: &Context<impl Db>,
    scope: &Scope,
    id: &str,
    status: u16,
) -> Result<Response> {
    let mut response = ctx
        .one(&DEPLOYMENT, scope, id, "t.id = {}", [id.into()])
        .await?;
    response.status = status;
    Ok(response)
}

/// `DELETE /deployments/{deployment_id}`: the deployment and all that belongs to it go at once.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentDelete)?;
    let flag = |name| Ok(ctx.request.query_bool(name)?.unwrap_or(false));
    let removal = Removal {
        force: flag("force")?,
        recursive: flag("recursive")?,
    };
    // Logs have no life of their own, so they go in any case.
    ctx.request.query_bool("delete_logs")?;
    let id = ctx.path("deployment_id");
    ctx.db
        .transaction(async |tx| environment::remove(tx, &scope, id, removal).await)
        .await?;
    Ok(Response::empty(204))
}
