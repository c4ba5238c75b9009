//! `/deployment-modifications`: other numbers of node instances for a deployment, tried and then kept
//! or taken back.

mod filled;

use std::collections::BTreeMap;
use windlass_core::db::KeptDb;
use windlass_core::{Body, Context, Error, Permission, Response, Result, ids};
use windlass_deployment::modification;
use windlass_store::deployment_modifications::{
    self as modifications, DEPLOYMENT_MODIFICATION, New,
};
use windlass_store::deployments;

use filled::with_instances;

/// `GET /deployment-modifications`: those the caller can see.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentModificationList)?;
    let page = ctx.list(&DEPLOYMENT_MODIFICATION, &scope).await?;
    Ok(with_instances(&ctx.db, page))
}

/// `GET /deployment-modifications/{modification_id}`: one of them.
pub async fn get(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentModificationGet)?;
    let id = ctx.path("modification_id");
    let shown = ctx.show(&DEPLOYMENT_MODIFICATION, &scope, id, 200).await?;
    Ok(with_instances(&ctx.db, shown))
}

/// `POST /deployment-modifications`: begins one. What is new is there at once, and what goes stays
/// until it is finished.
pub async fn start(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentModify)?;
    let body = Body::of(ctx)?;
    let deployment = body.required_text("deployment_id")?;
    let modified = modified(&body)?;
    let context = body.object("context")?.cloned().unwrap_or_default();
    ctx.include(&DEPLOYMENT_MODIFICATION)?;
    let begun = ctx
        .db
        .transaction(async |tx| {
            let owner = deployments::find_own(tx, &scope, deployment).await?.owner;
            modification::start(tx, &scope, &owner, &modified, &context).await
        })
        .await?;
    let id = &begun.modification.id;
    let shown = ctx.show(&DEPLOYMENT_MODIFICATION, &scope, id, 201).await?;
    Ok(with_instances(&ctx.db, shown))
}

/// `POST /deployment-modifications/{modification_id}/finish`: what was to go goes.
pub async fn finish(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentModificationFinish)?;
    let id = ctx.path("modification_id");
    ctx.include(&DEPLOYMENT_MODIFICATION)?;
    ctx.db
        .transaction(async |tx| {
            let found = modifications::find_own(tx, &scope, id).await?;
            modification::finish(tx, &scope, &found).await
        })
        .await?;
    let shown = ctx.show(&DEPLOYMENT_MODIFICATION, &scope, id, 200).await?;
    Ok(with_instances(&ctx.db, shown))
}

/// `POST /deployment-modifications/{modification_id}/rollback`: everything is as it was before.
pub async fn rollback(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentModificationRollback)?;
    let id = ctx.path("modification_id");
    ctx.include(&DEPLOYMENT_MODIFICATION)?;
    ctx.db
        .transaction(async |tx| {
            let found = modifications::find_own(tx, &scope, id).await?;
            modification::roll_back(tx, &scope, &found).await
        })
        .await?;
    let shown = ctx.show(&DEPLOYMENT_MODIFICATION, &scope, id, 200).await?;
    Ok(with_instances(&ctx.db, shown))
}

/// The numbers that a request wants, by node or scaling group.
fn modified(body: &Body) -> Result<BTreeMap<String, New>> {
    let nodes = body.object("nodes")?.cloned().unwrap_or_default();
    let read = nodes.into_iter().map(|(name, wanted)| {
        let read = serde_json::from_value::<New>(wanted);
        let read = read.map_err(|_| {
            Error::bad_parameters(format!(
                "nodes: `{name}` must have `instances`, a number of at least 0, and may have \
                 `removed_ids_include_hint` and `removed_ids_exclude_hint`, lists of texts"
            ))
        })?;
        ids::check_name("nodes", &name)?;
        Ok((name, read))
    });
    read.collect()
}
