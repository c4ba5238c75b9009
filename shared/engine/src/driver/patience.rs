//! Something has failed for good, and other calls still run: for how long they are waited for.
//!
//! Nothing more is started meanwhile. When the time is over the execution ends as failed; what comes
//! of the calls is kept with their operations when it comes, as after a cancel.

use super::Drive;
use crate::step::{Command, End, Event, Mode, State, steps};
use windlass_core::Result;
use windlass_core::db::Tx;
use windlass_store::executions;
use windlass_store::queue::{self, Work};

impl<T: Tx> Drive<'_, T> {
    /// Decides whether an execution in which something failed goes on waiting. Answers state and end
    /// as they are then, and since when it waits.
    pub(super) async fn wait_or_end(
        &mut self,
        mut state: State,
        end: Option<End>,
        failed_at: Option<i64>,
    ) -> Result<(State, Option<End>, Option<i64>)> {
        if end.is_some() || state.failures.is_empty() {
            return Ok((state, end, failed_at));
        }
        let since = failed_at.unwrap_or(self.now.millis());
        let seconds = executions::wait_after_fail(self.tx, &self.execution).await?;
        let until = since.saturating_add(seconds.saturating_mul(1000));
        if until > self.now.millis() {
            let (id, nothing) = (self.execution.id.as_str(), serde_json::Value::Null);
            let until = windlass_core::Timestamp::from_millis(until);
            queue::push(self.tx, Work::Execution, id, &nothing, until, self.now).await?;
            return Ok((state, None, Some(since)));
        }
        state.mode = Mode::Cancelling;
        let (state, commands): (State, Vec<Command>) = steps(state, [Event::Begin]);
        let end = self.effects.take(&state.graph, commands);
        Ok((state, end, Some(since)))
    }
}
