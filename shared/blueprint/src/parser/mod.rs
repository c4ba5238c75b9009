//! From files to a plan: read, merge imports, resolve types, check functions.
//!
//! Each section has its own file here. All of them work on YAML nodes that know their place,
//! so that a refusal can say which line of which file it is about.

mod builtin;
mod checks;
mod data_types;
mod implementation;
mod imports;
mod interfaces;
mod namespace;
mod nodes;
mod plugins;
pub(crate) mod scaling;
mod schema;
mod sections;
mod types;
mod version;

use crate::archive::Tree;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::yaml::Node;
use data_types::DataTypes;
use indexmap::IndexMap;
use schema::{key, since};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashSet};
use types::Family;
use version::Version;

/// The file number of the built-in types.
const BUILTIN: u16 = 0;

/// A blueprint that another one imports.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Its files.
    pub tree: Tree,
    /// Its main file.
    pub main_file: String,
}

/// What imports may ask of the world outside the archive.
pub trait Importer {
    /// The YAML of the best uploaded plugin for `plugin:<name>?<query>`.
    fn plugin(&self, name: &str, query: &str) -> Option<String>;
    /// An uploaded blueprint, for `blueprint:<id>`.
    fn blueprint(&self, id: &str) -> Option<Imported>;
}

/// An importer that finds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoImports;

impl Importer for NoImports {
    fn plugin(&self, _name: &str, _query: &str) -> Option<String> {
        None
    }
    fn blueprint(&self, _id: &str) -> Option<Imported> {
        None
    }
}

/// Reads a blueprint: `main_file` and all that it imports become a plan.
pub fn parse(tree: &Tree, main_file: &str, importer: &dyn Importer) -> Result<Plan> {
    let mut reader = imports::Reader::new(importer);
    let plan = reader
        .read(tree, main_file)
        .and_then(|document| Blueprint::read(tree, document)?.plan());
    plan.map_err(|mut error| {
        if let Some(place) = &mut error.place
            && let Some(number) = place.file_number
        {
            place.file = reader.files.get(usize::from(number)).cloned();
        }
        error
    })
}

/// A blueprint whose files are merged; what its sections mean is found out one by one.
struct Blueprint<'a> {
    tree: &'a Tree,
    version: Version,
    sections: IndexMap<String, Node>,
    plugins: IndexMap<String, Value>,
    data_types: DataTypes,
    imported_blueprints: Vec<Value>,
    namespaces: Map<String, Value>,
}

impl<'a> Blueprint<'a> {
    fn read(tree: &'a Tree, document: imports::Document) -> Result<Self> {
        let version = document.version;
        let keys = [
            key(version::SECTION),
            key("description"),
            key("imports"),
            since("dsl_definitions", 2),
            key("metadata"),
            key("inputs"),
            key("plugins"),
            key("node_types"),
            key("relationships"),
            key("node_templates"),
            key("policy_types"),
            key("policy_triggers"),
            key("groups"),
            key("policies"),
            key("workflows"),
            key("outputs"),
            key("data_types"),
            key("capabilities"),
            key("imported_blueprints"),
            key("namespaces_mapping"),
            key("labels"),
            key("blueprint_labels"),
            key("deployment_settings"),
            since("resource_tags", 3),
            key("upload_resources"),
        ];
        for (name, section) in &document.sections {
            if !keys.iter().any(|key| key.name == name) {
                let valid = keys
                    .iter()
                    .map(|key| key.name)
                    .filter(|key| *key != "upload_resources");
                let valid = crate::python_text::list(valid);
                let message = format!("'{name}' is not in schema. Valid schema values: {valid}");
                return Err(Error::parser(1, message).at(section).under(name));
            }
            for key in keys.iter().filter(|key| key.name == name) {
                version
                    .requires(key.since, name, section)
                    .map_err(|error| error.under(name))?;
            }
        }
        let data_types = document.sections.get("data_types");
        if let Some(section) = data_types
            && section.at.file != BUILTIN
        {
            version
                .requires(Version(2), "data_types", section)
                .map_err(|error| error.under("data_types"))?;
        }
        Ok(Self {
            tree,
            version,
            plugins: plugins::read(
                document.sections.get("plugins"),
                &document.plugin_properties,
                version,
            )?,
            data_types: DataTypes::read(data_types, version)?,
            sections: document.sections,
            imported_blueprints: document.imported_blueprints,
            namespaces: document.namespaces,
        })
    }

    fn section(&self, name: &str) -> Option<&Node> {
        self.sections.get(name).filter(|section| !section.is_null())
    }

    /// The version that a node's file is written in: the built-in types are always new.
    fn version_of(&self, node: &Node) -> Version {
        match node.at.file {
            BUILTIN => Version::NEWEST,
            _ => self.version,
        }
    }

    fn plan(&self) -> Result<Plan> {
        let node_types = types::read(self, self.section("node_types"), Family::Nodes)?;
        let relationships_section = self.section("relationships");
        let relationships = types::read(self, relationships_section, Family::Relationships)?;
        let inputs = self.inputs()?;
        let nodes = nodes::read(self, &node_types, &relationships)?;
        let names: HashSet<&str> = nodes.iter().map(|node| node.name()).collect();
        let groups = scaling::groups(self, &names)?;
        let mut relationship_values = Map::new();
        let relationship_nodes = relationships_section.and_then(Node::as_map);
        for (name, node) in relationship_nodes.into_iter().flatten() {
            if let Some(kind) = relationships.get(name) {
                relationship_values.insert(name.clone(), kind.relationship_value(name, node));
            }
        }
        let workflows = self.workflows()?;
        let value = |name: &str| self.section(name).map_or(Value::Null, Node::to_value);
        let description = match self.section("description") {
            Some(node) => json!(schema::text(node).map_err(|error| error.under("description"))?),
            None => Value::Null,
        };
        let mut plan = Plan {
            sections: Map::new(),
            nodes,
        };
        let deployment_plugins = nodes::plugins_of(&plan.nodes, "deployment_plugins_to_install");
        let host_plugins = nodes::plugins_of(&plan.nodes, "plugins_to_install");
        let workflow_plugins = self.workflow_plugins(&workflows);
        let tags = match value("resource_tags") {
            Value::Null => json!({}),
            tags => tags,
        };
        for (name, section) in [
            ("blueprint_labels", self.labels("blueprint_labels")?),
            ("capabilities", self.outputs("capabilities")?),
            ("data_types", Value::Object(self.data_types.plan.clone())),
            ("deployment_plugins_to_install", deployment_plugins),
            ("deployment_settings", self.deployment_settings()?),
            ("description", description),
            ("groups", groups.groups),
            ("host_agent_plugins_to_install", host_plugins),
            ("imported_blueprints", json!(self.imported_blueprints)),
            ("inputs", inputs),
            ("labels", self.labels("labels")?),
            ("metadata", value("metadata")),
            ("namespaces_mapping", Value::Object(self.namespaces.clone())),
            ("outputs", self.outputs("outputs")?),
            ("policies", groups.policies),
            (
                "policy_triggers",
                without_description(self.carried("policy_triggers")?),
            ),
            (
                "policy_types",
                without_description(self.carried("policy_types")?),
            ),
            ("relationships", Value::Object(relationship_values)),
            ("requirements", Value::Null),
            ("resource_tags", tags),
            ("scaling_groups", groups.scaling_groups),
            ("version", self.version.to_value()),
            ("workflow_plugins_to_install", workflow_plugins),
            ("workflows", workflows),
        ] {
            plan.sections.insert(name.to_owned(), section);
        }
        checks::check(&mut plan, self.version)?;
        Ok(plan)
    }

    fn workflow_plugins(&self, workflows: &Value) -> Value {
        let workflows = workflows.as_object().into_iter().flatten();
        let mut seen = BTreeSet::new();
        workflows
            .filter_map(|(_, workflow)| workflow["plugin"].as_str())
            .filter(|plugin| seen.insert((*plugin).to_owned()))
            .map(|plugin| {
                let executor = self.executor_of(plugin).unwrap_or_default();
                self.plugin_run_by(plugin, &executor)
            })
            .collect()
    }
}

/// Policy types and triggers are kept without their own description.
fn without_description(mut section: Value) -> Value {
    for (_, entry) in section.as_object_mut().into_iter().flatten() {
        if let Some(entry) = entry.as_object_mut() {
            entry.shift_remove("description");
        }
    }
    section
}
