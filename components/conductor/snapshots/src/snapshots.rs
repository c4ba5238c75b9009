//! `/snapshots` and `/snapshots/{snapshot_id}`: the state of the application as archives.

use windlass_core::db::{Db, KeptDb};
use windlass_core::{Body, Context, Error, Permission, Response, Result, ids, platform};
use windlass_snapshot::executions::{self, Company, creation_parameters};
use windlass_snapshot::snapshots::{self, SNAPSHOTS, Snapshot, Status};
use windlass_store::executions::EXECUTIONS;
use windlass_store::resource;

/// `GET /snapshots`: those of the tenant.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::SnapshotList)?;
    ctx.list(&SNAPSHOTS, &scope).await
}

/// `GET /snapshots/{snapshot_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SnapshotGet)?;
    let id = ctx.path("snapshot_id");
    ctx.show(&SNAPSHOTS, &scope, id, 200).await
}

/// `PUT /snapshots/{snapshot_id}`: makes one, of all tenants. The answer is the execution that does;
/// nothing waits for it but uploads of plugins.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SnapshotCreate)?;
    let id = ctx.path("snapshot_id");
    ids::check("snapshot_id", id)?;
    let body = Body::of(ctx)?;
    let flag = |name, otherwise| Ok::<_, Error>(body.boolean(name)?.unwrap_or(otherwise));
    let company = Company {
        is_alone: flag("legacy", false)?,
        may_wait: flag("queue", false)?,
    };
    let parameters = creation_parameters(
        id,
        [
            ("include_credentials", flag("include_credentials", false)?),
            ("include_logs", flag("include_logs", true)?),
            ("include_events", flag("include_events", true)?),
            ("legacy", company.is_alone),
        ],
    );
    ctx.include(&EXECUTIONS)?;
    let execution = ctx
        .db
        .transaction(async |tx| {
            snapshots::insert(tx, &scope, id).await?;
            executions::start_creation(tx, &scope, parameters, company).await
        })
        .await?;
    platform::nudge();
    ctx.show(&EXECUTIONS, &scope, &execution, 201).await
}

/// `DELETE /snapshots/{snapshot_id}`: takes one away.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SnapshotDelete)?;
    let id = ctx.path("snapshot_id");
    ctx.db
        .transaction(async |tx| {
            let snapshot: Snapshot = resource::find_own(tx, &scope, id).await?;
            snapshots::delete(tx, &scope, &snapshot).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// `PATCH /snapshots/{snapshot_id}`: another status, with the reason for it. The original's own workflows
/// call it; here it is for operators who know better.
pub async fn update_status(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SnapshotStatusUpdate)?;
    let id = ctx.path("snapshot_id");
    let body = Body::of(ctx)?;
    let given = body.required_text("status")?;
    let status = Status::named(given).ok_or_else(|| {
        let known: Vec<&str> = Status::ALL.iter().map(|status| status.name()).collect();
        let known = known.join(", ");
        Error::bad_parameters(format!(
            "Invalid snapshot status: `{given}`. Valid ones are: {known}"
        ))
    })?;
    let error = body.text("error")?.unwrap_or_default();
    ctx.db
        .transaction(async |tx| {
            let snapshot: Snapshot = resource::find_own(tx, &scope, id).await?;
            snapshots::set_status(tx, &scope, &snapshot, (status, error)).await
        })
        .await?;
    ctx.ok(())
}
