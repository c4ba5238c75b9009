//! YAML as blueprints use it: scalars of YAML 1.1, merges, aliases, and a position for each node.
//!
//! Files were uploaded by strangers. The tree is built from the events of the parser, so it is
//! never deeper or larger than the limits allow.

mod cursor;
mod events;
mod load;
mod scalar;
mod scanner;

pub(crate) use load::load;

use indexmap::IndexMap;
use serde_json::{Map, Value};

/// The start of a node. The value of a key starts at the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// The number of the file in the list of the parser.
    pub file: u16,
    /// The line, counted from 1.
    pub line: u32,
    /// The column, counted from 0.
    pub column: u32,
}

/// A value in a YAML file, and its position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub at: Position,
    pub data: Data,
}

/// The value of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// Null, a boolean, a number or a text. It is never a list or a map.
    Scalar(Value),
    List(Vec<Node>),
    Map(IndexMap<String, Node>),
}

impl Node {
    /// A map without entries. It takes the place of an empty file.
    pub fn empty(at: Position) -> Self {
        Self {
            at,
            data: Data::Map(IndexMap::new()),
        }
    }

    /// Makes a node from JSON, as if it stood at this position.
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

    /// The value in the form of JSON.
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

    /// Whether this is null. To the language, null is the same as a missing value.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Scalar(Value::Null))
    }

    /// The text, if the value is a text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The map, if the value is a map.
    pub fn as_map(&self) -> Option<&IndexMap<String, Node>> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The entry of a map at this key, if there is one that is not null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key).filter(|node| !node.is_null())
    }

    /// The name of the value's type in refusals.
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

    /// The value as a text for a refusal, of at most 500 bytes.
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
