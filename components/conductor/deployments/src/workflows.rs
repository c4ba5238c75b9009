//! `/workflows`: what can be run on a selection of deployments.

use crate::deployments::{OWN, select};
use serde_json::{Value, json};
use std::collections::HashSet;
use windlass_core::db::Db;
use windlass_core::list::{Field, Fields, Page, Paging};
use windlass_core::{Context, Permission, Response, Result};
use windlass_store::deployments::{self, DEPLOYMENT_LIST};

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
    let include = ctx.include(WORKFLOW)?;
    let mut query = DEPLOYMENT_LIST.parse_selection(&ctx.request, &OWN)?;
    select(&mut query, &scope, &ctx.request)?;

    let mut names = HashSet::new();
    let mut items = Vec::new();
    for of_one in deployments::workflows_of_each_blueprint(&ctx.db, &scope, &query).await? {
        for mut workflow in of_one.workflows {
            let name = workflow.get("name").and_then(Value::as_str);
            if names.insert(name.unwrap_or_default().to_owned()) {
                workflow.insert("created_at".into(), json!(of_one.created_at));
                items.push(include.of(Value::Object(workflow)));
            }
        }
    }
    let count = items.len();
    let paging = Paging {
        size: u64::try_from(count).unwrap_or(u64::MAX),
        offset: 0,
        all_results: true,
    };
    Ok(Page::of(items, count).respond(paging))
}
