//! What functions may ask about a deployment and its surroundings, loaded before they do:
//! evaluation itself never waits.
//!
//! Requests load a deployment together with those whose capabilities its functions use, as far as
//! the caller sees them. A workflow has no caller whose view would count: the engine loads what
//! everybody in the deployment's tenant sees, and what the deployment's creator made.

use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use windlass_blueprint::functions::{self, Context, Lookup, Needs, evaluate, has_functions, needs};
use windlass_blueprint::{Error as Problem, ErrorKind, NodeInstance};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, Visibility};
use windlass_store::deployments::{self, Consumer, Deployment};
use windlass_store::labels::{self, Label};
use windlass_store::node_instances;

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

    /// Loads the deployments whose ids are known only when the values are evaluated, such as
    /// `{get_label: [csys-obj-parent, 0]}`.
    async fn load_missing(
        &mut self,
        db: &impl Db,
        scope: &Scope,
        values: &[&Value],
        context: &Context,
    ) -> Result<()> {
        let mut tried = BTreeSet::new();
        loop {
            for value in values {
                // What is wrong with it is told when it is evaluated for its value.
                let _ = self.here().evaluate(value, context);
            }
            let missing: Vec<String> = self.missing.take().into_iter().collect();
            let before = self.deployments.len();
            for id in missing {
                if self.deployments.len() < DEPLOYMENTS
                    && tried.insert(id.clone())
                    && let Some(found) = self.find(db, scope, &id).await?
                {
                    self.deployments.push(One::load(db, found).await?);
                }
            }
            self.capabilities.take();
            if self.deployments.len() == before {
                return Ok(());
            }
        }
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
    /// Secrets are left out; [`Self::explain`] says so.
    pub async fn load_for_engine(
        db: &impl Db,
        deployment_key: i64,
        value: &Value,
        context: &Context,
    ) -> Result<Self> {
        let (scope, needs) = (Scope::engine(), needs(value));
        let mut deployments = Vec::new();
        let mut owner = None;
        if let Some(deployment) = deployments::find_by_key(db, &scope, deployment_key).await? {
            owner = Some(deployment.owner.clone());
            let mut one = One::load_instances(db, deployment).await?;
            one.load_labels(db).await?;
            if needs.consumers || needs.unknown {
                one.load_consumers(db).await?;
            }
            deployments.push(one);
        }
        let secrets = needs.secrets.iter();
        let mut world = Self {
            left_out: secrets.map(|name| format!("the secret `{name}`")).collect(),
            ..Self::of(deployments)
        };
        if let Some(owner) = owner {
            let scope = Scope::system(&owner.created_by, &owner.tenant_name);
            world.creator = Some(owner.created_by);
            world.load_missing(db, &scope, &[value], context).await?;
        }
        Ok(world)
    }

    fn of(deployments: Vec<One>) -> Self {
        Self {
            deployments,
            depth: Cell::new(0),
            capabilities: RefCell::default(),
            left_out: Vec::new(),
            missing: RefCell::default(),
            creator: None,
        }
    }

    /// Whether functions asked for a deployment that was not loaded for them.
    pub fn lacks_others(&self) -> bool {
        !self.missing.borrow().is_empty()
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

/// One deployment of a [`World`], for functions to ask.
#[derive(Clone, Copy)]
pub struct Here<'w> {
    world: &'w World,
    place: usize,
}

impl<'w> Here<'w> {
    fn one(&self) -> Option<&'w One> {
        self.world.deployments.get(self.place)
    }

    /// The first instance of a node, which `SELF` means where no other is named.
    pub fn first_instance(&self, node: &str) -> Option<String> {
        self.instances_of(node)
            .first()
            .map(|instance| instance.id.clone())
    }

    /// Evaluates the functions in a value.
    ///
    /// # Errors
    /// What could not be evaluated, in the language's words.
    pub fn evaluate(&self, value: &Value, context: &Context) -> Result<Value, Problem> {
        functions::evaluate(value, context, self)
    }
}

impl Lookup for Here<'_> {
    fn node_properties(&self, node: &str) -> Option<&Value> {
        self.one()?.properties.get(node)
    }

    fn instances_of(&self, node: &str) -> Vec<&NodeInstance> {
        let Some(one) = self.one() else {
            return Vec::new();
        };
        let places = one.by_node.get(node).into_iter().flatten();
        places
            .filter_map(|place| one.instances.get(*place))
            .collect()
    }

    fn instance(&self, id: &str) -> Option<&NodeInstance> {
        let one = self.one()?;
        one.by_id
            .get(id)
            .and_then(|place| one.instances.get(*place))
    }

    fn input(&self, name: &str) -> Option<Value> {
        self.one()?.deployment.inputs.get(name).cloned()
    }

    fn has_deployment(&self, id: &str) -> bool {
        let is_known = self.world.place(id).is_some();
        if !is_known {
            self.world.missing.borrow_mut().insert(id.to_owned());
        }
        is_known
    }

    fn capability(&self, deployment: &str, name: &str) -> Option<Value> {
        let there = Here {
            world: self.world,
            place: self.world.place(deployment)?,
        };
        let value = there
            .one()?
            .deployment
            .capabilities
            .get(name)?
            .get("value")?;
        let key = (there.place, name.to_owned());
        if let Some(known) = self.world.capabilities.borrow().get(&key) {
            return known.clone();
        }
        let depth = self.world.depth.get();
        if depth >= DEPTH {
            return None;
        }
        self.world
            .capabilities
            .borrow_mut()
            .insert(key.clone(), None);
        self.world.depth.set(depth + 1);
        let value = evaluate(value, &Context::default(), &there).ok();
        self.world.depth.set(depth);
        let value = value.filter(|value| value.to_string().len() <= CAPABILITY_BYTES);
        self.world
            .capabilities
            .borrow_mut()
            .insert(key, value.clone());
        value
    }

    fn environment_capability(&self, name: &str) -> Option<Value> {
        let parent = self.one()?.parent()?;
        match self.has_deployment(parent) {
            true => self.capability(parent, name),
            false => None,
        }
    }

    fn labels(&self, key: &str) -> Vec<String> {
        let labels = self
            .one()
            .map(|one| one.labels.as_slice())
            .unwrap_or_default();
        labels
            .iter()
            .filter(|label| label.key == key)
            .map(|label| label.value.clone())
            .collect()
    }

    fn system(&self, entity: &str, property: &str) -> Option<Value> {
        let deployment = &self.one()?.deployment;
        let value = match (entity, property) {
            ("tenant", "name") => &deployment.tenant_name,
            ("deployment", "id") => &deployment.id,
            ("deployment", "name") => &deployment.display_name,
            ("deployment", "blueprint") => &deployment.blueprint_id,
            ("deployment", "owner") => &deployment.created_by,
            _ => return None,
        };
        Some(Value::from(value.as_str()))
    }

    fn consumers(&self, what: &str) -> Option<Value> {
        let consumers = &self.one()?.consumers;
        match what {
            "ids" => Some(consumers.iter().map(|one| one.id.as_str()).collect()),
            "names" => {
                let names = consumers.iter().map(|one| one.display_name.as_str());
                Some(names.collect())
            }
            "count" => Some(consumers.len().into()),
            _ => None,
        }
    }
}

/// The refusal of a value whose functions cannot be evaluated: 404 when they ask about something that
/// does not exist, else of this kind.
pub fn refused(problem: Problem, kind: Kind) -> Error {
    let kind = match problem.kind {
        ErrorKind::NotFound => Kind::NotFound,
        _ => kind,
    };
    Error::new(kind, problem.message)
}

/// The instances that `SELF`, `SOURCE` and `TARGET` are to mean, from a request's `context`.
///
/// # Errors
/// 400 when one of them is no text.
pub fn context(given: &Map<String, Value>) -> Result<Context> {
    let instance = |name: &str| match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.clone())),
        Some(other) => Err(Error::wrong_type(name, "str", other)),
    };
    Ok(Context {
        self_instance: instance("self")?,
        source_instance: instance("source")?,
        target_instance: instance("target")?,
    })
}
