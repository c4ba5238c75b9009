//! `/plugins-updates`: the deployments of a blueprint get the newest plugins that it allows.
//!
//! The blueprint is parsed again here, because imports choose their plugins when they are read. What it means
//! now is a hidden copy; an execution brings the deployments to that, see the engine.

mod record;
mod wanted;

use crate::archive::archive_of;
use crate::reading;
use record::Record;
use wanted::Wanted;
use windlass_blueprint::Plan;
use windlass_blueprint::archive::Limits;
use windlass_blueprint::newer_plugins;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{
    Body, Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, blob, platform,
};
use windlass_engine::{PluginsUpdateCopy, demand_none_active, start_plugins_update};
use windlass_store::blobs::{self, LooseBlobs, NewBlob};
use windlass_store::blueprints::{self, Archive, Blueprint, Found};
use windlass_store::plugins_updates::{
    self, NewMember, PLUGINS_UPDATE, PluginsUpdate, PluginsUpdateState,
};
use windlass_store::resource;

/// `GET /plugins-updates`: the updates in the tenant, and those of global blueprints.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::PluginsUpdateList)?;
    ctx.list(&PLUGINS_UPDATE, &scope).await
}

/// `GET /plugins-updates/{plugins_update_id}`.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginsUpdateGet)?;
    let id = ctx.path("plugins_update_id");
    ctx.show(&PLUGINS_UPDATE, &scope, id, 200).await
}

/// `POST /plugins-updates/{blueprint_id}/update/initiate`: starts an update, or stores the record of one
/// that was made elsewhere.
pub async fn initiate(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginsUpdateCreate)?;
    let body = Body::of(ctx)?;
    let wanted = Wanted::of(&body)?;
    ctx.include(&PLUGINS_UPDATE)?;
    let id = match Record::of(&ctx.db, &scope, &body).await? {
        Some(record) => record.insert(ctx, &scope).await?,
        None => start(ctx, &scope, &wanted).await?,
    };
    ctx.show(&PLUGINS_UPDATE, &scope, &id, 200).await
}

/// `POST /plugins-updates/{plugins_update_id}/update/finalize`: gives the blueprint its new plan, once all
/// deployments have it. The execution does so by itself.
pub async fn finalize(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginsUpdateCreate)?;
    let id = ctx.path("plugins_update_id");
    ctx.include(&PLUGINS_UPDATE)?;
    ctx.db
        .transaction(async |tx| {
            let update: PluginsUpdate = resource::find_own(tx, &scope, id).await?;
            let update = plugins_updates::running(tx, &update).await?;
            if update.state != PluginsUpdateState::ExecutingWorkflow {
                return Err(Error::illegal_action(format!(
                    "Cannot finalize plugins update {id}, it's not in the {} state.",
                    PluginsUpdateState::ExecutingWorkflow.name()
                )));
            }
            let (named, count) = plugins_updates::left_behind(tx, &update).await?;
            if count > 0 {
                return Err(Error::new(
                    Kind::PluginsUpdateFailed,
                    format!(
                        "The execution of plugins update {id} has not updated {count} deployments yet: {}",
                        named.join(", ")
                    ),
                ));
            }
            plugins_updates::finalize(tx, &scope, &update).await
        })
        .await?;
    ctx.show(&PLUGINS_UPDATE, &scope, id, 200).await
}

/// Starts an update. Answers its id.
async fn start(ctx: &Context<impl Db>, scope: &Scope, wanted: &Wanted) -> Result<String> {
    let blueprint = blueprints::find_own(&ctx.db, scope, ctx.path("blueprint_id")).await?;
    if !blueprint.state.is_usable() {
        return Err(Error::new(
            Kind::InvalidBlueprint,
            format!(
                "The plugins of blueprint `{}` cannot be updated: it is not `uploaded` but `{}`",
                blueprint.id,
                blueprint.state.name()
            ),
        ));
    }
    if !wanted.options.reevaluate {
        demand_none_active(&ctx.db, &blueprint).await?;
    }
    let id = blobs::tidy_after(&ctx.db, async |blobs| {
        let copy = copy(ctx, scope, &blueprint, wanted, blobs).await?;
        let what = (copy.as_ref(), wanted.options);
        ctx.db
            .transaction(async |tx| {
                let now = Timestamp::now();
                start_plugins_update(tx, scope, &blueprint, what, now).await
            })
            .await
    })
    .await?;
    platform::nudge();
    Ok(id)
}

/// What the blueprint is with the plugins that are wanted; nothing when that is what it is already.
async fn copy(
    ctx: &Context<impl Db>,
    scope: &Scope,
    blueprint: &Blueprint,
    wanted: &Wanted,
    blobs: &LooseBlobs,
) -> Result<Option<PluginsUpdateCopy>> {
    let archive = archive_of(blueprint)?;
    let Some(found) = found_now(ctx, scope, blueprint, wanted).await? else {
        return Ok(None);
    };
    Ok(Some(PluginsUpdateCopy {
        archive: Some(copied(&ctx.db, archive, blobs).await?),
        found,
        deployments: deployments(ctx, scope, blueprint, wanted.options.all_tenants).await?,
    }))
}

/// What the blueprint's files mean with the plugins that are wanted; nothing when these are the ones it has.
async fn found_now(
    ctx: &Context<impl Db>,
    scope: &Scope,
    blueprint: &Blueprint,
    wanted: &Wanted,
) -> Result<Option<Found>> {
    let unusable = |why: &str| {
        let id = &blueprint.id;
        let text = format!("The plugins of blueprint `{id}` cannot be updated: {why}");
        Error::new(Kind::InvalidBlueprint, text)
    };
    let stored = blueprints::plan(&ctx.db, blueprint).await?;
    let before = Plan::from_stored(stored).ok_or_else(|| unusable("it has no plan"))?;
    let versions = wanted.wish.versions(&before);
    // It was uploaded under the settings of its time.
    let tree = reading::unpack(archive_of(blueprint)?, &Limits::default()).await;
    let tree = tree.map_err(|error| unusable(&error.to_string()))?;
    let main_file = blueprint.main_file_name.as_deref().unwrap_or_default();
    let found = reading::parsed_with(&ctx.db, scope, (&tree, main_file), versions).await?;
    let Some(texts) = &found.plan else {
        return Err(unusable(found.error.as_deref().unwrap_or_default()));
    };
    let stored = serde_json::from_str(&texts.stored).map_err(Error::internal)?;
    let after =
        Plan::from_stored(stored).ok_or_else(|| Error::internal("a plan of this moment"))?;
    Ok(newer_plugins::plugins_differ(&before, &after).then_some(found))
}

/// The bytes of an archive once more: each row of a blueprint has its own.
async fn copied(db: &impl Db, archive: &Archive, blobs: &LooseBlobs) -> Result<Archive> {
    let mut new = NewBlob::begin(db, blobs).await?;
    for number in 0..blob::chunks(archive.size) {
        let chunk = blob::chunk(&archive.blob, archive.size, number).await?;
        new.write(db, &chunk).await?;
    }
    let blob = new.finish().await?;
    Ok(Archive {
        blob: blob.id,
        ..archive.clone()
    })
}

/// The deployments of a blueprint that the caller may update: in their tenant, and where all tenants are
/// meant also in those others in which they hold the permission.
async fn deployments(
    ctx: &Context<impl Db>,
    scope: &Scope,
    blueprint: &Blueprint,
    in_all: bool,
) -> Result<Vec<NewMember>> {
    let mut found = plugins_updates::deployments_of(&ctx.db, scope, blueprint).await?;
    if !in_all {
        return Ok(found);
    }
    for tenant in plugins_updates::other_tenants(&ctx.db, scope, blueprint).await? {
        if let Ok(there) = ctx.allow_in(&tenant, Permission::PluginsUpdateCreate) {
            found.extend(plugins_updates::deployments_of(&ctx.db, &there, blueprint).await?);
        }
    }
    Ok(found)
}
