//! Islands: what is tied together in a graph, and nothing beyond it.
//!
//! A success concerns the island of its operation alone. A graph of a hundred instances that do not know each
//! other is a hundred islands, of which one is read for each of their calls.

use super::{Drive, GraphState};
use crate::graph::Graph;
use crate::step::{Outcome, Report};
use windlass_core::Result;
use windlass_core::db::Tx;
use windlass_store::executions::Status;
use windlass_store::operations::{self, OpenOperation};
use windlass_store::tasks_graphs::TasksGraph;

impl<T: Tx> Drive<'_, T> {
    /// The open operations of a graph that reports may concern, and whether calls run among those left out. A
    /// failure concerns all of it, and so does the end of the last call that runs.
    pub(super) async fn concerned(
        &self,
        row: &TasksGraph,
        kept: &GraphState,
        reports: &[Report],
    ) -> Result<(Vec<OpenOperation>, bool)> {
        let succeeded = |report: &Report| matches!(report.outcome, Outcome::Succeeded { .. });
        if self.execution.status == Status::Started
            && kept.failures.is_empty()
            && !reports.is_empty()
            && reports.iter().all(succeeded)
        {
            let ids: Vec<&str> = reports.iter().map(|report| &*report.operation).collect();
            if let Some(around) = operations::open_around(self.tx, row, &ids).await? {
                return Ok((around, true));
            }
        }
        Ok((operations::open_of_graph(self.tx, row).await?, false))
    }
}

/// The island of each operation, named by the first place on it.
#[allow(
    clippy::indexing_slicing,
    reason = "a place is an index that the graph itself gave out, and nothing leaves a graph"
)]
pub(super) fn of(graph: &Graph) -> Vec<usize> {
    let mut above: Vec<usize> = (0..graph.operations.len()).collect();
    fn top(above: &mut [usize], mut place: usize) -> usize {
        while above[place] != place {
            above[place] = above[above[place]];
            place = above[place];
        }
        place
    }
    for (place, operation) in graph.operations.iter().enumerate() {
        for other in operation.dependencies.iter().chain(&operation.subgraph) {
            let (one, two) = (top(&mut above, place), top(&mut above, *other));
            above[one.max(two)] = one.min(two);
        }
    }
    (0..above.len())
        .map(|place| top(&mut above, place))
        .collect()
}
