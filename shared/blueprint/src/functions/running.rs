//! Functions of a running deployment: which instance is meant, and what it has.

use super::arguments::enter;
use super::evaluate::{Walk, World, dotted, input_at, missing_property, name_and_path, refuse};
use super::{Context, Function, Lookup, text};
use crate::error::Result;
use crate::instances::NodeInstance;
use crate::python_text::display;
use serde_json::{Map, Value, json};

/// While the deployment exists.
pub(super) struct Running<'a> {
    pub lookup: &'a dyn Lookup,
}

impl World for Running<'_> {
    fn call(
        &self,
        walk: &mut Walk<'_>,
        function: Function,
        arguments: &Value,
        context: &Context,
        depth: usize,
    ) -> Result<Option<Value>> {
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
                input_at(function, &value, name_text, path)?
            }
            Function::GetProperty => self.property(walk, name_text, path, context, depth)?,
            Function::GetAttribute => {
                let instance = self.instance(function, name_text, context)?;
                self.attribute(walk, instance, path, context, depth)?
            }
            Function::GetAttributesList => {
                let mut values = Vec::new();
                for instance in self.instances(name_text, context) {
                    values.push(self.attribute(walk, instance, path, context, depth)?);
                }
                Value::Array(values)
            }
            Function::GetAttributesDict => {
                let mut values = Map::new();
                for instance in self.instances(name_text, context) {
                    let mut attributes = Map::new();
                    for wanted in path {
                        let wanted = match wanted {
                            Value::Array(path) => path.as_slice(),
                            single => std::slice::from_ref(single),
                        };
                        let value = self.attribute(walk, instance, wanted, context, depth)?;
                        attributes.insert(dotted(wanted), value);
                    }
                    values.insert(instance.id.clone(), Value::Object(attributes));
                }
                Value::Object(values)
            }
            Function::GetSecret => self.secret(name_text, path)?,
            Function::GetCapability => {
                let (capability, path) = path.split_first().unwrap_or((&Value::Null, &[]));
                let capability = display(capability);
                let value = self.lookup.capability(name_text, &capability).ok_or_else(|| {
                    refuse(
                        function,
                        format!("Requested capability '{capability}' is not declared in deployment '{name_text}'"),
                    )
                })?;
                at(&value, path)?
            }
            Function::GetGroupCapability => self.group_capability(name_text, path)?,
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
                match path {
                    [] => labels,
                    path => at(&labels, path)?,
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

    fn instances(&self, name: &str, context: &Context) -> Vec<&'a NodeInstance> {
        match self.named(name, context) {
            Some(Some(instance)) => self.lookup.instances_of(&instance.node_id),
            Some(None) => Vec::new(),
            None => self.lookup.instances_of(name),
        }
    }

    /// The one instance that a name means to the context.
    fn instance(
        &self,
        function: Function,
        name: &str,
        context: &Context,
    ) -> Result<&'a NodeInstance> {
        if let Some(instance) = self.named(name, context) {
            return instance
                .ok_or_else(|| refuse(function, format!("{name} is missing in request context")));
        }
        let instances = self.lookup.instances_of(name);
        match instances.as_slice() {
            [] => {
                let why = format!("Node {name} has no instances.");
                return Err(refuse(function, why));
            }
            [instance] => return Ok(instance),
            _ => {}
        }
        let contexts = [
            &context.self_instance,
            &context.source_instance,
            &context.target_instance,
        ];
        let near: Vec<&NodeInstance> = contexts
            .into_iter()
            .flatten()
            .filter_map(|id| self.lookup.instance(id))
            .collect();
        for from in &near {
            if from.node_id == name {
                return Ok(from);
            }
        }
        // The instance that the context leads to by its relationships, containers included.
        for from in &near {
            let mut open = vec![*from];
            let mut seen = 0;
            while let Some(one) = open.pop() {
                seen += 1;
                if seen > 1000 {
                    break;
                }
                let to_node: Vec<&str> = one
                    .relationships
                    .iter()
                    .filter(|relationship| relationship.target_name == name)
                    .map(|relationship| relationship.target_id.as_str())
                    .collect();
                if let [target] = to_node.as_slice()
                    && let Some(target) = self.lookup.instance(target)
                {
                    return Ok(target);
                }
                let container = one
                    .relationships
                    .iter()
                    .find(|relationship| relationship.type_name.ends_with("contained_in"));
                let container = container.and_then(|found| self.lookup.instance(&found.target_id));
                if let Some(container) = container {
                    if container.node_id == name {
                        return Ok(container);
                    }
                    open.push(container);
                }
            }
        }
        for from in &near {
            for group in &from.scaling_groups {
                let mut together = instances.iter().filter(|instance| {
                    instance.scaling_groups.iter().any(|one| one.id == group.id)
                });
                if let (Some(one), None) = (together.next(), together.next()) {
                    return Ok(one);
                }
            }
        }
        Err(refuse(
            function,
            format!(
                "More than one node instance found for node \"{name}\". Cannot resolve a node instance unambiguously."
            ),
        ))
    }

    fn property(
        &self,
        walk: &mut Walk<'_>,
        name: &str,
        path: &[Value],
        context: &Context,
        depth: usize,
    ) -> Result<Value> {
        let instance = self.named(name, context);
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
            ..context.clone()
        };
        walk.follow(properties, path, &inner, depth)?
            .ok_or_else(|| missing_property(node, path))
    }

    /// A runtime property, else one of the names that every instance has, else a property.
    fn attribute(
        &self,
        walk: &mut Walk<'_>,
        instance: &NodeInstance,
        path: &[Value],
        context: &Context,
        depth: usize,
    ) -> Result<Value> {
        let Some((first, rest)) = path.split_first() else {
            return Ok(Value::Null);
        };
        let inner = Context {
            self_instance: Some(instance.id.clone()),
            ..context.clone()
        };
        let first = display(first);
        if let Some(value) = instance.runtime_properties.get(&first)
            && let Some(value) = walk.follow(value, rest, &inner, depth)?
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
                .follow(properties, path, &inner, depth)?
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
            Value::String(text) => serde_json::from_str(text)
                .map_err(|_| refuse(function, format!("secret '{name}' is not JSON")))?,
            other => other.clone(),
        };
        let mut here = &parsed;
        for step in path {
            // The secret's content must not appear in the text.
            here = enter(here, step)
                .ok_or_else(|| refuse(function, format!("secret '{name}' has no such key")))?;
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
                    .capability(&member, &display(name))
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
                    let entries = names.iter().map(|name| (display(name), one(name)));
                    Value::Object(entries.collect())
                }
                name => one(name),
            };
            values.insert(member.clone(), value);
        }
        Ok(Value::Object(values))
    }
}
