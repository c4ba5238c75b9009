//! `/config`: the settings of the application, and who may do what.

use serde_json::{Map, json};
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Permission, Response, Result};
use windlass_store::config::{self, SETTINGS, Setting};

/// The name under which `scope=` asks for roles and permissions instead of settings.
const AUTHORIZATION: &str = "authorization";

/// `GET /config`: all settings, or those of one scope. Roles and permissions come along unless a
/// scope of settings is asked for.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ManagerConfigGet)?;
    let of = ctx.request.query_value("scope").filter(|of| !of.is_empty());
    let caller = scope.caller()?;
    let items: Vec<Setting> = config::list(&ctx.db, &scope, of)
        .await?
        .into_iter()
        .map(|setting| setting.shown_to(caller))
        .collect();
    let mut body = Map::new();
    body.insert("items".into(), json!(items));
    body.insert("metadata".into(), json!({}));
    if of.is_none_or(|of| of == AUTHORIZATION) {
        let authorization = config::authorization(&ctx.db, &scope).await?;
        body.insert(AUTHORIZATION.into(), authorization);
    }
    ctx.ok(body)
}

/// `GET /config/{name}`: one setting, by its name or as `scope.name`.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ManagerConfigGet)?;
    let include = ctx.include(&SETTINGS)?;
    let setting = config::find(&ctx.db, &scope, ctx.path("name")).await?;
    ctx.ok(include.of(json!(setting.shown_to(scope.caller()?))))
}

/// `PUT /config/{name}`: gives a setting another value, for all tenants. The original also lets the
/// manager of a tenant do that.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::ManagerConfigPut)?;
    let include = ctx.include(&SETTINGS)?;
    let body = Body::of(ctx)?;
    let value = body.get("value").ok_or_else(|| Error::missing("value"))?;
    let force = body.boolean("force")?.unwrap_or(false);
    let name = ctx.path("name");

    let caller = scope.caller()?;
    let setting = ctx
        .db
        .transaction(async |tx| {
            let setting = config::find(tx, &scope, name).await?;
            let value = setting.changed(caller, value.clone(), force)?;
            config::save(tx, &scope, &setting, &value).await?;
            config::find(tx, &scope, &format!("{}.{}", setting.scope, setting.name)).await
        })
        .await?;
    ctx.ok(include.of(json!(setting.shown_to(caller))))
}
