//! Updates of plugins: all deployments of a blueprint get its newest plugins, one after the other.
//!
//! It is an execution of the application itself, `update_plugin`, without a graph: which deployment is next is
//! read from the rows of the update. It waits for each update of a deployment without anybody looking at it
//! meanwhile: a trigger queues it when that has ended. So it may die anywhere, and going on once too often
//! changes nothing.

use crate::start::{UpdateRequest, start_update};
use serde_json::{Map, Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, ids};
use windlass_store::blueprints::{self, Archive, Blueprint, Found};
use windlass_store::deployment_updates::{self, NewUpdate, Shown, UpdateState};
use windlass_store::deployments;
use windlass_store::executions::{self, Execution, Status};
use windlass_store::plugins_updates::{
    self, Member, MemberState, NewMember, NewPluginsUpdate, PluginsUpdateState, Running,
};
use windlass_store::queue::{self, Work};
use windlass_store::quotas::{self, Limited};
use windlass_store::resource::{New, Origin};

/// The workflow's name.
const WORKFLOW: &str = "update_plugin";

/// Whether an execution carries out an update of plugins.
pub(crate) fn is_one(execution: &Execution) -> bool {
    execution.is_system_workflow
        && execution.deployment_key.is_none()
        && execution.workflow_id == WORKFLOW
}

/// What a caller asks for, besides the versions.
#[derive(Clone, Copy, Debug, Default)]
pub struct PluginsUpdateOptions {
    /// Whether those who depend on the deployments are passed over.
    pub force: bool,
    /// Whether inputs are made to fit their declared types.
    pub auto_correct_types: bool,
    /// Whether updates count as failed that look as if they ran and do not.
    pub reevaluate: bool,
    /// Whether deployments in other tenants are meant too.
    pub all_tenants: bool,
}

/// The blueprint with newer plugins.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Its archive, whose blob is nobody's yet.
    pub archive: Option<Archive>,
    /// What its files mean with these plugins.
    pub found: Found,
    /// The deployments that are to have it.
    pub deployments: Vec<NewMember>,
}

/// Starts an update of the plugins of a blueprint's deployments, and answers its id. Without a copy there is
/// nothing to be done, and that is what its record says.
///
/// # Errors
/// 409 while another update of the blueprint is under way, and when the blueprint is another one than was
/// read; 400 while nothing may begin.
pub async fn start_plugins_update(
    tx: &impl Tx,
    scope: &Scope,
    blueprint: &Blueprint,
    (copy, options): (Option<&Copy>, PluginsUpdateOptions),
    now: Timestamp,
) -> Result<String> {
    let there = blueprints::find_own(tx, scope, &blueprint.id).await?;
    if there.key != blueprint.key || there.archive != blueprint.archive {
        let id = &blueprint.id;
        let text = format!("The blueprint `{id}` was changed by somebody else");
        return Err(Error::conflict(text));
    }
    if options.reevaluate {
        plugins_updates::reevaluate(tx, blueprint).await?;
    }
    demand_none_active(tx, blueprint).await?;
    if executions::system_is_busy(tx).await? {
        return Err(Error::new(
            Kind::ExistingRunningExecution,
            "You cannot start an execution while a system-wide execution is running or queued",
        ));
    }
    quotas::demand_room(tx, scope.tenant(), Limited::Executions).await?;
    let id = ids::new_uuid();
    let copy_id = copy.map(|_| plugins_updates::new_copy_id(&blueprint.id, now, &id));
    let mut copy_key = None;
    if let (Some(copy), Some(copy_id)) = (copy, &copy_id) {
        let (of, archive) = ((blueprint, copy_id.as_str()), copy.archive.as_ref());
        let inserted = blueprints::insert_copy(tx, scope, of, archive, &copy.found);
        copy_key = Some(inserted.await?);
    }
    let mut execution = Execution {
        parameters: parameters(&id, copy_id.as_deref(), copy, options),
        ..new_execution(scope, blueprint, now)
    };
    if copy.is_none() {
        execution.status = Status::Terminated;
        execution.started_at = Some(now);
        execution.ended_at = Some(now);
    }
    executions::start(tx, scope, &execution).await?;
    let new = New {
        id,
        visibility: blueprint.visibility,
        origin: Origin::default(),
    };
    let row = NewPluginsUpdate {
        blueprint,
        temp_blueprint_key: copy_key,
        temp_blueprint_id: copy_id.as_deref(),
        state: match copy {
            Some(_) => PluginsUpdateState::ExecutingWorkflow,
            None => PluginsUpdateState::NoChangesRequired,
        },
        execution_id: Some(&execution.id),
        forced: options.force,
        all_tenants: options.all_tenants,
    };
    let key = plugins_updates::insert(tx, scope, &new, &row).await?;
    if let Some(copy) = copy {
        let waiting = MemberState::Waiting;
        plugins_updates::insert_members(tx, key, &copy.deployments, waiting).await?;
        queue::push(tx, Work::Execution, &execution.id, &Value::Null, now, now).await?;
    }
    Ok(new.id)
}

/// Demands that no update of the plugins of a blueprint's deployments is under way.
///
/// # Errors
/// 409.
pub async fn demand_none_active(db: &impl Db, blueprint: &Blueprint) -> Result<()> {
    let others = plugins_updates::active(db, blueprint.key, None).await?;
    match others.is_empty() {
        true => Ok(()),
        false => Err(Error::conflict(still_active(&others))),
    }
}

/// What is said of other updates that are in the way.
pub(crate) fn still_active(ids: &[String]) -> String {
    let ids = ids.join(", ");
    format!("There are plugins updates still active, update IDs: {ids}")
}

fn new_execution(scope: &Scope, blueprint: &Blueprint, now: Timestamp) -> Execution {
    Execution {
        id: ids::new_uuid(),
        tenant_name: scope.tenant().to_owned(),
        created_by: scope.username().to_owned(),
        visibility: blueprint.visibility,
        created_at: now,
        blueprint_id: Some(blueprint.id.clone()),
        workflow_id: WORKFLOW.to_owned(),
        status: Status::Pending,
        is_system_workflow: true,
        ..Execution::default()
    }
}

/// The parameters of the execution, as clients read them. Of these only the options are read again.
fn parameters(
    id: &str,
    copy_id: Option<&str>,
    copy: Option<&Copy>,
    options: PluginsUpdateOptions,
) -> Map<String, Value> {
    let deployments = copy.map_or(&[][..], |copy| &copy.deployments);
    // The first ones tell what it is about; all are in the update's own record.
    let named = deployments.iter().take(100);
    let named: Vec<&str> = named.map(|one| one.deployment_id.as_str()).collect();
    let parameters = json!({
        "update_id": id,
        "temp_blueprint_id": copy_id,
        "deployments_to_update": named,
        "force": options.force,
        "auto_correct_types": options.auto_correct_types,
        "reevaluate_active_statuses": options.reevaluate,
    });
    parameters.as_object().cloned().unwrap_or_default()
}

/// Begins the update of one deployment to the copy, and answers its execution.
///
/// # Errors
/// What stands in the way of it.
pub(crate) async fn update_deployment(
    tx: &impl Tx,
    execution: &Execution,
    (update, member): (&Running, &Member),
    now: Timestamp,
) -> Result<String> {
    let scope = Scope::system(&update.created_by, &member.tenant_name);
    let deployment = deployments::find_own(tx, &scope, &member.deployment_id).await?;
    let option = |name: &str| execution.parameters.get(name) == Some(&Value::Bool(true));
    if option("reevaluate_active_statuses") {
        deployment_updates::reevaluate(tx, &deployment).await?;
    }
    let new = New {
        id: format!("{}-{}", deployment.id, ids::new_uuid()),
        visibility: deployment.visibility,
        origin: Origin::default(),
    };
    let parameters = json!({
        "update_id": new.id,
        "inputs": {},
        "skip_install": true,
        "skip_uninstall": true,
        "skip_reinstall": true,
        "auto_correct_types": option("auto_correct_types"),
    });
    let request = UpdateRequest {
        deployment_id: deployment.id.clone(),
        parameters: parameters.as_object().cloned().unwrap_or_default(),
        force: option("force"),
    };
    let child = start_update(tx, &scope, request, now).await?;
    let row = NewUpdate {
        deployment: &deployment,
        state: UpdateState::Updating,
        execution_id: Some(&child.id),
        old_blueprint_id: Some(&deployment.blueprint_id),
        new_blueprint_id: update.temp_blueprint_id.as_deref(),
        old_inputs: &deployment.inputs,
        new_inputs: &deployment.inputs,
        runtime_only_evaluation: deployment.runtime_only_evaluation,
        shown: &Shown::new(),
    };
    deployment_updates::insert(tx, &scope, &new, &row).await?;
    Ok(child.id)
}

/// Follows the end of an execution that did not succeed: its copy goes, unless a deployment has it or is
/// about to.
///
/// # Errors
/// Of the database.
pub(crate) async fn follow_end(tx: &impl Tx, execution: &Execution) -> Result<()> {
    if !is_one(execution) || execution.status == Status::Terminated {
        return Ok(());
    }
    let Some(update) = plugins_updates::of_execution(tx, execution).await? else {
        return Ok(());
    };
    if let Some(member) = plugins_updates::started_member(tx, &update).await? {
        match member.status {
            // Its end comes here again.
            Some(status) if !status.has_ended() => return Ok(()),
            status => plugins_updates::end_member(tx, &member, outcome(status)).await?,
        }
    }
    plugins_updates::let_go(tx, &update).await
}

/// What the end of an execution means for its deployment.
pub(crate) fn outcome(status: Option<Status>) -> MemberState {
    match status {
        Some(Status::Terminated) => MemberState::Successful,
        _ => MemberState::Failed,
    }
}
