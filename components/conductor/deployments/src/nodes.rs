//! `/nodes`: the parts of deployments.

use crate::evaluate::{Place, evaluate_items};
use serde_json::{Map, Value};
use windlass_core::Body;
use windlass_core::db::{Db, KeptDb};
use windlass_core::list::{Field, ListQuery};
use windlass_core::{Context, Error, Permission, Response, Result, Scope, ids};
use windlass_deployment::environment::{self, new_node};
use windlass_store::deployments;
use windlass_store::nodes::{self, CHANGEABLE, NODE, NewNode};

/// `GET /nodes`, optionally with the functions in their properties evaluated.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::NodeList)?;
    let query = ctx.list_query(&NODE, &["evaluate_functions"])?;
    ctx.request.query_bool("_instance_counts")?;
    let flag = |name| ctx.request.query_bool(name);
    if flag("_evaluate_functions")?
        .or(flag("evaluate_functions")?)
        .unwrap_or(false)
    {
        return evaluated(ctx, &scope, query).await;
    }
    ctx.page(&NODE, &scope, &query).await
}

async fn evaluated(
    ctx: &Context<impl Db>,
    scope: &Scope,
    mut query: ListQuery,
) -> Result<Response> {
    let shown = query.include.clone();
    let fields = shown
        .clone()
        .unwrap_or_else(|| NODE.fields.iter().collect());
    query.include = Some(with_needed(fields));
    let mut answer = NODE.page(&ctx.db, scope, &query).await?;
    let place = Place {
        column: "properties",
        // `SELF` is the instance that was asked for, else the node's first.
        instance: ctx.request.query_value("_instance_context"),
    };
    answer.items = evaluate_items(&ctx.db, scope, &answer, shown.as_deref(), place).await?;
    Ok(answer.respond(&query))
}

/// The fields with those that evaluation asks for.
fn with_needed(mut fields: Vec<&'static Field>) -> Vec<&'static Field> {
    if fields.iter().all(|field| field.name != "id") {
        fields.extend(NODE.field("id"));
    }
    fields.push(&nodes::DEPLOYMENT_KEY);
    fields
}

/// `POST /nodes`: nodes that a workflow adds to a deployment.
pub async fn create_many(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow(Permission::NodeList)?;
    // The API asks for no more than the permission to read; what writes needs one that says so.
    let scope = ctx.allow(Permission::NodeUpdate)?;
    let body = Body::of(ctx)?;
    let id = body.required_text("deployment_id")?;
    let given = body
        .objects("nodes")?
        .ok_or_else(|| Error::missing("nodes"))?;
    let nodes: Vec<NewNode> = given.iter().map(checked).collect::<Result<_>>()?;
    ctx.db
        .transaction(async |tx| {
            let deployment = deployments::find_own(tx, &scope, id).await?;
            nodes::add(tx, &scope, &deployment, &nodes).await
        })
        .await?;
    Ok(match nodes.is_empty() {
        true => Response::empty(204),
        false => Response::json_text(201, "null"),
    })
}

/// A node of a request, with parts of the types they must have.
fn checked(node: &Map<String, Value>) -> Result<NewNode> {
    for (name, expected, fits) in [
        ("type", "str", Value::is_string as fn(&Value) -> bool),
        ("host_id", "str", Value::is_string),
        ("properties", "dict", Value::is_object),
        ("operations", "dict", Value::is_object),
        ("type_hierarchy", "list", Value::is_array),
        ("relationships", "list", Value::is_array),
        ("plugins", "list", Value::is_array),
        ("plugins_to_install", "list", Value::is_array),
    ] {
        match node.get(name).filter(|value| !value.is_null()) {
            Some(value) if !fits(value) => return Err(Error::wrong_type(name, expected, value)),
            _ => {}
        }
    }
    let node = new_node(node);
    if node.id.is_empty() {
        return Err(Error::missing("id"));
    }
    ids::check_name("id", &node.id)?;
    if let Some(host) = &node.host_id {
        ids::check_name("host_id", host)?;
    }
    Ok(node)
}

/// `PATCH /nodes/{deployment_id}/{node_id}`: only updates of a deployment change its nodes.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::NodeUpdate)?;
    environment::demand_update_execution(&ctx.db, &scope).await?;
    let body = Body::of(ctx)?;
    let mut parts = Map::new();
    for name in CHANGEABLE {
        if let Some(value) = body.get(name) {
            parts.insert(name.to_owned(), value.clone());
        }
    }
    body.object("capabilities")?;
    let counts = body.get("capabilities").and_then(environment::counts_of);
    let (deployment, id) = (ctx.path("deployment_id"), ctx.path("node_id"));
    ctx.db
        .transaction(async |tx| {
            let node = nodes::find(tx, &scope, deployment, id).await?;
            scope.demand_own_tenant(id, &node.tenant_name)?;
            if let Some(counts) = counts {
                nodes::set_counts(tx, &node, counts).await?;
            }
            nodes::save(tx, &scope, &node, &parts).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// `DELETE /nodes/{deployment_id}/{node_id}`: only updates of a deployment do.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::NodeDelete)?;
    environment::demand_update_execution(&ctx.db, &scope).await?;
    let (deployment, id) = (ctx.path("deployment_id"), ctx.path("node_id"));
    ctx.db
        .transaction(async |tx| {
            let node = nodes::find(tx, &scope, deployment, id).await?;
            scope.demand_own_tenant(id, &node.tenant_name)?;
            nodes::delete(tx, &scope, &node).await
        })
        .await?;
    Ok(Response::empty(204))
}
