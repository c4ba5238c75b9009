//! Plugins: who runs operations, and what of them has to be installed where.

use super::Blueprint;
use super::schema::{self, key, since};
use super::version::Version;
use crate::error::{Error, Result, Under};
use crate::operations::HTTP_PLUGIN;
use crate::yaml::Node;
use indexmap::IndexMap;
use serde_json::{Value, json};

/// Reads the section.
pub(super) fn read(
    section: Option<&Node>,
    imported_properties: &IndexMap<String, Value>,
    version: Version,
) -> Result<IndexMap<String, Value>> {
    let mut plugins = IndexMap::new();
    let Some(section) = section else {
        return Ok(plugins);
    };
    for (name, node) in schema::map(section).under("plugins")? {
        let given = imported_properties.get(name);
        let plugin = plugin(name, node, given, version)
            .under(name)
            .under("plugins")?;
        plugins.insert(name.clone(), plugin);
    }
    Ok(plugins)
}

fn plugin(name: &str, node: &Node, given: Option<&Value>, version: Version) -> Result<Value> {
    let keys = [
        key("source"),
        key("executor"),
        key("install"),
        since("install_arguments", 1),
        since("package_name", 1),
        since("package_version", 1),
        since("supported_platform", 1),
        since("distribution", 1),
        since("distribution_version", 1),
        since("distribution_release", 1),
        since("properties", 5),
        key("properties_description"),
    ];
    schema::check_keys(node, &keys, version)?;
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
    let install = schema::bool_at(node, "install")?.unwrap_or(true);
    let has = |key: &str| node.get(key).is_some();
    if install && !has("source") && !has("package_name") && name != HTTP_PLUGIN {
        let message = format!(
            "Plugin '{name}' needs to be installed, but does not declare a source or package_name property"
        );
        return Err(Error::parser(50, message).at(node));
    }
    let install = install && name != HTTP_PLUGIN;
    let value = |key: &str| schema::value_at(node, key);
    let text = |key: &str| schema::text_at(node, key).map(|text| json!(text));
    let mut properties = match value("properties") {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    if let Some(Value::Object(given)) = given {
        for (property, value) in given {
            let entry = properties
                .entry(property.clone())
                .or_insert_with(|| json!({}));
            match entry {
                Value::Object(map) => {
                    map.insert("value".to_owned(), value.clone());
                }
                other => *other = json!({ "value": value }),
            }
        }
    }
    Ok(json!({
        "source": text("source")?,
        "executor": executor,
        "install": install,
        "install_arguments": text("install_arguments")?,
        "package_name": text("package_name")?,
        "package_version": value("package_version"),
        "supported_platform": value("supported_platform"),
        "distribution": text("distribution")?,
        "distribution_version": value("distribution_version"),
        "distribution_release": text("distribution_release")?,
        "properties_description": text("properties_description")?,
        "properties": properties,
        "name": name,
    }))
}

impl Blueprint<'_> {
    /// A plugin as the plan has it, run by this executor.
    pub(super) fn plugin_run_by(&self, name: &str, executor: &str) -> Value {
        let mut plugin = match self.plugins.get(name) {
            Some(plugin) => plugin.clone(),
            None => built_in(name),
        };
        plugin["executor"] = json!(executor);
        plugin
    }
}

/// The plugin that the control plane runs itself; blueprints need not declare it.
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
