//! Making a deployment: checks in the order of the API, then everything that belongs to it.
//!
//! What the request got wrong is refused and leaves nothing. What the blueprint makes impossible
//! with these inputs fails the `create_deployment_environment` execution, and the deployment
//! stays without nodes, to tell why.

use serde_json::{Map, Value};
use std::time::{SystemTime, UNIX_EPOCH};
use windlass_blueprint::functions::has_functions;
use windlass_blueprint::{
    DeploymentPlan, Error as Problem, InputProblem, Plan, check_inputs, instantiate,
    prepare_deployment,
};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, Timestamp, Visibility, ids};
use windlass_store::audit;
use windlass_store::blueprints::{self, Blueprint};
use windlass_store::deployments::{self, Creation, Deployment, NewDeployment, Owner};
use windlass_store::executions::deployment_status;
use windlass_store::labels::{self, LabelOwner};
use windlass_store::node_instances_list::{self as node_instances, NewInstance};
use windlass_store::nodes::{self, NewNode};
use windlass_store::resource;

use super::known::World;
use super::rows;

/// A deployment that somebody wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The id.
    pub id: String,
    /// The blueprint, which was uploaded completely.
    pub blueprint: Blueprint,
    /// Values for the blueprint's inputs.
    pub inputs: Map<String, Value>,
    /// Labels, in the form in which they are stored.
    pub labels: Vec<(String, String)>,
    /// Who is to see it.
    pub visibility: Visibility,
    /// The name shown to people; the blueprint's, or else the id, when absent.
    pub display_name: Option<String>,
    /// The site it is at.
    pub site_name: Option<String>,
    /// Whether plugins may be missing.
    pub skip_plugins_validation: bool,
    /// Whether functions are left alone until somebody asks for their values.
    pub runtime_only_evaluation: bool,
    /// Who made it; the caller when absent.
    pub created_by: Option<String>,
    /// When it was made; now when absent.
    pub created_at: Option<Timestamp>,
}

/// A deployment that somebody wants, with all that can be known before it is stored.
pub struct Prepared {
    wanted: Wanted,
    began: Timestamp,
    missing_plugins: Vec<String>,
    inputs: Result<(), InputProblem>,
    environment: Result<Environment, String>,
}

/// What a plan and inputs make.
struct Environment {
    columns: Map<String, Value>,
    display_name: Option<String>,
    labels: Vec<(String, String)>,
    nodes: Vec<NewNode>,
    instances: Vec<NewInstance>,
}

/// How it went.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The deployment is there.
    Created(Owner),
    /// The deployment is there, but its environment could not be made, for this reason.
    Failed(Owner, String),
}

impl Prepared {
    /// Reads the plan, puts the inputs in and makes the node instances.
    pub async fn new(db: &impl Db, scope: &Scope, wanted: Wanted) -> Result<Self> {
        let began = Timestamp::now();
        let stored = blueprints::plan(db, wanted.blueprint.key).await?;
        let plan = Plan::from_stored(stored)
            .ok_or_else(|| Error::internal(format!("{} has no plan", wanted.blueprint.id)))?;
        let inputs = check_inputs(&plan, &wanted.inputs);
        let environment = match &inputs {
            Ok(()) => environment(db, scope, &wanted, &plan).await?,
            // Refused before it is asked for.
            Err(_) => Err(String::new()),
        };
        let missing_plugins = if wanted.skip_plugins_validation {
            Vec::new()
        } else {
            plugins_to_install(&plan)
        };
        Ok(Self {
            wanted,
            began,
            missing_plugins,
            inputs,
            environment,
        })
    }
}

async fn environment(
    db: &impl Db,
    scope: &Scope,
    wanted: &Wanted,
    plan: &Plan,
) -> Result<Result<Environment, String>> {
    // No secret is stored yet, so none exists.
    let secret_exists = |_: &str| false;
    let prepared = prepare_deployment(
        plan,
        &wanted.inputs,
        &secret_exists,
        wanted.runtime_only_evaluation,
    );
    let plan = match prepared {
        Ok(plan) => plan,
        Err(problem) => return Ok(Err(problem.message)),
    };
    let labels = match all_labels(&plan, &wanted.labels) {
        Ok(labels) => labels,
        Err(refusal) => return Ok(Err(refusal.message().to_owned())),
    };
    if let Err(reason) = check_parent_capabilities(db, scope, &plan, &labels).await? {
        return Ok(Err(reason));
    }
    let instances = match instantiate(&plan, &mut random_numbers()) {
        Ok(instances) => instances,
        Err(Problem { message, .. }) => return Ok(Err(message)),
    };
    let settings = plan.plan.section("deployment_settings");
    Ok(Ok(Environment {
        columns: rows::deployment_columns(&plan),
        display_name: settings["display_name"].as_str().map(str::to_owned),
        labels,
        nodes: rows::nodes(&plan),
        instances: rows::instances(instances),
    }))
}

/// Numbers for ids, which have to differ and no more: one unpredictable seed, then xorshift.
fn random_numbers() -> impl FnMut() -> u32 {
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |now| now.as_nanos() as u64);
    let mut state = u64::from_le_bytes(ids::random_bytes()) ^ clock | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32
    }
}

/// The plugins that a plan wants installed. None can be uploaded yet, so these are missing.
fn plugins_to_install(plan: &Plan) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for section in [
        "deployment_plugins_to_install",
        "workflow_plugins_to_install",
        "host_agent_plugins_to_install",
    ] {
        for plugin in plan.section(section).as_array().into_iter().flatten() {
            let name = plugin["package_name"].as_str().or(plugin["name"].as_str());
            let name = name.unwrap_or_default().to_owned();
            if plugin["install"].as_bool() == Some(true) && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The plan's labels and those of the request, each once.
fn all_labels(plan: &DeploymentPlan, given: &[(String, String)]) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for (key, label) in plan
        .plan
        .section("labels")
        .as_object()
        .into_iter()
        .flatten()
    {
        for value in label["values"].as_array().into_iter().flatten() {
            let value = value.as_str().ok_or_else(|| {
                Error::bad_parameters(format!("The value of the label `{key}` is no text"))
            })?;
            all.push(labels::check(key, value)?);
        }
    }
    for label in given {
        if !all.contains(label) {
            all.push(label.clone());
        }
    }
    Ok(all)
}

/// Whether the parent has all the capabilities that the blueprint says it uses.
async fn check_parent_capabilities(
    db: &impl Db,
    scope: &Scope,
    plan: &DeploymentPlan,
    labels: &[(String, String)],
) -> Result<Result<(), String>> {
    let required = plan.plan.section("requirements")["parent_capabilities"].as_array();
    let Some(required) = required.filter(|required| !required.is_empty()) else {
        return Ok(Ok(()));
    };
    let mut missing: Vec<String> = Vec::new();
    let parent = deployments::parent_ids(labels).next();
    let parent = match parent {
        Some(id) => deployments::find_optional(db, scope, id).await?,
        None => None,
    };
    let capabilities = match parent {
        Some(parent) => {
            let definitions = parent.capabilities.clone();
            let world = World::load(db, scope, parent, &[&definitions]).await?;
            Value::Object(world.outputs(&definitions).unwrap_or_default())
        }
        None => Value::Null,
    };
    // A path with functions in it is known only later.
    for path in required.iter().filter(|path| !has_functions(path)) {
        let mut here = Some(&capabilities);
        for step in path.as_array().into_iter().flatten() {
            here = here.and_then(|value| match step {
                Value::String(key) => value.get(key),
                step => value.get(usize::try_from(step.as_u64()?).ok()?),
            });
        }
        let path = path.to_string();
        if here.is_none() && !missing.contains(&path) {
            missing.push(path);
        }
    }
    if missing.is_empty() {
        return Ok(Ok(()));
    }
    Ok(Err(format!(
        "Required capabilities: [{}] don't exist in the parent deployment",
        missing.join(", ")
    )))
}

/// Stores a deployment with its labels, nodes and instances. Inside a transaction of the caller's.
///
/// # Errors
/// In the order of the API: 400 for missing plugins, 403 for what may not be global, 400 for a
/// narrower site, 409 for an id in use, 400 for inputs, 404 and 409 for parents. [`Outcome::Failed`] is none of them: it is
/// to be committed.
pub async fn create(db: &impl Db, scope: &Scope, prepared: &Prepared) -> Result<Outcome> {
    let wanted = &prepared.wanted;
    delete_failed(db, scope, &wanted.id).await?;
    demand_plugins(&prepared.missing_plugins)?;
    wanted.visibility.demand_permitted(scope)?;
    if wanted.visibility == Visibility::Global && wanted.blueprint.visibility != Visibility::Global
    {
        return Err(Error::forbidden(format!(
            "Can't create global deployment {} because blueprint {} is not global",
            wanted.id, wanted.blueprint.id
        )));
    }
    if let Some(name) = &wanted.site_name {
        deployments::demand_site(db, scope, name, &wanted.id, wanted.visibility).await?;
    }
    if resource::is_taken::<Deployment>(db, scope, &wanted.id, wanted.visibility).await? {
        return Err(resource::already_exists::<Deployment>(scope, &wanted.id));
    }
    prepared.inputs.as_ref().map_err(refused_inputs)?;
    // Between preparing and now the blueprint may have gone.
    let blueprint = blueprints::find(db, scope, &wanted.blueprint.id).await?;
    if blueprint.key != wanted.blueprint.key {
        let text = format!("Blueprint `{}` was replaced in the meantime", blueprint.id);
        return Err(Error::conflict(text));
    }
    let requested: Vec<&str> = deployments::parent_ids(&wanted.labels).collect();
    deployments::find_parents(db, scope.tenant(), &wanted.id, &requested).await?;

    let outcome = store(db, scope, prepared).await?;
    audit::insert(db, scope, "deployment_create", "Deployment", &wanted.id).await?;
    Ok(outcome)
}

async fn store(db: &impl Db, scope: &Scope, prepared: &Prepared) -> Result<Outcome> {
    let wanted = &prepared.wanted;
    let failure = match &prepared.environment {
        Err(reason) => Some(reason.clone()),
        // Parents that the blueprint names: not the request's fault.
        Ok(environment) => {
            let parents: Vec<&str> = deployments::parent_ids(&environment.labels).collect();
            match deployments::find_parents(db, scope.tenant(), &wanted.id, &parents).await {
                Ok(found) => {
                    deployments::link_parents(db, scope, &wanted.id, &found).await?;
                    None
                }
                Err(refusal) if refusal.kind() == Kind::Internal => return Err(refusal),
                Err(refusal) => Some(refusal.message().to_owned()),
            }
        }
    };
    let environment = prepared
        .environment
        .as_ref()
        .ok()
        .filter(|_| failure.is_none());
    let owner = deployments::insert(db, scope, &row(wanted, environment)).await?;
    if let Some(environment) = environment {
        let labels = &environment.labels;
        labels::add(db, LabelOwner::Deployment, owner.key, labels, scope).await?;
        nodes::insert_many(db, &owner, &environment.nodes).await?;
        node_instances::insert_many(db, &owner, environment.instances.clone()).await?;
    }
    let creation = Creation {
        blueprint_id: &wanted.blueprint.id,
        began: prepared.began,
        error: failure.as_deref(),
    };
    deployments::record_creation(db, scope, &owner, &creation).await?;
    deployment_status::recompute(db, owner.key).await?;
    Ok(match failure {
        None => Outcome::Created(owner),
        Some(reason) => Outcome::Failed(owner, reason),
    })
}

fn row(wanted: &Wanted, environment: Option<&Environment>) -> NewDeployment {
    let from_plan = environment.and_then(|environment| environment.display_name.clone());
    NewDeployment {
        id: wanted.id.clone(),
        visibility: wanted.visibility,
        created_by: wanted.created_by.clone(),
        created_at: wanted.created_at,
        blueprint_key: wanted.blueprint.key,
        blueprint_id: wanted.blueprint.id.clone(),
        display_name: wanted
            .display_name
            .clone()
            .or(from_plan)
            .unwrap_or_else(|| wanted.id.clone()),
        site_name: wanted.site_name.clone(),
        runtime_only_evaluation: wanted.runtime_only_evaluation,
        plan: environment
            .map(|environment| environment.columns.clone())
            .unwrap_or_default(),
    }
}

/// Clears the way for another try where the first one failed.
async fn delete_failed(db: &impl Db, scope: &Scope, id: &str) -> Result<()> {
    let Some(old) = deployments::find_optional(db, scope, id).await? else {
        return Ok(());
    };
    if old.tenant_name == scope.tenant() && deployments::is_failed_creation(db, old.key).await? {
        deployments::delete(db, old.key).await?;
    }
    Ok(())
}

fn demand_plugins(missing: &[String]) -> Result<()> {
    let Some(name) = missing.first() else {
        return Ok(());
    };
    Err(Error::new(
        Kind::DeploymentPluginNotFound,
        format!("Required plugin {name} is not installed on the manager"),
    ))
}

fn refused_inputs(problem: &InputProblem) -> Error {
    match problem {
        InputProblem::Missing(names) => Error::new(
            Kind::MissingRequiredDeploymentInput,
            format!("missing inputs: {}", names.join(", ")),
        ),
        InputProblem::Unknown(names) => Error::new(
            Kind::UnknownDeploymentInput,
            format!("unknown inputs: {}", names.join(", ")),
        ),
    }
}

/// Demands that the caller is an execution that updates a deployment: it may change what is fixed
/// for everybody else.
///
/// # Errors
/// 403 `only_deployment_update`.
pub async fn demand_update_execution(db: &impl Db, scope: &Scope) -> Result<()> {
    if is_update_execution(db, scope).await? {
        return Ok(());
    }
    Err(Error::new(
        Kind::OnlyDeploymentUpdate,
        "Only deployment update may do this",
    ))
}

/// Whether the caller is an execution that updates a deployment.
pub async fn is_update_execution(db: &impl Db, scope: &Scope) -> Result<bool> {
    match &scope.caller()?.execution_id {
        Some(execution) => deployments::is_update_execution(db, execution).await,
        None => Ok(false),
    }
}

/// Refuses what an execution that was asked to stop may no longer begin.
///
/// # Errors
/// 403 `forbidden_while_cancelling`.
pub async fn forbid_while_cancelling(db: &impl Db, scope: &Scope) -> Result<()> {
    if let Some(execution) = &scope.caller()?.execution_id
        && deployments::is_cancelling(db, execution).await?
    {
        return Err(Error::new(
            Kind::ForbiddenWhileCancelling,
            "The execution is being cancelled and cannot create deployments or start executions",
        ));
    }
    Ok(())
}
