//! `/brokers`: what brings work to whoever does it.

use windlass_core::db::{Db, KeptDb};
use windlass_core::{Body, Context, Error, Permission, Response, Result};
use windlass_store::brokers::{self, BROKERS};

/// The port of one that names none.
const PORT: i64 = 5671;

/// `GET /brokers`: all of them, the application's own first.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::BrokerGet)?;
    ctx.list(&BROKERS, &scope).await
}

/// `POST /brokers`: tells of another one. Nothing is sent to it.
pub async fn add(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::BrokerManage)?;
    let body = Body::of(ctx)?;
    let name = body.required_text("name")?;
    let address = body.required_text("address")?;
    let port = body.integer("port")?.unwrap_or(PORT);
    if !(1..=65_535).contains(&port) {
        return Err(Error::bad_parameters(format!("port: {port} is no port")));
    }
    let networks = body.object("networks")?;
    if networks.is_some_and(|networks| networks.values().all(|at| at.as_str() != Some(address))) {
        return Err(Error::bad_parameters(format!(
            "The address `{address}` is in none of the networks"
        )));
    }
    ctx.include(&BROKERS)?;
    ctx.db
        .transaction(async |tx| brokers::insert(tx, &scope, (name, address), port, networks).await)
        .await?;
    ctx.show(&BROKERS, &scope, name, 200).await
}

/// `PUT /brokers/{name}`: adds networks, or changes addresses in those there are.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::BrokerManage)?;
    let name = ctx.path("name");
    let body = Body::of(ctx)?;
    let networks = body.object("networks")?.cloned().unwrap_or_default();
    ctx.include(&BROKERS)?;
    ctx.db
        .transaction(async |tx| {
            let broker = brokers::find(tx, &scope, name).await?;
            brokers::save(tx, &scope, &broker, &networks).await
        })
        .await?;
    ctx.show(&BROKERS, &scope, name, 200).await
}

/// `DELETE /brokers/{name}`: forgets one that is not the application's own.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::BrokerManage)?;
    let name = ctx.path("name");
    ctx.db
        .transaction(async |tx| {
            let broker = brokers::find(tx, &scope, name).await?;
            brokers::delete(tx, &scope, &broker).await
        })
        .await?;
    Ok(Response::empty(204))
}
