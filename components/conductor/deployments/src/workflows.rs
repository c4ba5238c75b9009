//! `/workflows`: what can be run on a selection of deployments.

use crate::deployments::selection;
use serde_json::{Value, json};
use std::collections::HashSet;
use windlass_core::db::Db;
use windlass_core::list::{Field, Resource};
use windlass_core::{Context, Permission, Response, Result};
use windlass_store::deployments;

static FIELDS: [Field; 8] = [
    Field::text("name", ""),
    Field::text("created_at", ""),
    Field::text("plugin", ""),
    Field::text("operation", ""),
    Field::json("parameters", ""),
    Field::boolean("is_cascading", ""),
    Field::boolean("is_available", ""),
    Field::json("availability_rules", ""),
];

/// Workflows have no table; this says which fields an answer may be reduced to.
static WORKFLOW: Resource = Resource {
    name: "Workflow",
    table: "",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
};

/// `GET /workflows`: the workflows of the selected deployments, each name once. Where deployments
/// differ, the first one's version counts. There are no pages.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::DeploymentList)?;
    let include = ctx.include(&WORKFLOW)?;
    let mut request = ctx.request.clone();
    request
        .query
        .retain(|(name, _)| !["_include", "_sort", "_size", "_offset"].contains(&name.as_str()));
    let query = selection(&scope, &request)?;

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
    ctx.ok(json!({
        "items": items,
        "metadata": {
            "pagination": { "total": count, "offset": 0, "size": count },
            "filtered": null,
        },
    }))
}
