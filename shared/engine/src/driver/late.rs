//! What comes of calls after their execution has ended, or while it waits for its turn to go on: an execution
//! that is cancelled does not wait for them.
//!
//! Something was made, or was not, and whoever looks, cleans up or resumes has to know: state,
//! runtime properties, progress and event are written as ever. Nothing is tried again and nothing
//! more is started.

use super::{Drive, rows};
use crate::step::{Event, Mode, Report};
use windlass_core::db::Tx;
use windlass_core::{Result, Timestamp};
use windlass_store::executions::Execution;
use windlass_store::{events, executions, operations, tasks_graphs};

/// Keeps the ends of calls with their operations.
pub async fn note(
    tx: &impl Tx,
    execution: Execution,
    reports: Vec<Report>,
    now: Timestamp,
) -> Result<()> {
    let Some(graph) = tasks_graphs::find_current(tx, &execution).await? else {
        return Ok(());
    };
    let newest = events::newest(tx, &execution).await?;
    let now = newest.map_or(now, |newest| newest.max(now));
    let open = rows::from_rows(operations::open_of_graph(tx, &graph).await?)?;
    let stored = open.operations.len();
    let mut drive = Drive::new(tx, execution, now);
    let reports = reports.into_iter().map(Event::Reported).collect();
    let (state, _) = drive.step(open, Default::default(), reports, None);
    debug_assert_eq!(state.mode, Mode::Over);
    drive.count(&state.graph, stored);
    let changes = rows::to_changes(&state.graph, stored);
    operations::update_all(tx, &changes, now).await?;
    drive.effects.write(tx, &drive.execution).await?;
    executions::save(tx, &drive.execution, drive.was).await
}
