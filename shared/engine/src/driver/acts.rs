//! What workflows do between graphs, in the driver's transaction.

use super::Drive;
use crate::plan::Topology;
use crate::workflows::{
    self, Act, HEAL_SUBGRAPH, Memory, Refusal, Selection, Workflow, reinstall_disallowed,
};
use windlass_core::Result;
use windlass_core::db::Tx;
use windlass_store::node_instances::{self, Health};
use windlass_store::{operations, tasks_graphs};

/// Whether it could be done, or why the workflow fails.
pub(super) type Done = std::result::Result<(), Refusal>;

impl<T: Tx> Drive<'_, T> {
    /// Does what stands between two graphs. What later parts have to know is left in the memory.
    /// A refusal is a failure of the workflow.
    pub(super) async fn act(
        &mut self,
        act: &Act,
        _workflow: &Workflow,
        memory: &mut Memory,
    ) -> Result<Done> {
        // What graphs before it have changed is to be seen.
        self.effects.write(self.tx, &self.execution).await?;
        match act {
            Act::Tell(text) => {
                self.effects.tell("workflow_event", text);
                Ok(Ok(()))
            }
            Act::ChooseTree(instance) => self.choose_tree(instance, memory).await,
            Act::ChooseRemedies { .. } if memory.chose_nothing() => Ok(Ok(())),
            Act::ChooseRemedies {
                trusting,
                allow_reinstall,
            } => {
                self.choose_remedies(*trusting, *allow_reinstall, memory)
                    .await
            }
            Act::CheckScaling(scaling) => self.check_scaling(scaling).await,
            Act::StartScaling(scaling) => self.start_scaling(scaling, memory).await,
            Act::ChooseAbandoned => self.choose_abandoned(memory).await,
            Act::FinishModification => self.finish_modification(memory).await,
            Act::RollBackModification => self.roll_back_modification(memory).await,
            Act::ChooseUnhealed { allow_reinstall } => {
                self.choose_unhealed(*allow_reinstall, memory).await
            }
            // Boxed: as a part of the tick's type its own is deeper than compilers look.
            Act::Update(act) => Box::pin(self.update(*act, memory)).await,
        }
    }

    async fn choose_tree(&mut self, id: &str, memory: &mut Memory) -> Result<Done> {
        let topology = self.topology(&[]).await?;
        let Some(place) = topology.place(id) else {
            let text = format!("No node instance with id `{id}` was found");
            return Ok(Err(Refusal(text)));
        };
        let host = topology.instance(place).host_id.as_deref();
        let root = host.and_then(|host| topology.place(host)).unwrap_or(place);
        let tree = topology.with_contained(vec![root]);
        memory.chosen = Some(ids(&topology, tree));
        Ok(Ok(()))
    }

    async fn choose_remedies(
        &mut self,
        trusting: bool,
        allow_reinstall: bool,
        memory: &mut Memory,
    ) -> Result<Done> {
        let topology = self.topology(&[]).await?;
        let health = node_instances::health(self.tx, &self.execution).await?;
        let among = match &memory.chosen {
            None => Selection::new(&topology, |_| true),
            Some(ids) => Selection::of_ids(&topology, ids.iter().map(String::as_str)),
        };
        let remedies = workflows::remedies(&topology, &among, |place| {
            let health = health.get(&topology.instance(place).id);
            match health {
                Some(Health::Checked(ok)) => *ok,
                Some(Health::Unchecked) | None => trusting,
            }
        });
        memory.chosen = Some(ids(&topology, remedies.heal));
        memory.later = ids(&topology, remedies.reinstall);
        Ok(demand_reinstall_allowed(allow_reinstall, &memory.later))
    }

    /// A heal that failed is seen by its subgraph.
    async fn choose_unhealed(
        &mut self,
        allow_reinstall: bool,
        memory: &mut Memory,
    ) -> Result<Done> {
        let mut chosen = std::mem::take(&mut memory.later);
        if memory
            .chosen
            .as_ref()
            .is_some_and(|healed| !healed.is_empty())
            && let Some(graph) = tasks_graphs::find_current(self.tx, &self.execution).await?
        {
            let failed = operations::failed_subgraphs(self.tx, &graph).await?;
            let failed = failed
                .iter()
                .filter_map(|name| name.strip_prefix(HEAL_SUBGRAPH));
            chosen.extend(failed.map(str::to_owned));
        }
        let allowed = demand_reinstall_allowed(allow_reinstall, &chosen);
        memory.chosen = Some(chosen);
        Ok(allowed)
    }
}

fn demand_reinstall_allowed(is_allowed: bool, ids: &[String]) -> Done {
    match is_allowed || ids.is_empty() {
        true => Ok(()),
        false => Err(Refusal(reinstall_disallowed(ids))),
    }
}

fn ids(topology: &Topology, places: Vec<usize>) -> Vec<String> {
    let ids = places.into_iter().map(|place| topology.instance(place));
    ids.map(|instance| instance.id.clone()).collect()
}
