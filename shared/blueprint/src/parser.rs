//! From files to a plan: files are read, imports are merged, types are resolved, and functions are
//! checked.
//!
//! Each section of a blueprint has its own file here. All of them work on YAML nodes that know
//! their place, so a refusal can name the line and the file.

mod builtin;
mod data_types;
mod groups;
mod implementation;
mod imports;
mod interfaces;
mod merge;
mod namespace;
mod nodes;
mod plugin_imports;
mod plugins;
mod scaling;
mod schema;
mod sections;
mod settings;
mod types;
mod version;

use crate::archive::Tree;
use crate::error::{Error, Result};
use crate::functions;
use crate::operations::HTTP_PLUGIN;
use crate::plan::Plan;
use crate::yaml::Node;
use data_types::DataTypes;
use indexmap::IndexMap;
use schema::{key, since};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::rc::Rc;
use types::Family;
use version::Version;

/// The number that positions in the built-in types have instead of a file's.
const BUILTIN: u16 = 0;

/// A blueprint that another one imports.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The files of the blueprint.
    pub tree: Tree,
    /// The name of its main file.
    pub main_file: String,
}

/// An uploaded plugin, with what `plugin:<name>` needs to know about it.
#[derive(Debug, Clone, Default)]
pub struct UploadedPlugin {
    /// What it is called among all plugins, whatever their names and versions.
    pub id: String,
    /// The version of its package, such as `2.1.0`.
    pub version: String,
    /// The distribution that it is for, such as `centos`. Without one it fits everywhere.
    pub distribution: Option<String>,
    /// The names of its YAML files. There is one file for each version of the language
    /// (`plugin_1_4.yaml`), or one for all versions (`plugin.yaml`).
    pub files: Vec<String>,
    /// Labels that a deployment gets when its blueprint imports the plugin: `{"key": ["value",
    /// ..]}`, or null.
    pub labels: Value,
    /// Labels that a blueprint gets when it imports the plugin, in the same form.
    pub blueprint_labels: Value,
    /// Tags for the resources that such a deployment creates: `{"key": "value"}`, or null.
    pub resource_tags: Value,
}

/// What the parser asks for when imports name something outside of the archive.
pub trait Importer {
    /// All uploaded plugins of this package name. The parser chooses among them by version and
    /// distribution.
    fn plugins(&self, name: &str) -> Vec<UploadedPlugin>;
    /// The text of one of the YAML files of the plugin that was chosen.
    fn plugin_file(&self, plugin: &UploadedPlugin, file: &str) -> Option<Rc<str>>;
    /// The uploaded blueprint that `blueprint:<id>` names.
    fn blueprint(&self, id: &str) -> Option<Imported>;
    /// The import that is meant instead of this one, where somebody named another version of a plugin.
    fn instead_of(&self, _import: &str) -> Option<String> {
        None
    }
}

/// An importer that finds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoImports;

impl Importer for NoImports {
    fn plugins(&self, _name: &str) -> Vec<UploadedPlugin> {
        Vec::new()
    }
    fn plugin_file(&self, _plugin: &UploadedPlugin, _file: &str) -> Option<Rc<str>> {
        None
    }
    fn blueprint(&self, _id: &str) -> Option<Imported> {
        None
    }
}

/// The built-in types as a version of the language has them. The version is written as in `1_4`.
pub fn built_in_types(version: &str) -> Value {
    builtin::current(Version::numbered(version)).to_value()
}

/// The built-in types as a file for other programs that know the language: `types_1_4.yaml` for one version
/// of it, `types.yaml` in a form that all of them read. The control plane's own plugin is in it, which such
/// programs would miss. Other files are none.
pub fn built_in_file(name: &str) -> Option<Value> {
    let version = name.strip_prefix("types")?.strip_suffix(".yaml")?;
    let version = match version {
        "" => Version::OLDEST,
        suffix if Version::is_suffix(suffix) => Version::numbered(suffix.get(1..)?),
        _ => return None,
    };
    let mut types = builtin::current(version).to_value();
    let plugin = json!({ "executor": "central_deployment_agent", "install": false });
    types
        .get_mut("plugins")?
        .as_object_mut()?
        .insert(HTTP_PLUGIN.to_owned(), plugin);
    Some(types)
}

/// Reads a blueprint: the main file and everything that it imports become a plan.
pub fn parse(tree: &Tree, main_file: &str, importer: &dyn Importer) -> Result<Plan> {
    let mut reader = imports::Reader::new(importer);
    let plan = reader
        .read(tree, main_file)
        .and_then(|document| Blueprint::read(tree, main_file, document)?.plan());
    plan.map_err(|mut error| {
        if let Some(place) = &mut error.place
            && let Some(number) = place.file_number
        {
            place.file = reader.files.get(usize::from(number)).cloned();
        }
        error
    })
}

/// A blueprint whose files are merged. Its sections are read one after the other.
struct Blueprint<'a> {
    tree: &'a Tree,
    /// The folder of the main file. Names of scripts count from there.
    directory: &'a str,
    version: Version,
    sections: IndexMap<String, Node>,
    plugins: IndexMap<String, Value>,
    data_types: DataTypes,
    imported_blueprints: Vec<Value>,
    namespaces: Map<String, Value>,
}

impl<'a> Blueprint<'a> {
    fn read(tree: &'a Tree, main_file: &'a str, document: imports::Document) -> Result<Self> {
        let version = document.version;
        let keys = [
            key(version::SECTION),
            since("description", 2),
            key("imports"),
            key("dsl_definitions"),
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
                let valid = windlass_python::list(valid);
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
        let data_types = DataTypes::read(data_types, version)?;
        let plugins = document.sections.get("plugins");
        Ok(Self {
            tree,
            directory: main_file.rsplit_once('/').map_or("", |(folder, _)| folder),
            version,
            plugins: plugins::read(plugins, &data_types, version)?,
            data_types,
            sections: document.sections,
            imported_blueprints: document.imported_blueprints,
            namespaces: document.namespaces,
        })
    }

    fn section(&self, name: &str) -> Option<&Node> {
        self.sections.get(name).filter(|section| !section.is_null())
    }

    /// The version of the language that applies to a node. For the built-in types this is always
    /// the newest.
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
        let groups = groups::read(self, &nodes)?;
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
        if let Some(node) = self.section("metadata") {
            schema::map(node).map_err(|error| error.under("metadata"))?;
        }
        let metadata = value("metadata");
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
            ("blueprint_labels", self.blueprint_labels()?),
            ("capabilities", self.outputs("capabilities")?),
            ("data_types", Value::Object(self.data_types.plan.clone())),
            ("deployment_plugins_to_install", deployment_plugins),
            ("deployment_settings", self.deployment_settings()?),
            ("description", description),
            ("groups", groups.groups),
            ("host_agent_plugins_to_install", host_plugins),
            ("imported_blueprints", json!(self.imported_blueprints)),
            ("inputs", inputs),
            ("labels", self.labels()?),
            ("metadata", metadata),
            ("namespaces_mapping", Value::Object(self.namespaces.clone())),
            ("outputs", self.outputs("outputs")?),
            ("policies", groups.policies),
            ("policy_triggers", groups.policy_triggers),
            ("policy_types", groups.policy_types),
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
        functions::validate(&plan, self.version.0)?;
        let requirements = functions::requirements(&plan)?;
        plan.sections
            .insert("requirements".to_owned(), requirements);
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
