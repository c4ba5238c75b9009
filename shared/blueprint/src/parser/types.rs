//! Node types and relationship types, with everything that they inherit.

use super::Blueprint;
use super::data_types::Schemas;
use super::interfaces::{self, Interfaces, Site};
use super::schema::{self, key};
use crate::error::{Error, Result, Under};
use crate::json::set;
use crate::plan::Part;
use crate::yaml::Node;
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::sync::Arc;

/// A node type or relationship type with its own and its inherited parts.
pub(super) struct Type {
    /// The names of all types that it derives from, the root first and itself last.
    pub hierarchy: Arc<Value>,
    pub properties: Schemas,
    /// The interfaces of a node type, or those of a relationship type on its source side.
    pub interfaces: Arc<Interfaces>,
    /// The interfaces of a relationship type on its target side.
    pub target_interfaces: Arc<Interfaces>,
}

/// The two kinds of types. They are read in the same way.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Family {
    Nodes,
    Relationships,
}

impl Family {
    fn section(self) -> &'static str {
        match self {
            Self::Nodes => "node_types",
            Self::Relationships => "relationships",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Nodes => "type",
            Self::Relationships => "relationship",
        }
    }
}

/// Reads the section `node_types` or `relationships`.
pub(super) fn read(
    blueprint: &Blueprint<'_>,
    section: Option<&Node>,
    family: Family,
) -> Result<IndexMap<String, Type>> {
    let mut types = IndexMap::new();
    let Some(section) = section else {
        return Ok(types);
    };
    let nodes = schema::map(section).under(family.section())?;
    for name in nodes.keys() {
        resolve(blueprint, name, nodes, family, &mut types).under(family.section())?;
    }
    Ok(types)
}

/// Resolves a type, and before it the types that it derives from. This is a loop and no recursion,
/// because a chain of types can be as long as a file.
fn resolve(
    blueprint: &Blueprint<'_>,
    name: &str,
    nodes: &IndexMap<String, Node>,
    family: Family,
    types: &mut IndexMap<String, Type>,
) -> Result<()> {
    let mut chain: Vec<&str> = vec![name];
    while let Some(last) = chain.last().copied() {
        let Some(node) = nodes.get(last) else { break };
        let Some(parent) = schema::text_at(node, "derived_from").under(last)? else {
            break;
        };
        if types.contains_key(parent) {
            break;
        }
        if !nodes.contains_key(parent) {
            let word = family.word();
            let message = format!(
                "Missing definition for {word} '{parent}' which is declared as derived by {word} '{last}'"
            );
            let at = node.get("derived_from").unwrap_or(node);
            return Err(Error::parser(103, message)
                .at(at)
                .under("derived_from")
                .under(last));
        }
        if let Some(first) = chain.iter().position(|other| *other == parent) {
            let circle = chain.get(first..).unwrap_or_default().join(" --> ");
            return Err(Error::parser(
                100,
                format!("Parsing failed. Circular dependency detected: {circle} --> {parent}"),
            ));
        }
        if chain.len() > 100 {
            return Err(Error::parser(
                100,
                "Types derive from each other too deeply",
            ));
        }
        chain.push(parent);
    }
    for name in chain.into_iter().rev() {
        if !types.contains_key(name)
            && let Some(node) = nodes.get(name)
        {
            let resolved = one(blueprint, name, node, family, types).under(name)?;
            if family == Family::Relationships {
                check_operations(blueprint, name, &resolved)
                    .map_err(|error| error.at(node))
                    .under(name)?;
            }
            types.insert(name.to_owned(), resolved);
        }
    }
    Ok(())
}

/// Checks the operations of a relationship type, even if no node uses them.
fn check_operations(blueprint: &Blueprint<'_>, name: &str, kind: &Type) -> Result<()> {
    let owner = format!("Relationship '{name}'");
    let site = Site {
        code: 19,
        owner: &owner,
        of_type: true,
    };
    for side in [&kind.interfaces, &kind.target_interfaces] {
        interfaces::operations(blueprint, side, site)?;
    }
    Ok(())
}

fn one(
    blueprint: &Blueprint<'_>,
    name: &str,
    node: &Node,
    family: Family,
    types: &IndexMap<String, Type>,
) -> Result<Type> {
    let keys: &[schema::Key] = match family {
        Family::Nodes => &[
            key("derived_from"),
            key("interfaces"),
            key("properties"),
            key("runtime_properties"),
        ],
        Family::Relationships => &[
            key("derived_from"),
            key("properties"),
            key("source_interfaces"),
            key("target_interfaces"),
        ],
    };
    let version = blueprint.version_of(node);
    schema::check_keys(node, keys, version)?;
    let properties = blueprint
        .data_types
        .properties(node.get("properties"), name, version)?;
    // Operations write these later. A plan does not have them.
    let runtime = "runtime_properties";
    blueprint
        .data_types
        .named_properties(node.get(runtime), runtime, name, version)?;
    let read =
        |field: &str| interfaces::read_type(blueprint, node.get(field), version).under(field);
    let (near, far) = match family {
        Family::Nodes => (read("interfaces")?, Interfaces::new()),
        Family::Relationships => (read("source_interfaces")?, read("target_interfaces")?),
    };
    let parent = node
        .get("derived_from")
        .and_then(Node::as_str)
        .and_then(|name| types.get(name));
    let Some(parent) = parent else {
        return Ok(Type {
            hierarchy: Arc::new(json!([name])),
            properties,
            interfaces: Arc::new(near),
            target_interfaces: Arc::new(far),
        });
    };
    let mut hierarchy = parent.hierarchy.as_array().cloned().unwrap_or_default();
    hierarchy.push(json!(name));
    let written = node.get("properties");
    let all = blueprint
        .data_types
        .derive(properties, &parent.properties, written)?;
    Ok(Type {
        hierarchy: Arc::new(Value::Array(hierarchy)),
        properties: all,
        interfaces: interfaces::derive(&parent.interfaces, near),
        target_interfaces: interfaces::derive(&parent.target_interfaces, far),
    })
}

impl Type {
    /// Whether this is the type of that name, or derives from it.
    pub fn is_a(&self, name: &str) -> bool {
        let hierarchy = self.hierarchy.as_array();
        hierarchy.is_some_and(|types| types.iter().any(|one| one == name))
    }

    /// A relationship type in the form of a plan.
    pub fn relationship_value(&self, name: &str, node: &Node) -> Value {
        let mut value = json!({
            "properties": self.properties,
            "source_interfaces": Part::Interfaces(Arc::new(interfaces::declared(&self.interfaces))),
            "target_interfaces": Part::Interfaces(Arc::new(interfaces::declared(&self.target_interfaces))),
            "name": name,
            "type_hierarchy": *self.hierarchy,
        });
        if let Some(parent) = node.get("derived_from") {
            set(&mut value, "derived_from", parent.to_value());
        }
        value
    }
}
