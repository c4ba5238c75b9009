//! Uploads that go on after their client was answered: rows on their way to an end.
//!
//! Each has one row in the queue until its end is recorded, so one that dies is taken up again.

use super::upload::{Upload, insert_labels, save_plan};
use super::{Archive, Blueprint, COLUMNS, State};
use crate::queue::{self, Leased, Work};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp, params};

/// What whoever takes up an upload has to know beside its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// The blueprint as far as it came.
    pub blueprint: Blueprint,
    /// Where its archive is to come from, when it is not there yet.
    pub url: Option<String>,
    /// Whether the request gave labels, so that those of the blueprint itself do not count.
    pub has_labels: bool,
    /// Whether the uploader sees private blueprints of others.
    pub sees_private: bool,
}

/// Queues the rest of an upload, in the transaction that inserts its row.
pub(super) async fn push(db: &impl Db, scope: &Scope, key: i64, upload: &Upload) -> Result<()> {
    let now = Timestamp::now();
    let url = upload
        .execution
        .as_ref()
        .map_or(&Value::Null, |execution| &execution.parameters["url"]);
    let payload = json!({
        "url": url,
        "has_labels": !upload.labels.is_empty(),
        "sees_private": scope.sees_private(),
    });
    let subject = key.to_string();
    queue::push(db, Work::BlueprintUpload, &subject, &payload, now, now).await
}

/// The upload that a row of the queue is about, while this holder has the row. None when
/// somebody else has it by now, or the upload has ended.
pub async fn find_under_way(
    db: &impl Db,
    holder: &str,
    queue_key: i64,
) -> Result<Option<UnderWay>> {
    let columns: Vec<String> = COLUMNS
        .split(", ")
        .map(|column| format!("b.{column}"))
        .collect();
    let sql = format!(
        "select {}, q.payload from queue q join blueprints b on b.key = cast(q.subject as integer)
         where q.key = ?1 and q.kind = ?2 and q.lease_holder = ?3",
        columns.join(", ")
    );
    let Some(row) = db
        .first(&sql, params![queue_key, Work::BlueprintUpload, holder])
        .await?
    else {
        return Ok(None);
    };
    let blueprint = Blueprint::from_row(&row)?;
    let payload: Value = row.json(columns.len())?;
    Ok(blueprint.state.is_under_way().then(|| UnderWay {
        url: payload["url"].as_str().map(str::to_owned),
        has_labels: payload["has_labels"] == true,
        sees_private: payload["sees_private"] == true,
        blueprint,
    }))
}

/// Says how far an upload is.
pub async fn advance(db: &impl Db, key: i64, state: State) -> Result<()> {
    db.execute(
        "update blueprints set state = ?2, updated_at = ?3 where key = ?1",
        params![key, state.name(), Timestamp::now()],
    )
    .await
}

/// Gives an upload the archive that was downloaded for it. The blob is kept in the same
/// transaction by the caller.
pub async fn take_archive(db: &impl Db, key: i64, archive: &Archive) -> Result<bool> {
    let row = db
        .first(
            "update blueprints set archive_blob = ?2, archive_format = ?3, archive_size = ?4,
                 archive_sha256 = ?5, updated_at = ?6, state = 'extracting'
             where key = ?1 returning 1",
            params![
                key,
                archive.blob.as_str(),
                archive.format.as_str(),
                archive.size,
                archive.sha256.as_str(),
                Timestamp::now()
            ],
        )
        .await?;
    Ok(row.is_some())
}

/// Records the end of an upload and finishes its row in the queue, unless somebody else took that
/// over. A failed one loses its archive, whose blob is to be removed after the commit.
pub async fn end(
    db: &impl Db,
    scope: &Scope,
    holder: &str,
    queue_key: i64,
    under_way: &UnderWay,
    upload: &Upload,
) -> Result<bool> {
    if queue::finish(db, holder, &[queue_key]).await?.is_empty() {
        return Ok(false);
    }
    let key = under_way.blueprint.key;
    if upload.state.is_failed() {
        let error = upload.error.as_deref().unwrap_or_default();
        fail(db, key, upload.state, error).await?;
        return Ok(true);
    }
    db.execute(
        "update blueprints set state = ?2, description = ?3, requirements = ?4, error = null,
             updated_at = ?5 where key = ?1",
        params![
            key,
            upload.state.name(),
            upload.description.as_deref(),
            upload.requirements.as_ref(),
            Timestamp::now()
        ],
    )
    .await?;
    if let Some(plan) = &upload.plan {
        save_plan(db, key, plan).await?;
    }
    if !under_way.has_labels {
        insert_labels(db, scope, key, &upload.labels).await?;
    }
    end_execution(db, key, "terminated", None).await?;
    Ok(true)
}

/// Records that nobody can end an upload.
pub async fn give_up(db: &impl Db, holder: &str, row: &Leased, error: &str) -> Result<()> {
    queue::finish(db, holder, &[row.key]).await?;
    match row.subject.parse() {
        Ok(key) => fail(db, key, State::FailedUploading, error).await,
        Err(_) => Ok(()),
    }
}

async fn fail(db: &impl Db, key: i64, state: State, error: &str) -> Result<()> {
    db.execute(
        "update blueprints set state = ?2, error = ?3, updated_at = ?4, archive_blob = null,
             archive_format = null, archive_size = null, archive_sha256 = null
         where key = ?1 and state in ('pending', 'uploading', 'extracting', 'parsing')",
        params![key, state.name(), error, Timestamp::now()],
    )
    .await?;
    end_execution(db, key, "failed", Some(error)).await
}

async fn end_execution(db: &impl Db, key: i64, status: &str, error: Option<&str>) -> Result<()> {
    db.execute(
        "update executions set status = ?2, error = ?3, ended_at = ?4
         where id = (select upload_execution from blueprints where key = ?1) and ended_at is null",
        params![key, status, error, Timestamp::now()],
    )
    .await
}
