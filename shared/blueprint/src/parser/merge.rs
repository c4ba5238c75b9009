//! Merging: the sections of a file are added to those of the files before it.

use super::BUILTIN;
use super::imports::File;
use super::namespace::Prefix;
use super::version::Version;
use crate::error::{Error, Result};
use crate::yaml::{Data, Node};
use indexmap::IndexMap;

/// What happens when two files have the same section.
enum Way {
    /// The section of the first file stays.
    First,
    /// The entries are merged by their names, in every version of the language.
    Names,
    /// The entries are merged by their names, since version 1.3.
    NamesLater,
    /// Two files must not both have it.
    Never,
}

fn way(section: &str) -> Way {
    match section {
        "description" | "metadata" | "upload_resources" => Way::First,
        "node_types" | "data_types" | "relationships" | "plugins" | "workflows" | "groups"
        | "policy_types" | "policy_triggers" | "interfaces" => Way::Names,
        "inputs" | "outputs" | "node_templates" | "capabilities" | "labels"
        | "blueprint_labels" | "resource_tags" => Way::NamesLater,
        _ => Way::Never,
    }
}

/// Adds a file's sections to those of the files before it.
pub(super) fn merge(
    sections: &mut IndexMap<String, Node>,
    file: File,
    version: Version,
) -> Result<()> {
    let prefix = (!file.namespace.is_empty()).then(|| Prefix::new(&file.namespace));
    for (name, mut section) in file.sections {
        if section.is_null() && sections.contains_key(&name) {
            continue;
        }
        if let (Some(prefix), Data::Map(entries)) = (&prefix, &mut section.data) {
            prefix.apply(&name, entries);
        }
        let Some(old) = sections.get_mut(&name) else {
            sections.insert(name, section);
            continue;
        };
        let allowed = match way(&name) {
            Way::First => continue,
            Way::Names => true,
            Way::NamesLater => version >= Version(3),
            Way::Never => false,
        };
        if !allowed {
            return Err(not_mergeable(&name));
        }
        if old.is_null() {
            *old = section;
            continue;
        }
        for node in [&*old, &section] {
            super::schema::map(node)?;
        }
        if let (Data::Map(old), Data::Map(new)) = (&mut old.data, section.data) {
            merge_names(&name, old, new, file.is_builtin)?;
        }
    }
    Ok(())
}

fn not_mergeable(section: &str) -> Error {
    let mut message = format!("Import failed: non-mergeable field: '{section}'");
    if matches!(way(section), Way::NamesLater) {
        message.push_str(&format!(
            ". {section} can be imported multiple times only from cloudify_dsl_1_3 and above."
        ));
    }
    Error::parser(3, message)
}

fn merge_names(
    section: &str,
    old: &mut IndexMap<String, Node>,
    new: IndexMap<String, Node>,
    is_builtin: bool,
) -> Result<()> {
    for (name, node) in new {
        let wins = is_builtin || node.at.file == BUILTIN || name.starts_with("cloudify.");
        let Some(existing) = old.get_mut(&name).filter(|_| !wins) else {
            old.insert(name, node);
            continue;
        };
        let merged = match section {
            "labels" | "blueprint_labels" | "resource_tags" => true,
            "workflows" => fill(existing, node),
            "node_templates" => add_relationships(existing, node),
            _ => false,
        };
        if !merged {
            let message =
                format!("Import failed: Could not merge '{section}' due to conflict on '{name}'");
            return Err(Error::parser(4, message));
        }
    }
    Ok(())
}

/// Adds the entries whose names are new.
fn fill(existing: &mut Node, node: Node) -> bool {
    let (Data::Map(existing), Data::Map(new)) = (&mut existing.data, node.data) else {
        return false;
    };
    for (key, value) in new {
        existing.entry(key).or_insert(value);
    }
    true
}

/// Merges two templates of the same node. This is allowed if one of them only adds relationships.
fn add_relationships(existing: &mut Node, node: Node) -> bool {
    let (Data::Map(old), Data::Map(new)) = (&mut existing.data, node.data) else {
        return false;
    };
    let only_more = new.len() == 1 && new.contains_key("relationships");
    let only_had = old.len() == 1;
    let had = old.get_mut("relationships").map(|node| &mut node.data);
    let Some(Data::List(items)) = had else {
        return false;
    };
    if !(only_more || only_had && new.contains_key("type")) {
        return false;
    }
    let mut others = IndexMap::new();
    for (key, value) in new {
        match value.data {
            Data::List(more) if key == "relationships" => items.extend(more),
            data => {
                others.insert(key, Node { data, ..value });
            }
        }
    }
    old.extend(others);
    true
}
