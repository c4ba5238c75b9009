//! `/agents`: what runs on the hosts of deployments.
//!
//! Whoever installs an agent reports it here: a worker, or the agent itself. Without workers nobody does,
//! and the list is empty.

use serde_json::json;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Body, Context, Error, Permission, Response, Result};
use windlass_store::agents::{self, AGENTS, Agent, DETAILED_AGENTS, Narrowing, Report, State};
use windlass_store::resource::{self, New};

/// `GET /agents`: a page; with `_get_data` also their accounts at the broker.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::AgentList)?;
    let resource = match ctx.request.query_bool("_get_data")?.unwrap_or(false) {
        true => &DETAILED_AGENTS,
        false => &AGENTS,
    };
    let mut query = ctx.list_query(resource, &["node_ids", "node_instance_ids"])?;
    for (name, by) in [
        ("node_ids", Narrowing::Nodes),
        ("node_instance_ids", Narrowing::NodeInstances),
    ] {
        let values: Vec<&str> = ctx.request.query_values(name).collect();
        agents::narrow(&mut query, by, &values);
    }
    ctx.page(resource, &scope, &query).await
}

/// `GET /agents/{name}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::AgentGet)?;
    ctx.show(&DETAILED_AGENTS, &scope, ctx.path("name"), 200)
        .await
}

/// `PUT /agents/{name}`: a new agent of a node instance. One that is there already is left as it is, and
/// the answer is empty.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::AgentCreate)?;
    let name = ctx.path("name");
    let body = Body::of(ctx)?;
    let new = New::read(&ctx.db, &scope, ("name", name), &body).await?;
    let instance = body.required_text("node_instance_id")?;
    let state = State::read(body.required_text("state")?)?;
    body.boolean("create_rabbitmq_user")?
        .ok_or_else(|| Error::missing("create_rabbitmq_user"))?;
    let report = report(&body)?;
    ctx.include(&DETAILED_AGENTS)?;
    let is_new = ctx
        .db
        .transaction(async |tx| {
            agents::demand_instance(tx, &scope, instance).await?;
            if agents::exists(tx, &scope, name).await? {
                return Ok(false);
            }
            agents::insert(tx, &scope, &new, instance, state, &report).await?;
            Ok(true)
        })
        .await?;
    match is_new {
        true => ctx.show(&DETAILED_AGENTS, &scope, name, 200).await,
        false => Response::json(200, &json!({})),
    }
}

/// `PATCH /agents/{name}`: an agent tells its state, system or version.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::AgentUpdate)?;
    let name = ctx.path("name");
    let body = Body::of(ctx)?;
    let state = body.text("state")?.map(State::read).transpose()?;
    let report = report(&body)?;
    ctx.include(&DETAILED_AGENTS)?;
    ctx.db
        .transaction(async |tx| {
            let agent: Agent = resource::find_own(tx, &scope, name).await?;
            agents::save(tx, &scope, &agent, state, &report).await
        })
        .await?;
    ctx.show(&DETAILED_AGENTS, &scope, name, 200).await
}

/// `PATCH /agents`: new certificates for all agents. There is no broker that they would trust by one, so
/// none is told.
pub async fn replace_certs(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow(Permission::AgentReplaceCerts)?;
    let body = Body::of(ctx)?;
    body.boolean("bundle")?
        .ok_or_else(|| Error::missing("bundle"))?;
    body.text("broker_ca_cert")?;
    body.text("manager_ca_cert")?;
    Response::json(200, &json!({ "number_of_updated_agents": 0 }))
}

fn report(body: &Body) -> Result<Report> {
    let text = |name: &str| body.text(name).map(|text| text.map(str::to_owned));
    text("rabbitmq_password")?;
    Ok(Report {
        ip: text("ip")?,
        install_method: text("install_method")?,
        system: text("system")?,
        version: text("version")?,
        rabbitmq_username: text("rabbitmq_username")?,
        rabbitmq_exchange: text("rabbitmq_exchange")?,
    })
}
