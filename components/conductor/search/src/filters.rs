//! `/filters/blueprints` and `/filters/deployments`: rules under a name. The two are alike.

use windlass_core::db::{Db, KeptDb};
use windlass_core::{Body, Context, Error, Permission, Response, Result, Visibility, ids};
use windlass_store::filters::{self, Filter, Rule, rules};
use windlass_store::resource::{self, New};

/// `GET /filters/...`: the tenant's filters and global ones.
pub async fn list<T: Filter>(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::FilterList)?;
    ctx.list(T::RESOURCE, &scope).await
}

/// `GET /filters/.../{filter_id}`: one of them.
pub async fn get<T: Filter>(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::FilterGet)?;
    let id = ctx.path("filter_id");
    ids::check("filter_id", id)?;
    ctx.show(T::RESOURCE, &scope, id, 200).await
}

/// The rules in a body, if there are any.
fn rules<T: Filter>(body: &Body) -> Result<Option<Vec<Rule>>> {
    let given = body.list("filter_rules")?;
    given
        .map(|rules| rules::parse(T::TARGET, rules))
        .transpose()
}

/// `PUT /filters/.../{filter_id}`: a new filter.
pub async fn create<T: Filter>(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::FilterCreate)?;
    let id = ctx.path("filter_id");
    ids::check("filter_id", id)?;
    filters::demand_own_name(id)?;
    let body = Body::of(ctx)?;
    let rules = rules::<T>(&body)?.ok_or_else(|| Error::missing("filter_rules"))?;
    let new = New::read(&ctx.db, &scope, ("filter_id", id), &body).await?;
    ctx.include(T::RESOURCE)?;
    ctx.db
        .transaction(async |tx| filters::insert::<T>(tx, &scope, &new, &rules).await)
        .await?;
    ctx.show(T::RESOURCE, &scope, id, 200).await
}

/// `PATCH /filters/.../{filter_id}`: other rules of a type, more people who see it.
pub async fn update<T: Filter>(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::FilterUpdate)?;
    let id = ctx.path("filter_id");
    let body = Body::of(ctx)?;
    if ctx.json_object()?.is_empty() {
        return Err(Error::illegal_action(
            "Update a filter request must include at least one parameter to update",
        ));
    }
    let visibility = Visibility::of_update(&body)?;
    let rules = rules::<T>(&body)?.unwrap_or_default();
    ctx.include(T::RESOURCE)?;
    ctx.db
        .transaction(async |tx| {
            let filter: T = resource::find_own(tx, &scope, id).await?;
            filters::save(tx, &scope, &filter, visibility, &rules).await
        })
        .await?;
    ctx.show(T::RESOURCE, &scope, id, 200).await
}

/// `DELETE /filters/.../{filter_id}`.
pub async fn delete<T: Filter>(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::FilterDelete)?;
    let id = ctx.path("filter_id");
    ctx.db
        .transaction(async |tx| {
            let filter: T = resource::find_own(tx, &scope, id).await?;
            filters::delete(tx, &scope, &filter).await
        })
        .await?;
    Ok(Response::empty(204))
}
