//! YAML as blueprints use it: YAML 1.1 scalars, merges, aliases, and a position for each node.
//!
//! The tree is built from the parser's events, so nothing is deeper or larger than the limits
//! below, whatever the file says: what is read here was uploaded by a stranger.

mod load;
mod scalar;

pub(crate) use load::load;

use indexmap::IndexMap;
use serde_json::{Map, Value};

/// Where a node begins: for the value of a key, where the key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// Which file, by its number in the parser's list.
    pub file: u16,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 0.
    pub column: u32,
}

/// A value of a YAML file, with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub at: Position,
    pub data: Data,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// Null, a boolean, a number or a text; never a list or an object.
    Scalar(Value),
    List(Vec<Node>),
    Map(IndexMap<String, Node>),
}

impl Node {
    /// A map without entries, for what a file leaves out.
    pub fn empty(at: Position) -> Self {
        Self {
            at,
            data: Data::Map(IndexMap::new()),
        }
    }

    /// JSON as if it stood there in a file.
    pub fn of_value(value: &Value, at: Position) -> Self {
        let data = match value {
            Value::Array(items) => {
                Data::List(items.iter().map(|item| Self::of_value(item, at)).collect())
            }
            Value::Object(map) => Data::Map(
                map.iter()
                    .map(|(key, value)| (key.clone(), Self::of_value(value, at)))
                    .collect(),
            ),
            value => Data::Scalar(value.clone()),
        };
        Self { at, data }
    }

    /// The same as JSON.
    pub fn to_value(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(items) => items.iter().map(Self::to_value).collect(),
            Data::Map(map) => Value::Object(
                map.iter()
                    .map(|(key, node)| (key.clone(), node.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Whether this is null, which the language takes as "not there".
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Scalar(Value::Null))
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The map, if this is one.
    pub fn as_map(&self) -> Option<&IndexMap<String, Node>> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    /// An entry that is there and not null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key).filter(|node| !node.is_null())
    }

    /// What the language calls this kind of value.
    pub fn type_name(&self) -> &'static str {
        match &self.data {
            Data::Scalar(Value::Null) => "null",
            Data::Scalar(Value::Bool(_)) => "boolean",
            Data::Scalar(Value::Number(number)) if number.is_f64() => "float",
            Data::Scalar(Value::Number(_)) => "integer",
            Data::Scalar(_) => "string",
            Data::List(_) => "list",
            Data::Map(_) => "dict",
        }
    }

    /// The value as text for an error, at most 500 bytes.
    pub fn excerpt(&self) -> String {
        let mut text = String::new();
        self.write_excerpt(&mut text);
        if text.len() > 500 {
            let end = (0..=500).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
            text.push_str("...");
        }
        text
    }

    fn write_excerpt(&self, text: &mut String) {
        if text.len() > 500 {
            return;
        }
        match &self.data {
            Data::Scalar(Value::String(value)) => text.push_str(value),
            Data::Scalar(value) => text.push_str(&value.to_string()),
            Data::List(items) => {
                text.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        text.push_str(", ");
                    }
                    item.write_excerpt(text);
                }
                text.push(']');
            }
            Data::Map(map) => {
                text.push('{');
                for (place, (key, node)) in map.iter().enumerate() {
                    if place > 0 {
                        text.push_str(", ");
                    }
                    text.push_str(key);
                    text.push_str(": ");
                    node.write_excerpt(text);
                }
                text.push('}');
            }
        }
    }
}
