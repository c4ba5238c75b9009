//! Starting the update of a deployment.
//!
//! It is an execution like all others, with the update's own row beside it, which says what it is to do.

use super::{StartRequest, demand_environment, demand_independent, must_wait, new_execution};
use crate::texts;
use serde_json::{Map, Value, json};
use windlass_core::db::Tx;
use windlass_core::{Result, Scope, Timestamp};
use windlass_store::events::{self, EngineEvent};
use windlass_store::executions::{self, Execution, Status};
use windlass_store::queue::{self, Work};
use windlass_store::quotas::{self, Limited};

/// The workflow's name.
pub(super) const WORKFLOW: &str = "update";

/// What it maps to.
pub(super) fn definition() -> Value {
    json!({
        "name": WORKFLOW,
        "plugin": "default_workflows",
        "operation": "cloudify.plugins.workflows.update",
        "parameters": {},
        "is_cascading": false,
    })
}

/// What a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct UpdateRequest {
    /// The deployment's id.
    pub deployment_id: String,
    /// The options of the update, as parameters of its execution.
    pub parameters: Map<String, Value>,
    /// Whether those who depend on the deployment are passed over.
    pub force: bool,
}

/// Stores the execution of an update and queues its work. It waits for others that run on the deployment:
/// two at once would take the nodes from under each other.
///
/// # Errors
/// 404 and 403 for the deployment, 400 for one whose environment was not made, and when others depend on
/// it.
pub async fn start_update(
    tx: &impl Tx,
    scope: &Scope,
    request: UpdateRequest,
    now: Timestamp,
) -> Result<Execution> {
    let deployment = executions::deployment_to_run(tx, scope, &request.deployment_id).await?;
    demand_environment(&deployment)?;
    let start = StartRequest {
        deployment_id: request.deployment_id,
        workflow_id: WORKFLOW.to_owned(),
        parameters: request.parameters,
        allow_custom_parameters: true,
        queue: true,
        ..StartRequest::default()
    };
    let (may_wait, mut execution) = new_execution(scope, &deployment, start, now);
    if !request.force {
        demand_independent(tx, &execution).await?;
    }
    let waits = must_wait(tx, &execution, may_wait).await?;
    quotas::demand_room(tx, &execution.tenant_name, Limited::Executions).await?;
    if waits {
        execution.status = Status::Queued;
    }
    execution.key = executions::start(tx, scope, &execution).await?;
    if waits {
        let text = texts::workflow_queued(&execution.workflow_id);
        let event = EngineEvent::of_execution("workflow_queued", text);
        events::insert_all(tx, &execution, &[event], now).await?;
    } else {
        queue::push(tx, Work::Execution, &execution.id, &Value::Null, now, now).await?;
    }
    Ok(execution)
}
