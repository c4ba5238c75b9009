//! Work that other components do because they have what it needs: a parser, an archiver. Here they are only
//! asked to.

use std::time::Duration;
use windlass_core::db::Db;
use windlass_core::outbound::Outbound;
use windlass_core::platform::{OutboundRequest, TICK_TOKEN_HEADER, tick_token};
use windlass_core::{Error, Result};
use windlass_snapshot::executions::Task;
use windlass_store::blueprints;
use windlass_store::queue::Leased;

/// Longer than the other side lets anybody wait.
const PATIENCE: Duration = Duration::from_secs(40);

/// Has an upload of a blueprint ended.
pub async fn continue_upload(outbound: &impl Outbound, holder: &str, row: &Leased) -> Result<()> {
    let path = format!("blueprints/{}/continue-upload", row.subject);
    run(outbound, "conductor-blueprints", &path, holder, row).await
}

/// Has a snapshot made or restored.
pub async fn carry_out_snapshot(
    outbound: &impl Outbound,
    holder: &str,
    row: &Leased,
) -> Result<()> {
    let path = format!("snapshots/{}/carry-out", row.subject);
    run(outbound, "conductor-snapshots", &path, holder, row).await
}

/// Has the work of a row done by a component. When it takes long it goes on behind the answer, under the
/// same lease, so the row is nobody else's.
async fn run(
    outbound: &impl Outbound,
    component: &str,
    path: &str,
    holder: &str,
    row: &Leased,
) -> Result<()> {
    let token = tick_token().await?;
    let token = token.ok_or_else(|| Error::internal("there is no token for the tick"))?;
    let body = serde_json::json!({ "holder": holder, "key": row.key });
    let request = OutboundRequest {
        method: "POST".into(),
        url: format!("http://{component}.spin.internal/api/v3.1/{path}"),
        headers: vec![
            (TICK_TOKEN_HEADER.into(), token),
            ("content-type".into(), "application/json".into()),
        ],
        body: body.to_string().into_bytes(),
        timeout: Some(PATIENCE),
    };
    let failed = |what: String| Error::internal(format!("the component {component} {what}"));
    let answer = outbound.send(request).await;
    let answer = answer.map_err(|error| failed(format!("was not reached: {error}")))?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(failed(format!(
        "answered {}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    )))
}

/// Records that an upload cannot be ended.
pub async fn give_up_upload<D: Db>(db: &D, holder: &str, row: &Leased, why: &str) -> Result<()> {
    db.transaction(async |db| blueprints::give_up(db, holder, row, why).await)
        .await
}

/// Records that a snapshot cannot be made or restored.
pub async fn give_up_snapshot(db: &impl Db, holder: &str, row: &Leased, why: &str) -> Result<()> {
    match Task::find(db, holder, row.key).await? {
        Some(task) => task.fail(db, why).await,
        None => windlass_store::queue::finish(db, holder, &[row.key])
            .await
            .map(drop),
    }
}
