//! The built-in types: those of today, and as older versions of them were.
//!
//! Blueprints name an older version by the URL under which it was published. The URL is never
//! fetched. Older versions are kept as what they say differently, each from the next newer one.

use super::version::{self, Version};
use crate::constraints;
use crate::yaml::{self, Data, Node, Position};
use pep440_rs::Version as Number;
use serde_json::Value;

const TYPES: &str = include_str!("../builtin/types.yaml");
const OLDER: &str = include_str!("../builtin/older.yaml");

/// The beginning of the URLs of published types, after the scheme.
const HOSTS: [&str; 4] = [
    "www.getcloudify.org",
    "getcloudify.org",
    "www.cloudify.co",
    "cloudify.co",
];

/// The built-in types as they are today, in the form of this version of the language.
pub(super) fn current(version: Version) -> Node {
    let mut types = read(TYPES).unwrap_or_else(|| Node::empty(Position::default()));
    fit(&mut types, version);
    types
}

/// The built-in types that were published with this number. A number that is not known means the
/// nearest older one, or else the oldest.
pub(super) fn published(number: &Number, version: Version) -> Node {
    let mut types = unfitted(number);
    fit(&mut types, version);
    types
}

fn unfitted(number: &Number) -> Node {
    let mut types = read(TYPES).unwrap_or_else(|| Node::empty(Position::default()));
    let older = read(OLDER);
    let entries = match older.as_ref().map(|older| &older.data) {
        Some(Data::List(entries)) => entries.as_slice(),
        _ => &[],
    };
    for entry in entries {
        if let Some(without) = entry.get("without") {
            take_away(&mut types, without);
        }
        if let Some(with) = entry.get("with") {
            put_in(&mut types, with);
        }
        let stated = entry.get("version").and_then(Node::as_str);
        if stated.is_none_or(|stated| stated.parse::<Number>().is_ok_and(|it| it <= *number)) {
            break;
        }
    }
    types
}

/// The number in `http://www.getcloudify.org/spec/cloudify/4.5.5/types.yaml`.
pub(super) fn number_of(url: &str) -> Option<Number> {
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    if !matches!(scheme, "http" | "https") || !HOSTS.contains(&host) {
        return None;
    }
    let number = path.strip_prefix("spec/cloudify/")?;
    number.strip_suffix("/types.yaml")?.parse().ok()
}

fn read(text: &str) -> Option<Node> {
    yaml::load(text.as_bytes(), super::BUILTIN).ok().flatten()
}

/// Removes the entries that are null in `without`.
fn take_away(types: &mut Node, without: &Node) {
    let (Data::Map(types), Data::Map(without)) = (&mut types.data, &without.data) else {
        return;
    };
    for (name, inner) in without {
        if inner.is_null() {
            types.shift_remove(name);
        } else if let Some(part) = types.get_mut(name) {
            take_away(part, inner);
        }
    }
}

/// Adds the entries of `with`. In a map that is there already, its own entries stay.
fn put_in(types: &mut Node, with: &Node) {
    let (Data::Map(types), Data::Map(with)) = (&mut types.data, &with.data) else {
        return;
    };
    for (name, inner) in with {
        match types.get_mut(name) {
            Some(part)
                if part.as_map().is_some() && inner.as_map().is_some_and(|map| !map.is_empty()) =>
            {
                put_in(part, inner);
            }
            _ => {
                types.insert(name.clone(), inner.clone());
            }
        }
    }
}

/// Removes what `version` of the language does not have.
fn fit(builtin: &mut Node, version: Version) {
    if let Data::Map(sections) = &mut builtin.data {
        // They are there in every version, so they ask for none.
        sections.shift_remove(version::SECTION);
    }
    if version >= Version::NEWEST {
        return;
    }
    if version < Version(4) {
        name_no_objects(builtin);
    }
    let Some(workflows) = entry(builtin, "workflows") else {
        return;
    };
    let Data::Map(workflows) = &mut workflows.data else {
        return;
    };
    for (name, workflow) in workflows {
        if version < Version(4) {
            remove(workflow, "availability_rules");
        }
        let Some(Data::Map(parameters)) = entry(workflow, "parameters").map(|node| &mut node.data)
        else {
            continue;
        };
        for (parameter, schema) in parameters {
            if version < Version(4) {
                remove(schema, "item_type");
            }
            if entry(schema, "type").is_some_and(|kind| kind.as_str() == Some("operation_name"))
                && let Some(kind) = entry(schema, "type")
            {
                kind.data = Data::Scalar(Value::from("string"));
            }
            if name == "check_drift"
                && parameter == "run_by_dependency_order"
                && let Some(default) = entry(schema, "default")
            {
                default.data = Data::Scalar(Value::Bool(false));
            }
        }
    }
}

/// Replaces the types of values that name deployments, nodes and other objects. They are texts.
fn name_no_objects(part: &mut Node) {
    let Data::Map(map) = &mut part.data else {
        return;
    };
    for (name, inner) in map {
        match &mut inner.data {
            Data::Scalar(kind) if name == "type" && is_object_type(kind) => {
                *kind = Value::from("string");
            }
            _ => name_no_objects(inner),
        }
    }
}

fn is_object_type(kind: &Value) -> bool {
    kind.as_str().is_some_and(constraints::names_object)
}

fn entry<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    match &mut node.data {
        Data::Map(map) => map.get_mut(name),
        _ => None,
    }
}

fn remove(node: &mut Node, name: &str) {
    if let Data::Map(map) = &mut node.data {
        map.shift_remove(name);
    }
}

#[cfg(test)]
mod tests;
