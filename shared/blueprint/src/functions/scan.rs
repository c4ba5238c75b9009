//! Finding the functions in a plan, with the part of the plan that each belongs to.

use super::path::Path;
use super::{has_functions, names::any_function};
use crate::error::Result;
use crate::plan::{Fields, Plan};
use serde_json::Value;
use std::collections::HashSet;

/// The part of a plan that a value belongs to. This decides what `SELF`, `SOURCE` and `TARGET`
/// mean.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    Node(&'a Fields),
    /// A relationship, with the node that it starts from.
    Relationship(&'a Fields, &'a Fields),
    /// A section other than the nodes, by its name.
    Section(&'static str),
}

impl Scope<'_> {
    /// The word for this part in a refusal.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Node(_) => "node_template",
            Self::Relationship(..) => "node_template_relationship",
            Self::Section(name) => name,
        }
    }
}

/// What is done with each value that contains functions.
pub(crate) type Visit<'v, 'a> = dyn FnMut(&'a Value, Scope<'a>, &Path<'_>) -> Result<()> + 'v;

/// Visits all values of a plan that contain functions, in the order of the original. `visit` has to
/// look for functions inside of the value.
pub(crate) fn scan<'a>(plan: &'a Plan, visit: &mut Visit<'_, 'a>) -> Result<()> {
    // Many nodes share operations, and most operations have no functions.
    let mut plain = HashSet::new();
    for node in &plan.nodes {
        let (name, scope) = (node.name(), Scope::Node(node));
        values(
            node.get("properties"),
            scope,
            &["nodes", name, "properties"],
            visit,
        )?;
        for (capability, value) in entries(node.get("capabilities")) {
            let path = ["nodes", name, "capabilities", capability];
            values(&value["properties"], scope, &path, visit)?;
        }
        let path = ["nodes", name, "operations"];
        operations(node, "operations", scope, path, &mut plain, visit)?;
        for relationship in node.relationships() {
            let scope = Scope::Relationship(node, relationship);
            let path = ["nodes", name, relationship.text("type")];
            for field in ["source_operations", "target_operations"] {
                operations(relationship, field, scope, path, &mut plain, visit)?;
            }
            let path = [path[0], path[1], path[2], "properties"];
            values(relationship.get("properties"), scope, &path, visit)?;
        }
    }
    for (section, part) in [
        ("outputs", None),
        ("policies", Some("properties")),
        ("scaling_groups", Some("properties")),
        ("capabilities", None),
        ("labels", None),
    ] {
        for (name, entry) in entries(plan.section(section)) {
            let scope = Scope::Section(section);
            match part {
                Some(part) => values(&entry[part], scope, &[section, name, part], visit)?,
                None => values(entry, scope, &[section, name], visit)?,
            }
        }
    }
    for section in ["deployment_settings", "resource_tags"] {
        values(
            plan.section(section),
            Scope::Section(section),
            &[section],
            visit,
        )?;
    }
    Ok(())
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn operations<'a>(
    fields: &'a Fields,
    field: &str,
    scope: Scope<'a>,
    [first, second, third]: [&str; 3],
    plain: &mut HashSet<usize>,
    visit: &mut Visit<'_, 'a>,
) -> Result<()> {
    for (name, operation) in fields.operations(field) {
        let address = std::ptr::from_ref(operation) as usize;
        if plain.contains(&address) {
            continue;
        }
        if !has_functions(&operation["inputs"]) {
            plain.insert(address);
            continue;
        }
        let path = [first, second, third, name, "inputs"];
        values(&operation["inputs"], scope, &path, visit)?;
    }
    Ok(())
}

/// Visits the values of a map or list that contain functions.
fn values<'a>(
    container: &'a Value,
    scope: Scope<'a>,
    path: &[&str],
    visit: &mut Visit<'_, 'a>,
) -> Result<()> {
    let path = Path::start(path);
    match container {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| has_functions(value))
            .try_for_each(|(key, value)| visit(value, scope, &path.key(key))),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter(|(_, value)| has_functions(value))
            .try_for_each(|(place, value)| visit(value, scope, &path.place(place))),
        _ => Ok(()),
    }
}

/// The names of the secrets that a plan uses, without repetitions. Names that are functions
/// themselves are left out.
pub(crate) fn secrets(plan: &Plan) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    scan(plan, &mut |value, _, _| {
        any_function(value, &mut |function, arguments| {
            if function == super::Function::GetSecret {
                let name = arguments.get(0).unwrap_or(arguments).as_str();
                if let Some(name) = name.filter(|name| !names.iter().any(|known| known == name)) {
                    names.push(name.to_owned());
                }
            }
            false
        });
        Ok(())
    })?;
    Ok(names)
}
