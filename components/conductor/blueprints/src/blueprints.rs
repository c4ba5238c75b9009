//! `/blueprints` and `/blueprints/{blueprint_id}`: list, get, update, delete.

use crate::body_fields;
use crate::plans::{is_said_by, with_plans};
use serde_json::{Map, Value};
use windlass_blueprint::Plan;
use windlass_core::db::{Db, KeptDb};
use windlass_core::list::ListQuery;
use windlass_core::{Body, Context, Error, Kind, Permission, Response, Result, Scope, Visibility};
use windlass_store::blueprints::{
    self, BLUEPRINTS, Blueprint, Changes, NOT_HIDDEN, PIECE, PlanTexts, State,
};
use windlass_store::filters::{self, Target, selection};
use windlass_store::labels;
use windlass_store::resource::Origin;
use windlass_store::searches::{Searched, Wanted};

/// What an update may name.
const UPDATABLE: [&str; 12] = [
    "plan",
    "requirements",
    "description",
    "main_file_name",
    "visibility",
    "state",
    "error",
    "error_traceback",
    "creator",
    "created_at",
    "upload_execution",
    "labels",
];

/// `GET /blueprints`: the tenant's blueprints and global ones. `?id=` is how old clients get one.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::BlueprintList)?;
    let mut query = ctx.list_query(&BLUEPRINTS, &[])?;
    query.and(NOT_HIDDEN, []);
    let target = Target::Blueprints;
    let rules = filters::of_request(&ctx.db, &scope, target, &ctx.request).await?;
    if rules.is_empty() {
        let page = ctx.page(&BLUEPRINTS, &scope, &query).await?;
        return Ok(with_plans(&ctx.db, page));
    }
    selection::apply(&ctx.db, target, &rules, &mut query).await?;
    selected(ctx, &scope, &query).await
}

/// `POST /searches/blueprints`: the same list, selected by rules or constraints.
pub async fn search(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::BlueprintList)?;
    let body = Body::of(ctx)?;
    let searched = Searched::Blueprints;
    let wanted = Wanted::read(&ctx.db, &scope, searched, &ctx.request, &body).await?;
    let mut query = ctx.list_query(&BLUEPRINTS, &[])?;
    query.and(NOT_HIDDEN, []);
    if wanted.is_everything() {
        let page = ctx.page(&BLUEPRINTS, &scope, &query).await?;
        return Ok(with_plans(&ctx.db, page));
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
    let mut all = ListQuery::everything();
    all.and(NOT_HIDDEN, []);
    let page = BLUEPRINTS.open_page_of(&ctx.db, scope, query, &all);
    Ok(with_plans(&ctx.db, page.await?.respond(query)))
}

/// `GET /blueprints/{blueprint_id}`: one blueprint, with its plan.
pub async fn get(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintGet)?;
    show(ctx, &scope, ctx.path("blueprint_id"), 200).await
}

/// `PATCH /blueprints/{blueprint_id}`: replaces the labels; the other keys are for tools that
/// restore blueprints.
pub async fn update(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintUpload)?;
    let id = ctx.path("blueprint_id");
    // Without the limit of one value: a plan is kept in pieces.
    let params = Body::from(ctx.json_object()?);
    if params.is_empty() {
        return Err(Error::illegal_action(
            "Update a blueprint request must include at least one parameter to update",
        ));
    }
    body_fields::demand_known(&params, &UPDATABLE)?;
    let changes = changes(ctx, &scope, &params).await?;
    ctx.include(&BLUEPRINTS)?;
    ctx.db
        .transaction(async |tx| {
            let blueprint = blueprints::find_own(tx, &scope, id).await?;
            demand_applicable(tx, &scope, &blueprint, &changes).await?;
            blueprints::save(tx, &scope, &blueprint, &changes).await
        })
        .await?;
    show(ctx, &scope, id, 200).await
}

/// `DELETE /blueprints/{blueprint_id}`: with its archive, whose bytes stay for an hour, because somebody
/// may be downloading them. `force` takes no heed of importers.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::BlueprintDelete)?;
    let id = ctx.path("blueprint_id");
    let force = ctx.request.query_bool("force")?.unwrap_or(false);
    ctx.db
        .transaction(async |tx| {
            let blueprint = blueprints::find_own(tx, &scope, id).await?;
            demand_unused(tx, &blueprint, force).await?;
            blueprints::delete(tx, &scope, &blueprint).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// One blueprint as an answer of this status.
pub async fn show(
    ctx: &Context<impl KeptDb>,
    scope: &Scope,
    id: &str,
    status: u16,
) -> Result<Response> {
    let response = ctx.show(&BLUEPRINTS, scope, id, status).await?;
    Ok(with_plans(&ctx.db, response))
}

/// The changes that an update asks for, as far as they can be checked without the blueprint.
async fn changes(ctx: &Context<impl Db>, scope: &Scope, params: &Body) -> Result<Changes> {
    let text = |key| params.text(key).map(|text| text.map(str::to_owned));
    let (created_by, created_at) = Origin::read(&ctx.db, scope, params).await?.given();
    let visibility = params.text("visibility")?;
    Ok(Changes {
        plan: params.object("plan")?.map(plan_texts).transpose()?,
        requirements: params.object("requirements")?.cloned().map(Value::from),
        description: text("description")?,
        main_file_name: text("main_file_name")?,
        visibility: visibility
            .map(|text| Visibility::parse(text, &Visibility::ALL))
            .transpose()?,
        state: params.text("state")?.map(State::parse).transpose()?,
        error: text("error")?,
        error_traceback: text("error_traceback")?,
        created_by,
        created_at,
        upload_execution: text("upload_execution")?,
        labels: params.get("labels").map(labels::parse).transpose()?,
    })
}

fn plan_texts(plan: &Map<String, Value>) -> Result<PlanTexts> {
    let value = Value::Object(plan.clone());
    let full = value.to_string();
    let plan = Plan::from_value(value)
        .ok_or_else(|| Error::bad_parameters("plan: it has no list of nodes"))?;
    // A large one is kept as it was given only where it says more than it means.
    let is_needed = full.len() <= PIECE || !is_said_by(&full, &plan);
    Ok(crate::reading::plan_texts(&plan, is_needed.then_some(full)))
}

/// Demands what only the blueprint can tell: a visibility that is no narrower, an execution of
/// the same tenant, a plan before deployments can be made, and labels only then.
async fn demand_applicable(
    db: &impl Db,
    scope: &Scope,
    blueprint: &Blueprint,
    changes: &Changes,
) -> Result<()> {
    if let Some(next) = changes.visibility {
        blueprints::demand_visibility(db, scope, blueprint, next).await?;
    }
    if let Some(id) = &changes.upload_execution {
        blueprints::demand_execution(db, scope, id).await?;
    }
    if changes.state == Some(State::Uploaded)
        && changes.plan.is_none()
        && !blueprints::has_plan(db, blueprint).await?
    {
        return Err(Error::conflict(format!(
            "Blueprint `{}` cannot become uploaded: it has no plan",
            blueprint.id
        )));
    }
    if changes.labels.is_some() {
        demand_uploaded(changes.state.unwrap_or(blueprint.state))?;
    }
    Ok(())
}

fn demand_uploaded(state: State) -> Result<()> {
    if state.is_usable() {
        return Ok(());
    }
    Err(Error::conflict(
        "Blueprint labels can be created or updated only when the blueprint's state is uploaded",
    ))
}

/// Demands that nothing stands in the way of deleting a blueprint.
async fn demand_unused(db: &impl Db, blueprint: &Blueprint, force: bool) -> Result<()> {
    let id = &blueprint.id;
    if !blueprint.state.is_failed() && !force {
        if !blueprint.state.is_usable() {
            return Err(Error::new(
                Kind::InvalidBlueprint,
                format!("Blueprint `{id}` is still parsing."),
            ));
        }
        if blueprints::is_imported(db, blueprint).await? {
            return Err(Error::new(
                Kind::BlueprintInUse,
                format!("Blueprint {id} is currently in use. You can \"force\" blueprint removal."),
            ));
        }
    }
    // Also for a failed one: a tool may have set its state while it had deployments.
    let deployments = blueprints::dependent_deployments(db, blueprint).await?;
    if deployments.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::DependentExists,
        format!(
            "Can't delete blueprint {id} - There exist deployments for this blueprint; \
             Deployments ids: {}",
            deployments.join(",")
        ),
    ))
}
