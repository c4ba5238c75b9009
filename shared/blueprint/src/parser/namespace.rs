//! Namespaces: every name that an import defines or uses gets a prefix.
//!
//! The place of a text decides whether it is a name, as in the original: under some keys texts are
//! names, under others they are not. Only three functions are looked into. Names that begin with
//! `cloudify.` are the same in every namespace.

use crate::yaml::{Data, Node};
use indexmap::IndexMap;
use serde_json::Value;

/// The prefix that the names of an import get.
pub(super) struct Prefix(String);

impl Prefix {
    pub fn new(namespace: &str) -> Self {
        Self(format!("{namespace}--"))
    }

    /// Puts the prefix into all entries of a section, and before their own names.
    pub fn apply(&self, section: &str, entries: &mut IndexMap<String, Node>) {
        for entry in entries.values_mut() {
            if entry.at.file == super::BUILTIN {
                continue;
            }
            self.entry(section, entry);
        }
        self.keys(entries);
    }

    fn on(&self, name: &str) -> String {
        match name.starts_with("cloudify.") {
            true => name.to_owned(),
            false => format!("{}{name}", self.0),
        }
    }

    fn keys(&self, entries: &mut IndexMap<String, Node>) {
        *entries = std::mem::take(entries)
            .into_iter()
            .map(|(name, node)| match node.at.file {
                super::BUILTIN => (name, node),
                _ => (self.on(&name), node),
            })
            .collect();
    }

    /// Changes a text that is a name. In a map, the functions are changed.
    fn name(&self, node: Option<&mut Node>) {
        let Some(node) = node else { return };
        match &mut node.data {
            Data::Scalar(Value::String(name)) => {
                // An empty text means no implementation, and the text of a script is not a name.
                let is_name = !name.is_empty() && !name.contains('\n');
                if is_name && !crate::constraints::is_primitive(name) {
                    *name = self.on(name);
                }
            }
            _ => self.value(Some(node)),
        }
    }

    fn names(&self, node: Option<&mut Node>) {
        if let Some(Data::List(items)) = node.map(|node| &mut node.data) {
            items.iter_mut().for_each(|item| self.name(Some(item)));
        }
    }

    /// Changes the functions in a value. Only maps are looked into, so functions in a list keep
    /// their names.
    fn value(&self, node: Option<&mut Node>) {
        if let Some(node) = node
            && matches!(node.data, Data::Map(_))
        {
            self.functions(node);
        }
    }

    fn entry(&self, section: &str, entry: &mut Node) {
        match section {
            "node_types" | "data_types" | "relationships" => {
                self.name(get(entry, "derived_from"));
                if section == "data_types" {
                    self.name(get(entry, "description"));
                    self.name(get(entry, "version"));
                }
                self.schemas(get(entry, "properties"));
                self.schemas(get(entry, "runtime_properties"));
                for interfaces in ["interfaces", "source_interfaces", "target_interfaces"] {
                    self.interfaces(get(entry, interfaces), Self::schema);
                }
            }
            "inputs" => self.schema(entry),
            "outputs" | "capabilities" => self.name(get(entry, "value")),
            "workflows" => {
                self.name(get(entry, "mapping"));
                self.schemas(get(entry, "parameters"));
                if entry.as_str().is_some() {
                    self.name(Some(entry));
                }
            }
            "plugins" => self.plugin_properties(get(entry, "properties")),
            "resource_tags" if entry.as_str().is_some() => self.name(Some(entry)),
            "policy_types" => self.schemas(get(entry, "properties")),
            "policy_triggers" => self.schemas(get(entry, "parameters")),
            "groups" => {
                self.names(get(entry, "members"));
                self.policies(get(entry, "policies"));
            }
            "policies" => {
                self.name(get(entry, "type"));
                self.names(get(entry, "targets"));
                self.counts(get(entry, "properties"));
            }
            "node_templates" => self.node(entry),
            _ => {}
        }
    }

    fn node(&self, node: &mut Node) {
        self.name(get(node, "type"));
        self.value(get(node, "properties"));
        self.interfaces(get(node, "interfaces"), Self::functions);
        if let Some(scalable) = get(node, "capabilities").and_then(|node| get(node, "scalable")) {
            self.counts(get(scalable, "properties"));
        }
        if let Some(Data::List(items)) = get(node, "relationships").map(|node| &mut node.data) {
            for item in items {
                self.name(get(item, "type"));
                self.name(get(item, "target"));
                self.value(get(item, "properties"));
                self.interfaces(get(item, "source_interfaces"), Self::functions);
                self.interfaces(get(item, "target_interfaces"), Self::functions);
            }
        }
    }

    /// Changes the functions that numbers of instances may be.
    fn counts(&self, node: Option<&mut Node>) {
        if let Some(Data::Map(counts)) = node.map(|node| &mut node.data) {
            counts
                .values_mut()
                .for_each(|count| self.value(Some(count)));
        }
    }

    /// Changes the policies of a group and their triggers, which have names of their own.
    fn policies(&self, node: Option<&mut Node>) {
        let Some(Data::Map(policies)) = node.map(|node| &mut node.data) else {
            return;
        };
        for policy in policies.values_mut() {
            self.name(get(policy, "type"));
            self.value(get(policy, "properties"));
            if let Some(Data::Map(triggers)) = get(policy, "triggers").map(|node| &mut node.data) {
                for trigger in triggers.values_mut() {
                    self.name(get(trigger, "type"));
                    self.value(get(trigger, "parameters"));
                }
                self.keys(triggers);
            }
        }
        self.keys(policies);
    }

    fn plugin_properties(&self, node: Option<&mut Node>) {
        if let Some(Data::Map(properties)) = node.map(|node| &mut node.data) {
            for property in properties.values_mut() {
                self.name(get(property, "type"));
                self.name(get(property, "value"));
            }
            self.keys(properties);
        }
    }

    /// Changes the types that schemas of properties and parameters name.
    fn schemas(&self, node: Option<&mut Node>) {
        if let Some(Data::Map(schemas)) = node.map(|node| &mut node.data) {
            schemas.values_mut().for_each(|schema| self.schema(schema));
        }
    }

    fn schema(&self, schema: &mut Node) {
        self.name(get(schema, "type"));
        self.name(get(schema, "item_type"));
        self.value(get(schema, "default"));
    }

    /// Changes operations. Their inputs are schemas in a type, and values in a template.
    fn interfaces(&self, node: Option<&mut Node>, input_names: fn(&Self, &mut Node)) {
        let Some(Data::Map(interfaces)) = node.map(|node| &mut node.data) else {
            return;
        };
        for interface in interfaces.values_mut() {
            let Data::Map(operations) = &mut interface.data else {
                continue;
            };
            for operation in operations.values_mut() {
                if operation.as_str().is_some() {
                    self.name(Some(operation));
                    continue;
                }
                self.name(get(operation, "implementation"));
                let inputs = get(operation, "inputs");
                if let Some(Data::Map(inputs)) = inputs.map(|node| &mut node.data) {
                    for input in inputs.values_mut() {
                        input_names(self, input);
                    }
                }
            }
        }
    }

    /// Changes the inputs and nodes that functions name.
    fn functions(&self, node: &mut Node) {
        match &mut node.data {
            Data::List(items) => items.iter_mut().for_each(|item| self.functions(item)),
            Data::Map(map) => {
                for (name, arguments) in map {
                    match (name.as_str(), &mut arguments.data) {
                        ("get_input", Data::List(items)) => self.argument(items.first_mut()),
                        ("get_input", _) => self.argument(Some(arguments)),
                        ("get_property" | "get_attribute", Data::List(items)) => {
                            let own = items.first().and_then(Node::as_str);
                            if !matches!(own, Some("SELF" | "SOURCE" | "TARGET")) {
                                self.argument(items.first_mut());
                            }
                        }
                        _ => {}
                    }
                    self.functions(arguments);
                }
            }
            Data::Scalar(_) => {}
        }
    }

    fn argument(&self, node: Option<&mut Node>) {
        if let Some(Data::Scalar(Value::String(name))) = node.map(|node| &mut node.data) {
            *name = format!("{}{name}", self.0);
        }
    }
}

fn get<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    match &mut node.data {
        Data::Map(map) => map.get_mut(name),
        _ => None,
    }
}
