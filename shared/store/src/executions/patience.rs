//! How long an execution waits for what still runs, after something failed for good.

use super::Execution;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, params};

/// How many seconds the original waits.
const STANDARD: i64 = 600;

/// More seconds than anybody waits.
const LONGEST: i64 = 1 << 31;

/// How many seconds an execution waits.
pub async fn wait_after_fail(db: &impl Db, execution: &Execution) -> Result<i64> {
    let sql = "select wait_after_fail from executions where key = ?1";
    let row = db.first(sql, params![execution.key]).await?;
    let seconds = row.map_or(Ok(None), |row| row.optional_integer(0))?;
    Ok(seconds.unwrap_or(STANDARD).clamp(0, LONGEST))
}

/// Sets how many seconds a new execution waits.
pub async fn set_wait_after_fail(tx: &impl Tx, execution: &Execution, seconds: i64) -> Result<()> {
    let sql = "update executions set wait_after_fail = ?2 where key = ?1";
    tx.execute(sql, params![execution.key, seconds]).await
}
