//! `/snapshots/{snapshot_id}/restore` and `/snapshot-status`: putting a state in the place of this one.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Permission, Response, Result, Scope, platform};
use windlass_snapshot::executions::{self, restoration_parameters};
use windlass_snapshot::snapshots::{self, Snapshot};
use windlass_store::executions::EXECUTIONS;
use windlass_store::resource;

/// `POST /snapshots/{snapshot_id}/restore`: makes the state of a snapshot that of the application, users and
/// secrets of all tenants included. The answer is the execution that does, which fails without `force`
/// where there is something to lose.
pub async fn restore(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SnapshotRestore)?;
    let id = ctx.path("snapshot_id");
    let body = Body::of(ctx)?;
    let force = body.boolean("force")?.unwrap_or(false);
    let certificates = body.boolean("restore_certificates")?.unwrap_or(false);
    let no_reboot = body.boolean("no_reboot")?.unwrap_or(false);
    let timeout = body.integer("timeout")?.unwrap_or(300);
    if no_reboot && !certificates {
        return Err(Error::bad_parameters(
            "`no_reboot` is only relevant when `restore_certificates` is activated",
        ));
    }
    ctx.include(&EXECUTIONS)?;
    let flags = [
        ("force", force),
        ("restore_certificates", certificates),
        ("no_reboot", no_reboot),
    ];
    let parameters = restoration_parameters(id, flags, timeout);
    let execution = ctx
        .db
        .transaction(async |tx| {
            let snapshot: Snapshot = resource::find(tx, &scope, id).await?;
            snapshots::archive(tx, &snapshot, "restored").await?;
            executions::start_restoration(tx, &scope, parameters).await
        })
        .await?;
    platform::nudge();
    ctx.show(&EXECUTIONS, &scope, &execution, 200).await
}

/// `GET /snapshot-status`: whether a snapshot is being restored. Open to everybody, because whoever waits
/// for that may be no user afterwards.
pub async fn status(ctx: &Context<impl Db>) -> Result<Response> {
    Scope::public();
    let status = match executions::is_restoring(&ctx.db).await? {
        true => "running",
        false => "not-running",
    };
    ctx.ok(json!({ "status": status }))
}
