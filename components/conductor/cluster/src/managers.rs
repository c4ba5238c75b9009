//! `/managers`: the nodes of the application, this one first.

use windlass_core::db::{Db, KeptDb};
use windlass_core::{Body, Context, Permission, Response, Result};
use windlass_store::managers::{self, MANAGERS, NewManager};

/// `GET /managers`: all of them, or the one that `hostname` names.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ManagerGet)?;
    ctx.list(&MANAGERS, &scope).await
}

/// `GET /managers/{hostname}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ManagerGet)?;
    ctx.show(&MANAGERS, &scope, ctx.path("hostname"), 200).await
}

/// `POST /managers`: tells of another one. Nothing is sent to it.
pub async fn add(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ManagerManage)?;
    let body = Body::of(ctx)?;
    let text = |name: &str| body.required_text(name).map(str::to_owned);
    let new = NewManager {
        hostname: text("hostname")?,
        private_ip: text("private_ip")?,
        public_ip: text("public_ip")?,
        version: text("version")?,
        edition: text("edition")?,
        distribution: text("distribution")?,
        distro_release: text("distro_release")?,
        fs_sync_node_id: body.filled_text("fs_sync_node_id")?.map(str::to_owned),
        ca_cert_content: body.filled_text("ca_cert_content")?.map(str::to_owned),
        networks: body.object("networks")?.cloned(),
    };
    ctx.include(&MANAGERS)?;
    ctx.db
        .transaction(async |tx| managers::insert(tx, &scope, &new).await)
        .await?;
    ctx.show(&MANAGERS, &scope, &new.hostname, 200).await
}

/// `PUT /managers/{hostname}`: what it is called by what copies its files. Nothing is copied here, so
/// `bootstrap_cluster` changes nothing.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ManagerManage)?;
    let hostname = ctx.path("hostname");
    let body = Body::of(ctx)?;
    let node_id = body.text("fs_sync_node_id")?;
    body.boolean("bootstrap_cluster")?;
    ctx.include(&MANAGERS)?;
    ctx.db
        .transaction(async |tx| {
            let manager = managers::find(tx, &scope, hostname).await?;
            managers::save(tx, &scope, &manager, node_id).await
        })
        .await?;
    ctx.show(&MANAGERS, &scope, hostname, 200).await
}

/// `DELETE /managers/{hostname}`: forgets one that is not this one.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ManagerManage)?;
    let hostname = ctx.path("hostname");
    ctx.db
        .transaction(async |tx| {
            let manager = managers::find(tx, &scope, hostname).await?;
            managers::delete(tx, &scope, &manager).await
        })
        .await?;
    Ok(Response::empty(204))
}
