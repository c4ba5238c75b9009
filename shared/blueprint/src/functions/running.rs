//! Functions of a running deployment: which instance is meant, and what it has.

use super::arguments::{check_arguments, enter};
use super::evaluate::{Call, Walk, World, dotted, input_at, name_and_path, refuse};
use super::validate::no_property;
use super::{Context, Function, Lookup, has_functions, text};
use crate::error::{Error, ErrorKind, Result};
use crate::instances::NodeInstance;
use serde_json::{Map, Value, json};
use windlass_python as python;

/// How deep an instance may lie in others.
const MAX_NESTING: usize = 200;

/// While the deployment exists.
pub(super) struct Running<'a> {
    pub lookup: &'a dyn Lookup,
}

impl World for Running<'_> {
    fn call(&self, walk: &mut Walk<'_>, call: &Call<'_>) -> Result<Option<Value>> {
        let (function, arguments) = (call.function, call.arguments);
        // Here arguments may come from a request, which nobody has looked at yet.
        check_arguments(function, arguments)
            .map_err(|error| Error::new(ErrorKind::Evaluation, error.message))?;
        let (name, path) = name_and_path(arguments);
        let name_text = name.as_str().unwrap_or_default();
        let at = |value: &Value, path: &[Value]| -> Result<Value> {
            let mut here = value;
            for step in path {
                here = enter(here, step).ok_or_else(|| {
                    let path = dotted(path);
                    refuse(function, format!("'{name_text}' has nothing at '{path}'"))
                })?;
            }
            Ok(here.clone())
        };
        let value = match function {
            Function::GetInput => {
                let value = self
                    .lookup
                    .input(name_text)
                    .ok_or_else(|| refuse(function, format!("unknown input '{name_text}'")))?;
                let value = input_at(&value, call)?;
                match has_functions(&value) {
                    true => walk.value(&value, call.context, call.path, call.depth + 1)?,
                    false => value,
                }
            }
            Function::GetProperty => self.property(walk, call, name_text, path)?,
            Function::GetAttribute => {
                let instance = self.instance(call, name_text, path)?;
                self.attribute(walk, call, instance, path)?
            }
            Function::GetAttributesList => {
                let mut values = Vec::new();
                for instance in self.instances(call, name_text, path)? {
                    values.push(self.attribute(walk, call, instance, path)?);
                }
                Value::Array(values)
            }
            Function::GetAttributesDict => {
                let mut values = Map::new();
                for instance in self.instances(call, name_text, path)? {
                    let mut attributes = Map::new();
                    for wanted in path {
                        let wanted = match wanted {
                            Value::Array(path) => path.as_slice(),
                            single => std::slice::from_ref(single),
                        };
                        let value = self.attribute(walk, call, instance, wanted)?;
                        attributes.insert(dotted(wanted), value);
                    }
                    values.insert(instance.id.clone(), Value::Object(attributes));
                }
                Value::Object(values)
            }
            Function::GetSecret => self.secret(name_text, path)?,
            Function::GetCapability => {
                let (capability, path) = path.split_first().unwrap_or((&Value::Null, &[]));
                let capability = python::str(capability);
                let deployment = python::str(name);
                let value = self.lookup.capability(&deployment, &capability).ok_or_else(|| {
                    refuse(
                        function,
                        format!("Requested capability '{capability}' is not declared in deployment '{deployment}'"),
                    )
                })?;
                at(&value, path)?
            }
            Function::GetGroupCapability => self.group_capability(&python::str(name), path)?,
            Function::GetEnvironmentCapability => {
                let value = self.lookup.environment_capability(name_text).ok_or_else(|| {
                    refuse(
                        function,
                        format!("Requested capability '{name_text}' is not declared in the parent deployment"),
                    )
                })?;
                at(&value, path)?
            }
            Function::GetLabel => {
                let labels = json!(self.lookup.labels(name_text));
                match path.first() {
                    None => labels,
                    // The index may be written as text.
                    Some(Value::String(index)) => {
                        at(&labels, &[index.parse::<u64>().unwrap_or(u64::MAX).into()])?
                    }
                    Some(_) => at(&labels, path)?,
                }
            }
            Function::GetSys => {
                let property = path.first().and_then(Value::as_str).unwrap_or_default();
                self.lookup.system(name_text, property).ok_or_else(|| {
                    refuse(
                        function,
                        format!("nothing is known of '{name_text}', '{property}'"),
                    )
                })?
            }
            Function::GetConsumers => self
                .lookup
                .consumers(name_text)
                .ok_or_else(|| refuse(function, "the consumers are not known"))?,
            function => return text::evaluate(function, arguments).transpose(),
        };
        Ok(Some(value))
    }
}

impl<'a> Running<'a> {
    /// The instance that a keyword means.
    fn named(&self, name: &str, context: &Context) -> Option<Option<&'a NodeInstance>> {
        let id = match name {
            "SELF" => &context.self_instance,
            "SOURCE" => &context.source_instance,
            "TARGET" => &context.target_instance,
            _ => return None,
        };
        Some(id.as_deref().and_then(|id| self.lookup.instance(id)))
    }

    /// The refusal of a keyword that means nobody here.
    fn nobody(call: &Call<'_>, name: &str, path: &[Value]) -> Error {
        refuse(
            call.function,
            format!(
                "{name} is missing in request context in {} for attribute {}",
                call.path,
                python::repr(&Value::from(path))
            ),
        )
    }

    fn instances(
        &self,
        call: &Call<'_>,
        name: &str,
        path: &[Value],
    ) -> Result<Vec<&'a NodeInstance>> {
        match self.named(name, call.context) {
            Some(Some(instance)) => Ok(self.lookup.instances_of(&instance.node_id)),
            Some(None) => Err(Self::nobody(call, name, path)),
            None => Ok(self.lookup.instances_of(name)),
        }
    }

    /// The one instance that a name means to the context.
    fn instance(&self, call: &Call<'_>, name: &str, path: &[Value]) -> Result<&'a NodeInstance> {
        if let Some(instance) = self.named(name, call.context) {
            return instance.ok_or_else(|| Self::nobody(call, name, path));
        }
        let instances = self.lookup.instances_of(name);
        match instances.as_slice() {
            [] => {
                let why = format!("Node {name} has no instances.");
                return Err(refuse(call.function, why));
            }
            [instance] => return Ok(instance),
            _ => {}
        }
        let find = |id: &Option<String>| id.as_deref().and_then(|id| self.lookup.instance(id));
        let (own, source, target) = (
            find(&call.context.self_instance),
            find(&call.context.source_instance),
            find(&call.context.target_instance),
        );
        let near: Vec<&NodeInstance> = [own, source, target].into_iter().flatten().collect();
        if let Some(one) = near.iter().find(|one| one.node_id == name) {
            return Ok(one);
        }
        // The instance that its relationships lead to, or those of its containers.
        for from in &near {
            for one in self.containers(from) {
                if one.node_id == name {
                    return Ok(one);
                }
                let mut targets = one
                    .relationships
                    .iter()
                    .filter(|relationship| relationship.target_name == name)
                    .map(|relationship| relationship.target_id.as_str());
                if let Some(target) = targets.next()
                    && targets.all(|other| other == target)
                    && let Some(target) = self.lookup.instance(target)
                {
                    return Ok(target);
                }
            }
        }
        for from in near {
            if let Some(one) = self.beside(from, &instances) {
                return Ok(one);
            }
        }
        Err(refuse(
            call.function,
            format!(
                "More than one node instance found for node \"{name}\". Cannot resolve a node instance unambiguously."
            ),
        ))
    }

    /// An instance, what it is contained in, what that is contained in, and so on.
    fn containers(&self, from: &'a NodeInstance) -> impl Iterator<Item = &'a NodeInstance> + '_ {
        let next = |one: &&'a NodeInstance| {
            let properties = |relationship: &&crate::instances::InstanceRelationship| {
                relationship.type_name.ends_with("contained_in")
            };
            let container = one.relationships.iter().find(properties)?;
            self.lookup.instance(&container.target_id)
        };
        std::iter::successors(Some(from), next).take(MAX_NESTING)
    }

    /// The only one of these instances that is in the same instance of the innermost scaling
    /// group that they share with `from`. Who lies in a member of a group is in the group.
    fn beside(
        &self,
        from: &'a NodeInstance,
        instances: &[&'a NodeInstance],
    ) -> Option<&'a NodeInstance> {
        let groups = |one: &'a NodeInstance| {
            self.containers(one)
                .flat_map(|one| &one.scaling_groups)
                .collect::<Vec<_>>()
        };
        let all: Vec<_> = instances.iter().map(|one| (*one, groups(one))).collect();
        let (_, first) = all.first()?;
        let shared = groups(from)
            .into_iter()
            .find(|group| first.iter().any(|one| one.name == group.name))?;
        let mut together = all
            .iter()
            .filter(|(_, groups)| groups.iter().any(|group| group.id == shared.id));
        match (together.next(), together.next()) {
            (Some((one, _)), None) => Some(one),
            _ => None,
        }
    }

    fn property(
        &self,
        walk: &mut Walk<'_>,
        call: &Call<'_>,
        name: &str,
        path: &[Value],
    ) -> Result<Value> {
        let instance = self.named(name, call.context);
        let node = match &instance {
            Some(Some(instance)) => instance.node_id.as_str(),
            Some(None) => {
                let why = format!("{name} is missing in request context");
                return Err(refuse(Function::GetProperty, why));
            }
            None => name,
        };
        let properties = self.lookup.node_properties(node);
        let properties = properties
            .ok_or_else(|| refuse(Function::GetProperty, format!("Node {node} does not exist")))?;
        let inner = Context {
            self_instance: match instance {
                Some(instance) => instance.map(|instance| instance.id.clone()),
                None => self
                    .lookup
                    .instances_of(node)
                    .first()
                    .map(|one| one.id.clone()),
            },
            ..call.context.clone()
        };
        let found = walk.follow(properties, path, &inner, call.path, call.depth)?;
        found.ok_or_else(|| {
            // Where the way ends, as far as no function lies on it.
            let mut here = properties;
            let mut missing = path.last().unwrap_or(&Value::Null);
            for key in path {
                match enter(here, key) {
                    Some(next) => here = next,
                    None => {
                        missing = key;
                        break;
                    }
                }
            }
            no_property(node, path, here, missing, call.path)
        })
    }

    /// A runtime property, else one of the names that every instance has, else a property.
    fn attribute(
        &self,
        walk: &mut Walk<'_>,
        call: &Call<'_>,
        instance: &NodeInstance,
        path: &[Value],
    ) -> Result<Value> {
        let Some((first, rest)) = path.split_first() else {
            return Ok(Value::Null);
        };
        let inner = Context {
            self_instance: Some(instance.id.clone()),
            ..call.context.clone()
        };
        let first = python::str(first);
        // A null runtime property is none: then the node's property counts.
        if let Some(value) = instance.runtime_properties.get(&first)
            && let Some(value) = walk.follow(value, rest, &inner, call.path, call.depth)?
            && !value.is_null()
        {
            return Ok(value);
        }
        if rest.is_empty() {
            match first.as_str() {
                "node_instance_id" => return Ok(json!(instance.id)),
                "node_instance_index" => return Ok(json!(instance.index)),
                _ => {}
            }
        }
        match self.lookup.node_properties(&instance.node_id) {
            Some(properties) => Ok(walk
                .follow(properties, path, &inner, call.path, call.depth)?
                .unwrap_or_default()),
            None => Ok(Value::Null),
        }
    }

    fn secret(&self, name: &str, path: &[Value]) -> Result<Value> {
        let function = Function::GetSecret;
        let secret = self
            .lookup
            .secret(name)
            .ok_or_else(|| refuse(function, format!("secret '{name}' was not found")))?;
        if path.is_empty() {
            return Ok(secret);
        }
        let parsed = match &secret {
            Value::String(text) => serde_json::from_str(text).map_err(|_| {
                refuse(
                    function,
                    format!("Could not parse secret \"{name}\" as json."),
                )
            })?,
            other => other.clone(),
        };
        let mut here = &parsed;
        for step in path {
            // The secret's content must not appear in the text.
            here = enter(here, step).ok_or_else(|| {
                let step = python::str(step);
                refuse(
                    function,
                    format!("Could not find \"{step}\" in nested lookup on secret \"{name}\"."),
                )
            })?;
        }
        Ok(here.clone())
    }

    fn group_capability(&self, group: &str, path: &[Value]) -> Result<Value> {
        let function = Function::GetGroupCapability;
        let members = self.lookup.group_members(group).ok_or_else(|| {
            refuse(
                function,
                format!("deployment group '{group}' was not found"),
            )
        })?;
        let (wanted, keys) = path.split_first().unwrap_or((&Value::Null, &[]));
        let mut values = Map::new();
        for member in members {
            let one = |name: &Value| -> Value {
                let value = self
                    .lookup
                    .capability(&member, &python::str(name))
                    .unwrap_or_default();
                let mut here = &value;
                for step in keys {
                    match enter(here, step) {
                        Some(next) => here = next,
                        None => return Value::Null,
                    }
                }
                here.clone()
            };
            let value = match wanted {
                Value::Array(names) => {
                    let entries = names.iter().map(|name| (python::str(name), one(name)));
                    Value::Object(entries.collect())
                }
                name => one(name),
            };
            values.insert(member.clone(), value);
        }
        Ok(Value::Object(values))
    }
}
