//! Maintenances and announcements begin and end by the clock.
//!
//! A row of the queue waits for the next moment of an event's window. Whoever runs it brings the event
//! to where it should be by now, however many steps were missed, and waits for the next moment. So a
//! row that runs twice, or too early, changes nothing.

use crate::events;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp};
use windlass_store::queue::{self, Leased};

/// Brings the event of a row of the kind [`events::CLOCK`] to where its window says it is.
///
/// # Errors
/// Of the database; the row is tried again.
pub async fn run<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    db.transaction(async |db| {
        // A row that was lost is somebody else's, or about a window that was moved since.
        if queue::finish(db, holder, &[row.key]).await?.is_empty() {
            return Ok(());
        }
        match row.subject.parse() {
            Ok(event) => events::advance(db, event, now).await,
            Err(_) => Ok(()),
        }
    })
    .await
}
