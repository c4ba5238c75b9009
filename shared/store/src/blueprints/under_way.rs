//! Uploads that go on after their client was answered: rows on their way to an end.
//!
//! Each has one row in the queue until its end is recorded, so one that dies is taken up again.

use super::plans;
use super::row::RECORD;
use super::upload::{Found, Upload};
use super::{Archive, Blueprint, State};
use crate::blobs;
use crate::executions::Status;
use crate::labels;
use crate::queue::{self, Leased, Work};
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};

/// What the rest of an upload needs and its row does not hold: the payload of its queue row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRest {
    /// Where the archive is to come from, when it is not there yet.
    pub url: Option<String>,
    /// Whether the request gave labels, so that those of the blueprint itself do not count.
    pub has_labels: bool,
    /// Whether the uploader sees private blueprints of others.
    pub sees_private: bool,
}

/// An upload that somebody has taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// The blueprint as far as it came.
    pub blueprint: Blueprint,
    /// What else is needed.
    pub rest: UploadRest,
    /// Who has the row of the queue.
    holder: String,
    /// That row.
    queue_key: i64,
}

/// Queues the rest of an upload.
pub(super) async fn push(tx: &impl Tx, scope: &Scope, key: i64, upload: &Upload) -> Result<()> {
    let now = Timestamp::now();
    let execution = upload.execution.as_ref();
    let url = execution.and_then(|execution| execution.parameters.get("url")?.as_str());
    let rest = json!(UploadRest {
        url: url.map(str::to_owned),
        has_labels: !upload.labels.is_empty(),
        sees_private: scope.sees_private(),
    });
    let subject = key.to_string();
    queue::push(tx, Work::BlueprintUpload, &subject, &rest, now, now).await
}

/// The upload that a row of the queue is about, while this holder has the row. None when
/// somebody else has it by now, or the upload has ended.
pub async fn find_under_way(
    db: &impl Db,
    holder: &str,
    queue_key: i64,
) -> Result<Option<UnderWay>> {
    #[derive(Deserialize)]
    struct Row {
        blueprint: Blueprint,
        rest: UploadRest,
    }
    let sql = format!(
        "select json_object('blueprint', {RECORD}, 'rest', json(q.payload))
         from queue q join blueprints b on b.key = cast(q.subject as integer)
         where q.key = ?1 and q.kind = ?2 and q.lease_holder = ?3"
    );
    let row: Option<Row> = db
        .first_json(&sql, params![queue_key, Work::BlueprintUpload, holder])
        .await?;
    let row = row.filter(|row| row.blueprint.state.is_under_way());
    Ok(row.map(|row| UnderWay {
        blueprint: row.blueprint,
        rest: row.rest,
        holder: holder.to_owned(),
        queue_key,
    }))
}

/// Whether an upload is still this holder's: part of an update of a blueprint, with the row's key as
/// `?4`, the holder as `?5` and the states of uploads on their way as `?6`.
const STILL_OURS: &str = "state in (select value from json_each(?6))
    and exists (select 1 from queue where queue.key = ?4 and lease_holder = ?5)";

/// Says how far an upload is. One that somebody else took over, or that ended, stays as it is.
pub async fn advance(db: &impl Db, under_way: &UnderWay, state: State) -> Result<()> {
    let sql = format!(
        "update blueprints set state = ?2, updated_at = ?3 where key = ?1 and {STILL_OURS}"
    );
    db.execute(
        &sql,
        params![
            under_way.blueprint.key,
            state,
            Timestamp::now(),
            under_way.queue_key,
            under_way.holder.as_str(),
            &State::names(State::is_under_way)
        ],
    )
    .await
}

/// Gives an upload the archive that was downloaded for it, and its blob with it.
///
/// # Errors
/// 409 when the blueprint was deleted, or somebody else goes on with it; 503 when the blob was swept.
pub async fn take_archive(tx: &impl Tx, under_way: &UnderWay, archive: &Archive) -> Result<()> {
    blobs::keep(tx, &archive.blob).await?;
    let row = tx
        .first(
            &format!(
                "update blueprints set archive_blob = ?2, archive_format = ?3, updated_at = ?7,
                     archive_size = ?8, archive_sha256 = ?9, state = ?10
                 where key = ?1 and {STILL_OURS} returning 1"
            ),
            params![
                under_way.blueprint.key,
                archive.blob.as_str(),
                archive.format.as_str(),
                under_way.queue_key,
                under_way.holder.as_str(),
                &State::names(State::is_under_way),
                Timestamp::now(),
                archive.size,
                archive.sha256.as_str(),
                State::Extracting,
            ],
        )
        .await?;
    row.map(drop)
        .ok_or_else(|| Error::conflict("The blueprint was deleted or is somebody else's to upload"))
}

/// Records the end of an upload and finishes its row in the queue. False when somebody else took
/// that over. A failed one loses its archive, whose blob is nobody's then.
pub async fn end(tx: &impl Tx, scope: &Scope, under_way: &UnderWay, found: &Found) -> Result<bool> {
    let UnderWay {
        blueprint,
        rest,
        holder,
        queue_key,
    } = under_way;
    if queue::finish(tx, holder, &[*queue_key]).await?.is_empty() {
        return Ok(false);
    }
    if found.state.is_failed() {
        let error = found.error.as_deref().unwrap_or_default();
        fail(tx, blueprint.key, found.state, error).await?;
        return Ok(true);
    }
    tx.execute(
        "update blueprints set state = ?2, description = ?3, requirements = ?4, error = null,
             updated_at = ?5 where key = ?1",
        params![
            blueprint.key,
            found.state,
            found.description.as_deref(),
            found.requirements.as_ref(),
            Timestamp::now()
        ],
    )
    .await?;
    if let Some(plan) = &found.plan {
        plans::save(tx, blueprint.key, plan).await?;
    }
    if !rest.has_labels {
        labels::add(tx, scope, blueprint, &found.labels).await?;
    }
    end_execution(tx, blueprint.key, Status::Terminated, None).await?;
    Ok(true)
}

/// Records that nobody can end an upload.
pub async fn give_up(tx: &impl Tx, holder: &str, row: &Leased, error: &str) -> Result<()> {
    if queue::finish(tx, holder, &[row.key]).await?.is_empty() {
        return Ok(());
    }
    match row.subject.parse() {
        Ok(key) => fail(tx, key, State::FailedUploading, error).await,
        Err(_) => Ok(()),
    }
}

async fn fail(tx: &impl Tx, key: i64, state: State, error: &str) -> Result<()> {
    tx.execute(
        "update blueprints set state = ?2, error = ?3, updated_at = ?4, archive_blob = null,
             archive_format = null, archive_size = null, archive_sha256 = null
         where key = ?1 and state in (select value from json_each(?5))",
        params![
            key,
            state,
            error,
            Timestamp::now(),
            &State::names(State::is_under_way)
        ],
    )
    .await?;
    end_execution(tx, key, Status::Failed, Some(error)).await
}

async fn end_execution(tx: &impl Tx, key: i64, status: Status, error: Option<&str>) -> Result<()> {
    tx.execute(
        "update executions set status = ?2, error = ?3, ended_at = ?4
         where id = (select upload_execution from blueprints where key = ?1) and ended_at is null",
        params![key, status.name(), error, Timestamp::now()],
    )
    .await
}
