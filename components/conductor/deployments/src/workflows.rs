//! `/workflows`: what can be run on a selection of deployments.

use crate::deployments::{OWN, select};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use windlass_core::db::Db;
use windlass_core::list::{Field, Fields, ListQuery, Page, Paging};
use windlass_core::{Body, Context, Permission, Response, Result, Scope};
use windlass_store::deployments::{self, DEPLOYMENT_LIST};
use windlass_store::filters::{self, Target, selection};
use windlass_store::searches::{Searched, Wanted};

/// What an answer may be reduced to.
static WORKFLOW: Fields = Fields(&[
    Field::named("name"),
    Field::named("created_at"),
    Field::named("plugin"),
    Field::named("operation"),
    Field::named("parameters"),
    Field::named("is_cascading"),
    Field::named("is_available"),
    Field::named("availability_rules"),
]);

/// `GET /workflows`: the workflows of the selected deployments, each name once. Where deployments
/// differ, the first one's version counts. There are no pages.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentList)?;
    let mut query = DEPLOYMENT_LIST.parse_selection(&ctx.request, &OWN)?;
    select(&ctx.db, &mut query, &scope, &ctx.request).await?;
    let rules = filters::of_request(&ctx.db, &scope, Target::Deployments, &ctx.request).await?;
    selection::apply(&ctx.db, Target::Deployments, &rules, &mut query).await?;
    respond(ctx, &scope, &query).await
}

/// `POST /searches/workflows`: the same, of deployments that rules or constraints select.
pub async fn search(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentList)?;
    let body = Body::of(ctx)?;
    let searched = Searched::Deployments;
    let wanted = Wanted::read(&ctx.db, &scope, searched, &ctx.request, &body).await?;
    let mut query = DEPLOYMENT_LIST.parse_selection(&ctx.request, &OWN)?;
    select(&ctx.db, &mut query, &scope, &ctx.request).await?;
    wanted.apply(&ctx.db, &mut query).await?;
    respond(ctx, &scope, &query).await
}

/// The workflows of the deployments of a query; with `_common_only` those that all of them have.
async fn respond(ctx: &Context<impl Db>, scope: &Scope, query: &ListQuery) -> Result<Response> {
    let include = ctx.include(WORKFLOW)?;
    let is_common = ctx.request.query_bool("_common_only")?.unwrap_or(false);
    let all = deployments::workflows_of_each_blueprint(&ctx.db, scope, query).await?;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for workflow in all.iter().flat_map(|of_one| &of_one.workflows) {
        *counts.entry(name_of(workflow).to_owned()).or_default() += 1;
    }
    let (blueprints, mut names, mut items) = (all.len(), HashSet::new(), Vec::new());
    for of_one in all {
        for mut workflow in of_one.workflows {
            let name = name_of(&workflow).to_owned();
            let is_wanted = !is_common || counts.get(&name) == Some(&blueprints);
            if is_wanted && names.insert(name) {
                workflow.insert("created_at".into(), json!(of_one.created_at));
                items.push(include.of(Value::Object(workflow)));
            }
        }
    }
    let count = items.len();
    Ok(Page::of(items, count).respond(Paging::whole(count)))
}

fn name_of(workflow: &Map<String, Value>) -> &str {
    let name = workflow.get("name").and_then(Value::as_str);
    name.unwrap_or_default()
}
