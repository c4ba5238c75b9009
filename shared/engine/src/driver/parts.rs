//! From one part of a workflow to the next.

use super::{Drive, GraphState, json_text, rows};
use crate::plan::Topology;
use crate::step::{End, Event, State};
use crate::workflows::{self, Memory, On, Part, PartKind, Refusal, Workflow};
use windlass_core::db::Tx;
use windlass_core::{Result, ids};
use windlass_store::tasks_graphs::{self, NewTasksGraph};
use windlass_store::{deployments, operations};

impl<T: Tx> Drive<'_, T> {
    /// Builds and runs the parts of a workflow from one on, until one has to wait.
    pub(super) async fn run_from(
        &mut self,
        workflow: &Workflow,
        first: Option<usize>,
        mut memory: Memory,
    ) -> Result<()> {
        let mut topology = None;
        let mut next = first;
        while let Some((place, part)) = at(workflow, next) {
            let end = match &part.kind {
                PartKind::Act(act) => {
                    let done = self.act(act, workflow, &mut memory).await?;
                    Some(done.map_or_else(|Refusal(text)| End::Failed(text), |()| End::Succeeded))
                }
                _ if part.on == On::Chosen && memory.chose_nothing() => Some(End::Succeeded),
                _ => {
                    self.run_graph(workflow, (place, part), &memory, &mut topology)
                        .await?
                }
            };
            match end {
                None => return Ok(()),
                Some(end) => next = self.after(part, place, end, &mut memory),
            }
        }
        if !self.execution.status.has_ended() {
            self.end(memory.failure.map_or(End::Succeeded, End::Failed));
        }
        Ok(())
    }

    /// Goes on after the graph of a part has ended.
    pub(super) async fn go_on_after(
        &mut self,
        place: usize,
        end: End,
        mut memory: Memory,
    ) -> Result<()> {
        let workflow = match self.workflow().await? {
            Ok(workflow) => workflow,
            Err(_) => {
                self.end(end);
                return Ok(());
            }
        };
        let Some((place, part)) = at(&workflow, Some(place)) else {
            self.end(end);
            return Ok(());
        };
        let next = self.after(part, place, end, &mut memory);
        if self.execution.status.has_ended() {
            return Ok(());
        }
        self.effects.write(self.tx, &self.execution).await?;
        self.run_from(&workflow, next, memory).await
    }

    /// The part that follows one that has ended; none when the workflow is over. The execution ends
    /// here only where nothing may follow any more.
    fn after(&mut self, part: &Part, place: usize, end: End, memory: &mut Memory) -> Option<usize> {
        match (end, part.rescue) {
            (End::Succeeded, _) => (!part.is_last).then_some(place + 1),
            (End::Failed(text), Some(rescue)) => {
                memory.failure.get_or_insert(text);
                Some(rescue)
            }
            (end, _) => {
                self.end(end);
                None
            }
        }
    }

    /// Builds the graph of a part and takes it as far as it goes. In a dry run the topology follows
    /// from part to part what would have become of the instances.
    async fn run_graph(
        &mut self,
        workflow: &Workflow,
        (place, part): (usize, &Part),
        memory: &Memory,
        known: &mut Option<Topology>,
    ) -> Result<Option<End>> {
        if part.on == On::Chosen && memory.chosen.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Some(End::Succeeded));
        }
        if !self.execution.is_dry_run {
            // The states that this part starts from were changed by the one before.
            self.effects.write(self.tx, &self.execution).await?;
            *known = None;
        }
        let topology = match known {
            Some(topology) => topology,
            None => known.insert(self.topology(&workflow.named_operations()).await?),
        };
        match part.kind {
            PartKind::UninstallServices { .. } => {
                topology.services = deployments::services(self.tx, &self.execution).await?;
            }
            PartKind::RunBeside => match self.run_beside(topology).await? {
                Ok(run) => topology.beside = Some(run),
                Err(Refusal(text)) => return Ok(Some(End::Failed(text))),
            },
            _ => {}
        }
        let defaults = self.defaults().await?;
        let selection = workflow.selection(part, memory, topology);
        let ids = &mut ids::new_uuid;
        let graph = match workflows::build(&part.kind, topology, &selection, defaults, ids) {
            Ok(graph) => graph,
            Err(Refusal(text)) => return Ok(Some(End::Failed(text))),
        };
        let (state, end) = self.step(
            graph,
            Default::default(),
            vec![Event::Begin],
            Some(topology),
        );
        self.count(&state.graph, 0);
        if !self.execution.is_dry_run {
            self.insert_graph((place, part), memory, &state).await?;
        }
        Ok(end)
    }

    async fn insert_graph(
        &self,
        (place, part): (usize, &Part),
        memory: &Memory,
        state: &State,
    ) -> Result<()> {
        let kept = GraphState {
            part: place,
            memory: memory.clone(),
            failures: state.failures.clone(),
            late: state.late.clone(),
            failed_at: None,
        };
        let new = NewTasksGraph {
            id: &ids::new_uuid(),
            name: &part.name,
            state: &json_text(&kept)?,
            created_at: self.now,
        };
        let graph = tasks_graphs::insert(self.tx, &self.execution, &new).await?;
        let rows = rows::to_rows(&self.execution, &state.graph, 0);
        operations::insert_all(self.tx, &self.execution, &graph, &rows, self.now).await
    }
}

/// The part at a place of a workflow.
fn at(workflow: &Workflow, place: Option<usize>) -> Option<(usize, &Part)> {
    let place = place?;
    Some((place, workflow.parts.get(place)?))
}
