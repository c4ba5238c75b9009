//! `/plugins` and `/plugins/{plugin_id}`: what was uploaded, and what may be changed about it.

use serde_json::{Map, Value};
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Body, Context, Error, Kind, Permission, Response, Result, Scope};
use windlass_store::plugins::{self, Changes, PLUGINS, Plugin, Users};
use windlass_store::resource::{self, TenantRow};
use windlass_store::users;

/// `GET /plugins`: the tenant's plugins and global ones.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::PluginList)?;
    ctx.list(&PLUGINS, &scope).await
}

/// `GET /plugins/{plugin_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginGet)?;
    ctx.show(&PLUGINS, &scope, ctx.path("plugin_id"), 200).await
}

/// `PATCH /plugins/{plugin_id}`: another owner, other labels and tags. Blueprints that were uploaded
/// before keep what they have.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginUpload)?;
    let id = ctx.path("plugin_id");
    let body = Body::of(ctx)?;
    let mut changes = Changes {
        created_by: None,
        blueprint_labels: body
            .object("blueprint_labels")?
            .map(checked_labels)
            .transpose()?,
        labels: body.object("labels")?.map(checked_labels).transpose()?,
        resource_tags: body.object("resource_tags")?.cloned(),
    };
    if let Some(name) = body.text("creator")? {
        scope.demand(Permission::SetOwner)?;
        changes.created_by = Some(users::creator(&ctx.db, &scope, name).await?);
    }
    ctx.include(&PLUGINS)?;
    ctx.db
        .transaction(async |tx| {
            let plugin: Plugin = resource::find_own(tx, &scope, id).await?;
            plugins::save(tx, &scope, &plugin, &changes).await
        })
        .await?;
    ctx.show(&PLUGINS, &scope, id, 200).await
}

/// `DELETE /plugins/{plugin_id}`: with its files. `force` in the body takes no heed of blueprints that
/// want it installed.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginDelete)?;
    let id = ctx.path("plugin_id");
    let force = Body::of(ctx)?.boolean("force")?.unwrap_or(false);
    ctx.db
        .transaction(async |tx| {
            let plugin: Plugin = resource::find_own(tx, &scope, id).await?;
            plugins::demand_no_snapshot(tx).await?;
            if !force {
                demand_unused(tx, &scope, &plugin).await?;
            }
            plugins::delete(tx, &scope, &plugin).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// Demands that no blueprint wants a plugin. The refusal names those that the caller sees.
async fn demand_unused(db: &impl Db, scope: &Scope, plugin: &Plugin) -> Result<()> {
    let Users { named, others } = plugins::blueprints_using(db, scope, plugin).await?;
    let named = named.join(", ");
    let others = match others {
        0 => String::new(),
        1 => "1 other".to_owned(),
        others => format!("{others} others"),
    };
    let blueprints = match (named.is_empty(), others.is_empty()) {
        (true, true) => return Ok(()),
        (false, false) => format!("{named} and {others}"),
        _ => named + &others,
    };
    Err(Error::new(
        Kind::PluginInUse,
        format!(
            "Plugin \"{}\" is currently in use in blueprints: {}. You can \"force\" plugin removal if \
             needed.",
            plugin.head().id,
            blueprints
        ),
    ))
}

/// Labels as `{"key": ["value"]}`, from that form or from the one that files have, `{"key": {"values":
/// ["value"]}}`.
///
/// # Errors
/// 400 for what are no labels.
pub fn checked_labels(given: &Map<String, Value>) -> Result<Map<String, Value>> {
    let mut checked = Map::new();
    for (key, value) in given {
        let values = value.get("values").unwrap_or(value);
        let list = serde_json::json!([{ key: values }]);
        let labels = windlass_store::labels::parse(&list)?;
        let values: Vec<Value> = labels.into_iter().map(|label| label.value.into()).collect();
        checked.insert(key.clone(), values.into());
    }
    Ok(checked)
}
