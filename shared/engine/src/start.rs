//! Starting an execution: what is checked, and whether it starts at once or waits.
//!
//! Starting only stores it as `pending` (or `queued`, when another run is in the way) and queues
//! the work; the caller nudges the scheduler after the commit. No request waits for a workflow.

mod parameters;
mod update;

pub use update::{UpdateRequest, start_update};

use crate::components;
use crate::environments;
use crate::texts;
use parameters::merged;
use serde_json::{Map, Value};
use windlass_blueprint::workflows;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, Visibility, ids};
use windlass_deployment::dependents;
use windlass_store::deployment_updates;
use windlass_store::deployments::{self, Owner};
use windlass_store::events::{self, EngineEvent};
use windlass_store::executions::{self, DeploymentToRun, Execution, Status, deployment_status};
use windlass_store::inter_deployment_dependencies::Blocked;
use windlass_store::node_instances;
use windlass_store::queue::{self, Work};
use windlass_store::quotas::{self, Limited};

/// The workflows that others who use a deployment would suffer from.
const DISRUPTIVE: [&str; 4] = ["stop", "uninstall", "update", "heal"];

/// What a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct StartRequest {
    /// The deployment's id.
    pub deployment_id: String,
    /// The workflow's name.
    pub workflow_id: String,
    /// Parameters over the declared defaults.
    pub parameters: Map<String, Value>,
    /// Whether parameters that are not declared are allowed.
    pub allow_custom_parameters: bool,
    /// Whether dependents, availability and other executions are passed over.
    pub force: bool,
    /// Whether it may wait for other executions.
    pub queue: bool,
    /// Whether a workflow that cascades begins it, which reaches all that is below by itself.
    pub is_below: bool,
    /// Whether operations are passed over.
    pub dry_run: bool,
    /// For how many seconds what still runs is waited for after something failed for good; 600 when
    /// nobody says.
    pub wait_after_fail: Option<i64>,
    /// The visibility, where it is not the deployment's.
    pub visibility: Option<Visibility>,
    /// In whose name it runs, where that is not the caller.
    pub created_by: Option<String>,
    /// When it was made, where that was not now.
    pub created_at: Option<Timestamp>,
    /// The occurrence of a schedule that it is for.
    pub scheduled_for: Option<Timestamp>,
}

/// What has to be known about a run before it can be pending.
pub(crate) struct Prepared {
    /// The parameters, defaults filled in and functions evaluated.
    pub parameters: Map<String, Value>,
}

/// Stores an execution and queues its work. The scope may start executions.
///
/// The refusals come in the order of the original, because clients tell them apart.
///
/// # Errors
/// 404 for an unknown deployment, 403 for one of another tenant, 400 for one whose environment was
/// not made, for an unknown workflow, for parameters that do not fit, when others depend on the
/// deployment, when another execution is in the way of one that may not wait, and for a workflow
/// that is not available.
pub async fn start(
    tx: &impl Tx,
    scope: &Scope,
    request: StartRequest,
    now: Timestamp,
) -> Result<Execution> {
    let deployment = executions::deployment_to_run(tx, scope, &request.deployment_id).await?;
    demand_environment(&deployment)?;
    let patience = request.wait_after_fail;
    let again = request.clone();
    let (may_wait, mut execution) = new_execution(scope, &deployment, request, now);
    let workflow = workflow_of(tx, &execution).await?;
    let parameters = merged(tx, scope, &execution, &workflow).await?;
    demand_independent(tx, &execution).await?;
    let waits = must_wait(tx, &execution, may_wait).await?;
    if !waits {
        // What waits is looked at when it starts: others may make it available until then.
        demand_available(tx, &execution, &workflow).await?;
    }
    quotas::demand_room(tx, &execution.tenant_name, Limited::Executions).await?;
    if waits {
        // The parameters are merged again when it starts.
        execution.status = Status::Queued;
    }
    execution.parameters = parameters;
    execution.key = executions::start(tx, scope, &execution).await?;
    if let Some(seconds) = patience {
        executions::set_wait_after_fail(tx, &execution, seconds).await?;
    }
    if waits {
        let text = texts::workflow_queued(&execution.workflow_id);
        let event = EngineEvent::of_execution("workflow_queued", text);
        events::insert_all(tx, &execution, &[event], now).await?;
    } else {
        queue::push(tx, Work::Execution, &execution.id, &Value::Null, now, now).await?;
    }
    // Whoever started this one has started all that are below.
    if !again.is_below {
        components::start_below(tx, &execution, (&workflow, &again), now).await?;
    }
    Ok(execution)
}

/// Whether it may wait for others, and the execution as it would run at once.
fn new_execution(
    scope: &Scope,
    deployment: &DeploymentToRun,
    request: StartRequest,
    now: Timestamp,
) -> (bool, Execution) {
    let creator = request.created_by;
    let execution = Execution {
        id: ids::new_uuid(),
        tenant_name: deployment.owner.tenant_name.clone(),
        created_by: creator.unwrap_or_else(|| scope.username().to_owned()),
        visibility: request.visibility.unwrap_or(deployment.owner.visibility),
        created_at: request.created_at.unwrap_or(now),
        deployment_key: Some(deployment.owner.key),
        deployment_id: Some(deployment.owner.id.clone()),
        blueprint_id: Some(deployment.blueprint_id.clone()),
        workflow_id: request.workflow_id,
        status: Status::Pending,
        parameters: request.parameters,
        is_dry_run: request.dry_run,
        allow_custom_parameters: request.allow_custom_parameters,
        force: request.force,
        scheduled_for: request.scheduled_for,
        ..Execution::default()
    };
    (request.queue, execution)
}

/// Stores an execution that could not start, for this reason: what nobody waits for, such as the
/// occurrence of a schedule, tells of it in no other way.
pub(crate) async fn refused(
    tx: &impl Tx,
    scope: &Scope,
    request: StartRequest,
    why: &str,
    now: Timestamp,
) -> Result<Execution> {
    let deployment = executions::deployment_to_run(tx, scope, &request.deployment_id).await?;
    let (_, mut execution) = new_execution(scope, &deployment, request, now);
    let error = format!("Error preparing execution: {why}");
    let workflow = &execution.workflow_id;
    let text = texts::workflow_failed(workflow, &error, execution.is_dry_run);
    execution.status = Status::Failed;
    execution.error = Some(error);
    execution.ended_at = Some(now);
    execution.key = executions::start(tx, scope, &execution).await?;
    let event = EngineEvent::of_execution("workflow_failed", text);
    events::insert_all(tx, &execution, &[event], now).await?;
    deployment_status::execution_started(tx, &execution).await?;
    Ok(execution)
}

/// The checks that are repeated when an execution leaves the queue.
pub(crate) async fn prepare(db: &impl Db, execution: &Execution) -> Result<Result<Prepared>> {
    // What the caller may not see was refused at the start.
    let scope = Scope::system(&execution.created_by, &execution.tenant_name);
    let checked = async {
        if environments::is_one(&execution.workflow_id) {
            let parameters = execution.parameters.clone();
            return Ok(Prepared { parameters });
        }
        let workflow = workflow_of(db, execution).await?;
        let parameters = if workflow == update::definition() {
            // The inputs among them are the new blueprint's to understand.
            execution.parameters.clone()
        } else {
            merged(db, &scope, execution, &workflow).await?
        };
        if execution.execution_group_key.is_some() {
            // Nobody looked at it by itself when its group was started.
            demand_independent(db, execution).await?;
        }
        // One that goes on was available when it began.
        if !execution.resume {
            demand_available(db, execution, &workflow).await?;
        }
        Ok::<_, Error>(Prepared { parameters })
    };
    match checked.await {
        Err(error) if matches!(error.kind(), Kind::Internal | Kind::Unavailable) => Err(error),
        answer => Ok(answer),
    }
}

fn demand_environment(deployment: &DeploymentToRun) -> Result<()> {
    let id = &deployment.owner.id;
    let refuse = |kind, text: String| Err(Error::new(kind, text));
    match deployment.create_status {
        None | Some(Status::Terminated) => Ok(()),
        Some(Status::Pending | Status::Queued | Status::Scheduled) => refuse(
            Kind::DeploymentEnvironmentCreationPending,
            format!("Deployment environment creation is still pending, deployment id: {id}"),
        ),
        Some(Status::Started) => refuse(
            Kind::DeploymentEnvironmentCreationInProgress,
            format!("Deployment environment creation is still in progress, deployment id: {id}"),
        ),
        Some(_) => refuse(
            Kind::DeploymentCreation,
            format!(
                "Can't launch executions since environment creation for deployment {id} failed"
            ),
        ),
    }
}

/// Refuses a workflow that those who depend on the deployment would suffer from.
async fn demand_independent(db: &impl Db, execution: &Execution) -> Result<()> {
    let (Some(key), Some(id)) = (execution.deployment_key, &execution.deployment_id) else {
        return Ok(());
    };
    let deployment = Owner {
        key,
        id: id.clone(),
        tenant_name: execution.tenant_name.clone(),
        created_by: execution.created_by.clone(),
        visibility: execution.visibility,
    };
    let workflow = execution.workflow_id.as_str();
    let recursive = execution.parameters.get("recursive") == Some(&Value::Bool(true));
    let recursive = workflow == "uninstall" && recursive;
    if execution.force || !DISRUPTIVE.contains(&workflow) {
        return Ok(());
    }
    let what = Blocked::Workflow {
        name: workflow,
        recursive,
    };
    // Those that go along are in nobody's way.
    let along = match recursive {
        true => deployments::all_services(db, execution).await?,
        false => Vec::new(),
    };
    dependents::demand_none(db, &deployment, what, &along).await
}

/// The workflow of an execution: one of its deployment's, or the update of the deployment, which is in no
/// list of workflows because only an update's own endpoint starts it.
pub(crate) async fn definition(db: &impl Db, execution: &Execution) -> Result<Option<Value>> {
    if execution.workflow_id == update::WORKFLOW
        && deployment_updates::of_execution(db, execution)
            .await?
            .is_some()
    {
        return Ok(Some(update::definition()));
    }
    executions::workflow(db, execution).await
}

async fn workflow_of(db: &impl Db, execution: &Execution) -> Result<Value> {
    let name = &execution.workflow_id;
    let found = definition(db, execution).await?;
    found.ok_or_else(|| {
        let deployment = execution.deployment_id.as_deref().unwrap_or_default();
        Error::new(
            Kind::NonexistentWorkflow,
            format!("Workflow {name} does not exist in the deployment {deployment}"),
        )
    })
}

/// Whether the execution has to wait for others.
async fn must_wait(db: &impl Db, execution: &Execution, may_wait: bool) -> Result<bool> {
    if executions::system_is_busy(db).await? {
        return Ok(true);
    }
    if execution.force {
        return Ok(false);
    }
    let others = executions::in_the_way(db, execution).await?;
    if others.is_empty() {
        return Ok(false);
    }
    if may_wait {
        return Ok(true);
    }
    Err(Error::new(
        Kind::ExistingRunningExecution,
        format!(
            "The following executions are currently running for this deployment: {}. To execute \
             this workflow anyway, pass \"force=true\" as a query parameter to this request \
             (deployment id: {})",
            windlass_core::python::repr(&Value::from(others)),
            execution.deployment_id.as_deref().unwrap_or_default()
        ),
    ))
}

async fn demand_available(db: &impl Db, execution: &Execution, workflow: &Value) -> Result<()> {
    let rules = workflow.get("availability_rules").unwrap_or(&Value::Null);
    let Some(deployment) = execution.deployment_key else {
        return Ok(());
    };
    if execution.force || rules.is_null() {
        return Ok(());
    }
    let states = node_instances::states(db, execution).await?;
    let types = if rules.get("node_types_required").is_some() {
        node_instances::node_types(db, deployment).await?
    } else {
        Vec::new()
    };
    let states = states.iter().map(String::as_str);
    let types = types.iter().map(String::as_str);
    match workflows::is_available(rules, states, types) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(
            Kind::UnavailableWorkflow,
            format!("Workflow not available: {}", execution.workflow_id),
        )),
        Err(workflows::UnknownRule(rule)) => Err(Error::new(
            Kind::InvalidWorkflowAvailabilityRule,
            format!("Unknown workflow availability rule: {rule}"),
        )),
    }
}
