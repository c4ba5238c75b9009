//! What a node gets from other nodes: its host, and the plugins that must be installed.

use super::{Draft, Plugins, add};
use crate::error::{Error, Result};
use crate::parser::Blueprint;
use crate::plan::{Fields, Part};
use crate::yaml::Node;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// How many nodes may be contained in each other.
const MAX_NESTING: usize = 200;

/// Completes the nodes with what depends on other nodes: hosts, and the plugins to install.
pub(super) fn finish(
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

/// The host in which a node is contained, or the node itself if it is a host. Circles of
/// containment were refused before.
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

/// The plugins that one of the lists of all nodes names, without repetitions.
pub(in crate::parser) fn plugins_of(nodes: &[Fields], list: &str) -> Value {
    let mut seen = HashSet::new();
    let plugins = nodes
        .iter()
        .flat_map(|node| node.get(list).as_array().into_iter().flatten());
    plugins
        .filter(|plugin| seen.insert(plugin["name"].to_string()))
        .cloned()
        .collect()
}
