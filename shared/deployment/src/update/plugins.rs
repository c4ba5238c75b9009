//! The plugins of nodes, which an update may leave as they are.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use windlass_store::nodes::NewNode;

/// Has nodes that stay keep the plugins that they have by the same names.
pub(super) fn keep(old: &[NewNode], new: &mut [NewNode]) {
    let known: HashMap<&str, &NewNode> = old.iter().map(|node| (node.id.as_str(), node)).collect();
    for node in new {
        let Some(before) = known.get(node.id.as_str()) else {
            continue;
        };
        if before.type_name != node.type_name {
            continue;
        }
        if let Some(plugins) = kept(&before.plugins, &node.plugins) {
            node.plugins = plugins.into();
        }
        let to_install = (&before.plugins_to_install, &node.plugins_to_install);
        if let (Some(before), Some(after)) = to_install
            && let Some(plugins) = kept(before, after)
        {
            node.plugins_to_install = Some(plugins);
        }
    }
}

/// New plugins with the old ones in the place of those of the same name; none where that changes nothing.
fn kept(old: &str, new: &str) -> Option<String> {
    let old = by_name(old);
    let mut plugins = list(new);
    let mut differs = false;
    for plugin in &mut plugins {
        let known = plugin["name"].as_str().and_then(|name| old.get(name));
        if let Some(known) = known.filter(|known| *known != plugin) {
            *plugin = known.clone();
            differs = true;
        }
    }
    differs.then(|| Value::from(plugins).to_string())
}

/// The plugins that the control plane's own workers get with an update, and those that nothing uses any
/// more: another version is both.
pub(super) fn central_changes(old: &[NewNode], new: &[NewNode]) -> [Value; 2] {
    let (old, new) = (central(old), central(new));
    let only_in = |these: &BTreeMap<String, Value>, others: &BTreeMap<String, Value>| {
        let differing = these
            .iter()
            .filter(|(name, plugin)| others.get(*name) != Some(plugin));
        differing.map(|(_, plugin)| plugin.clone()).collect()
    };
    [only_in(&new, &old), only_in(&old, &new)]
}

fn central(nodes: &[NewNode]) -> BTreeMap<String, Value> {
    // Most nodes have the same text.
    let mut texts: Vec<&str> = nodes.iter().map(|node| &*node.plugins).collect();
    texts.sort_unstable();
    texts.dedup();
    let all = texts.into_iter().flat_map(by_name);
    all.filter(|(_, plugin)| {
        plugin["executor"] == "central_deployment_agent" && plugin["install"] != false
    })
    .collect()
}

fn by_name(text: &str) -> BTreeMap<String, Value> {
    let named = list(text).into_iter();
    named
        .filter_map(|plugin| Some((plugin.get("name")?.as_str()?.to_owned(), plugin)))
        .collect()
}

fn list(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::tests::node;
    use serde_json::json;

    fn plugin(name: &str, version: &str, executor: &str) -> Value {
        json!({ "name": name, "package_version": version, "executor": executor, "install": true })
    }

    #[test]
    fn nodes_that_stay_keep_their_plugins_where_that_is_wanted() {
        let central = |version| plugin("aws", version, "central_deployment_agent");
        let hosts = |version| plugin("script", version, "host_agent");
        let old = [
            node("vm", json!({ "plugins": [central("1"), hosts("1")] })),
            node("app", json!({ "plugins": [central("1")] })),
        ];
        let new = || {
            vec![
                node("vm", json!({ "plugins": [central("2"), hosts("2")] })),
                node("app", json!({ "type": "other", "plugins": [central("2")] })),
                node("lamp", json!({ "plugins": [central("2")] })),
            ]
        };
        assert_eq!(
            central_changes(&old, &new()),
            [json!([central("2")]), json!([central("1")])]
        );
        assert_eq!(central_changes(&old, &old), [json!([]), json!([])]);
        let mut kept = new();
        keep(&old, &mut kept);
        let of = |node: &NewNode| serde_json::from_str::<Value>(&node.plugins).unwrap();
        assert_eq!(of(&kept[0]), json!([central("1"), hosts("1")]));
        assert_eq!(of(&kept[1]), json!([central("2")]), "it is another node");
        assert_eq!(of(&kept[2]), json!([central("2")]), "it is new");
    }
}
