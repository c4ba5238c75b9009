//! Namespaces: every name that an import defines or uses gets a prefix.
//!
//! Names of the built-in types keep theirs; they are the same everywhere.

use crate::functions::Function;
use crate::yaml::{Data, Node};
use indexmap::IndexMap;
use serde_json::Value;

/// Puts `namespace--` before the names in a file.
pub(super) fn apply(file: &mut Node, namespace: &str) {
    let prefix = Prefix(format!("{namespace}--"));
    let Data::Map(sections) = &mut file.data else {
        return;
    };
    for (name, section) in sections {
        let named = matches!(
            name.as_str(),
            "node_types"
                | "data_types"
                | "relationships"
                | "plugins"
                | "inputs"
                | "outputs"
                | "capabilities"
                | "node_templates"
                | "groups"
                | "policies"
                | "workflows"
                | "policy_types"
                | "policy_triggers"
        );
        prefix.functions(section);
        let Data::Map(entries) = &mut section.data else {
            continue;
        };
        for entry in entries.values_mut() {
            prefix.entry(name, entry);
        }
        if named {
            prefix.keys(entries);
        }
    }
}

struct Prefix(String);

const BUILTIN_PLUGINS: [&str; 5] = [
    "agent",
    "cfy_extensions",
    "default_workflows",
    "script",
    crate::operations::HTTP_PLUGIN,
];

impl Prefix {
    fn on(&self, name: &str) -> String {
        let builtin = name.starts_with("cloudify.")
            || BUILTIN_PLUGINS.contains(&name)
            || crate::constraints::is_primitive(name);
        match builtin || name.starts_with(&self.0) {
            true => name.to_owned(),
            false => format!("{}{name}", self.0),
        }
    }

    fn keys(&self, entries: &mut IndexMap<String, Node>) {
        *entries = std::mem::take(entries)
            .into_iter()
            .map(|(name, node)| (self.on(&name), node))
            .collect();
    }

    fn text(&self, node: Option<&mut Node>) {
        if let Some(Data::Scalar(Value::String(name))) = node.map(|node| &mut node.data) {
            *name = self.on(name);
        }
    }

    fn entry(&self, section: &str, entry: &mut Node) {
        match section {
            "node_types" | "data_types" | "relationships" => {
                self.text(get(entry, "derived_from"));
                self.schemas(get(entry, "properties"));
                for interfaces in ["interfaces", "source_interfaces", "target_interfaces"] {
                    self.interfaces(get(entry, interfaces));
                }
            }
            "inputs" => self.text(get(entry, "type")),
            "workflows" => {
                self.implementation(get(entry, "mapping"));
                self.schemas(get(entry, "parameters"));
                if entry.as_str().is_some() {
                    self.implementation(Some(entry));
                }
            }
            "groups" => self.texts(get(entry, "members")),
            "policies" => self.texts(get(entry, "targets")),
            "node_templates" => {
                self.text(get(entry, "type"));
                self.interfaces(get(entry, "interfaces"));
                if let Some(Data::List(items)) = get(entry, "relationships").map(|n| &mut n.data) {
                    for item in items {
                        self.text(get(item, "type"));
                        self.text(get(item, "target"));
                        self.interfaces(get(item, "source_interfaces"));
                        self.interfaces(get(item, "target_interfaces"));
                    }
                }
            }
            _ => {}
        }
    }

    fn texts(&self, node: Option<&mut Node>) {
        if let Some(Data::List(items)) = node.map(|node| &mut node.data) {
            for item in items {
                self.text(Some(item));
            }
        }
    }

    /// Types that property and parameter schemas name.
    fn schemas(&self, node: Option<&mut Node>) {
        if let Some(Data::Map(schemas)) = node.map(|node| &mut node.data) {
            for schema in schemas.values_mut() {
                self.text(get(schema, "type"));
            }
        }
    }

    fn interfaces(&self, node: Option<&mut Node>) {
        let Some(Data::Map(interfaces)) = node.map(|node| &mut node.data) else {
            return;
        };
        for interface in interfaces.values_mut() {
            let Data::Map(operations) = &mut interface.data else {
                continue;
            };
            for operation in operations.values_mut() {
                self.implementation(get(operation, "implementation"));
                if operation.as_str().is_some() {
                    self.implementation(Some(operation));
                }
            }
        }
    }

    /// `plugin.function`; files keep their names.
    fn implementation(&self, node: Option<&mut Node>) {
        let Some(Data::Scalar(Value::String(text))) = node.map(|node| &mut node.data) else {
            return;
        };
        if !text.contains(['/', '\n', ' '])
            && let Some((plugin, rest)) = text.split_once('.')
            && rest.contains(|letter: char| letter.is_ascii_alphabetic())
            && !["sh", "py", "ps1", "rb", "yaml"].contains(&rest)
        {
            *text = format!("{}.{rest}", self.on(plugin));
        }
    }

    /// Inputs and nodes that functions name.
    fn functions(&self, node: &mut Node) {
        match &mut node.data {
            Data::List(items) => items.iter_mut().for_each(|item| self.functions(item)),
            Data::Map(map) => {
                if map.len() == 1
                    && let Some((name, arguments)) = map.get_index_mut(0)
                {
                    let function = Function::named(name);
                    let named = matches!(
                        function,
                        Some(
                            Function::GetInput
                                | Function::GetProperty
                                | Function::GetAttribute
                                | Function::GetAttributesList
                                | Function::GetAttributesDict
                        )
                    );
                    if named {
                        let first = match &mut arguments.data {
                            Data::List(items) => items.first_mut(),
                            _ => Some(&mut *arguments),
                        };
                        let own = first.as_ref().and_then(|node| node.as_str());
                        if !matches!(own, Some("SELF" | "SOURCE" | "TARGET")) {
                            self.text(first);
                        }
                    }
                }
                map.values_mut().for_each(|item| self.functions(item));
            }
            Data::Scalar(_) => {}
        }
    }
}

fn get<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    match &mut node.data {
        Data::Map(map) => map.get_mut(name),
        _ => None,
    }
}
