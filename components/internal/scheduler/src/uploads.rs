//! Uploads of blueprints that go on in the background: the component with the parser does the
//! work, here it is only asked to.

use std::time::Duration;
use windlass_core::db::Db;
use windlass_core::outbound::Outbound;
use windlass_core::platform::{OutboundRequest, TICK_TOKEN_HEADER, tick_token};
use windlass_core::{Error, Result};
use windlass_store::blueprints;
use windlass_store::queue::Leased;

const BLUEPRINTS: &str = "http://conductor-blueprints.spin.internal/api/v3.1/blueprints";

/// Longer than the other side lets anybody wait.
const PATIENCE: Duration = Duration::from_secs(40);

/// Has the work of a row done. When it takes long it goes on behind the answer, under the same
/// lease, so the row is nobody else's.
pub async fn run(outbound: &impl Outbound, holder: &str, row: &Leased) -> Result<()> {
    let token = tick_token().await?;
    let token = token.ok_or_else(|| Error::internal("there is no token for the tick"))?;
    let body = serde_json::json!({ "holder": holder, "key": row.key });
    let request = OutboundRequest {
        method: "POST".into(),
        url: format!("{BLUEPRINTS}/{}/continue-upload", row.subject),
        headers: vec![
            (TICK_TOKEN_HEADER.into(), token),
            ("content-type".into(), "application/json".into()),
        ],
        body: body.to_string().into_bytes(),
        timeout: Some(PATIENCE),
    };
    let answer = outbound.send(request).await;
    let answer = answer
        .map_err(|error| Error::internal(format!("the component conductor-blueprints: {error}")))?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(Error::internal(format!(
        "the component conductor-blueprints answered {}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    )))
}

/// Records that an upload cannot be ended.
pub async fn give_up<D: Db>(db: &D, holder: &str, row: &Leased, why: &str) -> Result<()> {
    db.transaction(async |db| blueprints::give_up(db, holder, row, why).await)
        .await
}
