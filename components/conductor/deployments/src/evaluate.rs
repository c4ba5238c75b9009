//! `/evaluate/functions`: what functions mean in a deployment.

use serde_json::{Map, Value, json};
use std::collections::HashMap;
use windlass_blueprint::functions::{self, Lookup as _, has_functions};
use windlass_core::Body;
use windlass_core::db::Db;
use windlass_core::list::{Field, Page};
use windlass_core::{Context, Error, Kind, Permission, Response, Result, Scope};
use windlass_deployment::environment::{self, World};
use windlass_store::deployments;

/// `POST /evaluate/functions`: the payload with every function in it replaced by its value.
pub async fn evaluate_functions(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::FunctionsEvaluate)?;
    let body = Body::of(ctx)?;
    let id = body.required_text("deployment_id")?;
    let nothing = Map::new();
    let context = environment::context(body.object("context")?.unwrap_or(&nothing))?;
    let payload = body
        .object("payload")?
        .ok_or_else(|| Error::missing("payload"))?;
    let payload = Value::Object(payload.clone());

    let deployment = deployments::find(&ctx.db, &scope, id).await?;
    let world = World::load_for(&ctx.db, &scope, deployment, &[&payload], &context).await?;
    let values = world
        .here()
        .evaluate(&payload, &context)
        .map_err(|problem| environment::refused(problem, Kind::FunctionsEvaluation))?;
    ctx.ok(json!({ "deployment_id": id, "payload": values }))
}

/// Where the functions of listed items are, and whose `SELF` is meant.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The field that is evaluated.
    pub column: &'static str,
    /// The instance that `SELF` means; a node's first, or the instance itself, when absent.
    pub instance: Option<&'a str>,
}

/// Evaluates one field of the nodes or node instances of a page, and answers them as JSON with the
/// fields in `shown`. Items carry `_deployment_key` and `id` besides what is shown.
///
/// # Errors
/// 400 `functions_evaluation_error`.
pub async fn evaluate_items(
    db: &impl Db,
    scope: &Scope,
    page: &Page,
    shown: Option<&[&'static Field]>,
    place: Place<'_>,
) -> Result<String> {
    let mut items: Vec<Map<String, Value>> = page.parse()?;
    let worlds = worlds(db, scope, &items, place.column).await?;
    for item in &mut items {
        let key = item
            .shift_remove("_deployment_key")
            .and_then(|key| key.as_i64());
        let value = item.get(place.column).filter(|value| has_functions(value));
        if let (Some(value), Some(world)) = (value, key.and_then(|key| worlds.get(&key))) {
            let value = evaluate_one(world, item, value, place)?;
            item.insert(place.column.to_owned(), value);
        }
        if let Some(shown) = shown {
            item.retain(|name, _| shown.iter().any(|field| field.name == name));
        }
    }
    serde_json::to_string(&items).map_err(Error::internal)
}

/// What the functions in a field of these items may ask about, by deployment.
async fn worlds(
    db: &impl Db,
    scope: &Scope,
    items: &[Map<String, Value>],
    column: &str,
) -> Result<HashMap<i64, World>> {
    let mut asked: HashMap<i64, Vec<&Value>> = HashMap::new();
    for item in items {
        let key = item.get("_deployment_key").and_then(Value::as_i64);
        if let (Some(value), Some(key)) = (item.get(column), key)
            && has_functions(value)
        {
            asked.entry(key).or_default().push(value);
        }
    }
    let mut worlds = HashMap::new();
    // The caller sees the items, and so their deployments.
    let engine = Scope::engine();
    for (key, values) in asked {
        let deployment = deployments::find_by_key(db, &engine, key).await?;
        // Gone since the page was read: its items are shown as they are.
        if let Some(deployment) = deployment {
            worlds.insert(key, World::load(db, scope, deployment, &values).await?);
        }
    }
    Ok(worlds)
}

fn evaluate_one(
    world: &World,
    item: &Map<String, Value>,
    value: &Value,
    place: Place<'_>,
) -> Result<Value> {
    let here = world.here();
    let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
    let own = || here.instance(id).map(|instance| instance.id.clone());
    let context = functions::Context {
        self_instance: place
            .instance
            .map(str::to_owned)
            .or_else(own)
            .or_else(|| here.first_instance(id)),
        ..functions::Context::default()
    };
    here.evaluate(value, &context)
        .map_err(|problem| environment::refused(problem, Kind::FunctionsEvaluation))
}
