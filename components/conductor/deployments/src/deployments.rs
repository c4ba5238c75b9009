//! `/deployments` and `/deployments/{deployment_id}`: list, get, delete.

use windlass_core::db::{Db, KeptDb};
use windlass_core::list::ListQuery;
use windlass_core::{Context, Error, Permission, Request, Response, Result, Scope};
use windlass_deployment::environment::{self, Removal};
use windlass_store::deployments::{self, DEPLOYMENT, DEPLOYMENT_LIST, DEPLOYMENT_SHALLOW};

/// Parameters of lists of deployments that are no fields of theirs.
pub const OWN: [&str; 1] = ["deployment_group_id"];

/// `GET /deployments`: the deployments the caller can see; with `?id=` a single one, as a list.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentList)?;
    let mut query = ctx.list_query(DEPLOYMENT_LIST, &OWN)?;
    select(&mut query, &scope, &ctx.request)?;
    ctx.page(&DEPLOYMENT, &scope, &query).await
}

/// Adds what a request says about deployments beside their fields.
///
/// # Errors
/// 404 for filters and groups, of which there are none yet.
pub fn select(query: &mut ListQuery, scope: &Scope, request: &Request) -> Result<()> {
    if let Some(id) = request.query_value("_dependencies_of") {
        deployments::only_dependencies_of(query, scope.tenant(), id);
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
