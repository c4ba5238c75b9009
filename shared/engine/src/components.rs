//! Components and shared resources: nodes that are other deployments; and secrets that are nodes.
//!
//! Their operations come from the types `cloudify.nodes.Component`, `ServiceComponent` and `SharedResource`.
//! No worker is needed for them, since all they do is ask for what the engine does anyway. Each is one
//! transaction. One that has to wait for an execution of the other deployment leaves a row that says so, and
//! goes on when that has ended: nobody looks at it meanwhile.

mod cascade;
mod component;
mod described;
mod other_runs;
mod password_secret;
mod shared_resource;
mod workflow_run;

pub(crate) use cascade::{resume_below, start_below, stop_below};
pub(crate) use workflow_run::WorkflowRun;

use crate::driver;
use crate::step::{CallError, Outcome, Report};
use described::{Described, Whose};
use serde_json::{Map, Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp};
use windlass_store::component_waits::{self, ComponentWait};
use windlass_store::executions::{self, Execution, Status};
use windlass_store::operations::{self, DueCall};
use windlass_store::queue::{self, Leased, Work};

/// The plugin that the types name.
pub(crate) const PLUGIN: &str = "cfy_extensions";

/// What such an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    UploadBlueprint,
    Create,
    Execute,
    Delete,
    Heal,
    Refresh,
    CheckStatus,
    CheckDrift,
    Connect,
    Disconnect,
    ValidatePassword,
    CreatePassword,
    DeletePassword,
    RunWorkflow,
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        let name = name.strip_prefix("cfy_extensions.").unwrap_or(name);
        Some(match name.strip_prefix("cloudify_types.")? {
            "component.upload_blueprint" => Self::UploadBlueprint,
            "component.create" => Self::Create,
            "component.execute_start" | "shared_resource.execute_workflow" => Self::Execute,
            "component.delete" => Self::Delete,
            "component.heal" => Self::Heal,
            "component.refresh" | "component.update" | "shared_resource.refresh" => Self::Refresh,
            "component.check_status" | "shared_resource.check_status" => Self::CheckStatus,
            "component.check_drift" | "shared_resource.check_drift" => Self::CheckDrift,
            "shared_resource.connect_deployment" => Self::Connect,
            "shared_resource.disconnect_deployment" => Self::Disconnect,
            "password_secret.creation_validation" => Self::ValidatePassword,
            "password_secret.create" => Self::CreatePassword,
            "password_secret.delete" => Self::DeletePassword,
            "service.uninstall" | "update.run_workflow" => Self::RunWorkflow,
            _ => return None,
        })
    }

    /// Whether it is about a secret rather than about another deployment.
    const fn is_of_password(self) -> bool {
        matches!(
            self,
            Self::ValidatePassword | Self::CreatePassword | Self::DeletePassword
        )
    }
}

/// Whether the engine carries out a function of a plugin itself, as one of these.
pub(crate) fn is_one(plugin: &str, function: &str) -> bool {
    plugin == PLUGIN && Function::named(function).is_some()
}

/// How an operation went on.
enum Went {
    /// It is done, and these are properties of its instance now.
    Done(Map<String, Value>),
    /// It is done with a result that a check keeps.
    Told(Value),
    /// It waits for an execution.
    Waits,
    /// It cannot be done, for this reason.
    Failed(String),
}

/// A refusal of what an operation asks for is its failure; what went wrong by itself is nobody's fault.
fn refused(error: Error) -> Result<Went> {
    match error.kind() {
        Kind::Internal | Kind::Unavailable => Err(error),
        _ => Ok(Went::Failed(error.message().to_owned())),
    }
}

/// Does the work of a row: begins an operation, or goes on with one whose execution has ended.
///
/// # Errors
/// Of the database, and for rows that cannot be read.
pub async fn run<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        go_on(tx, &row.subject, now).await
    })
    .await
}

async fn go_on(tx: &impl Tx, operation_id: &str, now: Timestamp) -> Result<()> {
    let due = operations::find_due(tx, &Scope::engine(), &[operation_id]).await?;
    let Some(due) = due.into_iter().next() else {
        return Ok(());
    };
    let execution = executions::find_if_any(tx, &Scope::engine(), &due.execution_id).await?;
    let Some(execution) = execution.filter(|_| due.state == "started") else {
        return Ok(());
    };
    let wait = component_waits::find(tx, operation_id).await?;
    // What failed with its execution goes on with it, should both be resumed.
    let is_kept = wait.as_ref().is_some_and(ComponentWait::may_be_resumed);
    let went = match wait {
        Some(wait) => other_runs::look(tx, &due, &execution, &wait, now).await?,
        // What was stopped begins nothing any more.
        None if !matches!(execution.status, Status::Started | Status::Pending) => return Ok(()),
        None => begin(tx, &due, &execution, now).await?,
    };
    let outcome = match went {
        Went::Waits => return Ok(()),
        Went::Done(runtime_properties) => Outcome::Succeeded {
            result: Value::Null,
            runtime_properties,
        },
        Went::Told(result) => Outcome::Succeeded {
            result,
            runtime_properties: Map::new(),
        },
        Went::Failed(reason) => Outcome::Failed(CallError::fatal(reason)),
    };
    if !is_kept {
        component_waits::delete(tx, operation_id).await?;
    }
    let report = Report {
        operation: due.id,
        outcome,
    };
    driver::drive(tx, &execution.id, vec![report], now)
        .await
        .map(drop)
}

async fn begin(tx: &impl Tx, due: &DueCall, execution: &Execution, now: Timestamp) -> Result<Went> {
    let Some(function) = Function::named(&due.name) else {
        return Ok(Went::Failed(format!(
            "There is no operation `{}`",
            due.name
        )));
    };
    if function.is_of_password() {
        return begin_password(tx, due, execution, function).await;
    }
    if function == Function::RunWorkflow {
        return workflow_run::begin(tx, due, execution, now)
            .await
            .or_else(refused);
    }
    let described = match Described::of(tx, due, execution).await? {
        Ok(described) => described,
        Err(reason) => return Ok(Went::Failed(reason)),
    };
    // What is refused half-way has done nothing.
    let went = tx.attempt(async |tx| match function {
        Function::UploadBlueprint => component::upload_blueprint(tx, &described, now).await,
        Function::Create => component::create(tx, &described).await,
        Function::Execute => other_runs::start(tx, &described, None, now).await,
        Function::Heal => other_runs::start(tx, &described, Some("heal"), now).await,
        Function::Delete => component::delete(tx, &described).await,
        Function::Refresh => described.capabilities(tx).await,
        Function::CheckStatus => described.check_status(tx).await,
        Function::CheckDrift => Ok(Went::Told(Value::Null)),
        Function::Connect => shared_resource::connect(tx, &described).await,
        Function::Disconnect => shared_resource::disconnect(tx, &described).await,
        Function::ValidatePassword
        | Function::CreatePassword
        | Function::DeletePassword
        | Function::RunWorkflow => Ok(Went::Done(Map::new())),
    });
    went.await.or_else(refused)
}

async fn begin_password(
    tx: &impl Tx,
    due: &DueCall,
    execution: &Execution,
    function: Function,
) -> Result<Went> {
    let Some(whose) = Whose::of(tx, due, execution).await? else {
        return Ok(Went::Failed("The deployment is gone".to_owned()));
    };
    let went = tx.attempt(async |tx| match function {
        Function::CreatePassword => password_secret::create(tx, &whose, execution).await,
        Function::DeletePassword => password_secret::delete(tx, &whose, execution).await,
        _ => password_secret::validate(tx, &whose).await,
    });
    went.await.or_else(refused)
}

/// The properties that say which deployment an instance is.
fn names_deployment(id: &str) -> Map<String, Value> {
    Map::from_iter([("deployment".to_owned(), json!({ "id": id }))])
}

/// Queues an operation again, for when its patience is over.
async fn look_again(tx: &impl Tx, operation_id: &str, at: Timestamp, now: Timestamp) -> Result<()> {
    queue::push(tx, Work::Component, operation_id, &Value::Null, at, now).await
}
