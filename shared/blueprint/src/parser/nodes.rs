//! Node templates: types applied, relationships resolved, operations ready to run.

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
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use windlass_python as python;

const COMPUTE: &str = "cloudify.nodes.Compute";
const CONTAINED_IN: &str = "cloudify.relationships.contained_in";
const ON_OPERATION: &str = "cloudify.relationships.depends_on_lifecycle_operation";
/// How many nodes a blueprint may have.
const MAX_NODES: usize = 10_000;
/// How deep nodes may lie in nodes.
const MAX_NESTING: usize = 200;

/// Plugins by name and executor.
type Plugins = Vec<(String, String)>;

/// Operations that all templates of a type have as long as they change nothing.
struct Ready {
    interfaces: Arc<IndexMap<String, Operations>>,
    operations: Arc<Operations>,
    plugins: Plugins,
}

/// A node while the others are still being read.
struct Draft<'a> {
    name: &'a str,
    node: &'a Node,
    fields: Fields,
    plugins: Plugins,
    /// What its relationships' target operations need on the targets.
    target_plugins: Vec<(String, Plugins)>,
    container: Option<String>,
    is_host: bool,
}

/// Reads the templates.
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
    check_cycles(&drafts)?;
    finish(blueprint, drafts, section)
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
                if !self.ready.contains_key(type_name.as_str()) {
                    let ready = ready(blueprint, &node_type.interfaces, &own, site)?;
                    self.ready.insert(type_name, ready);
                }
                self.ready[type_name.as_str()].parts()
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

    fn relationships(&mut self, draft: &mut Draft<'a>) -> Result<Vec<Fields>> {
        let Some(list) = draft.node.get("relationships") else {
            return Ok(Vec::new());
        };
        let mut relationships = Vec::new();
        let mut containers: Vec<(String, String)> = Vec::new();
        for (place, item) in schema::list(list)
            .under("relationships")?
            .iter()
            .enumerate()
        {
            let fields = self
                .relationship(draft, item)
                .map_err(|error| error.at(item))
                .under(place)
                .under("relationships")?;
            if fields.derives_from(CONTAINED_IN) {
                let target = fields.text("target_id").to_owned();
                containers.push((fields.text("type").to_owned(), target));
            }
            relationships.push(fields);
        }
        if containers.len() > 1 {
            let types = python::list(containers.iter().map(|(name, _)| name));
            let targets = python::list(containers.iter().map(|(_, target)| target));
            let message = format!(
                "Node '{}' has more than one relationship that is derived from '{CONTAINED_IN}' relationship. Found: {types} for targets: {targets}",
                draft.name
            );
            return Err(Error::parser(112, message).at(list).under("relationships"));
        }
        draft.container = containers.pop().map(|(_, target)| target);
        Ok(relationships)
    }

    fn relationship(&mut self, draft: &mut Draft<'a>, item: &'a Node) -> Result<Fields> {
        let blueprint = self.blueprint;
        let name = draft.name;
        let keys = [
            key("type"),
            key("target"),
            key("properties"),
            key("source_interfaces"),
            key("target_interfaces"),
        ];
        schema::check_keys(item, &keys, blueprint.version)?;
        let type_node = schema::required(item, "type")?;
        let type_name = schema::text(type_node).under("type")?;
        let target_node = schema::required(item, "target")?;
        let target = schema::text(target_node).under("target")?;
        if target == name {
            let message = format!(
                "A relationship instance under node '{name}' of type '{type_name}' illegally declares the source node as the target node"
            );
            return Err(Error::parser(23, message).at(target_node).under("target"));
        }
        if !self.templates.contains_key(target) {
            let message = format!(
                "A relationship instance under node '{name}' of type '{type_name}' declares an undefined target node '{target}'"
            );
            return Err(Error::parser(25, message).at(target_node).under("target"));
        }
        let Some((type_name, kind)) = self.relationship_types.get_key_value(type_name) else {
            let message = format!(
                "A relationship instance under node '{name}' declares an undefined relationship type '{type_name}'"
            );
            return Err(Error::parser(26, message).at(type_node).under("type"));
        };
        if type_name == ON_OPERATION {
            self.check_operation(item, name, target)?;
        }
        let properties = self.properties(item, &kind.properties, Owner::Relationship(name))?;
        let owner = format!("relationship of type '{type_name}' in node '{name}'");
        let site = Site {
            code: 19,
            owner: &owner,
            of_type: false,
        };
        let read = |field: &str| interfaces::read(item.get(field), blueprint.version).under(field);
        let (near, far) = (read("source_interfaces")?, read("target_interfaces")?);
        let made = |near: &Interfaces, far: &Interfaces| -> Result<(Ready, Ready)> {
            Ok((
                ready(blueprint, &kind.interfaces, near, site)?,
                ready(blueprint, &kind.target_interfaces, far, site)?,
            ))
        };
        let (near, far) = if near.is_empty() && far.is_empty() {
            if !self.ready_relationships.contains_key(type_name.as_str()) {
                let both = made(&near, &far)?;
                self.ready_relationships.insert(type_name, both);
            }
            let (near, far) = &self.ready_relationships[type_name.as_str()];
            (near.parts(), far.parts())
        } else {
            let (near, far) = made(&near, &far)?;
            (near.parts(), far.parts())
        };
        add(&mut draft.plugins, near.2);
        draft.target_plugins.push((target.to_owned(), far.2));
        let mut fields = Fields::default();
        fields.set("type", Part::Own(json!(type_name)));
        fields.set("type_hierarchy", Part::Shared(kind.hierarchy.clone()));
        fields.set("target_id", Part::Own(json!(target)));
        fields.set("properties", Part::Own(Value::Object(properties)));
        fields.set("source_interfaces", near.0);
        fields.set("target_interfaces", far.0);
        fields.set("source_operations", near.1);
        fields.set("target_operations", far.1);
        Ok(fields)
    }
}

impl Templates<'_> {
    /// A relationship to an operation needs one that the target's template declares.
    fn check_operation(&self, item: &Node, name: &str, target: &str) -> Result<()> {
        let given = item
            .get("properties")
            .and_then(|node| node.get("operation"));
        let operation = given.and_then(Node::as_str).unwrap_or_default();
        if operation.is_empty() {
            let message = format!(
                "For \"{name}\" node, please supply \"{ON_OPERATION}\" with a defined lifecycle operation target"
            );
            return Err(Error::parser(215, message));
        }
        let declared = self
            .templates
            .get(target)
            .and_then(|node| node.get("interfaces"))
            .and_then(|node| node.get("cloudify.interfaces.lifecycle"))
            .and_then(Node::as_map);
        if declared.is_some_and(|operations| operations.contains_key(operation)) {
            return Ok(());
        }
        let message = format!(
            "Please define \"{operation}\" operation in the target node \"{target}\" for \"{name}\" node's \"{ON_OPERATION}\" relationship"
        );
        Err(Error::parser(216, message))
    }
}

impl Ready {
    fn parts(&self) -> (Part, Part, Plugins) {
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

/// Relationships must not lead back to where they started.
fn check_cycles(drafts: &[Draft<'_>]) -> Result<()> {
    let places: HashMap<&str, usize> = drafts
        .iter()
        .enumerate()
        .map(|(place, draft)| (draft.name, place))
        .collect();
    let targets: Vec<Vec<usize>> = drafts
        .iter()
        .map(|draft| {
            let relationships = draft.fields.relationships().iter();
            relationships
                .filter_map(|one| places.get(one.text("target_id")).copied())
                .collect()
        })
        .collect();
    let mut done = vec![false; drafts.len()];
    let mut open = vec![false; drafts.len()];
    for start in 0..drafts.len() {
        // A path of nodes, each with the number of its targets that were visited.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((node, visited)) = path.last_mut() {
            let node = *node;
            if done[node] {
                path.pop();
                continue;
            }
            open[node] = true;
            let Some(target) = targets[node].get(*visited).copied() else {
                done[node] = true;
                open[node] = false;
                path.pop();
                continue;
            };
            *visited += 1;
            if open[target] {
                let first = path
                    .iter()
                    .position(|(node, _)| *node == target)
                    .unwrap_or(0);
                let mut names: Vec<&str> = path[first..]
                    .iter()
                    .map(|(node, _)| drafts[*node].name)
                    .collect();
                names.push(drafts[target].name);
                let circle = names.join(" --> ");
                let message = format!("Parsing failed. Circular dependency detected: {circle}");
                return Err(Error::parser(100, message));
            }
            if !done[target] {
                path.push((target, 0));
            }
        }
    }
    Ok(())
}

/// Adds what depends on other nodes: hosts, and the plugins to install.
fn finish(
    blueprint: &Blueprint<'_>,
    drafts: Vec<Draft<'_>>,
    section: &Node,
) -> Result<Vec<Fields>> {
    let mut extra: HashMap<String, Plugins> = HashMap::new();
    let mut containers: HashMap<&str, (bool, Option<&str>)> = HashMap::new();
    for draft in &drafts {
        for (target, plugins) in &draft.target_plugins {
            add(extra.entry(target.clone()).or_default(), plugins.clone());
        }
        containers.insert(draft.name, (draft.is_host, draft.container.as_deref()));
    }
    let mut hosts: Vec<Option<String>> = Vec::with_capacity(drafts.len());
    for draft in &drafts {
        let host = host_of(draft.name, &containers);
        hosts.push(host.map_err(|error| error.at(section).under("node_templates"))?);
    }
    let mut nodes = Vec::with_capacity(drafts.len());
    let mut on_host: HashMap<String, Plugins> = HashMap::new();
    for (draft, host) in drafts.into_iter().zip(hosts) {
        let mut fields = draft.fields;
        let mut plugins = draft.plugins;
        add(&mut plugins, extra.remove(draft.name).unwrap_or_default());
        for (plugin, executor) in &plugins {
            if executor != "host_agent" {
                continue;
            }
            let Some(host) = &host else {
                let message = format!(
                    "node '{}' has no relationship which makes it contained within a host and it has a plugin '{plugin}' with 'host_agent' as an executor. These types of plugins must be installed on a host",
                    draft.name
                );
                return Err(Error::parser(24, message)
                    .at(section)
                    .under("node_templates"));
            };
            add(
                on_host.entry(host.clone()).or_default(),
                vec![(plugin.clone(), executor.clone())],
            );
        }
        if let Some(host) = host {
            fields.set("host_id", Part::Own(json!(host)));
        }
        let value = |(name, executor): &(String, String)| blueprint.plugin_run_by(name, executor);
        let all: Value = plugins.iter().map(value).collect();
        let central = plugins
            .iter()
            .filter(|(_, executor)| executor == "central_deployment_agent");
        let central: Value = central.map(value).collect();
        fields.set("plugins", Part::Own(all));
        if draft.is_host {
            fields.set("plugins_to_install", Part::Own(json!([])));
        }
        fields.set("deployment_plugins_to_install", Part::Own(central));
        nodes.push(fields);
    }
    for fields in &mut nodes {
        if let Some(plugins) = on_host.remove(fields.name()) {
            let plugins: Value = plugins
                .iter()
                .map(|(name, executor)| blueprint.plugin_run_by(name, executor))
                .collect();
            fields.set("plugins_to_install", Part::Own(plugins));
        }
    }
    Ok(nodes)
}

/// The host that a node is or lies in. Containment has no cycles: that was checked before.
fn host_of(node: &str, containers: &HashMap<&str, (bool, Option<&str>)>) -> Result<Option<String>> {
    let mut name = node;
    for _ in 0..MAX_NESTING {
        name = match containers.get(name) {
            Some((true, _)) => return Ok(Some(name.to_owned())),
            Some((false, Some(container))) => container,
            _ => return Ok(None),
        };
    }
    let message = format!("Node '{node}' is contained in more than {MAX_NESTING} others");
    Err(Error::parser(100, message))
}

/// The plugins of all nodes in one of their lists, each once.
pub(super) fn plugins_of(nodes: &[Fields], list: &str) -> Value {
    let mut seen = HashSet::new();
    let plugins = nodes
        .iter()
        .flat_map(|node| node.get(list).as_array().into_iter().flatten());
    plugins
        .filter(|plugin| seen.insert(plugin["name"].to_string()))
        .cloned()
        .collect()
}
