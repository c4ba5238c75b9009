//! `PUT /deployments/{deployment_id}`: a deployment from a blueprint and inputs.

use crate::body_fields;
use crate::deployments::show;
use windlass_core::Body;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Permission, Response, Result, Scope, Visibility, ids};
use windlass_deployment::environment::{self, Outcome, Prepared, Wanted};
use windlass_store::blueprints::{self, Blueprint};
use windlass_store::deployments::DEPLOYMENT;
use windlass_store::labels;
use windlass_store::resource::{self, Origin};
use windlass_store::sites::Site;

/// `PUT /deployments/{deployment_id}`. The environment is made before the answer leaves, also with
/// `async_create`; the flag only says whether a failure is the answer or left to be seen later.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::DeploymentCreate)?;
    let wanted = wanted(ctx, &scope).await?;
    let id = wanted.id.clone();
    let wait = !ctx.request.query_bool("async_create")?.unwrap_or(false);
    ctx.include(&DEPLOYMENT)?;

    let prepared = Prepared::new(&ctx.db, &scope, wanted).await?;
    let outcome = ctx
        .db
        .transaction(async |tx| environment::create(tx, &scope, &prepared).await)
        .await?;
    match outcome {
        Outcome::Failed(_, reason) if wait => Err(Error::new(
            Kind::DeploymentCreation,
            reason.lines().last().unwrap_or_default().to_owned(),
        )),
        Outcome::Failed(..) | Outcome::Created(_) => show(ctx, &scope, &id, 201).await,
    }
}

/// Reads and checks a request, in the order of the API.
async fn wanted(ctx: &Context<impl Db>, scope: &Scope) -> Result<Wanted> {
    let id = ctx.path("deployment_id");
    ids::check_characters("deployment_id", id)?;
    let body = Body::of(ctx)?;
    let blueprint_id = body.required_text("blueprint_id")?;
    let inputs = body.object("inputs")?.cloned().unwrap_or_default();
    body.text("site_name")?;
    let display_name = body_fields::display_name(&body)?;
    let skip_plugins_validation = body.boolean("skip_plugins_validation")?.unwrap_or(false);
    let runtime_only_evaluation = body.boolean("runtime_only_evaluation")?.unwrap_or(false);
    environment::forbid_while_cancelling(&ctx.db, scope).await?;
    let (created_by, created_at) = Origin::read(&ctx.db, scope, &body).await?.given();
    ctx.request.query_bool("async_create")?;
    let private_resource = ctx
        .request
        .query_bool("private_resource")?
        .or(body.boolean("private_resource")?);
    let visibility = Visibility::for_creation(body.text("visibility")?, private_resource)?;
    let blueprint = blueprints::find(&ctx.db, scope, blueprint_id).await?;
    demand_uploaded(&blueprint)?;
    let site_name = body.id("site_name")?;
    if let Some(name) = site_name {
        resource::find::<Site>(&ctx.db, scope, name).await?;
    }
    let labels = body
        .get("labels")
        .map_or_else(|| Ok(Vec::new()), labels::parse)?;
    Ok(Wanted {
        id: id.to_owned(),
        blueprint,
        inputs,
        labels,
        visibility,
        display_name,
        site_name: site_name.map(str::to_owned),
        skip_plugins_validation,
        runtime_only_evaluation,
        created_by,
        created_at,
    })
}

fn demand_uploaded(blueprint: &Blueprint) -> Result<()> {
    if blueprint.state.is_usable() {
        return Ok(());
    }
    Err(Error::new(
        Kind::DeploymentCreation,
        format!(
            "Unable to create a deployment based on a blueprint which is not `uploaded` but: `{}`",
            blueprint.state.name()
        ),
    ))
}
