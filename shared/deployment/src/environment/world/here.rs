//! One deployment of a world, as functions see it.

use super::{CAPABILITY_BYTES, DEPTH, One, World};
use serde_json::Value;
use windlass_blueprint::functions::{self, Context, Lookup, evaluate};
use windlass_blueprint::{Error as Problem, NodeInstance};

/// One deployment of a [`World`], for functions to ask.
#[derive(Clone, Copy)]
pub struct Here<'w> {
    pub(super) world: &'w World,
    pub(super) place: usize,
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

    fn secret(&self, name: &str) -> Option<Value> {
        self.world.secrets.value(name)
    }

    fn is_hidden_secret(&self, name: &str) -> bool {
        self.world.secrets.is_hidden(name)
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

    fn group_members(&self, group: &str) -> Option<Vec<String>> {
        let Some(members) = self.world.groups.get(group) else {
            let mut missing = self.world.missing_groups.borrow_mut();
            missing.insert(group.to_owned());
            return None;
        };
        // Asking is what makes them loaded.
        let members = members.clone();
        let loaded = |id: &String| self.has_deployment(id);
        members.map(|members| members.into_iter().filter(loaded).collect())
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
