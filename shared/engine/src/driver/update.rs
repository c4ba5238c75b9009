//! What an update of a deployment does between its graphs.
//!
//! What is different is found out once, when it begins. All later steps read what was written down
//! then, so whatever is killed in between goes on where it was.

mod beside;
mod choices;

use super::Drive;
use crate::workflows::{Memory, Refusal, UpdateAct, UpdateOptions};
use choices::Roles;
use serde_json::{Map, Value};
use std::collections::HashSet;
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope};
use windlass_deployment::update::{self, Goal};
use windlass_store::deployment_updates::later;
use windlass_store::deployment_updates::work::{self, Item, Role};
use windlass_store::deployment_updates::{self, Running};
use windlass_store::deployments::{self, Deployment};
use windlass_store::executions::Execution;
use windlass_store::{blueprints, node_instances};

impl<T: Tx> Drive<'_, T> {
    pub(super) async fn update(
        &mut self,
        act: UpdateAct,
        memory: &mut Memory,
    ) -> Result<Result<(), Refusal>> {
        let Some(running) = deployment_updates::of_execution(self.tx, &self.execution).await?
        else {
            let text = "An update is started as an update of the deployment only";
            return Ok(Err(Refusal(text.to_owned())));
        };
        match act {
            UpdateAct::Begin => return self.begin_update(&running).await,
            UpdateAct::ReplaceNodes => {
                let deployment = self.deployment().await?;
                update::replace_nodes(self.tx, &deployment, &running).await?;
            }
            UpdateAct::Settle => {
                let (scope, deployment) = (self.scope_of(&running), self.deployment().await?);
                update::replace_nodes(self.tx, &deployment, &running).await?;
                let done = update::settle(self.tx, &scope, &deployment, &running).await?;
                return Ok(done.map_err(Refusal));
            }
            UpdateAct::Finish => {
                let (scope, deployment) = (self.scope_of(&running), self.deployment().await?);
                let done = update::finish(self.tx, &scope, &deployment, &running).await?;
                return Ok(done.map_err(Refusal));
            }
            choice => {
                let work = work::find(self.tx, running.key).await?;
                return self.choose(choice, &running, &work, memory).await;
            }
        }
        Ok(Ok(()))
    }

    async fn deployment(&self) -> Result<Deployment> {
        let key = self.execution.deployment_key.unwrap_or_default();
        let found = deployments::find_by_key(self.tx, &Scope::engine(), key).await?;
        found.ok_or_else(|| Error::internal("executions go with their deployment"))
    }

    /// What whoever asked for the update may see: the new blueprint, and what that names.
    fn scope_of(&self, running: &Running) -> Scope {
        let Execution {
            created_by,
            tenant_name,
            ..
        } = &self.execution;
        let scope = Scope::in_name_of(created_by, tenant_name);
        match running.sees_private() {
            true => scope.with_private(),
            false => scope,
        }
    }

    /// The inputs that the request gave, without those that the deployment had before.
    fn given_inputs(&self) -> Map<String, Value> {
        let inputs = self.execution.parameters.get("inputs");
        inputs
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    }

    async fn begin_update(&mut self, running: &Running) -> Result<Result<(), Refusal>> {
        let (scope, deployment) = (self.scope_of(running), self.deployment().await?);
        let id = running.new_blueprint_id.as_deref().unwrap_or_default();
        let Some(blueprint) = blueprints::find_optional(self.tx, &scope, id).await? else {
            return Ok(Err(Refusal(format!("The blueprint `{id}` is gone"))));
        };
        let options = match UpdateOptions::of(&self.execution.parameters) {
            Ok(options) => options,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let goal = Goal {
            blueprint,
            inputs: self.given_inputs(),
            runtime_only_evaluation: running.runtime_only_evaluation(),
            auto_correct_types: options.auto_correct_types,
            update_plugins: !options.keep_plugins,
            update: Some(running.key),
        };
        match update::plan(self.tx, &scope, &deployment, &goal).await? {
            Ok(planned) => {
                if let Some(name) = options.workflow
                    && !planned.has_workflow(&name)
                {
                    let id = &deployment.id;
                    let text = format!("Workflow {name} does not exist in the deployment {id}");
                    return Ok(Err(Refusal(text)));
                }
                update::begin(self.tx, &deployment, running, &planned).await?;
                Ok(Ok(()))
            }
            Err(reason) => Ok(Err(Refusal(reason))),
        }
    }

    /// Chooses the instances that the next graphs are about.
    async fn choose(
        &self,
        choice: UpdateAct,
        running: &Running,
        work: &[Item],
        memory: &mut Memory,
    ) -> Result<Result<(), Refusal>> {
        let options = match UpdateOptions::of(&self.execution.parameters) {
            Ok(options) => options,
            Err(refusal) => return Ok(Err(refusal)),
        };
        for id in &options.reinstall {
            if !node_instances::owns_instance(self.tx, &self.execution, id).await? {
                let text = format!("No node instance with id `{id}` was found");
                return Ok(Err(Refusal(text)));
            }
        }
        memory.relationships.clear();
        let drifted = match choice {
            UpdateAct::ChooseFollowing | UpdateAct::ChooseReinstalled
                if !options.skip_drift_check =>
            {
                node_instances::drifted(self.tx, &self.execution).await?
            }
            _ => Vec::new(),
        };
        let roles = Roles::new(work, drifted);
        memory.chosen = Some(Vec::new());
        if roles.is_idle(choice, &options) {
            return Ok(Ok(()));
        }
        let topology = self.topology(&[]).await?;
        let chosen = match choice {
            UpdateAct::ChooseChecked => roles.checked(&topology),
            UpdateAct::ChooseDriftChecked => roles.drift_checked(&topology),
            UpdateAct::ChooseRemoved => {
                memory.relationships = roles.relationships(&topology, Role::Reduced);
                roles.of(Role::Removed)
            }
            UpdateAct::ChooseAddedFirst => {
                roles.added_first(&topology, &self.replaced(running).await?)
            }
            UpdateAct::ChooseAdded => {
                memory.relationships = roles.relationships(&topology, Role::Extended);
                roles.added(&topology)
            }
            UpdateAct::ChooseFollowing => roles.following(&topology),
            _ => roles.reinstalled(&topology, &options),
        };
        memory.chosen = Some(chosen);
        Ok(Ok(()))
    }

    /// The nodes that are another one of the same name from now on.
    async fn replaced(&self, running: &Running) -> Result<HashSet<String>> {
        let columns = later::find(self.tx, running.key).await?.into_iter();
        let whole = columns.filter(|column| column.name == "type");
        Ok(whole.map(|column| column.node_id).collect())
    }
}
