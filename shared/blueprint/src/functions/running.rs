//! Functions of a running deployment.

mod instances;

use super::arguments::{check_arguments, enter, python_path};
use super::evaluate::{Call, Walk, World, dotted, input_at, name_and_path, refuse};
use super::validate::no_property;
use super::{Context, Function, Lookup, has_functions, text};
use crate::error::{Error, ErrorKind, Result};
use crate::instances::NodeInstance;
use serde_json::{Map, Value, json};
use windlass_python as python;

/// Evaluates functions for a deployment that exists.
pub(super) struct Running<'a> {
    pub lookup: &'a dyn Lookup,
}

impl World for Running<'_> {
    fn call(&self, walk: &mut Walk<'_>, call: &Call<'_>) -> Result<Option<Value>> {
        let (function, arguments) = (call.function, call.arguments);
        // The arguments may come from a request and were not checked before.
        check_arguments(function, arguments)
            .map_err(|error| Error::new(ErrorKind::Evaluation, error.message))?;
        let (name, path) = name_and_path(arguments);
        let name_text = name.as_str().unwrap_or_default();
        let value = match function {
            Function::GetInput => self.input(walk, call, name_text)?,
            Function::GetProperty => self.property(walk, call, name_text, path)?,
            Function::GetAttribute => {
                let instance = self.instance(call, name_text, path)?;
                self.attribute(walk, call, instance, path)?
            }
            Function::GetAttributesList => self.attributes_list(walk, call, name_text, path)?,
            Function::GetAttributesDict => self.attributes_dict(walk, call, name_text, path)?,
            Function::GetSecret => self.secret(name_text, path)?,
            Function::GetCapability => self.capability(name, path)?,
            Function::GetGroupCapability => self.group_capability(&python::str(name), path)?,
            Function::GetEnvironmentCapability => self.environment_capability(name_text, path)?,
            Function::GetLabel => self.label(name_text, path)?,
            Function::GetSys => {
                let property = path.first().and_then(Value::as_str).unwrap_or_default();
                let value = self.lookup.system(name_text, property);
                let why = || format!("nothing is known of '{name_text}', '{property}'");
                value.ok_or_else(|| refuse(function, why()))?
            }
            Function::GetConsumers => {
                let value = self.lookup.consumers(name_text);
                value.ok_or_else(|| refuse(function, "the consumers are not known"))?
            }
            function => return text::evaluate(function, arguments).transpose(),
        };
        Ok(Some(value))
    }
}

/// Follows a path in a value that a function found under a name.
fn at(function: Function, name: &str, value: &Value, path: &[Value]) -> Result<Value> {
    let mut here = value;
    for step in path {
        here = enter(here, step).ok_or_else(|| {
            let path = dotted(path);
            refuse(function, format!("'{name}' has nothing at '{path}'"))
        })?;
    }
    Ok(here.clone())
}

/// Why there is nothing at the next step of a path into a capability. `way` are the steps that were
/// gone.
fn no_part(
    here: &Value,
    (deployment, capability): (&Value, &Value),
    way: &[Value],
    path: &[Value],
) -> String {
    let id = python::str(deployment);
    let step = path.get(way.len()).unwrap_or(&Value::Null);
    let text = python::str(step);
    let mut gone = vec![capability.clone()];
    gone.extend(way.iter().cloned());
    match here {
        Value::Object(_) => format!(
            "Attribute '{text}' doesn't exist in '{}' in deployment '{id}'.",
            python_path(&gone)
        ),
        Value::Array(items) if python::is_int(step) => format!(
            "List size of '{}' is {}, in deployment '{id}', but index {text} is retrieved.",
            python_path(&gone),
            items.len()
        ),
        Value::Array(_) => {
            let arguments = [deployment, capability].into_iter().chain(path);
            let arguments: Vec<String> = arguments.map(python::str).collect();
            format!(
                "Item in index {} in the get_capability arguments list [{}] is expected to be an int but got {}.",
                way.len() + 2,
                arguments.join(", "),
                python::type_name(step)
            )
        }
        _ => format!(
            "Object {}, in capability '{}' in deployment '{id}', has no attribute {text}",
            python_path(way),
            python::str(capability)
        ),
    }
}

impl Running<'_> {
    fn input(&self, walk: &mut Walk<'_>, call: &Call<'_>, name: &str) -> Result<Value> {
        let value = self.lookup.input(name);
        let value =
            value.ok_or_else(|| refuse(Function::GetInput, format!("unknown input '{name}'")))?;
        let value = input_at(&value, call)?;
        match has_functions(&value) {
            true => walk.value(&value, call.context, call.path, call.depth + 1),
            false => Ok(value),
        }
    }

    /// The same attribute of all instances of a node.
    fn attributes_list(
        &self,
        walk: &mut Walk<'_>,
        call: &Call<'_>,
        name: &str,
        path: &[Value],
    ) -> Result<Value> {
        let instances = self.instances(call, name, path)?.into_iter();
        instances
            .map(|instance| self.attribute(walk, call, instance, path))
            .collect()
    }

    /// Several attributes of all instances of a node, by the id of the instance and the path of the
    /// attribute.
    fn attributes_dict(
        &self,
        walk: &mut Walk<'_>,
        call: &Call<'_>,
        name: &str,
        paths: &[Value],
    ) -> Result<Value> {
        let mut values = Map::new();
        for instance in self.instances(call, name, paths)? {
            let mut attributes = Map::new();
            for wanted in paths {
                let wanted = match wanted {
                    Value::Array(path) => path.as_slice(),
                    single => std::slice::from_ref(single),
                };
                let value = self.attribute(walk, call, instance, wanted)?;
                attributes.insert(dotted(wanted), value);
            }
            values.insert(instance.id.clone(), Value::Object(attributes));
        }
        Ok(Value::Object(values))
    }

    /// A capability of another deployment.
    fn capability(&self, deployment: &Value, path: &[Value]) -> Result<Value> {
        let id = python::str(deployment);
        if !self.lookup.has_deployment(&id) {
            return Err(Error::not_found("Deployment", &id));
        }
        let (capability, path) = path.split_first().unwrap_or((&Value::Null, &[]));
        let name = python::str(capability);
        let value = self.lookup.capability(&id, &name).ok_or_else(|| {
            Error::evaluation(format!(
                "Requested capability `{name}` is not declared in deployment `{id}`"
            ))
        })?;
        let mut here = &value;
        for (place, step) in path.iter().enumerate() {
            here = enter(here, step).ok_or_else(|| {
                let way = path.get(..place).unwrap_or_default();
                let why = no_part(here, (deployment, capability), way, path);
                refuse(Function::GetCapability, why)
            })?;
        }
        Ok(here.clone())
    }

    /// A capability of the deployment that this one is a part of.
    fn environment_capability(&self, name: &str, path: &[Value]) -> Result<Value> {
        let function = Function::GetEnvironmentCapability;
        let value = self.lookup.environment_capability(name).ok_or_else(|| {
            refuse(
                function,
                format!("Requested capability '{name}' is not declared in the parent deployment"),
            )
        })?;
        at(function, name, &value, path)
    }

    /// All values of a label, or the one at an index.
    fn label(&self, name: &str, path: &[Value]) -> Result<Value> {
        let labels = json!(self.lookup.labels(name));
        let id = self.lookup.system("deployment", "id").unwrap_or_default();
        let refused =
            |why: String| Error::evaluation(format!("The deployment `{}` {why}", python::str(&id)));
        if labels.as_array().is_some_and(Vec::is_empty) {
            let why = format!("does not have a label with the key `{name}` assigned to it");
            return Err(refused(why));
        }
        let index = match path.first() {
            None => return Ok(labels),
            // The index may be written as text.
            Some(Value::String(index)) => index.parse().map_or(Value::Null, Value::Number),
            Some(index) => index.clone(),
        };
        enter(&labels, &index).cloned().ok_or_else(|| {
            let (all, index) = (python::repr(&labels), python::str(&index));
            refused(format!(
                "has the values {all} of the label `{name}`, and none at the index {index}"
            ))
        })
    }

    /// A property of a node, evaluated for the instance that is meant.
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
            // Find where the path ends, if there are no functions on it.
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

    /// An attribute of an instance: a runtime property, or a name that every instance has, or else
    /// a property of its node.
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
        // A runtime property that is null counts as missing, so the node's property is used.
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

    /// The value of a secret. With a path, the secret is JSON and the path leads into it.
    fn secret(&self, name: &str, path: &[Value]) -> Result<Value> {
        let function = Function::GetSecret;
        let secret = self.lookup.secret(name).ok_or_else(|| {
            let why = match self.lookup.is_hidden_secret(name) {
                true => "is hidden from you",
                false => "was not found",
            };
            refuse(function, format!("secret '{name}' {why}"))
        })?;
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

    /// A capability of all deployments in a group, by their ids. Several capabilities can be named
    /// at once.
    fn group_capability(&self, group: &str, path: &[Value]) -> Result<Value> {
        let members = self
            .lookup
            .group_members(group)
            .ok_or_else(|| Error::not_found("DeploymentGroup", group))?;
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
