//! The sweep: whatever stands still although it should not is made due again.
//!
//! Nothing that this version does leaves an execution without somebody who goes on with it. Databases
//! of older versions hold such ones, and nobody knows what a restored backup holds. So whoever ticks
//! sweeps as well, once a minute.

use windlass_core::db::Db;
use windlass_core::log::{self, Level};
use windlass_core::{Result, Timestamp};
use windlass_store::queue::{Work, stranded};

/// How long something has to stand still before it is swept back, in seconds.
pub const PATIENCE: i64 = 60;

/// Makes stranded calls and executions due again; answers how many. Reads only, where there is
/// nothing, which is nearly always. Calls keep their ids and with them their idempotency keys.
///
/// # Errors
/// Of the database.
pub async fn sweep(db: &impl Db, now: Timestamp) -> Result<usize> {
    let before = now.plus_seconds(-PATIENCE);
    let calls = stranded::operations(db, before).await?;
    let executions = stranded::executions(db, before).await?;
    let found = calls.len() + executions.len();
    if found == 0 {
        return Ok(0);
    }
    db.transaction(async |tx| {
        stranded::restore(tx, Work::Operation, &calls, now).await?;
        stranded::restore(tx, Work::Execution, &executions, now).await
    })
    .await?;
    for (work, subjects) in [(Work::Operation, calls), (Work::Execution, executions)] {
        for subject in subjects {
            let what = format!("{work} {subject}");
            log::line(
                Level::Warning,
                "stood still and is due again",
                [("work", what.into())],
            );
        }
    }
    Ok(found)
}
