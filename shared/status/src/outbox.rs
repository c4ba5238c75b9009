//! The outbox: what subscribers are told about incidents and maintenances, and whether it arrived.
//!
//! Triggers on the tables of events queue one row for an event that changed, where there is anybody
//! to tell. `notice::fan_out` makes of it a notice, which never changes again, and one delivery for each
//! subscription that it concerns.

mod delivery;
mod list;
mod notice;

#[cfg(test)]
mod tests;

pub use delivery::{Delivery, find_failed, redrive, redrive_all};
pub(crate) use delivery::{delivered, failed, find_pending, postponed};
pub use list::{list_failed, stats};
pub(crate) use notice::fan_out;
pub use notice::{Notice, ToldComponent, ToldUpdate, forget_old};

use windlass_core::db::{Tx, Value};
use windlass_core::{Result, Timestamp};
use windlass_store::queue::{self, Due, Work};

/// Makes the deliveries due that a statement answers by their ids. Answers how many these are.
async fn make_due(tx: &impl Tx, sql: &str, parameters: &[Value], now: Timestamp) -> Result<usize> {
    let rows = tx.query(sql, parameters).await?;
    let items = rows.iter().map(|row| {
        Ok(Due {
            subject: row.text(0)?.to_owned(),
            not_before: now,
        })
    });
    let items = items.collect::<Result<Vec<_>>>()?;
    queue::push_all(tx, Work::StatusDelivery, &items, now).await?;
    Ok(items.len())
}
