//! How often strangers may ask for accounts and passwords, the table `adjutant_submissions`.

use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, Timestamp, params};

/// How long a request counts, in seconds.
const WINDOW: i64 = 3600;

/// Counts a request of an address, of which so many may come within an hour.
///
/// # Errors
/// 429 for one that asked too often.
pub async fn count(tx: &impl Tx, address: &str, most: i64, now: Timestamp) -> Result<()> {
    let since = now.plus_seconds(-WINDOW);
    tx.execute(
        "delete from adjutant_submissions where at <= ?1",
        params![since],
    )
    .await?;
    let sql = "select json_array(count(*), min(at)) from adjutant_submissions where address = ?1";
    let counted: Option<(i64, Option<Timestamp>)> = tx.first_json(sql, params![address]).await?;
    if let Some((count, Some(oldest))) = counted
        && count >= most
    {
        let left = (oldest.plus_seconds(WINDOW).millis() - now.millis()).max(0) / 1000;
        let text = "Too many requests from this address, try again later.";
        return Err(Error::new(Kind::TooManyRequests, text)
            .retry_after(u32::try_from(left).unwrap_or_default() + 1));
    }
    let sql = "insert into adjutant_submissions (address, at) values (?1, ?2)";
    tx.execute(sql, params![address, now]).await
}
