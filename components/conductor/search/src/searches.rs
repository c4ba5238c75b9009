//! `/searches/secrets`, `/nodes`, `/node-types` and `/node-instances`: lists that a body selects from.

use crate::in_blueprint;
use windlass_core::db::KeptDb;
use windlass_core::list::{ListQuery, Resource, Search};
use windlass_core::{Body, Context, Permission, Response, Result, Scope};
use windlass_store::node_instances::NODE_INSTANCE;
use windlass_store::nodes::NODE;
use windlass_store::searches::{self, Searched, SearchedIn, Wanted};
use windlass_store::secrets::SECRETS;

/// Parameters that say whose parts are meant, and that are no filters here.
const OWNERS: [&str; 2] = ["deployment_id", "blueprint_id"];

/// Nodes whose types are searched for.
static NODE_TYPE: Resource = Resource {
    search: Some(Search::scan("t.type")),
    ..NODE
};

/// `POST /searches/secrets`: secrets as they are listed.
pub async fn secrets(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::SecretList)?;
    let body = Body::of(ctx)?;
    let wanted = read(ctx, &scope, Searched::Secrets, &body).await?;
    let query = ctx.list_query(&SECRETS, &[])?;
    respond(
        ctx,
        &SECRETS,
        &scope,
        query,
        ListQuery::everything(),
        &wanted,
    )
    .await
}

/// `POST /searches/nodes`: nodes of a deployment, or of a blueprint's plan.
pub async fn nodes(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::NodeList)?;
    of_nodes(ctx, &NODE, Searched::Nodes, &scope).await
}

/// `POST /searches/node-types`: the same nodes, selected by their types.
pub async fn node_types(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::NodeList)?;
    of_nodes(ctx, &NODE_TYPE, Searched::NodeTypes, &scope).await
}

async fn of_nodes(
    ctx: &Context<impl KeptDb>,
    resource: &'static Resource,
    searched: Searched,
    scope: &Scope,
) -> Result<Response> {
    let body = Body::of(ctx)?;
    let wanted = read(ctx, scope, searched, &body).await?;
    let query = ctx.list_query(resource, &OWNERS)?;
    match wanted.owner(&ctx.request)? {
        Some(SearchedIn::Blueprint(id)) => {
            in_blueprint::nodes(ctx, scope, &id, &query, searched, &wanted).await
        }
        Some(SearchedIn::Deployment(id)) => {
            of_deployment(ctx, resource, scope, &id, query, &wanted).await
        }
        None => {
            respond(
                ctx,
                resource,
                scope,
                query,
                ListQuery::everything(),
                &wanted,
            )
            .await
        }
    }
}

/// `POST /searches/node-instances`: node instances, of a deployment where constraints select them.
pub async fn node_instances(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::NodeList)?;
    let body = Body::of(ctx)?;
    let wanted = read(ctx, &scope, Searched::NodeInstances, &body).await?;
    let query = ctx.list_query(&NODE_INSTANCE, &OWNERS)?;
    match wanted.owner(&ctx.request)? {
        Some(SearchedIn::Deployment(id)) => {
            of_deployment(ctx, &NODE_INSTANCE, &scope, &id, query, &wanted).await
        }
        // A plan has no instances yet.
        Some(SearchedIn::Blueprint(_)) => {
            let mut none = query;
            none.and("0", []);
            let all = none.clone();
            respond(ctx, &NODE_INSTANCE, &scope, none, all, &wanted).await
        }
        None => {
            let all = ListQuery::everything();
            respond(ctx, &NODE_INSTANCE, &scope, query, all, &wanted).await
        }
    }
}

async fn read(
    ctx: &Context<impl KeptDb>,
    scope: &Scope,
    searched: Searched,
    body: &Body,
) -> Result<Wanted> {
    Wanted::read(&ctx.db, scope, searched, &ctx.request, body).await
}

async fn of_deployment(
    ctx: &Context<impl KeptDb>,
    resource: &'static Resource,
    scope: &Scope,
    id: &str,
    mut query: ListQuery,
    wanted: &Wanted,
) -> Result<Response> {
    let deployment = searches::deployment(&ctx.db, scope, id).await?;
    let mut all = ListQuery::everything();
    searches::only_of(&mut all, &deployment);
    searches::only_of(&mut query, &deployment);
    respond(ctx, resource, scope, query, all, wanted).await
}

/// The page of what is wanted; `all` is what there is to select from.
async fn respond(
    ctx: &Context<impl KeptDb>,
    resource: &'static Resource,
    scope: &Scope,
    mut query: ListQuery,
    all: ListQuery,
    wanted: &Wanted,
) -> Result<Response> {
    if wanted.is_everything() {
        return ctx.page(resource, scope, &query).await;
    }
    wanted.apply(&ctx.db, &mut query).await?;
    let page = resource.open_page_of(&ctx.db, scope, &query, &all);
    Ok(page.await?.respond(&query))
}
