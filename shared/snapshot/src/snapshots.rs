//! Snapshots as rows: what they are called, how far they are, and where their archives are.

use serde::Deserialize;
use windlass_core::blob::Blob;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::{COMMON, Field, Resource, Search, concat};
use windlass_core::{Error, Kind, Permission, Result, Scope, Visibility, params};
use windlass_store::blobs;
use windlass_store::resource::fields::CREATED_AT;
use windlass_store::resource::{self, Head, New, Origin, TenantRow};

static FIELDS: [Field; 9] = concat(
    &[
        Field::text("id", "t.id"),
        CREATED_AT,
        Field::text("status", "t.status"),
        Field::text("error", "t.error"),
    ],
    &COMMON,
);

/// Snapshots as the API shows them.
pub static SNAPSHOTS: Resource = Resource {
    name: "Snapshot",
    table: "snapshots t",
    fields: &FIELDS,
    search: Some(Search::scan("t.id")),
    of_tenant: true,
    counts: &[],
};

/// A snapshot's row.
#[derive(Clone, Debug, Deserialize)]
pub struct Snapshot(Head);

impl TenantRow for Snapshot {
    const RESOURCE: &'static Resource = &SNAPSHOTS;

    fn head(&self) -> &Head {
        &self.0
    }
}

windlass_core::named_enum! {
    /// How far a snapshot is.
    pub enum Status {
        /// Its archive is being written.
        Creating = "creating",
        /// It was made here.
        Created = "created",
        /// It could not be made; its error says why.
        Failed = "failed",
        /// It came from somewhere else.
        Uploaded = "uploaded",
    }
}

/// Where the bytes of a snapshot are.
#[derive(Clone, Debug)]
pub struct Archive {
    /// The blob.
    pub blob: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What a new snapshot is: private, as all of them are.
pub fn new(id: &str) -> New {
    New {
        id: id.to_owned(),
        visibility: Visibility::Private,
        origin: Origin::default(),
    }
}

/// Stores a snapshot that is about to be made.
///
/// # Errors
/// 409 when the id is in use.
pub async fn insert(tx: &impl Tx, scope: &Scope, id: &str) -> Result<()> {
    let columns = [("status", Value::from(Status::Creating.name()))];
    resource::insert::<Snapshot>(tx, scope, &new(id), &columns, Permission::SnapshotCreate).await
}

/// Gives an uploaded archive to a snapshot: to the one of that id, or to a new one. Answers whether it is
/// new.
///
/// # Errors
/// 400 `snapshot_action_error` for one that is being made or restored.
pub async fn insert_uploaded(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    archive: &Blob,
) -> Result<bool> {
    blobs::keep(tx, &archive.id).await?;
    let columns = [
        ("status", Value::from(Status::Uploaded.name())),
        ("error", "".into()),
        ("archive_blob", (&archive.id).into()),
        ("archive_size", archive.size.into()),
        ("archive_sha256", (&archive.sha256).into()),
    ];
    let action = Permission::SnapshotUpload;
    if !resource::is_taken::<Snapshot>(tx, scope, id, Visibility::Private).await? {
        resource::insert::<Snapshot>(tx, scope, &new(id), &columns, action).await?;
        return Ok(true);
    }
    let snapshot: Snapshot = resource::find_own(tx, scope, id).await?;
    demand_idle(tx, &snapshot, "replace the archive of").await?;
    resource::save(tx, scope, &snapshot, None, &columns, action).await?;
    Ok(false)
}

/// The archive of a snapshot, for somebody who wants to do something with it.
///
/// # Errors
/// 400 `snapshot_action_error` for one that failed or is not there yet.
pub async fn archive(db: &impl Db, snapshot: &Snapshot, done: &str) -> Result<Archive> {
    let sql = "select status, archive_blob, archive_size from snapshots where key = ?1";
    let row = db.first(sql, params![snapshot.0.key]).await?;
    let row = row.ok_or_else(|| Error::not_found(SNAPSHOTS.name, &snapshot.0.id))?;
    if row.text(0)? == Status::Failed.name() {
        return Err(refused(format!("Failed snapshot cannot be {done}")));
    }
    let Some(blob) = row.optional_text(1)? else {
        let text = format!(
            "Snapshot `{}` cannot be {done} before it is created",
            snapshot.0.id
        );
        return Err(refused(text));
    };
    Ok(Archive {
        blob: blob.to_owned(),
        size: u64::try_from(row.integer(2)?).map_err(Error::internal)?,
    })
}

/// Says how far a snapshot is, as whoever makes it finds out.
///
/// # Errors
/// 400 for another word than those that statuses have.
pub async fn set_status(
    tx: &impl Tx,
    scope: &Scope,
    snapshot: &Snapshot,
    (status, error): (Status, &str),
) -> Result<()> {
    let columns = [("status", status.name().into()), ("error", error.into())];
    let action = Permission::SnapshotStatusUpdate;
    resource::save(tx, scope, snapshot, None, &columns, action).await
}

/// Deletes a snapshot. Its bytes stay for an hour, because somebody may be downloading them.
///
/// # Errors
/// 400 `snapshot_action_error` for one that is being made or restored.
pub async fn delete(tx: &impl Tx, scope: &Scope, snapshot: &Snapshot) -> Result<()> {
    demand_idle(tx, snapshot, "delete").await?;
    resource::delete(tx, scope, snapshot, Permission::SnapshotDelete).await
}

/// Ends the making of a snapshot: with its archive, or with the reason why there is none. One that was
/// deleted meanwhile stays so, and its archive is swept.
pub(crate) async fn end(
    tx: &impl Tx,
    (tenant, id): (&str, &str),
    made: Result<&Blob, &str>,
) -> Result<()> {
    let (status, error) = match made {
        Ok(_) => (Status::Created, ""),
        Err(error) => (Status::Failed, error),
    };
    let archive = made.ok();
    let changed = tx
        .first(
            "update snapshots set status = ?3, error = ?4, archive_blob = ?5, archive_size = ?6,
                 archive_sha256 = ?7
             where tenant_name = ?1 and id = ?2 and status = 'creating' returning key",
            params![
                tenant,
                id,
                status.name(),
                error,
                archive.map(|blob| blob.id.as_str()),
                archive.map(|blob| blob.size),
                archive.map(|blob| blob.sha256.as_str())
            ],
        )
        .await?;
    match (changed, archive) {
        (Some(_), Some(blob)) => blobs::keep(tx, &blob.id).await,
        _ => Ok(()),
    }
}

/// What becomes of the snapshots when another state takes the place of the one they were made of: one that
/// was not ready has failed, and one whose tenant is gone is in the tenant that is always there, unless one
/// of its name is.
pub(crate) async fn settle(tx: &impl Tx, tenant: &str) -> Result<()> {
    tx.execute(
        "update snapshots set status = 'failed',
             error = 'The state was replaced while the snapshot was made'
         where status = 'creating'",
        &[],
    )
    .await?;
    tx.execute(
        "update or ignore snapshots set tenant_name = ?1
         where tenant_name not in (select name from tenants)",
        params![tenant],
    )
    .await
}

/// Demands that nobody makes or restores a snapshot now.
async fn demand_idle(db: &impl Db, snapshot: &Snapshot, what: &str) -> Result<()> {
    let Head {
        id, tenant_name, ..
    } = snapshot.head();
    let under_way = crate::executions::under_way(db).await?;
    let mut ours = under_way
        .iter()
        .filter(|execution| execution.snapshot_id == *id && execution.tenant_name == *tenant_name);
    match ours.next() {
        None => Ok(()),
        Some(execution) => Err(refused(format!(
            "Cannot {what} snapshot `{id}` which has an active `{}` execution",
            execution.workflow_id
        ))),
    }
}

fn refused(text: String) -> Error {
    Error::new(Kind::SnapshotAction, text)
}
