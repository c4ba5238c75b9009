//! What functions may ask about a deployment and its surroundings, loaded before they do:
//! evaluation itself never waits.
//!
//! Requests load a deployment together with those whose capabilities its functions use, as far as
//! the caller sees them. A workflow has no caller whose view would count: the engine loads what
//! everybody in the deployment's tenant sees, and what the deployment's creator made.
//! Secrets are looked for in the tenant of the request, of a workflow in that of its deployment.

mod requests;

pub use requests::{context, refused};

use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use windlass_blueprint::functions::{self, Context, Needs, evaluate, has_functions, needs};
use windlass_blueprint::{Error as Problem, NodeInstance};
use windlass_core::db::Db;
use windlass_core::outbound::{Network, Outbound};
use windlass_core::{Result, Scope, Visibility};
use windlass_store::deployment_groups;
use windlass_store::deployments::{self, Consumer, Deployment};
use windlass_store::labels::{self, Label};
use windlass_store::node_instances;
use windlass_store::secrets::Purpose;

use super::secrets::Secrets;

mod here;

pub use here::Here;

/// How many deployments one evaluation may look into.
const DEPLOYMENTS: usize = 100;

/// How deep capabilities may use capabilities of other deployments.
const DEPTH: usize = 20;

/// The longest capability that others may use, as JSON text. Without a limit, a chain of
/// deployments that each repeat the one before twice would fill the memory.
const CAPABILITY_BYTES: usize = 1 << 20;

/// A deployment and those whose capabilities its functions use.
pub struct World {
    deployments: Vec<One>,
    /// How deep the capability that is being evaluated is nested.
    depth: Cell<usize>,
    /// Capabilities that were evaluated, by deployment and name; nothing while one is.
    capabilities: RefCell<HashMap<(usize, String), Option<Value>>>,
    /// What functions ask for and was left out, for the text of a failure.
    left_out: Vec<String>,
    /// Whose private deployments the engine may look into; `None` where a request's scope says it.
    creator: Option<String>,
    /// The deployments that functions asked for in vain.
    missing: RefCell<BTreeSet<String>>,
    secrets: Secrets,
    /// The members of deployment groups; none for a group that is not seen.
    groups: HashMap<String, Option<Vec<String>>>,
    /// The groups that functions asked for in vain.
    missing_groups: RefCell<BTreeSet<String>>,
}

/// What is known of one deployment.
struct One {
    deployment: Deployment,
    properties: HashMap<String, Value>,
    instances: Vec<NodeInstance>,
    by_id: HashMap<String, usize>,
    by_node: HashMap<String, Vec<usize>>,
    labels: Vec<Label>,
    consumers: Vec<Consumer>,
}

impl One {
    /// Loads a deployment with everything that functions may ask about it.
    async fn load(db: &impl Db, deployment: Deployment) -> Result<Self> {
        let mut one = Self::load_instances(db, deployment).await?;
        one.load_labels(db).await?;
        one.load_consumers(db).await?;
        Ok(one)
    }

    async fn load_labels(&mut self, db: &impl Db) -> Result<()> {
        self.labels = labels::find_oldest_first(db, &self.deployment).await?;
        Ok(())
    }

    async fn load_consumers(&mut self, db: &impl Db) -> Result<()> {
        self.consumers = deployments::consumers(db, &self.deployment).await?;
        Ok(())
    }

    async fn load_instances(db: &impl Db, deployment: Deployment) -> Result<Self> {
        let key = deployment.key;
        let instances: Vec<NodeInstance> = node_instances::for_evaluation(db, key).await?;
        let mut by_id = HashMap::new();
        let mut by_node: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, instance) in instances.iter().enumerate() {
            by_id.insert(instance.id.clone(), place);
            by_node
                .entry(instance.node_id.clone())
                .or_default()
                .push(place);
        }
        Ok(Self {
            properties: node_instances::node_properties(db, key).await?,
            labels: Vec::new(),
            consumers: Vec::new(),
            deployment,
            instances,
            by_id,
            by_node,
        })
    }

    fn parent(&self) -> Option<&str> {
        deployments::parent_ids(&self.labels).next()
    }

    /// What its properties' functions need, which functions anywhere may lead to.
    fn needs(&self) -> Vec<Needs> {
        self.properties
            .values()
            .filter(|value| has_functions(value))
            .map(needs)
            .collect()
    }
}

impl World {
    /// Loads a deployment, and those that functions in its properties and in `values` lead to.
    pub async fn load(
        db: &impl Db,
        scope: &Scope,
        deployment: Deployment,
        values: &[&Value],
    ) -> Result<Self> {
        Self::load_for(db, scope, deployment, values, &Context::default()).await
    }

    /// The same for values in which `SELF`, `SOURCE` and `TARGET` mean something.
    pub async fn load_for(
        db: &impl Db,
        scope: &Scope,
        deployment: Deployment,
        values: &[&Value],
        context: &Context,
    ) -> Result<Self> {
        let mut world = Self::load_named(db, scope, deployment, values).await?;
        world.load_missing(db, scope, values, context).await?;
        Ok(world)
    }

    /// As [`Self::load`], for values that are going to be stored: secrets are left out.
    pub async fn load_without_secrets(
        db: &impl Db,
        scope: &Scope,
        deployment: Deployment,
        values: &[&Value],
    ) -> Result<Self> {
        let mut world = Self::load_named(db, scope, deployment, values).await?;
        world.withhold_secrets(values);
        let context = Context::default();
        world.load_missing(db, scope, values, &context).await?;
        Ok(world)
    }

    fn withhold_secrets(&mut self, values: &[&Value]) {
        self.secrets = Secrets::withheld();
        let names = values.iter().flat_map(|value| needs(value).secrets);
        self.left_out = names.map(|name| format!("the secret `{name}`")).collect();
    }

    /// Loads the secrets that the values use, and the deployments whose ids are known only when they are
    /// evaluated, such as `{get_label: [csys-obj-parent, 0]}`.
    async fn load_missing(
        &mut self,
        db: &impl Db,
        scope: &Scope,
        values: &[&Value],
        context: &Context,
    ) -> Result<()> {
        let mut tried = BTreeSet::new();
        let place = self.deployments.first();
        let tenant = place.map(|one| one.deployment.tenant_name.clone());
        let of_secrets = scope.narrowed(tenant.as_deref().unwrap_or_default());
        let is_request = self.creator.is_none();
        let purpose = match is_request {
            true => Purpose::Show,
            false => Purpose::Run,
        };
        // Named ones are known to be asked for, so they need no round each.
        for name in values.iter().flat_map(|value| needs(value).secrets) {
            self.secrets.value(&name);
        }
        loop {
            let more_secrets = self.secrets.load(db, of_secrets.as_ref(), purpose).await?;
            if is_request {
                self.secrets.fetch(&Network).await?;
            }
            for value in values.iter().flat_map(|value| parts(value)) {
                // What is wrong with it is told when it is evaluated for its value.
                let _ = self.here().evaluate(value, context);
            }
            let missing: Vec<String> = self.missing.take().into_iter().collect();
            let before = self.deployments.len() + self.groups.len();
            for id in self.missing_groups.take() {
                let members = deployment_groups::members_of(db, scope, &id).await?;
                self.groups.insert(id, members);
            }
            for id in missing {
                if self.deployments.len() < DEPLOYMENTS
                    && tried.insert(id.clone())
                    && let Some(found) = self.find(db, scope, &id).await?
                {
                    self.deployments.push(One::load(db, found).await?);
                }
            }
            self.capabilities.take();
            let asks_for_secrets = self.secrets.is_asked() && !self.secrets.are_withheld();
            let is_same = self.deployments.len() + self.groups.len() == before;
            if is_same && !more_secrets && !asks_for_secrets {
                return Ok(());
            }
        }
    }

    /// Whether a provider has to be asked for secrets before functions know all, see
    /// [`Self::fetch_secrets`].
    pub fn lacks_secrets(&self) -> bool {
        self.secrets.are_elsewhere()
    }

    /// Asks providers for the secrets that they keep. The engine does so outside of transactions.
    ///
    /// # Errors
    /// 404 and 400 `failed_dependency`.
    pub async fn fetch_secrets(&self, outbound: &impl Outbound) -> Result<()> {
        self.capabilities.take();
        self.secrets.fetch(outbound).await
    }

    /// A text for many to read, without the values of secrets in it.
    pub fn hide_secrets(&self, text: &str) -> String {
        self.secrets.hide_in(text)
    }

    /// Another deployment, if it may be seen. The engine sees the private ones of one user only.
    async fn find(&self, db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Deployment>> {
        let found = deployments::find_optional(db, scope, id).await?;
        let creator = self.creator.as_deref();
        Ok(found.filter(|found| {
            creator.is_none_or(|creator| {
                found.visibility != Visibility::Private || found.created_by == creator
            })
        }))
    }

    /// Loads a deployment, and those whose ids stand in its properties and in `values`.
    async fn load_named(
        db: &impl Db,
        scope: &Scope,
        deployment: Deployment,
        values: &[&Value],
    ) -> Result<Self> {
        let first = One::load(db, deployment).await?;
        let mut asked: Vec<Needs> = values.iter().map(|value| needs(value)).collect();
        asked.extend(first.needs());
        let mut wanted = names(&first, &asked);
        let mut world = Self::of(vec![first]);
        let mut tried = BTreeSet::new();
        while let Some((id, capability)) = wanted.pop() {
            if !tried.insert((id.clone(), capability.clone())) {
                continue;
            }
            let place = match world.place(&id) {
                Some(place) => place,
                None if world.deployments.len() >= DEPLOYMENTS => continue,
                None => {
                    let Some(found) = deployments::find_optional(db, scope, &id).await? else {
                        continue;
                    };
                    let one = One::load(db, found).await?;
                    wanted.extend(names(&one, &one.needs()));
                    world.deployments.push(one);
                    world.deployments.len() - 1
                }
            };
            if let Some(one) = world.deployments.get(place) {
                let definition = one.deployment.capabilities.get(&capability);
                if let Some(value) = definition.and_then(|definition| definition.get("value")) {
                    wanted.extend(names(one, &[needs(value)]));
                }
            }
        }
        Ok(world)
    }

    /// Loads a deployment for the engine, with what `value` needs beyond nodes, instances and inputs.
    pub async fn load_for_engine(
        db: &impl Db,
        deployment_key: i64,
        value: &Value,
        context: &Context,
    ) -> Result<Self> {
        let world = Self::of_key(db, deployment_key, value).await?;
        world.complete(db, value, context).await
    }

    /// The same for a value that is going to be stored: secrets are left out, and [`Self::explain`] says
    /// so.
    pub async fn load_for_storing(
        db: &impl Db,
        deployment_key: i64,
        value: &Value,
        context: &Context,
    ) -> Result<Self> {
        let mut world = Self::of_key(db, deployment_key, value).await?;
        world.withhold_secrets(&[value]);
        world.complete(db, value, context).await
    }

    /// A deployment as the engine knows it, without what it does not need.
    async fn of_key(db: &impl Db, deployment_key: i64, value: &Value) -> Result<Self> {
        let (scope, needs) = (Scope::engine(), needs(value));
        let mut deployments = Vec::new();
        if let Some(deployment) = deployments::find_by_key(db, &scope, deployment_key).await? {
            let mut one = One::load_instances(db, deployment).await?;
            one.load_labels(db).await?;
            if needs.consumers || needs.unknown {
                one.load_consumers(db).await?;
            }
            deployments.push(one);
        }
        Ok(Self::of(deployments))
    }

    async fn complete(mut self, db: &impl Db, value: &Value, context: &Context) -> Result<Self> {
        let owner = self.deployments.first().map(|one| &one.deployment.owner);
        if let Some(owner) = owner.cloned() {
            let scope = Scope::system(&owner.created_by, &owner.tenant_name);
            self.creator = Some(owner.created_by);
            self.load_missing(db, &scope, &[value], context).await?;
        }
        Ok(self)
    }

    fn of(deployments: Vec<One>) -> Self {
        Self {
            deployments,
            depth: Cell::new(0),
            capabilities: RefCell::default(),
            left_out: Vec::new(),
            missing: RefCell::default(),
            groups: HashMap::new(),
            missing_groups: RefCell::default(),
            creator: None,
            secrets: Secrets::default(),
        }
    }

    /// Whether functions asked for a deployment or a secret that was not loaded for them.
    pub fn lacks_others(&self) -> bool {
        !self.missing.borrow().is_empty() || self.secrets.is_asked()
    }

    /// The text of a failed evaluation, with what could not be known here.
    pub fn explain(&self, message: &str) -> String {
        if self.left_out.is_empty() {
            return message.to_owned();
        }
        format!(
            "{message} ({} cannot be read here)",
            self.left_out.join(" and ")
        )
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.deployments
            .iter()
            .position(|one| one.deployment.id == id)
    }

    /// The deployment it was loaded for, as functions see it.
    pub fn here(&self) -> Here<'_> {
        Here {
            world: self,
            place: 0,
        }
    }

    /// Evaluates every output or capability of the deployment. One whose attribute cannot be
    /// found becomes a text that says so; other problems are the caller's.
    ///
    /// # Errors
    /// The first problem that is not about an attribute.
    pub fn outputs(&self, outputs: &Value) -> Result<Map<String, Value>, Problem> {
        let mut values = Map::new();
        for (name, output) in outputs.as_object().into_iter().flatten() {
            let value = output.get("value").unwrap_or(&Value::Null);
            let value = match evaluate(value, &Context::default(), &self.here()) {
                Ok(value) => value,
                Err(problem)
                    if problem
                        .message
                        .starts_with("Unable to evaluate get_attribute") =>
                {
                    Value::String(format!("<ERROR: {}>", problem.message))
                }
                Err(problem) => return Err(problem),
            };
            values.insert(name.clone(), value);
        }
        Ok(values)
    }
}

/// The values in a map, each of which may be evaluated although another cannot be. What is no map of values
/// is one by itself.
fn parts(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(map) if functions::function_of(value).is_none() => map.values().collect(),
        value => vec![value],
    }
}

/// The capabilities of others that are needed: pairs of deployment and capability.
fn names(one: &One, needs: &[Needs]) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for need in needs {
        names.extend(need.capabilities.iter().cloned());
        if let Some(parent) = one.parent() {
            let environment = need.environment_capabilities.iter();
            names.extend(environment.map(|name| (parent.to_owned(), name.clone())));
        }
    }
    names
}
