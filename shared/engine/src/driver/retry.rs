//! Subgraphs that failed and are tried again: their instances are looked at as they are now.

use super::Drive;
use crate::step::{End, Event, State};
use crate::workflows;
use windlass_core::db::Tx;
use windlass_core::{Result, ids};

impl<T: Tx> Drive<'_, T> {
    /// Puts new subgraphs in place of those that a step wants to have tried again, and goes on.
    pub(super) async fn retry_subgraphs(
        &mut self,
        mut state: State,
    ) -> Result<(State, Option<End>)> {
        let failed = std::mem::take(&mut state.to_retry);
        self.effects.write(self.tx, &self.execution).await?;
        let mut topology = self.topology(&[]).await?;
        let defaults = self.defaults().await?;
        let graph = workflows::retry_subgraphs(
            state.graph,
            &failed,
            &mut topology,
            defaults,
            &mut ids::new_uuid,
        );
        Ok(self.step(
            graph,
            (state.failures, state.late),
            vec![Event::Begin],
            None,
        ))
    }
}
