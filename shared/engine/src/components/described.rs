//! A component as its node describes it: properties and inputs of the operation, functions evaluated.

use super::Went;
use serde_json::{Map, Value, json};
use windlass_blueprint::functions::Context;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Visibility};
use windlass_deployment::environment::World;
use windlass_store::deployments::{self, Deployment, Owner};
use windlass_store::executions::Execution;
use windlass_store::operations::DueCall;

/// Properties that are refused where they say something.
const NOT_SERVED: [&str; 2] = ["plugins", "secrets"];

/// Whose operation it is, and what it was given.
pub(super) struct Whose {
    /// The instance.
    pub instance: String,
    /// Its node.
    pub node: String,
    /// Their deployment.
    pub source: Owner,
    /// In whose name everything happens.
    pub scope: Scope,
    /// The operation's inputs, functions and all.
    pub inputs: Map<String, Value>,
}

impl Whose {
    /// Reads it from the call. Nothing when the deployment is gone.
    pub async fn of(db: &impl Db, due: &DueCall, execution: &Execution) -> Result<Option<Self>> {
        let kwargs = due.parameters.pointer("/task_kwargs/kwargs");
        let mut inputs: Map<String, Value> = kwargs
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let context = inputs.remove("__cloudify_context").unwrap_or_default();
        let named = |name: &str| {
            context
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let source = match execution.deployment_key {
            Some(key) => deployments::find_by_key(db, &Scope::engine(), key).await?,
            None => None,
        };
        Ok(source.map(|Deployment { owner: source, .. }| Self {
            instance: named("node_id").to_owned(),
            node: named("node_name").to_owned(),
            scope: Scope::in_name_of(&execution.created_by, &source.tenant_name),
            source,
            inputs,
        }))
    }
}

/// What an operation of a component knows.
pub(super) struct Described {
    /// The operation's id.
    pub operation: String,
    /// The instance that is another deployment.
    pub instance: String,
    /// Its own deployment.
    pub source: Owner,
    /// In whose name everything happens.
    pub scope: Scope,
    /// `resource_config`: which blueprint and deployment it is.
    config: Value,
    /// The operation's inputs.
    inputs: Value,
    /// What the instance is known to be: `blueprint` and `deployment`.
    known: Value,
}

impl Described {
    /// Reads what an operation needs. Or why that cannot be used.
    pub async fn of(
        db: &impl Db,
        due: &DueCall,
        execution: &Execution,
    ) -> Result<Result<Self, String>> {
        let Some(whose) = Whose::of(db, due, execution).await? else {
            return Ok(Err("The deployment is gone".to_owned()));
        };
        let Whose {
            instance,
            source,
            scope,
            inputs,
            ..
        } = whose;
        let mut asked = json!({
            "inputs": inputs,
            "config": { "get_property": ["SELF", "resource_config"] },
            "client": { "get_property": ["SELF", "client"] },
            "deployment": { "get_attribute": ["SELF", "deployment"] },
            "blueprint": { "get_attribute": ["SELF", "blueprint"] },
        });
        if due.name.contains("component.upload_blueprint")
            && let Some(asked) = asked.as_object_mut()
        {
            for name in NOT_SERVED {
                let property = json!({ "get_property": ["SELF", name] });
                asked.insert(name.to_owned(), property);
            }
        }
        let whose = Context {
            self_instance: Some(instance.clone()),
            ..Context::default()
        };
        let world = World::load_for_engine(db, source.key, &asked, &whose).await?;
        let mut all = match world.here().evaluate(&asked, &whose) {
            Ok(all) => all,
            Err(problem) => return Ok(Err(world.explain(&problem.message))),
        };
        if names_another_manager(at(&all, "/client")) {
            return Ok(Err(
                "The property `client` names another manager: only deployments of this one can be components"
                    .to_owned(),
            ));
        }
        for name in NOT_SERVED {
            let given = all.get(name).and_then(Value::as_object);
            if given.is_some_and(|given| !given.is_empty()) {
                let text = format!("The property `{name}` of a component is not served yet");
                return Ok(Err(text));
            }
        }
        let own = all.pointer("/inputs/resource_config");
        let own = own.filter(|own| own.is_object()).cloned();
        let mut take = |name: &str| all.get_mut(name).map(Value::take).unwrap_or_default();
        let config = own.unwrap_or_else(|| take("config"));
        Ok(Ok(Self {
            operation: due.id.clone(),
            instance,
            scope,
            source,
            config,
            inputs: take("inputs"),
            known: all,
        }))
    }

    /// What `resource_config` says at a JSON pointer, null where it says nothing.
    pub fn given(&self, pointer: &str) -> &Value {
        at(&self.config, pointer)
    }

    /// An input of the operation by its JSON pointer, null without it.
    pub fn input(&self, pointer: &str) -> &Value {
        at(&self.inputs, pointer)
    }

    /// What the instance is known to be at a JSON pointer: null before it is made, or found.
    pub fn known(&self, pointer: &str) -> &Value {
        at(&self.known, pointer)
    }

    /// The id of the other deployment: what it is known to be, or what the node says.
    pub fn deployment_id(&self) -> String {
        let known = self.known("/deployment/id").as_str();
        let written = self.given("/deployment/id").as_str();
        let id = known.or(written).filter(|id| !id.is_empty());
        id.unwrap_or(&self.instance).to_owned()
    }

    /// Whether the other deployment, or its blueprint, is somebody else's to make and to delete.
    pub fn is_external(&self, what: &str) -> bool {
        let resource = self.config.get(what);
        let given = resource.and_then(|resource| resource.get("external_resource"));
        given.and_then(Value::as_bool) == Some(true)
    }

    /// A deployment that the one in whose name everything happens may use.
    pub async fn find(&self, db: &impl Db, id: &str) -> Result<Option<Deployment>> {
        let found = deployments::find_optional(db, &self.scope, id).await?;
        let user = self.scope.username();
        Ok(found
            .filter(|found| found.visibility != Visibility::Private || found.created_by == user))
    }

    /// What the other deployment's capabilities are, as properties of the instance.
    pub async fn capabilities(&self, db: &impl Db) -> Result<Went> {
        let id = self.deployment_id();
        let Some(other) = self.find(db, &id).await? else {
            return Ok(Went::Failed(format!("Deployment `{id}` does not exist")));
        };
        let definitions = other.capabilities.clone();
        // They are going to be stored, and no other server is asked inside a transaction.
        let world = World::load_without_secrets(db, &self.scope, other, &[&definitions]).await?;
        Ok(match world.outputs(&definitions) {
            Ok(values) => Went::Done(Map::from_iter([(
                "capabilities".to_owned(),
                Value::Object(values),
            )])),
            Err(problem) => Went::Failed(world.explain(&problem.message)),
        })
    }

    /// Whether the other deployment is well.
    pub async fn check_status(&self, db: &impl Db) -> Result<Went> {
        let id = self.deployment_id();
        let Some(other) = self.find(db, &id).await? else {
            return Ok(Went::Failed(format!("Deployment `{id}` does not exist")));
        };
        let (installation, status) = deployments::statuses(db, &other).await?;
        Ok(match (installation.as_str(), status.as_str()) {
            ("active", "good" | "in_progress") => Went::Told(Value::Null),
            _ => Went::Failed(format!(
                "Deployment `{id}` is {installation}, its status is {status}"
            )),
        })
    }
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// A client of this manager has nothing to say.
fn names_another_manager(client: &Value) -> bool {
    let mut values = client.as_object().into_iter().flatten();
    values.any(|(_, value)| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(given) => *given,
        _ => true,
    })
}
