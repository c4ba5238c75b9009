//! The form of sections: which keys there may be, and the types of their values.

use super::version::Version;
use crate::error::{Error, Result, Under};
use crate::yaml::{Data, Node};
use indexmap::IndexMap;
use serde_json::Value;
use windlass_python as python;

/// A key that a map may have.
pub(super) struct Key {
    pub name: &'static str,
    /// The version of the language that brought it.
    pub since: Version,
}

/// A key that the first version of the language has.
pub(super) const fn key(name: &'static str) -> Key {
    since(name, 0)
}

/// A key that came with version 1.`minor`.
pub(super) const fn since(name: &'static str, minor: u32) -> Key {
    Key {
        name,
        since: Version(minor),
    }
}

/// Checks that this version of the language knows all keys of a map.
pub(super) fn check_keys(node: &Node, keys: &[Key], version: Version) -> Result<()> {
    for (name, value) in map(node)? {
        let Some(key) = keys.iter().find(|key| key.name == name) else {
            let valid = python::list(keys.iter().map(|key| key.name));
            let message = format!("'{name}' is not in schema. Valid schema values: {valid}");
            return Err(Error::parser(1, message).at(value).under(name));
        };
        version.requires(key.since, name, value).under(name)?;
    }
    Ok(())
}

/// The refusal of a value that has the wrong type.
pub(super) fn wrong(node: &Node, expected: &str) -> Error {
    let found = node.type_name();
    Error::parser(
        1,
        format!("Expected '{expected}' type but found '{found}' type"),
    )
    .at(node)
}

/// The entries of a map. Null counts as an empty map.
pub(super) fn map(node: &Node) -> Result<&IndexMap<String, Node>> {
    static EMPTY: std::sync::LazyLock<IndexMap<String, Node>> =
        std::sync::LazyLock::new(IndexMap::new);
    match &node.data {
        Data::Map(map) => Ok(map),
        Data::Scalar(Value::Null) => Ok(&EMPTY),
        _ => Err(wrong(node, "dict")),
    }
}

/// The items of a list. Null counts as an empty list.
pub(super) fn list(node: &Node) -> Result<&[Node]> {
    match &node.data {
        Data::List(items) => Ok(items),
        Data::Scalar(Value::Null) => Ok(&[]),
        _ => Err(wrong(node, "list")),
    }
}

pub(super) fn text(node: &Node) -> Result<&str> {
    node.as_str().ok_or_else(|| wrong(node, "string"))
}

/// The entries of a map that stands at a key. A missing map counts as an empty one.
pub(super) fn map_at<'a>(
    node: &'a Node,
    name: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Node)> + use<'a>> {
    let entries = match node.get(name) {
        Some(entry) => Some(map(entry).under(name)?),
        None => None,
    };
    Ok(entries.into_iter().flatten())
}

/// The text at a key, if there is one.
pub(super) fn text_at<'a>(node: &'a Node, name: &str) -> Result<Option<&'a str>> {
    node.get(name)
        .map(|entry| text(entry).under(name))
        .transpose()
}

/// The boolean at a key, if there is one.
pub(super) fn bool_at(node: &Node, name: &str) -> Result<Option<bool>> {
    let Some(entry) = node.get(name) else {
        return Ok(None);
    };
    match &entry.data {
        Data::Scalar(Value::Bool(value)) => Ok(Some(*value)),
        _ => Err(wrong(entry, "boolean").under(name)),
    }
}

/// An integer. In the original, a boolean is an integer too.
pub(super) fn integer(node: &Node) -> Result<&Value> {
    match &node.data {
        Data::Scalar(value) if python::is_int(value) || value.is_boolean() => Ok(value),
        _ => Err(wrong(node, "integer")),
    }
}

/// The number at a key, if there is one.
pub(super) fn number_at<'a>(node: &'a Node, name: &str) -> Result<Option<&'a Value>> {
    let Some(entry) = node.get(name) else {
        return Ok(None);
    };
    match &entry.data {
        Data::Scalar(value) if value.is_number() => Ok(Some(value)),
        _ => Err(wrong(entry, "number").under(name)),
    }
}

/// The entry at a key that must not be missing.
pub(super) fn required<'a>(node: &'a Node, name: &str) -> Result<&'a Node> {
    node.get(name).ok_or_else(|| {
        let message = format!("'{name}' key is required but it is currently missing");
        Error::parser(1, message).at(node).under(name)
    })
}

/// The value at a key, or null.
pub(super) fn value_at(node: &Node, name: &str) -> Value {
    node.get(name).map_or(Value::Null, Node::to_value)
}
