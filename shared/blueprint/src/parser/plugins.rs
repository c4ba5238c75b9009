//! Plugins: they run operations, and some of them must be installed.

use super::Blueprint;
use super::data_types::DataTypes;
use super::schema::{self, Key, key, since};
use super::version::Version;
use crate::error::{Error, Result, Under};
use crate::json::set;
use crate::operations::HTTP_PLUGIN;
use crate::yaml::Node;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

const KEYS: [Key; 12] = [
    key("source"),
    key("executor"),
    key("install"),
    since("install_arguments", 1),
    since("package_name", 2),
    since("package_version", 2),
    since("supported_platform", 2),
    since("distribution", 2),
    since("distribution_version", 2),
    since("distribution_release", 2),
    since("properties_description", 5),
    since("properties", 5),
];

/// Reads the section `plugins`.
pub(super) fn read(
    section: Option<&Node>,
    data_types: &DataTypes,
    version: Version,
) -> Result<IndexMap<String, Value>> {
    let mut plugins = IndexMap::new();
    let Some(section) = section else {
        return Ok(plugins);
    };
    for (name, node) in schema::map(section).under("plugins")? {
        let plugin = plugin(name, node, data_types, version)
            .under(name)
            .under("plugins")?;
        plugins.insert(name.clone(), plugin);
    }
    Ok(plugins)
}

fn plugin(name: &str, node: &Node, data_types: &DataTypes, version: Version) -> Result<Value> {
    schema::check_keys(node, &KEYS, version)?;
    let executor_node = schema::required(node, "executor")?;
    let executor = schema::text(executor_node).under("executor")?;
    if !matches!(executor, "central_deployment_agent" | "host_agent") {
        let message = format!(
            "Plugin '{name}' has an illegal 'executor' value '{executor}'; value must be either 'central_deployment_agent' or 'host_agent'"
        );
        return Err(Error::parser(18, message)
            .at(executor_node)
            .under("executor"));
    }
    let text = |key: &str| schema::text_at(node, key);
    let install = schema::bool_at(node, "install")?.unwrap_or(true);
    let named = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    let has_package = named(text("source")?) || named(text("package_name")?);
    if install && !has_package && name != HTTP_PLUGIN {
        let message = format!(
            "Plugin '{name}' needs to be installed, but does not declare a source or package_name property"
        );
        return Err(Error::parser(50, message).at(node));
    }
    let mut properties = Map::new();
    for (property, schema) in schema::map_at(node, "properties")? {
        let value = plugin_property(schema, data_types, version)
            .under(property)
            .under("properties")?;
        properties.insert(property.clone(), value);
    }
    Ok(json!({
        "source": text("source")?,
        "executor": executor,
        "install": install && name != HTTP_PLUGIN,
        "install_arguments": text("install_arguments")?,
        "package_name": text("package_name")?,
        "package_version": text("package_version")?,
        "supported_platform": text("supported_platform")?,
        "distribution": text("distribution")?,
        "distribution_version": text("distribution_version")?,
        "distribution_release": text("distribution_release")?,
        "properties_description": text("properties_description")?,
        "properties": properties,
        "name": name,
    }))
}

/// Reads a property of a plugin. Whoever imports the plugin can set it.
fn plugin_property(node: &Node, data_types: &DataTypes, version: Version) -> Result<Value> {
    let keys = [
        key("description"),
        key("type"),
        key("display_label"),
        key("value"),
    ];
    schema::check_keys(node, &keys, Version::NEWEST)?;
    schema::text_at(node, "description")?;
    schema::text_at(node, "display_label")?;
    data_types.check_type_name(node, version)?;
    Ok(node.to_value())
}

impl Blueprint<'_> {
    /// A plugin in the form of a plan, run by this executor.
    pub(super) fn plugin_run_by(&self, name: &str, executor: &str) -> Value {
        let mut plugin = match self.plugins.get(name) {
            Some(plugin) => plugin.clone(),
            None => built_in(name),
        };
        set(&mut plugin, "executor", executor);
        plugin
    }
}

/// The plugin that the control plane runs itself. Blueprints need not declare it.
fn built_in(name: &str) -> Value {
    json!({
        "source": null,
        "executor": "central_deployment_agent",
        "install": false,
        "install_arguments": null,
        "package_name": null,
        "package_version": null,
        "supported_platform": null,
        "distribution": null,
        "distribution_version": null,
        "distribution_release": null,
        "properties_description": null,
        "properties": {},
        "name": name,
    })
}
