//! Maintenances and announcements begin and end by the clock.
//!
//! A row of the queue waits for the next moment of an event's window. Whoever runs it brings the event
//! to where it should be by now, however many steps were missed, and waits for the next moment. So a
//! row that runs twice, or too early, changes nothing.

use crate::events;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp};
use windlass_store::queue::{self, Leased};

/// Brings the event of a row to where its window says it is. A row that was lost is somebody
/// else's, or about a window that was moved since.
///
/// # Errors
/// Of the database; the row is tried again.
pub async fn run<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| match row.subject.parse() {
        Ok(event) => events::advance(tx, event, now).await,
        Err(_) => Ok(()),
    })
    .await
}
