//! Functions checked before anything runs: do the inputs, nodes and properties exist that
//! they name, and are they where they may be.

use super::version::Version;
use crate::error::{Error, Result};
use crate::functions::{self, Function, Place, function_of};
use crate::plan::{Fields, Plan};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Checks all functions of a plan and notes what they require.
pub(super) fn check(plan: &mut Plan, version: Version) -> Result<()> {
    let mut checker = Checker {
        plan,
        nodes: plan.nodes.iter().map(|node| (node.name(), node)).collect(),
        version,
        secrets: BTreeSet::new(),
        parents: Vec::new(),
        seen: HashSet::new(),
    };
    checker.check_plan()?;
    let (secrets, parents) = (checker.secrets, checker.parents);
    plan.sections.insert(
        "requirements".to_owned(),
        json!({ "secrets": secrets, "parent_capabilities": parents }),
    );
    Ok(())
}

struct Checker<'a> {
    plan: &'a Plan,
    nodes: HashMap<&'a str, &'a Fields>,
    version: Version,
    secrets: BTreeSet<String>,
    parents: Vec<Value>,
    /// Operations without functions, by address: many nodes share them.
    seen: HashSet<usize>,
}

/// Where a function stands.
struct Site<'a> {
    path: String,
    node: Option<&'a Fields>,
    ends: Option<(&'a Fields, &'a Fields)>,
}

impl<'a> Checker<'a> {
    fn check_plan(&mut self) -> Result<()> {
        let plan = self.plan;
        for node in &plan.nodes {
            self.check_node(node)?;
        }
        for section in ["outputs", "capabilities"] {
            for (name, output) in plan.section(section).as_object().into_iter().flatten() {
                self.check_value(
                    &output["value"],
                    &Site {
                        path: format!("{section}.{name}.value"),
                        node: None,
                        ends: None,
                    },
                )?;
            }
        }
        for section in [
            "labels",
            "blueprint_labels",
            "inputs",
            "deployment_settings",
        ] {
            self.check_value(
                plan.section(section),
                &Site {
                    path: section.to_owned(),
                    node: None,
                    ends: None,
                },
            )?;
        }
        Ok(())
    }

    fn check_node(&mut self, node: &'a Fields) -> Result<()> {
        let name = node.name();
        for part in ["properties", "capabilities"] {
            for (property, value) in node.get(part).as_object().into_iter().flatten() {
                if functions::has_functions(value) {
                    self.check_value(
                        value,
                        &Site {
                            path: format!("nodes.{name}.{part}.{property}"),
                            node: Some(node),
                            ends: None,
                        },
                    )?;
                }
            }
        }
        self.check_operations(
            node,
            "operations",
            &format!("nodes.{name}.operations"),
            Some(node),
            None,
        )?;
        for relationship in node.relationships() {
            let Some(target) = self.nodes.get(relationship.text("target_id")).copied() else {
                continue;
            };
            let path = format!("nodes.{name}.{}", relationship.text("type"));
            for field in ["source_operations", "target_operations"] {
                self.check_operations(relationship, field, &path, None, Some((node, target)))?;
            }
            for (property, value) in relationship
                .get("properties")
                .as_object()
                .into_iter()
                .flatten()
            {
                self.check_value(
                    value,
                    &Site {
                        path: format!("{path}.properties.{property}"),
                        node: None,
                        ends: Some((node, target)),
                    },
                )?;
            }
        }
        Ok(())
    }

    fn check_operations(
        &mut self,
        fields: &'a Fields,
        field: &str,
        path: &str,
        node: Option<&'a Fields>,
        ends: Option<(&'a Fields, &'a Fields)>,
    ) -> Result<()> {
        for (name, operation) in fields.operations(field) {
            // Most operations are shared by many nodes, and have no functions at all.
            let address = std::ptr::from_ref(operation) as usize;
            if self.seen.contains(&address) {
                continue;
            }
            let mut found = false;
            for (input, value) in operation["inputs"].as_object().into_iter().flatten() {
                if functions::has_functions(value) {
                    found = true;
                    self.check_value(
                        value,
                        &Site {
                            path: format!("{path}.{name}.inputs.{input}"),
                            node,
                            ends,
                        },
                    )?;
                }
            }
            if !found {
                self.seen.insert(address);
            }
        }
        Ok(())
    }

    fn check_value(&mut self, value: &Value, site: &Site<'a>) -> Result<()> {
        if let Some((function, arguments)) = function_of(value) {
            self.check_function(function, arguments, site)?;
        }
        match value {
            Value::Array(items) => items
                .iter()
                .try_for_each(|item| self.check_value(item, site)),
            Value::Object(map) => map
                .values()
                .try_for_each(|item| self.check_value(item, site)),
            _ => Ok(()),
        }
    }

    fn check_function(
        &mut self,
        function: Function,
        arguments: &Value,
        site: &Site<'a>,
    ) -> Result<()> {
        let since = match function {
            Function::Concat => Version(1),
            Function::Merge => Version(3),
            _ => Version(0),
        };
        if self.version < since {
            let name = function.name();
            return Err(Error::logic(format!(
                "Using {name} requires using dsl version 1_{} or greater, but found: {} in {}.",
                since.0,
                self.version.name(),
                site.path
            )));
        }
        functions::check_arguments(function, arguments, &site.path)?;
        let first = match arguments {
            Value::Array(items) => items.first().unwrap_or(&Value::Null),
            single => single,
        };
        match function {
            Function::GetInput => self.check_input(first),
            Function::GetProperty => self.check_property(arguments, site),
            Function::GetAttribute | Function::GetAttributesList | Function::GetAttributesDict => {
                self.check_attribute(function, first, site)
            }
            Function::GetSecret => {
                if let Some(name) = first.as_str() {
                    self.secrets.insert(name.to_owned());
                }
                Ok(())
            }
            Function::GetEnvironmentCapability => {
                let path = match arguments {
                    Value::Array(_) => arguments.clone(),
                    single => json!([single]),
                };
                if !functions::has_functions(&path) && !self.parents.contains(&path) {
                    self.parents.push(path);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_input(&self, name: &Value) -> Result<()> {
        match name.as_str() {
            Some(name) if self.plan.section("inputs").get(name).is_none() => Err(Error::logic(
                format!("get_input function references an unknown input '{name}'."),
            )),
            _ => Ok(()),
        }
    }

    fn check_attribute(&self, function: Function, node: &Value, site: &Site<'_>) -> Result<()> {
        let Some(name) = node.as_str() else {
            return Ok(());
        };
        let function = function.name();
        let legal = match name {
            "SELF" => site.node.is_some(),
            "SOURCE" | "TARGET" => site.ends.is_some(),
            name if self.nodes.contains_key(name) => true,
            name => {
                return Err(Error::logic(format!(
                    "{function} function node reference '{name}' does not exist."
                )));
            }
        };
        if legal {
            return Ok(());
        }
        let path = &site.path;
        Err(Error::logic(format!(
            "{name} cannot be used with {function} function in {path}"
        )))
    }

    fn check_property(&self, arguments: &Value, site: &Site<'a>) -> Result<()> {
        let Some(path) = arguments.as_array() else {
            return Ok(());
        };
        if path.iter().any(functions::has_functions) {
            return Ok(());
        }
        let name = path.first().and_then(Value::as_str).unwrap_or_default();
        let node = match (name, site.node, site.ends) {
            ("SELF", Some(node), _) => node,
            ("SOURCE", _, Some((source, _))) => source,
            ("TARGET", _, Some((_, target))) => target,
            ("SELF", None, _) => {
                let path = &site.path;
                return Err(Error::logic(format!(
                    "SELF can only be used in a context of node but appears in {path}."
                )));
            }
            ("SOURCE" | "TARGET", _, None) => {
                let path = &site.path;
                return Err(Error::logic(format!(
                    "{name} can only be used within a relationship but is used in {path}"
                )));
            }
            (name, _, _) => match self.nodes.get(name) {
                Some(node) => node,
                None => return Err(Error::logic(format!("Node {name} does not exist"))),
            },
        };
        let walked = functions::walk(node.get("properties"), &path[1..]);
        if matches!(walked, Place::Missing) {
            let keys: Vec<String> = path[1..].iter().map(crate::python_text::display).collect();
            return Err(Error::logic(format!(
                "Unable to evaluate get_property function: Node template property '{}.properties.{}' referenced from '{}' doesn't exist.",
                node.name(),
                keys.join("."),
                site.path
            )));
        }
        Ok(())
    }
}
