//! How often one client may ask for subscriptions, the table `status_subscription_requests`.

use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, Timestamp, params};

/// More requests than these within [`WINDOW`] seconds make a client wait.
pub(super) const REQUESTS: i64 = 20;
pub(super) const WINDOW: i64 = 3600;

/// Counts a request of a client.
///
/// # Errors
/// 429 for one that asked too often.
pub async fn count_request(tx: &impl Tx, address: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "delete from status_subscription_requests where at <= ?1",
        params![now.plus_seconds(-WINDOW)],
    )
    .await?;
    let sql = "select json_array(count(*), min(at)) from status_subscription_requests
               where address = ?1";
    let counted: Option<(i64, Option<Timestamp>)> = tx.first_json(sql, params![address]).await?;
    if let Some((count, Some(oldest))) = counted
        && count >= REQUESTS
    {
        let left = oldest.plus_seconds(WINDOW).millis() - now.millis();
        let text = "Too many requests for subscriptions from this address, try again later";
        return Err(Error::new(Kind::TooManyRequests, text)
            .retry_after(u32::try_from(left.max(0) / 1000).unwrap_or_default() + 1));
    }
    tx.execute(
        "insert into status_subscription_requests (address, at) values (?1, ?2)",
        params![address, now],
    )
    .await
}
