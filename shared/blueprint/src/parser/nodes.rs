//! Node templates: their types are applied, their relationships resolved, and their operations
//! completed.

mod cycles;
mod hosts;
mod relationships;

use super::Blueprint;
use super::data_types::Owner;
use super::interfaces::{self, Interfaces, Site};
use super::scaling;
use super::schema::{self, key};
use super::types::Type;
use crate::error::{Error, Result, Under};
use crate::plan::{Fields, Operations, Part};
use crate::yaml::Node;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use windlass_python as python;

pub(super) use hosts::plugins_of;

const COMPUTE: &str = "cloudify.nodes.Compute";
const CONTAINED_IN: &str = "cloudify.relationships.contained_in";
/// How many nodes a blueprint may have.
const MAX_NODES: usize = 10_000;

/// Plugins by name and executor.
type Plugins = Vec<(String, String)>;

/// What all templates of a type share, as long as they change no operation.
struct Ready {
    interfaces: Arc<IndexMap<String, Operations>>,
    operations: Arc<Operations>,
    plugins: Plugins,
}

/// Interfaces, operations and the plugins that run them.
type Parts = (Part, Part, Plugins);

/// A node while other nodes are still being read.
struct Draft<'a> {
    name: &'a str,
    node: &'a Node,
    fields: Fields,
    plugins: Plugins,
    /// The plugins that the targets of its relationships need for their operations.
    target_plugins: Vec<(String, Plugins)>,
    container: Option<String>,
    is_host: bool,
}

/// Reads the section `node_templates`.
pub(super) fn read(
    blueprint: &Blueprint<'_>,
    node_types: &IndexMap<String, Type>,
    relationship_types: &IndexMap<String, Type>,
) -> Result<Vec<Fields>> {
    let Some(section) = blueprint.section("node_templates") else {
        return Ok(Vec::new());
    };
    let templates = schema::map(section).under("node_templates")?;
    if templates.len() > MAX_NODES {
        let message = format!("A blueprint can have {MAX_NODES} nodes at most");
        return Err(Error::parser(1, message)
            .at(section)
            .under("node_templates"));
    }
    let mut reader = Templates {
        blueprint,
        node_types,
        relationship_types,
        templates,
        ready: HashMap::new(),
        ready_relationships: HashMap::new(),
    };
    let mut drafts = Vec::with_capacity(templates.len());
    for (name, node) in templates {
        let draft = reader
            .read(name, node)
            .map_err(|error| error.at(node))
            .under(name)
            .under("node_templates")?;
        drafts.push(draft);
    }
    cycles::check_cycles(&drafts)?;
    hosts::finish(blueprint, drafts, section)
}

struct Templates<'a> {
    blueprint: &'a Blueprint<'a>,
    node_types: &'a IndexMap<String, Type>,
    relationship_types: &'a IndexMap<String, Type>,
    templates: &'a IndexMap<String, Node>,
    ready: HashMap<&'a str, Ready>,
    ready_relationships: HashMap<&'a str, (Ready, Ready)>,
}

impl<'a> Templates<'a> {
    fn read(&mut self, name: &'a str, node: &'a Node) -> Result<Draft<'a>> {
        let blueprint = self.blueprint;
        let keys = [
            key("type"),
            key("instances"),
            key("capabilities"),
            key("interfaces"),
            key("relationships"),
            key("properties"),
        ];
        let version = blueprint.version;
        schema::check_keys(node, &keys, version)?;
        let type_node = schema::required(node, "type")?;
        let type_name = schema::text(type_node).under("type")?;
        let Some((type_name, node_type)) = self.node_types.get_key_value(type_name) else {
            let known = python::list(self.node_types.keys());
            let message =
                format!("Could not locate node type: '{type_name}'; existing types: {known}");
            return Err(Error::parser(7, message).at(type_node).under("type"));
        };
        let properties = self.properties(node, &node_type.properties, Owner::Node(name))?;
        let owner = format!("node '{name}' of type '{type_name}'");
        let site = Site {
            code: 10,
            owner: &owner,
            of_type: false,
        };
        let own = interfaces::read(node.get("interfaces"), version).under("interfaces")?;
        let (interfaces, operations, plugins) = match own.is_empty() {
            true => {
                let ready = match self.ready.entry(type_name) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(free) => {
                        free.insert(ready(blueprint, &node_type.interfaces, &own, site)?)
                    }
                };
                ready.parts()
            }
            false => ready(blueprint, &node_type.interfaces, &own, site)?.parts(),
        };
        let (instances, capabilities) = scaling::of_node(name, node, version)?;
        let mut draft = Draft {
            name,
            node,
            fields: Fields::default(),
            plugins,
            target_plugins: Vec::new(),
            container: None,
            is_host: node_type.is_a(COMPUTE),
        };
        let relationships = self.relationships(&mut draft)?;
        let fields = &mut draft.fields;
        fields.set("name", Part::Own(json!(name)));
        fields.set("id", Part::Own(json!(name)));
        fields.set("type", Part::Own(json!(type_name)));
        fields.set("type_hierarchy", Part::Shared(node_type.hierarchy.clone()));
        fields.set("properties", Part::Own(Value::Object(properties)));
        fields.set("relationships", Part::Relationships(relationships));
        fields.set("instances", Part::Own(instances));
        fields.set("capabilities", Part::Own(capabilities));
        fields.set("interfaces", interfaces);
        fields.set("operations", operations);
        Ok(draft)
    }

    fn properties(
        &self,
        node: &Node,
        schemas: &super::data_types::Schemas,
        owner: Owner<'_>,
    ) -> Result<Map<String, Value>> {
        let given = node.get("properties");
        if let Some(given) = given {
            schema::map(given).under("properties")?;
        }
        let values = match given.map(Node::to_value) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let values = self.blueprint.data_types.overlay(schemas, &values, owner);
        values.map_err(|error| error.at(given.unwrap_or(node)).under("properties"))
    }
}

impl Ready {
    fn parts(&self) -> Parts {
        let interfaces = Part::Interfaces(self.interfaces.clone());
        (
            interfaces,
            Part::Operations(self.operations.clone()),
            self.plugins.clone(),
        )
    }
}

fn ready(
    blueprint: &Blueprint<'_>,
    of_type: &Interfaces,
    own: &Interfaces,
    site: Site<'_>,
) -> Result<Ready> {
    let interfaces = interfaces::instantiate(blueprint, of_type, own)?;
    let (operations, plugins) = interfaces::operations(blueprint, &interfaces, site)?;
    Ok(Ready {
        interfaces: Arc::new(interfaces::declared(&interfaces)),
        operations: Arc::new(operations),
        plugins,
    })
}

fn add(plugins: &mut Plugins, more: Plugins) {
    for plugin in more {
        if !plugins.contains(&plugin) {
            plugins.push(plugin);
        }
    }
}
