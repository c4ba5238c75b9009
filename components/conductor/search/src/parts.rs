//! `/searches/capabilities` and `/scaling-groups`: what a deployment or a blueprint offers by name.

use crate::in_blueprint::{self, page_of};
use serde_json::{Map, Value, json};
use windlass_core::db::Db;
use windlass_core::list::{Field, Listing, Page, Resource};
use windlass_core::{Body, Context, Error, Kind, Permission, Response, Result, python};
use windlass_deployment::environment::{self, World};
use windlass_store::searches::{self, Searched, SearchedIn, Wanted};

/// What is no column of a table: only paging and names are read.
static NOTHING: Resource = Resource {
    name: "",
    table: "",
    fields: &[
        Field::named("deployment_id"),
        Field::named("name"),
        Field::named("members"),
        Field::named("properties"),
        Field::named("capabilities"),
    ],
    search: None,
    of_tenant: true,
    counts: &[],
};

const OWN: [&str; 2] = ["deployment_id", "blueprint_id"];

/// `POST /searches/capabilities`: the capabilities of a deployment, evaluated. `_search` is a whole value.
pub async fn capabilities(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentCapabilities)?;
    let body = Body::of(ctx)?;
    let request = &ctx.request;
    let wanted = Wanted::read(&ctx.db, &scope, Searched::Capabilities, request, &body).await?;
    let query = Listing::of(&NOTHING).parse(request, &OWN)?;
    let Some(SearchedIn::Deployment(id)) = wanted.owner(request)? else {
        return Err(Error::bad_parameters(
            "Please provide a valid 'deployment_id' parameter or have a relevant key in the constraints.",
        ));
    };
    let deployment = searches::deployment(&ctx.db, &scope, &id).await?;
    let definitions = deployment.capabilities.clone();
    let world = World::load(&ctx.db, &scope, deployment, &[&definitions]).await?;
    let kind = Kind::DeploymentCapabilitiesEvaluation;
    let values = world
        .outputs(&definitions)
        .map_err(|problem| environment::refused(problem, kind))?;
    let search = request
        .query_value("_search")
        .filter(|text| !text.is_empty());
    let is_wanted = |name: &str, value: &Value| {
        let is_valid = |valid: &Vec<Value>| valid.iter().any(|one| python::equal(one, value));
        wanted.names.allows(name)
            && wanted.valid_values.as_ref().is_none_or(is_valid)
            && search.is_none_or(|text| python::str(value) == text)
    };
    let mut shown = Vec::new();
    for (name, value) in values
        .into_iter()
        .filter(|(name, value)| is_wanted(name, value))
    {
        let mut one = Map::from_iter([("value".to_owned(), value)]);
        let definition = definitions.get(&name);
        let description = definition.and_then(|definition| definition.get("description"));
        if let Some(text) = description.filter(|text| text.is_string()) {
            one.insert("description".to_owned(), text.clone());
        }
        shown.push(json!({ (name.as_str()): one }));
    }
    let is_all = wanted.is_everything() && search.is_none();
    let items = match shown.is_empty() && !is_all {
        true => Vec::new(),
        false => vec![json!({ "deployment_id": id, "capabilities": shown })],
    };
    let total = items.len();
    let items: Vec<Value> = page_of(&items, &query).cloned().collect();
    Ok(Page::of(items, total).respond(&query))
}

/// `POST /searches/scaling-groups`: the scaling groups of a deployment, or of a blueprint's plan. `_search`
/// is a whole name.
pub async fn scaling_groups(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentGet)?;
    let body = Body::of(ctx)?;
    let request = &ctx.request;
    let wanted = Wanted::read(&ctx.db, &scope, Searched::ScalingGroups, request, &body).await?;
    let query = Listing::of(&NOTHING).parse(request, &OWN)?;
    let (owner, groups) = match wanted.owner(request)? {
        Some(SearchedIn::Blueprint(id)) => {
            let plan = in_blueprint::plan(&ctx.db, &scope, &id).await?;
            (None, plan.section("scaling_groups").clone())
        }
        Some(SearchedIn::Deployment(id)) => {
            let deployment = searches::deployment(&ctx.db, &scope, &id).await?;
            let groups = searches::scaling_groups(&ctx.db, &deployment).await?;
            (Some(id), groups)
        }
        None => (None, Value::Null),
    };
    let nothing = Map::new();
    let groups = groups.as_object().unwrap_or(&nothing);
    let search = request
        .query_value("_search")
        .filter(|text| !text.is_empty());
    let is_wanted = |name: &str| {
        let is_valid = |valid: &Vec<Value>| valid.iter().any(|one| one == name);
        wanted.names.allows(name)
            && wanted.valid_values.as_ref().is_none_or(is_valid)
            && search.is_none_or(|text| text == name)
    };
    let found: Vec<Value> = (groups.iter().filter(|(name, _)| is_wanted(name)))
        .map(|(name, group)| {
            json!({ "deployment_id": owner, "name": name, "members": group["members"],
                "properties": group["properties"] })
        })
        .collect();
    let filtered = (!wanted.is_everything()).then(|| groups.len() - found.len());
    let items: Vec<Value> = page_of(&found, &query).cloned().collect();
    let page = Page {
        filtered: filtered.and_then(|count| i64::try_from(count).ok()),
        ..Page::of(items, found.len())
    };
    Ok(page.respond(&query))
}
