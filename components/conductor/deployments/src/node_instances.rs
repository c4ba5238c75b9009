//! `/node-instances`: what of a deployment's nodes runs, and how it is.

use crate::evaluate::{Place, evaluate_items};
use serde_json::{Map, Value};
use windlass_core::Body;
use windlass_core::db::{Db, KeptDb};
use windlass_core::list::{Field, ListQuery};
use windlass_core::{Context, Error, Permission, Response, Result, Scope, ids, limits};
use windlass_deployment::environment;
use windlass_store::deployments;
use windlass_store::node_instances::{self as instances, NODE_INSTANCE, NewInstance, Record};

/// `GET /node-instances`, optionally with the functions in their runtime properties evaluated.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::NodeInstanceList)?;
    let query = ctx.list_query(&NODE_INSTANCE, &["evaluate_functions"])?;
    let flag = |name| ctx.request.query_bool(name);
    if flag("_evaluate_functions")?
        .or(flag("evaluate_functions")?)
        .unwrap_or(false)
    {
        let (items, total) = evaluated(ctx, &scope, query.clone()).await?;
        let page = windlass_core::list::Page {
            items,
            total,
            filtered: None,
        };
        return Ok(page.respond(&query));
    }
    ctx.page(&NODE_INSTANCE, &scope, &query).await
}

/// `GET /node-instances/{node_instance_id}`.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::NodeInstanceGet)?;
    let id = ctx.path("node_instance_id");
    if !ctx
        .request
        .query_bool("_evaluate_functions")?
        .unwrap_or(false)
    {
        return ctx.show(&NODE_INSTANCE, &scope, id, 200).await;
    }
    let found = instances::find(&ctx.db, &scope, id).await?;
    let mut query = ListQuery::everything();
    query.include = NODE_INSTANCE.parse_include(ctx.request.query_value("_include"))?;
    query.and("t.key = {}", [found.key.into()]);
    let (items, _) = evaluated(ctx, &scope, query).await?;
    match items
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(item) if !item.is_empty() => Ok(Response::json_text(200, item)),
        _ => Err(Error::not_found(NODE_INSTANCE.name, id)),
    }
}

/// Items of a query as JSON, evaluated, and how many there are.
async fn evaluated(
    ctx: &Context<impl Db>,
    scope: &Scope,
    mut query: ListQuery,
) -> Result<(String, Option<i64>)> {
    let shown = query.include.clone();
    let mut fields: Vec<&'static Field> = shown
        .clone()
        .unwrap_or_else(|| NODE_INSTANCE.fields.iter().collect());
    if fields.iter().all(|field| field.name != "id") {
        fields.extend(NODE_INSTANCE.field("id"));
    }
    fields.push(&instances::DEPLOYMENT_KEY);
    query.include = Some(fields);
    let page = NODE_INSTANCE.page(&ctx.db, scope, &query).await?;
    let place = Place {
        column: "runtime_properties",
        instance: None,
    };
    let items = evaluate_items(&ctx.db, scope, &page, shown.as_deref(), place).await?;
    Ok((items, page.total))
}

/// What a request wants to be different.
struct Change {
    version: i64,
    state: Option<String>,
    runtime_properties: Option<Value>,
    system_properties: Option<Value>,
    relationships: Option<Value>,
}

impl Change {
    fn of(body: &Body) -> Result<Self> {
        let version = match body.get("version") {
            None => return Err(Error::missing("version")),
            Some(value) => value
                .as_i64()
                .filter(|version| *version >= 0)
                .ok_or_else(|| {
                    Error::bad_parameters("version parameter must be an integer of 0 or more")
                })?,
        };
        body.object("runtime_properties")?;
        body.object("system_properties")?;
        body.objects("relationships")?;
        if let Some(relationships) = body.get("relationships") {
            limits::check_bytes("relationships", relationships)?;
        }
        Ok(Self {
            version,
            state: body.text("state")?.map(str::to_owned),
            runtime_properties: body.get("runtime_properties").cloned(),
            system_properties: body.get("system_properties").cloned(),
            relationships: body.get("relationships").cloned(),
        })
    }

    /// Changes the record; answers whether anything became different.
    fn apply(self, record: &mut Record) -> bool {
        let before = record.clone();
        if let Some(state) = self.state {
            record.state = state;
        }
        for (given, place) in [
            (self.runtime_properties, &mut record.runtime_properties),
            (self.system_properties, &mut record.system_properties),
            (self.relationships, &mut record.relationships),
        ] {
            if let Some(value) = given {
                *place = value;
            }
        }
        *record != before
    }
}

/// `PATCH /node-instances/{node_instance_id}`: refused when it was made on an older version.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::NodeInstanceUpdate)?;
    let id = ctx.path("node_instance_id");
    let body = Body::of(ctx)?;
    let change = Change::of(&body)?;
    let force = ctx.request.query_bool("force")?.unwrap_or(false);
    ctx.include(&NODE_INSTANCE)?;
    ctx.db
        .transaction(async |db| {
            let mut record = instances::find(db, &scope, id).await?;
            scope.demand_own_tenant(id, &record.tenant_name)?;
            demand_current(&record, change.version, force)?;
            let moved = change.relationships.as_ref();
            if moved.is_some_and(|moved| *moved != record.relationships) {
                environment::demand_update_execution(db, &scope).await?;
            }
            if !change.apply(&mut record) {
                return Ok(());
            }
            instances::save(db, &scope, &record).await
        })
        .await?;
    ctx.show(&NODE_INSTANCE, &scope, id, 200).await
}

/// A version above the stored one passes, as it always did.
fn demand_current(record: &Record, version: i64, force: bool) -> Result<()> {
    if force || record.version <= version {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "Node instance update conflict [current version={}, update version={version}]",
        record.version
    )))
}

/// `POST /node-instances`: instances that a workflow adds to a deployment.
pub async fn create_many(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow(Permission::NodeList)?;
    // The API asks for no more than the permission to read; what writes needs one that says so.
    let scope = ctx.allow(Permission::NodeInstanceUpdate)?;
    let body = Body::of(ctx)?;
    let id = body.required_text("deployment_id")?;
    let given = body
        .objects("node_instances")?
        .ok_or_else(|| Error::missing("node_instances"))?;
    let new: Vec<NewInstance> = given.into_iter().map(checked).collect::<Result<_>>()?;
    if new.is_empty() {
        return Ok(Response::empty(204));
    }
    ctx.db
        .transaction(async |db| {
            let deployment = deployments::find(db, &scope, id).await?;
            scope.demand_own_tenant(id, &deployment.tenant_name)?;
            instances::add_many(db, &scope, &deployment, new).await
        })
        .await?;
    Ok(Response::json_text(201, "null"))
}

/// An instance of a request. What is wrong with one is told without its values.
fn checked(given: Map<String, Value>) -> Result<NewInstance> {
    let read = serde_json::from_value(Value::Object(given));
    let instance: NewInstance = read.map_err(|error| {
        let text = error.to_string();
        let why = match text.split_once(", expected ") {
            Some((_, expected)) => format!("a value is no {expected}"),
            None => text,
        };
        Error::bad_parameters(format!("node_instances: {why}"))
    })?;
    ids::check_name("id", &instance.id)?;
    ids::check_name("node_id", &instance.node_id)?;
    if let Some(host) = &instance.host_id {
        ids::check_name("host_id", host)?;
    }
    Ok(instance)
}

/// `DELETE /node-instances/{node_instance_id}`: only updates of a deployment do.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::NodeInstanceDelete)?;
    environment::demand_update_execution(&ctx.db, &scope).await?;
    let id = ctx.path("node_instance_id");
    ctx.db
        .transaction(async |db| {
            let record = instances::find(db, &scope, id).await?;
            scope.demand_own_tenant(id, &record.tenant_name)?;
            instances::delete(db, &scope, &record).await
        })
        .await?;
    Ok(Response::empty(204))
}
