//! `/deployments` and `/deployments/{deployment_id}`: list, get, delete.

use windlass_core::db::{Db, KeptDb};
use windlass_core::list::ListQuery;
use windlass_core::{Body, Context, Permission, Request, Response, Result, Scope};
use windlass_deployment::environment::{self, Removal};
use windlass_store::deployment_groups;
use windlass_store::deployments::{self, DEPLOYMENT, DEPLOYMENT_LIST, DEPLOYMENT_SHALLOW};
use windlass_store::filters::{self, Target, selection};
use windlass_store::searches::{Searched, Wanted};

/// Parameters of lists of deployments that are no fields of theirs.
pub const OWN: [&str; 1] = ["deployment_group_id"];

/// `GET /deployments`: the deployments the caller can see; with `?id=` a single one, as a list.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentList)?;
    let mut query = ctx.list_query(DEPLOYMENT_LIST, &OWN)?;
    select(&ctx.db, &mut query, &scope, &ctx.request).await?;
    let rules = filters::of_request(&ctx.db, &scope, Target::Deployments, &ctx.request).await?;
    if rules.is_empty() {
        return ctx.page(&DEPLOYMENT, &scope, &query).await;
    }
    selection::apply(&ctx.db, Target::Deployments, &rules, &mut query).await?;
    selected(ctx, &scope, &query).await
}

/// `POST /searches/deployments`: the same list, selected by rules or constraints.
pub async fn search(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentList)?;
    let body = Body::of(ctx)?;
    let searched = Searched::Deployments;
    let wanted = Wanted::read(&ctx.db, &scope, searched, &ctx.request, &body).await?;
    let mut query = ctx.list_query(DEPLOYMENT_LIST, &OWN)?;
    select(&ctx.db, &mut query, &scope, &ctx.request).await?;
    if wanted.is_everything() {
        return ctx.page(&DEPLOYMENT, &scope, &query).await;
    }
    wanted.apply(&ctx.db, &mut query).await?;
    selected(ctx, &scope, &query).await
}

/// A page of what was selected, with the number of what was not.
async fn selected(
    ctx: &Context<impl KeptDb>,
    scope: &Scope,
    query: &ListQuery,
) -> Result<Response> {
    let all = ListQuery::everything();
    let page = DEPLOYMENT.open_page_of(&ctx.db, scope, query, &all);
    Ok(page.await?.respond(query))
}

/// Adds what a request says about deployments beside their fields.
///
/// # Errors
/// 404 for groups that the caller does not see.
pub async fn select(
    db: &impl Db,
    query: &mut ListQuery,
    scope: &Scope,
    request: &Request,
) -> Result<()> {
    if let Some(id) = request.query_value("_dependencies_of") {
        deployments::only_dependencies_of(query, scope.tenant(), id);
    }
    // Clients send it as a number.
    let environments_only = request.query_value("_environments_only");
    if environments_only.is_some_and(|given| !["", "0", "false", "False"].contains(&given)) {
        deployments::without_components(query);
    }
    for name in ["_group_id", "deployment_group_id"] {
        if let Some(id) = request.query_value(name) {
            deployment_groups::only_members(db, scope, query, id).await?;
        }
    }
    Ok(())
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
    ctx.show(resource, &scope, id, 200).await
}

/// The answer of a change: the deployment as it is now, with the fields that `_include` names.
pub async fn show(
    ctx: &Context<impl Db>,
    scope: &Scope,
    id: &str,
    status: u16,
) -> Result<Response> {
    ctx.show(&DEPLOYMENT, scope, id, status).await
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
