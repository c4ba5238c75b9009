//! What probes measured, by quarters of an hour: enough for a chart, and little to keep.

use super::row::Probe;
use serde::{Deserialize, Serialize};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, params};
use windlass_store::pieces;

/// How long a slot is, in milliseconds.
pub const SLOT: i64 = 15 * 60_000;

/// How many slots are kept: a week.
const KEPT: i64 = 7 * 24 * 4;

/// What was measured in a quarter of an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When it began.
    pub begin: Timestamp,
    /// How often it was asked.
    pub checks: i64,
    /// How often it did not answer as expected.
    pub failures: i64,
    /// How long good answers took on average; nothing without one.
    pub average_millis: Option<i64>,
}

/// The number of the slot that a moment is in.
pub fn slot_of(time: Timestamp) -> i64 {
    time.millis().div_euclid(SLOT)
}

/// Counts a check, and forgets what is older than a week.
pub(super) async fn count(
    tx: &impl Tx,
    probe: &Probe,
    begun: Timestamp,
    millis: i64,
    is_failure: bool,
) -> Result<()> {
    let (slot, id) = (slot_of(begun), probe.id.as_str());
    tx.execute(
        "insert into status_probe_slots (probe_id, slot, checks, failures, total_millis)
         values (?1, ?2, 1, ?3, ?4)
         on conflict (probe_id, slot) do update set checks = checks + 1,
             failures = failures + excluded.failures,
             total_millis = total_millis + excluded.total_millis",
        params![id, slot, is_failure, if is_failure { 0 } else { millis }],
    )
    .await?;
    tx.execute(
        "delete from status_probe_slots where probe_id = ?1 and slot <= ?2",
        params![id, slot - KEPT],
    )
    .await
}

/// What the probes of a component measured in so many slots up to now, the oldest first. A component with
/// several probes took as long as all of them on average. Everybody may know.
pub async fn history(
    db: &impl Db,
    component: i64,
    slots: i64,
    now: Timestamp,
) -> Result<Vec<Slot>> {
    let last = slot_of(now);
    let rows: Vec<(i64, i64, i64, i64)> = pieces::read_few(
        db,
        "select json_array(s.slot, sum(s.checks), sum(s.failures), sum(s.total_millis)) as item
         from status_probes p join status_probe_slots s on s.probe_id = p.id
         where p.component_id = ?1 and s.slot > ?2 and s.slot <= ?3
         group by s.slot order by s.slot",
        params![component, last - slots.clamp(1, KEPT), last],
    )
    .await?;
    let slot = |(slot, checks, failures, total): (i64, i64, i64, i64)| Slot {
        begin: Timestamp::from_millis(slot * SLOT),
        checks,
        failures,
        average_millis: (checks > failures).then(|| total / (checks - failures)),
    };
    Ok(rows.into_iter().map(slot).collect())
}

/// The numbers of the components that have a probe, and so a chart.
pub async fn charted(db: &impl Db) -> Result<Vec<i64>> {
    let sql = "select distinct component_id as item from status_probes order by component_id";
    pieces::read_few(db, sql, &[]).await
}
