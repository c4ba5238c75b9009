//! How often somebody may ask for what is mailed, the table `adjutant_submissions`.

use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, Timestamp, params};

/// How long a request counts, in seconds.
const WINDOW: i64 = 3600;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// A stranger, by their address.
    Address(&'a str),
    /// A user, by their number.
    User(&'a str),
}

/// Counts a request of somebody, of which so many may come within an hour.
///
/// # Errors
/// 429 for who asked too often.
pub async fn count(tx: &impl Tx, asker: Asker<'_>, most: i64, now: Timestamp) -> Result<()> {
    let (address, what) = match asker {
        Asker::Address(address) => (address.to_owned(), "address"),
        // No address has a space.
        Asker::User(id) => (format!("user {id}"), "user"),
    };
    let address = address.as_str();
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
        let text = format!("Too many requests from this {what}, try again later.");
        return Err(Error::new(Kind::TooManyRequests, text)
            .retry_after(u32::try_from(left).unwrap_or_default() + 1));
    }
    let sql = "insert into adjutant_submissions (address, at) values (?1, ?2)";
    tx.execute(sql, params![address, now]).await
}
