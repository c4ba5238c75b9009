//! Deployments that are made for a group, and deleted with it: many at once, so in the background.
//!
//! They are there at once, each with an execution that makes or deletes its environment, in a group of
//! executions. Who asked does not wait for any of them.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use windlass_blueprint::Plan;
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope, Timestamp, Visibility, ids};
use windlass_store::blueprints::{self, Blueprint};
use windlass_store::deployment_groups::{self, Defaults, DeploymentGroup, PendingDeployment};
use windlass_store::deployments::{self, CREATE_WORKFLOW, DELETE_WORKFLOW};
use windlass_store::execution_groups::{self, ExecutionGroup, NewExecution, NewGroup};
use windlass_store::labels::Label;
use windlass_store::queue::{self, Work};
use windlass_store::resource::{New, Origin, TenantRow};

use crate::environment::{self, Asked, Removal};

/// How many environments are made or deleted at a time.
const CONCURRENCY: i64 = 10;

/// The ids of new deployments where nobody says otherwise.
const ID_TEMPLATE: &str = "{group_id}-{uuid}";

/// A deployment that is to be made for a group.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// The id, or a template for it; the blueprint's template when absent.
    pub id: Option<String>,
    /// The name shown to people, or a template for it.
    pub display_name: Option<String>,
    /// Inputs over those of the group.
    pub inputs: Map<String, Value>,
    /// Labels beside those of the group.
    pub labels: Vec<Label>,
    /// The site it is at.
    pub site_name: Option<String>,
    /// Whether functions are left alone until somebody asks for their values.
    pub runtime_only_evaluation: bool,
    /// Whether plugins may be missing.
    pub skip_plugins_validation: bool,
}

/// Makes deployments for a group from its blueprint and makes them members. Does nothing when there are
/// none to be made.
///
/// # Errors
/// 409 without a blueprint, for a template that makes the same id twice, and for an id in use; 404 for a site;
/// 403 for what may not be global, and over a quota.
pub async fn create_deployments(
    tx: &impl Tx,
    scope: &Scope,
    group: &DeploymentGroup,
    specs: &[Spec],
    now: Timestamp,
) -> Result<()> {
    if specs.is_empty() {
        return Ok(());
    }
    let mut defaults = deployment_groups::defaults(tx, group).await?;
    let Some(blueprint_id) = &defaults.blueprint_id else {
        return Err(Error::conflict(format!(
            "Cannot create deployments: group {} has no default blueprint set",
            group.head().id
        )));
    };
    let blueprint = blueprints::find(tx, scope, blueprint_id).await?;
    let visibility = group.head().visibility;
    demand_visible(scope, &blueprint, visibility)?;
    let template = id_template(tx, &blueprint).await?;
    let mut all = Vec::with_capacity(specs.len());
    for spec in specs {
        all.push(pending(group, &blueprint, &mut defaults, &template, spec)?);
    }
    let ids: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
    deployment_groups::demand_free(tx, scope, visibility, &ids).await?;
    demand_sites(tx, scope, visibility, &all).await?;
    let executions = execution_group(tx, scope, group, CREATE_WORKFLOW).await?;
    let of = (&blueprint, visibility);
    let key = executions.head().key;
    let made = deployment_groups::insert_pending(tx, scope, of, key, &all).await?;
    deployment_groups::join(tx, scope, group, &made).await?;
    deployment_groups::count_up(tx, group, defaults.creation_counter).await?;
    queue::push(tx, Work::Dequeue, "", &Value::Null, now, now).await
}

fn demand_visible(scope: &Scope, blueprint: &Blueprint, visibility: Visibility) -> Result<()> {
    visibility.demand_permitted(scope)?;
    if visibility == Visibility::Global && blueprint.visibility != Visibility::Global {
        return Err(Error::forbidden(format!(
            "Can't create global deployments because blueprint {} is not global",
            blueprint.id
        )));
    }
    if !blueprint.state.is_usable() {
        return Err(Error::conflict(format!(
            "Unable to create a deployment based on a blueprint which is not `uploaded` but: `{}`",
            blueprint.state.name()
        )));
    }
    Ok(())
}

/// The blueprint's template for ids of deployments.
async fn id_template(tx: &impl Tx, blueprint: &Blueprint) -> Result<String> {
    let stored = blueprints::plan(tx, blueprint).await?;
    let plan = Plan::from_stored(stored)
        .ok_or_else(|| Error::internal(format!("{} has no plan", blueprint.id)))?;
    let template = &plan.section("deployment_settings")["id_template"];
    Ok(template.as_str().unwrap_or(ID_TEMPLATE).to_owned())
}

/// One of the deployments as it is stored. Counts up.
fn pending(
    group: &DeploymentGroup,
    blueprint: &Blueprint,
    defaults: &mut Defaults,
    template: &str,
    spec: &Spec,
) -> Result<PendingDeployment> {
    let written = spec.id.as_deref();
    let used = written.unwrap_or(template);
    if written.is_none() && !used.contains("{uuid}") && !used.contains("{count}") {
        return Err(Error::conflict(format!(
            "The id template `{used}` of blueprint {} makes the same id for each deployment: it has \
             neither {{uuid}} nor {{count}}",
            blueprint.id
        )));
    }
    let (uuid, count) = (ids::new_uuid(), defaults.creation_counter.to_string());
    let filled = |text: &str| {
        let values = [
            ("{group_id}", group.head().id.as_str()),
            ("{uuid}", uuid.as_str()),
            ("{blueprint_id}", blueprint.id.as_str()),
            ("{count}", count.as_str()),
            ("{site_name}", spec.site_name.as_deref().unwrap_or_default()),
        ];
        values.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    };
    let id = filled(used);
    ids::check_characters("id", &id)?;
    let names_count = |text: &str| text.contains("{count}");
    if names_count(used) || spec.display_name.as_deref().is_some_and(names_count) {
        defaults.creation_counter += 1;
    }
    let display_name = spec.display_name.as_deref().map(filled);
    let mut inputs = defaults.inputs.clone();
    inputs.extend(spec.inputs.clone());
    let asked = Asked {
        inputs,
        labels: spec.labels.clone(),
        display_name: display_name.clone(),
        skip_plugins_validation: spec.skip_plugins_validation,
    };
    Ok(PendingDeployment {
        display_name: display_name.unwrap_or_else(|| id.clone()),
        id,
        site_name: spec.site_name.clone(),
        runtime_only_evaluation: spec.runtime_only_evaluation,
        execution_id: ids::new_uuid(),
        parameters: serde_json::to_value(asked).map_err(Error::internal)?,
    })
}

/// Each site is looked for once.
async fn demand_sites(
    tx: &impl Tx,
    scope: &Scope,
    visibility: Visibility,
    all: &[PendingDeployment],
) -> Result<()> {
    let named = all
        .iter()
        .filter_map(|one| Some((one.site_name.as_deref()?, &one.id)));
    let sites: BTreeMap<&str, &String> = named.collect();
    for (site, deployment) in sites {
        deployments::demand_site(tx, scope, site, deployment, visibility).await?;
    }
    Ok(())
}

async fn execution_group(
    tx: &impl Tx,
    scope: &Scope,
    group: &DeploymentGroup,
    workflow_id: &str,
) -> Result<ExecutionGroup> {
    let new = New {
        id: ids::new_uuid(),
        visibility: group.head().visibility,
        origin: Origin::default(),
    };
    let columns = NewGroup {
        workflow_id,
        deployment_group: group.head().key,
        concurrency: CONCURRENCY,
    };
    execution_groups::insert(tx, scope, &new, columns).await
}

/// Deletes the members of a group that the caller sees, in the background. Answers the id of the group of
/// executions that does it.
///
/// # Errors
/// 400 `dependent_exists_error` for what is in the way of one of them; then nothing is deleted.
pub async fn delete_deployments(
    tx: &impl Tx,
    scope: &Scope,
    group: &DeploymentGroup,
    removal: Removal,
    delete_logs: bool,
    now: Timestamp,
) -> Result<String> {
    let key = group.head().key;
    let members = execution_groups::with_workflow(tx, scope, key, DELETE_WORKFLOW).await?;
    let mut executions = Vec::with_capacity(members.len());
    for member in &members {
        let flags = [
            ("delete_logs", delete_logs),
            ("force", removal.force),
            ("recursive", removal.recursive),
        ];
        let parameters = flags.map(|(name, value)| (name.to_owned(), Value::Bool(value)));
        executions.push(NewExecution {
            id: ids::new_uuid(),
            deployment_key: member.key,
            parameters: Map::from_iter(parameters),
        });
    }
    let all = execution_group(tx, scope, group, DELETE_WORKFLOW).await?;
    let what = (DELETE_WORKFLOW, removal.force);
    execution_groups::insert_waiting(tx, scope, &all, what, &executions).await?;
    // After that, because who is being deleted is in nobody's way: to tell each of all the others would
    // take as long as their number squared.
    for (member, execution) in members.iter().zip(&executions) {
        environment::demand_removable(tx, scope, &member.id, removal, &execution.id).await?;
    }
    queue::push(tx, Work::Dequeue, "", &Value::Null, now, now).await?;
    Ok(all.head().id.clone())
}
