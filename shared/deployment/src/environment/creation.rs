//! Making a deployment: checks in the order of the API, then everything that belongs to it.
//!
//! What the request got wrong is refused and leaves nothing. What the blueprint makes impossible
//! with these inputs fails the `create_deployment_environment` execution, and the deployment
//! stays without nodes, to tell why. Only a name that cannot be evaluated fails it later, when the
//! nodes are there for its functions to ask about.

use serde_json::{Map, Value};
use std::cell::RefCell;
use windlass_blueprint::{
    DeploymentPlan, Error as Problem, InputProblem, Plan, check_inputs, instantiate,
    objects_of_inputs, prepare_deployment,
};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, Visibility, ids};
use windlass_store::blueprints::{self, Blueprint};
use windlass_store::deployments::{self, NewDeployment, Owner};
use windlass_store::executions::deployment_status;
use windlass_store::labels::{self, Label};
use windlass_store::node_instances::{self, NewInstance};
use windlass_store::nodes::{self, NewNode};
use windlass_store::plugins::{self, Package};
use windlass_store::secrets;

use super::creation_record::{self, Creation};
use super::{default_schedules, display_name, parent_capabilities, plan_rows};
use crate::dependencies;
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
    missing_package: Option<Package>,
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
    schedules: Vec<default_schedules::Given>,
    /// The functions that make it depend on other deployments.
    functions: Vec<Value>,
}

/// Why there is no environment.
pub(crate) enum NotMade {
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
        let plan = uploaded_plan(db, scope, &wanted.blueprint).await?;
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
        let missing_package = match wanted.skip_plugins_validation {
            true => None,
            false => missing_package(db, scope, &plan).await?,
        };
        Ok(Self {
            wanted,
            began,
            missing_package,
            inputs,
            environment,
        })
    }
}

/// The plan of a blueprint that was uploaded.
///
/// # Errors
/// 404 and 409 for one that somebody has deleted, or uploaded anew, since it was found.
pub(crate) async fn uploaded_plan(
    db: &impl Db,
    scope: &Scope,
    blueprint: &Blueprint,
) -> Result<Plan> {
    let stored = blueprints::plan(db, blueprint).await?;
    if let Some(plan) = Plan::from_stored(stored) {
        return Ok(plan);
    }
    demand_same(db, scope, blueprint).await?;
    Err(Error::internal(format!("{} has no plan", blueprint.id)))
}

/// Refuses a blueprint that is not there any more as it was found. Rows may get the numbers of those that
/// are gone, archives never do.
async fn demand_same(db: &impl Db, scope: &Scope, known: &Blueprint) -> Result<()> {
    let blueprint = blueprints::find(db, scope, &known.id).await?;
    if (blueprint.key, &blueprint.archive) == (known.key, &known.archive) {
        return Ok(());
    }
    let text = format!("Blueprint `{}` was replaced in the meantime", known.id);
    Err(Error::conflict(text))
}

async fn environment(
    db: &impl Db,
    scope: &Scope,
    wanted: &Wanted,
    plan: &Plan,
) -> Result<Environment, NotMade> {
    let runtime_only = wanted.runtime_only_evaluation;
    let mut plan = deployment_plan(db, scope, plan, &wanted.inputs, runtime_only).await?;
    let labels = all_labels(&plan, &wanted.labels)
        .map_err(|refusal| NotMade::Impossible(refusal.message().to_owned()))?;
    parent_capabilities::check(db, scope, &plan, &labels).await?;
    let instances = instantiate(&plan, &mut random_numbers())?;
    plan.bind_dependencies(&instances);
    let functions = plan.plan.section("inter_deployment_functions").as_array();
    let settings = plan.plan.section("deployment_settings");
    let display_name = settings.get("display_name");
    let creator = wanted.created_by.as_deref().unwrap_or(scope.username());
    let schedules = default_schedules::read(settings, creator, Timestamp::now())
        .map_err(|refusal| NotMade::Impossible(refusal.message().to_owned()))?;
    Ok(Environment {
        columns: plan_rows::deployment_columns(&plan),
        display_name: display_name.cloned().unwrap_or_default(),
        labels,
        functions: functions.cloned().unwrap_or_default(),
        nodes: plan_rows::nodes(&plan),
        instances: plan_rows::instances(instances),
        schedules,
    })
}

/// The plan of a deployment: an uploaded one with inputs, which name only what exists. Its secrets are
/// there as far as their names are known.
pub(crate) async fn deployment_plan(
    db: &impl Db,
    scope: &Scope,
    uploaded: &Plan,
    inputs: &Map<String, Value>,
    runtime_only: bool,
) -> Result<DeploymentPlan, NotMade> {
    let prepare =
        |exists: &dyn Fn(&str) -> bool| prepare_deployment(uploaded, inputs, exists, runtime_only);
    let asked = RefCell::new(Vec::new());
    let prepared = prepare(&|name| {
        asked.borrow_mut().push(name.to_owned());
        true
    });
    let asked = asked.into_inner();
    let names: Vec<&str> = asked.iter().map(String::as_str).collect();
    let missing = match names.is_empty() {
        true => Vec::new(),
        false => secrets::missing(db, scope, &names).await?,
    };
    let plan = match missing.is_empty() {
        true => prepared?,
        // What else is wrong is told in the order of the checks.
        false => prepare(&|name| missing.iter().all(|known| known != name))?,
    };
    demand_objects(db, scope, uploaded, &plan).await?;
    Ok(plan)
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
pub(crate) fn random_numbers() -> impl FnMut() -> u32 {
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

/// The first package that a plan wants installed and that no plugin brings.
async fn missing_package(db: &impl Db, scope: &Scope, plan: &Plan) -> Result<Option<Package>> {
    let mut packages: Vec<Package> = plan
        .packages()
        .filter(|(name, _)| *name != OF_AGENTS)
        .map(|(name, version)| Package {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
        .collect();
    packages.sort();
    packages.dedup();
    plugins::first_missing(db, scope, packages).await
}

/// The plan's labels and those of the request, each once.
pub(crate) fn all_labels(plan: &DeploymentPlan, given: &[Label]) -> Result<Vec<Label>> {
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

/// Stores a deployment with its labels, nodes and instances.
///
/// # Errors
/// In the order of the API: 400 for missing plugins, 403 for what may not be global, 400 for a
/// narrower site, 409 for an id in use, 400 for inputs, 404 and 409 for parents.
/// [`Outcome::Failed`] is none of them: it is to be committed.
pub async fn create(tx: &impl Tx, scope: &Scope, prepared: &Prepared) -> Result<Outcome> {
    let wanted = &prepared.wanted;
    deployments::delete_failed(tx, scope, &wanted.id).await?;
    demand_packages(prepared.missing_package.as_ref())?;
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
    demand_same(tx, scope, &wanted.blueprint).await?;
    let requested: Vec<&str> = deployments::parent_ids(&wanted.labels).collect();
    deployments::find_parents(tx, scope, &wanted.id, &requested).await?;

    store(tx, scope, prepared).await
}

async fn store(tx: &impl Tx, scope: &Scope, prepared: &Prepared) -> Result<Outcome> {
    let wanted = &prepared.wanted;
    let made = prepared.link_parents(tx, scope).await?;
    let owner = deployments::insert(tx, scope, &row(wanted, made.as_ref().ok().copied())).await?;
    let failure = match made {
        Ok(environment) => furnish(tx, scope, &owner, (wanted, environment)).await?,
        Err(reason) => Some(reason),
    };
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

impl Prepared {
    /// The environment, its parents knowing it; or why there is none.
    async fn link_parents(
        &self,
        tx: &impl Tx,
        scope: &Scope,
    ) -> Result<Result<&Environment, String>> {
        let environment = match &self.environment {
            Ok(environment) => environment,
            Err(reason) => return Ok(Err(reason.clone())),
        };
        // Parents that the blueprint names: not the request's fault.
        let parents: Vec<&str> = deployments::parent_ids(&environment.labels).collect();
        let id = &self.wanted.id;
        match deployments::find_parents(tx, scope, id, &parents).await {
            Ok(found) => {
                deployments::link_parents(tx, scope, id, &found).await?;
                Ok(Ok(environment))
            }
            Err(refusal) if refusal.kind() == Kind::Internal => Err(refusal),
            Err(refusal) => Ok(Err(refusal.message().to_owned())),
        }
    }
}

/// Stores what belongs to a deployment. Answers why its name cannot be made, if so.
async fn furnish(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    (wanted, environment): (&Wanted, &Environment),
) -> Result<Option<String>> {
    labels::add(tx, scope, owner, &environment.labels).await?;
    nodes::insert_many(tx, owner, &environment.nodes).await?;
    node_instances::insert_many(tx, owner, environment.instances.clone()).await?;
    dependencies::of_functions(tx, scope, owner, &environment.functions).await?;
    if wanted.display_name.is_none() {
        let name = &environment.display_name;
        if let Some(failure) = display_name::evaluate(tx, scope, owner, name).await? {
            return Ok(Some(failure));
        }
    }
    // At last: what could not be made is not to run by its clock.
    default_schedules::insert(tx, scope, owner, &environment.schedules).await
}

/// Makes the environment of a deployment that is there already without one. Answers why that cannot be
/// done, if so.
pub(super) async fn complete(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    prepared: &Prepared,
) -> Result<Option<String>> {
    let demanded = demand_packages(prepared.missing_package.as_ref());
    let demanded = demanded.and(prepared.inputs.as_ref().map_err(refused_inputs).map(drop));
    if let Err(refusal) = demanded {
        return Ok(Some(refusal.message().to_owned()));
    }
    match prepared.link_parents(tx, scope).await? {
        Ok(environment) => {
            let wanted = &prepared.wanted;
            deployments::complete(tx, owner, &row(wanted, Some(environment))).await?;
            furnish(tx, scope, owner, (wanted, environment)).await
        }
        Err(reason) => Ok(Some(reason)),
    }
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

fn demand_packages(missing: Option<&Package>) -> Result<()> {
    let Some(Package { name, version }) = missing else {
        return Ok(());
    };
    let version = version.as_deref().unwrap_or("`any`");
    Err(Error::new(
        Kind::DeploymentPluginNotFound,
        format!("Required plugin {name}, version {version} is not installed on the manager"),
    ))
}

pub(crate) fn refused_inputs(problem: &InputProblem) -> Error {
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
