//! What `scale` does between its graphs: modifications of the deployment begin and end.

use super::Drive;
use super::acts::Done;
use crate::workflows::{Memory, Refusal, Scaling};
use serde_json::Map;
use std::collections::BTreeMap;
use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, Scope};
use windlass_deployment::modification::{self, Present};
use windlass_store::deployment_modifications::{self as modifications, New};
use windlass_store::deployments::{self, Owner};

impl<T: Tx> Drive<'_, T> {
    /// As whoever started the execution, whom the audit trail names. What they may not see was refused when
    /// they started it.
    pub(super) fn scope(&self) -> Scope {
        Scope::system(&self.execution.created_by, &self.execution.tenant_name)
    }

    async fn owner(&self) -> Result<Owner> {
        let key = self.execution.deployment_key.unwrap_or_default();
        let found = deployments::find_by_key(self.tx, &Scope::engine(), key).await?;
        let found = found.ok_or_else(|| Error::internal("the deployment has gone"))?;
        Ok(found.owner)
    }

    /// Refuses what cannot be done, before anything is.
    pub(super) async fn check_scaling(&mut self, scaling: &Scaling) -> Result<Done> {
        let present = Present::load(self.tx, &self.owner().await?).await?;
        Ok(scaling.target(&present).map(drop))
    }

    /// Begins the modification; chosen is what comes, or what goes. A dry run begins none.
    pub(super) async fn start_scaling(
        &mut self,
        scaling: &Scaling,
        memory: &mut Memory,
    ) -> Result<Done> {
        memory.chosen = Some(Vec::new());
        if self.execution.is_dry_run {
            return Ok(Ok(()));
        }
        let owner = self.owner().await?;
        let present = Present::load(self.tx, &owner).await?;
        let (name, instances) = match scaling.target(&present) {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let new = New {
            instances,
            removed_ids_include_hint: scaling.include.clone(),
            removed_ids_exclude_hint: scaling.exclude.clone(),
        };
        let modified = BTreeMap::from([(name, new)]);
        let (scope, context) = (self.scope(), Map::new());
        let begun = self
            .tx
            .attempt(async |tx| modification::start(tx, &scope, &owner, &modified, &context).await);
        let begun = match refused(begun.await)? {
            Ok(begun) => begun,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let id = begun.modification.id;
        self.tell_of("Deployment modification started.", &id);
        memory.chosen = Some(match scaling.delta > 0 {
            true => begun.added,
            false => begun.removed,
        });
        memory.modification = Some(id);
        Ok(Ok(()))
    }

    /// Chooses what an earlier modification that is still under way has added.
    pub(super) async fn choose_abandoned(&mut self, memory: &mut Memory) -> Result<Done> {
        memory.chosen = Some(Vec::new());
        let owner = self.owner().await?;
        if self.execution.is_dry_run {
            return Ok(Ok(()));
        }
        if let Some(found) = modifications::started(self.tx, &owner).await? {
            memory.chosen = Some(modifications::added_ids(self.tx, &found).await?);
            memory.modification = Some(found.id);
        }
        Ok(Ok(()))
    }

    pub(super) async fn finish_modification(&mut self, memory: &mut Memory) -> Result<Done> {
        let Some(id) = memory.modification.take() else {
            return Ok(Ok(()));
        };
        let scope = self.scope();
        let found = modifications::find(self.tx, &Scope::engine(), &id).await?;
        let finished = self
            .tx
            .attempt(async |tx| modification::finish(tx, &scope, &found).await);
        refused(finished.await)
    }

    pub(super) async fn roll_back_modification(&mut self, memory: &mut Memory) -> Result<Done> {
        let Some(id) = memory.modification.take() else {
            return Ok(Ok(()));
        };
        self.tell_of("Rolling back deployment modification.", &id);
        let scope = self.scope();
        let found = modifications::find(self.tx, &Scope::engine(), &id).await?;
        let rolled_back = self
            .tx
            .attempt(async |tx| modification::roll_back(tx, &scope, &found).await);
        refused(rolled_back.await)
    }

    fn tell_of(&mut self, what: &str, id: &str) {
        let text = format!("{what} [modification_id={id}]");
        self.effects.tell("workflow_event", &text);
    }
}

/// What is refused fails the workflow; everything else is tried again.
fn refused<T>(answer: Result<T>) -> Result<std::result::Result<T, Refusal>> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) if matches!(error.kind(), Kind::Internal | Kind::Unavailable) => Err(error),
        Err(error) => Ok(Err(Refusal(error.message().to_owned()))),
    }
}
