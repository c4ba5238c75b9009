//! Workflows on the other deployment: begun in one transaction, gone on with when they have ended.

use super::{Described, Function, Went, component, look_again};
use crate::start::{self, StartRequest};
use serde_json::Map;
use windlass_core::db::Tx;
use windlass_core::{Kind, Result, Scope, Timestamp};
use windlass_store::component_waits::{self, ComponentWait};
use windlass_store::executions::{self, Execution, Status};
use windlass_store::operations::DueCall;

/// For how long an execution is waited for where the inputs say nothing, in seconds.
pub(super) const PATIENCE: i64 = 1800;

/// Starts a workflow on the other deployment and waits for it. One that runs there already is waited for
/// instead: a resume finds what it began before.
pub(super) async fn start(
    tx: &impl Tx,
    described: &Described,
    workflow: Option<&str>,
    now: Timestamp,
) -> Result<Went> {
    let id = described.deployment_id();
    let Some(other) = described.find(tx, &id).await? else {
        return Ok(Went::Failed(format!("Deployment `{id}` does not exist")));
    };
    if other.owner.tenant_name != described.source.tenant_name {
        let text =
            format!("Deployment `{id}` is of another tenant: only that one runs workflows on it");
        return Ok(Went::Failed(text));
    }
    let written = described.input("/workflow_id").as_str();
    let workflow = workflow.or(written).unwrap_or("install").to_owned();
    let seconds = described
        .input("/timeout")
        .as_i64()
        .filter(|seconds| *seconds > 0);
    let run = Run {
        operation: &described.operation,
        scope: &described.scope,
        request: request(described, &id, &workflow),
        until: now.plus_seconds(seconds.unwrap_or(PATIENCE)),
    };
    join_or_begin(tx, other.key, run, now).await
}

/// A workflow that an operation runs on another deployment.
pub(super) struct Run<'a> {
    /// The operation that waits for it.
    pub operation: &'a str,
    /// In whose name it runs.
    pub scope: &'a Scope,
    /// What is started.
    pub request: StartRequest,
    /// Until when it is waited for.
    pub until: Timestamp,
}

/// Waits for a workflow that runs on the deployment of a row, or starts it there.
pub(super) async fn join_or_begin(
    tx: &impl Tx,
    deployment: i64,
    run: Run<'_>,
    now: Timestamp,
) -> Result<Went> {
    let workflow = &run.request.workflow_id;
    match executions::in_progress(tx, deployment, workflow).await? {
        Some(running) => await_end(tx, &run, &running, now).await,
        None => begin(tx, run, now).await,
    }
}

/// Starts a workflow and waits for it.
pub(super) async fn begin(tx: &impl Tx, run: Run<'_>, now: Timestamp) -> Result<Went> {
    let request = run.request.clone();
    let is_uninstall = request.workflow_id == "uninstall";
    let started = tx.attempt(async |tx| Box::pin(start::start(tx, run.scope, request, now)).await);
    match started.await {
        Ok(execution) => await_end(tx, &run, &execution.id, now).await,
        // There is nothing to be taken down.
        Err(error) if error.kind() == Kind::UnavailableWorkflow && is_uninstall => {
            Ok(Went::Done(Map::new()))
        }
        Err(error) => Err(error),
    }
}

async fn await_end(tx: &impl Tx, run: &Run<'_>, execution: &str, now: Timestamp) -> Result<Went> {
    component_waits::insert(tx, run.operation, execution, run.until).await?;
    look_again(tx, run.operation, run.until, now).await?;
    Ok(Went::Waits)
}

fn request(described: &Described, id: &str, workflow: &str) -> StartRequest {
    let given = described.given("/executions_start_args");
    let own = described.input("/parameters").as_object();
    let parameters = own.or(given["parameters"].as_object());
    StartRequest {
        deployment_id: id.to_owned(),
        workflow_id: workflow.to_owned(),
        parameters: parameters.cloned().unwrap_or_default(),
        allow_custom_parameters: given["allow_custom_parameters"].as_bool() == Some(true),
        force: given["force"].as_bool() == Some(true),
        queue: true,
        ..StartRequest::default()
    }
}

/// Looks whether what an operation waits for has ended, and what follows from that.
pub(super) async fn look(
    tx: &impl Tx,
    due: &DueCall,
    execution: &Execution,
    wait: &ComponentWait,
    now: Timestamp,
) -> Result<Went> {
    let other = wait.deployment_id.as_deref().unwrap_or_default();
    let id = &wait.execution_id;
    match wait.status {
        Some(status) if !status.has_ended() => {
            let until = Timestamp::from_millis(wait.until);
            if now < until {
                look_again(tx, &due.id, until, now).await?;
                return Ok(Went::Waits);
            }
            Ok(Went::Failed(format!(
                "Execution \"{id}\" for \"{other}\" deployment has not ended in time"
            )))
        }
        Some(Status::Terminated) if Function::named(&due.name) == Some(Function::RunWorkflow) => {
            Ok(Went::Done(Map::new()))
        }
        Some(Status::Terminated) => match Described::of(tx, due, execution).await? {
            Ok(described) if Function::named(&due.name) == Some(Function::UploadBlueprint) => {
                component::uploaded(tx, &described).await
            }
            Ok(described) => described.capabilities(tx).await,
            Err(reason) => Ok(Went::Failed(reason)),
        },
        Some(status) => {
            let error = wait.error.as_deref().filter(|error| !error.is_empty());
            let why = error.map_or(String::new(), |error| format!(": {error}"));
            Ok(Went::Failed(match other {
                "" => format!("The upload of the blueprint {}{why}", status.name()),
                other => format!(
                    "Execution \"{id}\" {} for \"{other}\" deployment{why}",
                    status.name()
                ),
            }))
        }
        None => Ok(Went::Failed(format!("Execution \"{id}\" is gone"))),
    }
}
