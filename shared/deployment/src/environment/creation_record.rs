//! The execution that made a deployment's environment.
//!
//! It runs inside the request that asks for the deployment, so its row is written when it has
//! ended, with the two events that tell of it.

use windlass_core::db::Tx;
use windlass_core::{Result, Scope, Timestamp, ids};
use windlass_store::deployments::{self, CREATE_WORKFLOW, Owner};
use windlass_store::events::{self, EngineEvent};
use windlass_store::executions::{self, Execution, Status};

/// How making an environment went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Creation<'a> {
    /// The blueprint's id.
    pub blueprint_id: &'a str,
    /// When it began.
    pub began: Timestamp,
    /// Why it failed, if it did.
    pub error: Option<&'a str>,
}

/// Records the execution that made a deployment, or failed to.
pub(super) async fn record(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    creation: &Creation<'_>,
) -> Result<()> {
    let ended = Timestamp::now();
    let status = if creation.error.is_some() {
        Status::Failed
    } else {
        Status::Terminated
    };
    let mut execution = Execution {
        id: ids::new_uuid(),
        tenant_name: owner.tenant_name.clone(),
        created_by: scope.username().to_owned(),
        visibility: owner.visibility,
        created_at: creation.began,
        deployment_key: Some(owner.key),
        deployment_id: Some(owner.id.clone()),
        blueprint_id: Some(creation.blueprint_id.to_owned()),
        workflow_id: CREATE_WORKFLOW.to_owned(),
        status,
        error: creation.error.map(str::to_owned),
        started_at: Some(creation.began),
        ended_at: Some(ended),
        ..Execution::default()
    };
    execution.key = executions::insert(tx, &execution).await?;
    let begin = format!("Starting '{CREATE_WORKFLOW}' workflow execution");
    let (kind, end) = match creation.error {
        None => (
            "workflow_succeeded",
            format!("'{CREATE_WORKFLOW}' workflow execution succeeded"),
        ),
        Some(error) => (
            "workflow_failed",
            format!("'{CREATE_WORKFLOW}' workflow execution failed: {error}"),
        ),
    };
    for (time, kind, message) in [
        (creation.began, "workflow_started", begin),
        (ended, kind, end),
    ] {
        let event = EngineEvent::of_execution(kind, message);
        events::insert_all(tx, &execution, &[event], time).await?;
    }
    deployments::set_creation(tx, owner, &execution.id).await
}
