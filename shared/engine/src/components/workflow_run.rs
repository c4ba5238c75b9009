//! A workflow that another workflow starts and waits for: the uninstall of the deployments that use one as
//! their environment, and the one that somebody wants of an update.
//!
//! An operation of the workflow itself, not of a node, which waits like the operations of a component.

use super::described::Whose;
use super::other_runs::{self, Run};
use super::{PLUGIN, Went};
use crate::graph::{Call, Task};
use crate::start::StartRequest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope, Timestamp, Visibility};
use windlass_store::deployments::{self, Owner};
use windlass_store::executions::Execution;
use windlass_store::operations::DueCall;

/// For how long an end is waited for, in seconds: the workflow that waits sets no limit.
const PATIENCE: i64 = 365 * 24 * 3600;

/// What such an operation starts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WorkflowRun {
    /// On which deployment.
    pub deployment_id: String,
    /// Which workflow.
    pub workflow_id: String,
    /// With which parameters.
    pub parameters: Map<String, Value>,
    /// Whether it runs beside the one that waits, on the same deployment.
    pub is_beside: bool,
}

impl WorkflowRun {
    /// The operation of a graph, with its name.
    pub fn task(&self, ignore_failure: bool) -> (String, Task) {
        let name = match self.is_beside {
            true => "cloudify_types.update.run_workflow",
            false => "cloudify_types.service.uninstall",
        };
        let inputs = serde_json::to_value(self).unwrap_or_default();
        let call = Call {
            operation: self.workflow_id.clone(),
            plugin: PLUGIN.to_owned(),
            inputs: inputs.as_object().cloned().unwrap_or_default(),
            ignore_failure,
            ..Call::default()
        };
        (name.to_owned(), Task::Call(Box::new(call)))
    }
}

/// Starts the workflow and waits for it. A deployment that is gone by now has nothing to be done with.
pub(super) async fn begin(
    tx: &impl Tx,
    due: &DueCall,
    execution: &Execution,
    now: Timestamp,
) -> Result<Went> {
    let Some(whose) = Whose::of(tx, due, execution).await? else {
        return Ok(Went::Failed("The deployment is gone".to_owned()));
    };
    let wanted: WorkflowRun = serde_json::from_value(Value::Object(whose.inputs))
        .map_err(|error| Error::bad_parameters(error.to_string()))?;
    if wanted.is_beside {
        let scope = Scope::system(&execution.created_by, &execution.tenant_name);
        return beside(tx, (&due.id, &scope), &whose.source, wanted, now).await;
    }
    let scope = &whose.scope;
    let found = deployments::find_optional(tx, scope, &wanted.deployment_id).await?;
    let found = found.filter(|found| {
        found.tenant_name == whose.source.tenant_name
            && (found.visibility != Visibility::Private || found.created_by == scope.username())
    });
    let Some(deployment) = found else {
        return Ok(Went::Done(Map::new()));
    };
    // Types of older versions declare fewer parameters.
    let request = StartRequest {
        deployment_id: wanted.deployment_id,
        workflow_id: wanted.workflow_id,
        parameters: wanted.parameters,
        allow_custom_parameters: true,
        queue: true,
        ..StartRequest::default()
    };
    let run = Run {
        operation: &due.id,
        scope,
        request,
        until: now.plus_seconds(PATIENCE),
    };
    other_runs::join_or_begin(tx, deployment.key, run, now).await
}

/// Starts a workflow on the very deployment of the one that waits, whoever may see that, and whatever runs
/// there.
async fn beside(
    tx: &impl Tx,
    (operation, scope): (&str, &Scope),
    deployment: &Owner,
    wanted: WorkflowRun,
    now: Timestamp,
) -> Result<Went> {
    let request = StartRequest {
        deployment_id: deployment.id.clone(),
        workflow_id: wanted.workflow_id,
        parameters: wanted.parameters,
        allow_custom_parameters: true,
        force: true,
        queue: true,
        ..StartRequest::default()
    };
    let run = Run {
        operation,
        scope,
        request,
        until: now.plus_seconds(PATIENCE),
    };
    other_runs::begin(tx, run, now).await
}
