//! Making a deployment: checks in the order of the API, then everything that belongs to it.
//!
//! What the request got wrong is refused and leaves nothing. What the blueprint makes impossible
//! with these inputs fails the `create_deployment_environment` execution, and the deployment
//! stays without nodes, to tell why. Only a name that cannot be evaluated fails it later, when the
//! nodes are there for its functions to ask about.

use serde_json::{Map, Value};
use windlass_blueprint::functions::has_functions;
use windlass_blueprint::{
    DeploymentPlan, Error as Problem, InputProblem, Plan, check_inputs, instantiate,
    objects_of_inputs, prepare_deployment,
};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, Visibility, ids, python};
use windlass_store::blueprints::{self, Blueprint};
use windlass_store::deployments::{self, NewDeployment, Owner};
use windlass_store::executions::deployment_status;
use windlass_store::labels::{self, Label};
use windlass_store::node_instances::{self, NewInstance};
use windlass_store::nodes::{self, NewNode};

use super::creation_record::{self, Creation};
use super::world::World;
use super::{display_name, plan_rows};
use crate::objects::{self, Surroundings};

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
    pub labels: Vec<Label>,
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
    missing_plugin: Option<MissingPlugin>,
    inputs: Result<(), InputProblem>,
    environment: Result<Environment, String>,
}

/// What a plan and inputs make.
struct Environment {
    columns: Map<String, Value>,
    /// The blueprint's name for it; null when it has none.
    display_name: Value,
    labels: Vec<Label>,
    nodes: Vec<NewNode>,
    instances: Vec<NewInstance>,
}

/// Why there is no environment.
enum NotMade {
    /// The blueprint makes it impossible with these inputs, for this reason.
    Impossible(String),
    /// It could not be found out.
    Unknown(Error),
}

impl From<Error> for NotMade {
    fn from(error: Error) -> Self {
        Self::Unknown(error)
    }
}

impl From<Problem> for NotMade {
    fn from(problem: Problem) -> Self {
        Self::Impossible(problem.message)
    }
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
        let stored = blueprints::plan(db, &wanted.blueprint).await?;
        let plan = Plan::from_stored(stored)
            .ok_or_else(|| Error::internal(format!("{} has no plan", wanted.blueprint.id)))?;
        let inputs = check_inputs(&plan, &wanted.inputs);
        let environment = match &inputs {
            Ok(()) => match environment(db, scope, &wanted, &plan).await {
                Ok(environment) => Ok(environment),
                Err(NotMade::Impossible(reason)) => Err(reason),
                Err(NotMade::Unknown(error)) => return Err(error),
            },
            // Refused before it is asked for.
            Err(_) => Err(String::new()),
        };
        let missing_plugin = match wanted.skip_plugins_validation {
            true => None,
            false => missing_plugin(&plan),
        };
        Ok(Self {
            wanted,
            began,
            missing_plugin,
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
) -> Result<Environment, NotMade> {
    // No secret is stored yet, so none exists.
    let secret_exists = |_: &str| false;
    let uploaded = plan;
    let plan = prepare_deployment(
        uploaded,
        &wanted.inputs,
        &secret_exists,
        wanted.runtime_only_evaluation,
    )?;
    demand_objects(db, scope, uploaded, &plan).await?;
    let labels = all_labels(&plan, &wanted.labels)
        .map_err(|refusal| NotMade::Impossible(refusal.message().to_owned()))?;
    check_parent_capabilities(db, scope, &plan, &labels).await?;
    let instances = instantiate(&plan, &mut random_numbers())?;
    let display_name = plan.plan.section("deployment_settings").get("display_name");
    Ok(Environment {
        columns: plan_rows::deployment_columns(&plan),
        display_name: display_name.cloned().unwrap_or_default(),
        labels,
        nodes: plan_rows::nodes(&plan),
        instances: plan_rows::instances(instances),
    })
}

/// Demands that inputs of types such as `deployment_id` name what exists.
async fn demand_objects(
    db: &impl Db,
    scope: &Scope,
    uploaded: &Plan,
    plan: &DeploymentPlan,
) -> Result<(), NotMade> {
    let Some(values) = plan.plan.section("inputs").as_object() else {
        return Ok(());
    };
    let references = objects_of_inputs(uploaded, values)?;
    let surroundings = Surroundings::Plan(uploaded);
    match objects::find_problem(db, scope, surroundings, &references).await? {
        Some(problem) => Err(problem.into()),
        None => Ok(()),
    }
}

/// Numbers for ids. The platform is asked for many at a time.
fn random_numbers() -> impl FnMut() -> u32 {
    let mut left: Vec<u8> = Vec::new();
    move || {
        if left.is_empty() {
            left.extend(ids::random_bytes::<256>());
        }
        let mut number = [0; 4];
        number.fill_with(|| left.pop().unwrap_or_default());
        u32::from_ne_bytes(number)
    }
}

/// Runs on the hosts of agents only, so nobody has to upload it.
const OF_AGENTS: &str = "cloudify-diamond-plugin";

/// A plugin that has to be uploaded.
struct MissingPlugin {
    name: String,
    version: Option<String>,
}

/// The first plugin that a plan wants installed. None can be uploaded yet, so it is missing.
fn missing_plugin(plan: &Plan) -> Option<MissingPlugin> {
    let sections = [
        "deployment_plugins_to_install",
        "workflow_plugins_to_install",
        "host_agent_plugins_to_install",
    ];
    let plugins = sections
        .into_iter()
        .flat_map(|section| plan.section(section).as_array().into_iter().flatten());
    let named = plugins.filter(|plugin| plugin["install"].as_bool() == Some(true));
    named
        .map(|plugin| {
            let name = plugin["package_name"].as_str().or(plugin["name"].as_str());
            let version = plugin["package_version"].as_str();
            MissingPlugin {
                name: name.unwrap_or_default().to_owned(),
                version: version.map(str::to_owned),
            }
        })
        .find(|plugin| plugin.name != OF_AGENTS)
}

/// The plan's labels and those of the request, each once.
fn all_labels(plan: &DeploymentPlan, given: &[Label]) -> Result<Vec<Label>> {
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

/// Demands that the parent has all the capabilities that the blueprint says it uses.
async fn check_parent_capabilities(
    db: &impl Db,
    scope: &Scope,
    plan: &DeploymentPlan,
    labels: &[Label],
) -> Result<(), NotMade> {
    let required = plan.plan.section("requirements")["parent_capabilities"].as_array();
    // A path with functions in it is known only later.
    let required = required.into_iter().flatten();
    let required: Vec<&Value> = required.filter(|path| !has_functions(path)).collect();
    if required.is_empty() {
        return Ok(());
    }
    let parent = match deployments::parent_ids(labels).next() {
        Some(id) => deployments::find_optional(db, scope, id).await?,
        None => None,
    };
    let Some(parent) = parent else {
        return Err(NotMade::Impossible(format!(
            "Environment not found, but environment capabilities are required: {}",
            paths_text(required)
        )));
    };
    let (id, definitions) = (parent.id.clone(), parent.capabilities.clone());
    let world = World::load(db, scope, parent, &[&definitions]).await?;
    let there = Value::Object(world.outputs(&definitions).unwrap_or_default());
    let missing = required.into_iter().filter(|path| !leads(path, &there));
    let missing: Vec<&Value> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(NotMade::Impossible(format!(
        "Environment {id} does not have the required capabilities: {}",
        paths_text(missing)
    )))
}

/// Whether a path, which is a capability's name and the keys and indexes below it, leads to a value.
fn leads(path: &Value, capabilities: &Value) -> bool {
    let mut here = Some(capabilities);
    for step in path.as_array().into_iter().flatten() {
        here = here.and_then(|value| match step {
            Value::String(key) => value.get(key),
            step => value.get(usize::try_from(step.as_u64()?).ok()?),
        });
    }
    here.is_some()
}

/// Paths as people read them, each once: `berth, crane.hooks.0`.
fn paths_text<'a>(paths: impl IntoIterator<Item = &'a Value>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for path in paths {
        let steps = path.as_array().into_iter().flatten();
        let text = steps.map(python::str).collect::<Vec<_>>().join(".");
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(", ")
}

/// Stores a deployment with its labels, nodes and instances.
///
/// # Errors
/// In the order of the API: 400 for missing plugins, 403 for what may not be global, 400 for a
/// narrower site, 409 for an id in use, 400 for inputs, 404 and 409 for parents.
/// [`Outcome::Failed`] is none of them: it is to be committed.
pub async fn create(tx: &impl Tx, scope: &Scope, prepared: &Prepared) -> Result<Outcome> {
    let wanted = &prepared.wanted;
    deployments::delete_failed(tx, scope, &wanted.id).await?;
    demand_plugins(prepared.missing_plugin.as_ref())?;
    wanted.visibility.demand_permitted(scope)?;
    if wanted.visibility == Visibility::Global && wanted.blueprint.visibility != Visibility::Global
    {
        return Err(Error::forbidden(format!(
            "Can't create global deployment {} because blueprint {} is not global",
            wanted.id, wanted.blueprint.id
        )));
    }
    if let Some(name) = &wanted.site_name {
        deployments::demand_site(tx, scope, name, &wanted.id, wanted.visibility).await?;
    }
    if deployments::is_taken(tx, scope, &wanted.id, wanted.visibility).await? {
        return Err(deployments::already_exists(scope, &wanted.id));
    }
    prepared.inputs.as_ref().map_err(refused_inputs)?;
    // Between preparing and now the blueprint may have gone.
    let blueprint = blueprints::find(tx, scope, &wanted.blueprint.id).await?;
    if blueprint.key != wanted.blueprint.key {
        let text = format!("Blueprint `{}` was replaced in the meantime", blueprint.id);
        return Err(Error::conflict(text));
    }
    let requested: Vec<&str> = deployments::parent_ids(&wanted.labels).collect();
    deployments::find_parents(tx, scope, &wanted.id, &requested).await?;

    store(tx, scope, prepared).await
}

async fn store(tx: &impl Tx, scope: &Scope, prepared: &Prepared) -> Result<Outcome> {
    let wanted = &prepared.wanted;
    let mut failure = match &prepared.environment {
        Err(reason) => Some(reason.clone()),
        // Parents that the blueprint names: not the request's fault.
        Ok(environment) => {
            let parents: Vec<&str> = deployments::parent_ids(&environment.labels).collect();
            match deployments::find_parents(tx, scope, &wanted.id, &parents).await {
                Ok(found) => {
                    deployments::link_parents(tx, scope, &wanted.id, &found).await?;
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
    let owner = deployments::insert(tx, scope, &row(wanted, environment)).await?;
    if let Some(environment) = environment {
        labels::add(tx, scope, &owner, &environment.labels).await?;
        nodes::insert_many(tx, &owner, &environment.nodes).await?;
        node_instances::insert_many(tx, &owner, environment.instances.clone()).await?;
        if wanted.display_name.is_none() {
            failure = display_name::evaluate(tx, scope, &owner, &environment.display_name).await?;
        }
    }
    let creation = Creation {
        blueprint_id: &wanted.blueprint.id,
        began: prepared.began,
        error: failure.as_deref(),
    };
    creation_record::record(tx, scope, &owner, &creation).await?;
    deployment_status::recompute(tx, &owner).await?;
    Ok(match failure {
        None => Outcome::Created(owner),
        Some(reason) => Outcome::Failed(owner, reason),
    })
}

fn row(wanted: &Wanted, environment: Option<&Environment>) -> NewDeployment {
    let from_plan = environment.and_then(|environment| environment.display_name.as_str());
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
            .or(from_plan.map(str::to_owned))
            .unwrap_or_else(|| wanted.id.clone()),
        site_name: wanted.site_name.clone(),
        runtime_only_evaluation: wanted.runtime_only_evaluation,
        plan: environment
            .map(|environment| environment.columns.clone())
            .unwrap_or_default(),
    }
}

fn demand_plugins(missing: Option<&MissingPlugin>) -> Result<()> {
    let Some(MissingPlugin { name, version }) = missing else {
        return Ok(());
    };
    let version = version.as_deref().unwrap_or("`any`");
    Err(Error::new(
        Kind::DeploymentPluginNotFound,
        format!("Required plugin {name}, version {version} is not installed on the manager"),
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
