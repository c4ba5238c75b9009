//! Building the tree from the events of the YAML parser.

use super::{Data, Node, Position, scalar};
use crate::error::{Error, Result};
use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::Value;
use std::collections::HashMap;

/// How many lists and maps may be inside each other, aliases included.
const MAX_DEPTH: usize = 200;
/// How many nodes a file may have. An alias counts each time it is used. So many nodes are read and
/// refused in less than a second; a blueprint of 2,000 nodes has about 40,000.
const MAX_NODES: usize = 250_000;
/// How many bytes a file may have. A blueprint of thousands of nodes has a few hundred kilobytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Reads a file. The result is `None` for an empty one.
pub(crate) fn load(bytes: &[u8], file: u16) -> Result<Option<Node>> {
    if bytes.len() > MAX_BYTES {
        return Err(illegal(format!(
            "the file is longer than {MAX_BYTES} bytes"
        )));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| illegal(format!("the file is not UTF-8: {error}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut loader = Loader {
        file,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        done: None,
    };
    let mut documents = 0;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            let (line, column) = (marker.line(), marker.col() + 1);
            illegal(format!("{}, line {line}, column {column}", error.info()))
        })?;
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                return Err(illegal(
                    "expected a single document in the stream".to_owned(),
                ));
            }
        }
        loader.take(event, span)?;
    }
    Ok(loader.done.filter(|node| !node.is_null()))
}

fn illegal(why: String) -> Error {
    Error::parser(-1, format!("Failed to parse DSL: Illegal yaml; {why}"))
}

/// A node, with its numbers that count against the limits.
#[derive(Clone)]
struct Measured {
    node: Node,
    height: usize,
    count: usize,
}

/// A list or map that is not finished yet.
struct Open {
    at: Position,
    anchor: usize,
    height: usize,
    count: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        map: IndexMap<String, Node>,
        /// The entries that `<<` added. The map's own entries win over them.
        merged: Vec<Node>,
        key: Option<Key>,
    },
}

enum Key {
    Plain(String, Position),
    Merge,
}

struct Loader {
    file: u16,
    open: Vec<Open>,
    anchors: HashMap<usize, Measured>,
    nodes: usize,
    done: Option<Node>,
}

impl Loader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        let at = Position {
            file: self.file,
            line: span.start.line() as u32,
            column: span.start.col() as u32,
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, &span)?;
                let plain = style == ScalarStyle::Plain;
                if plain && tag.is_none() && text == "<<" && self.wants_key() {
                    return self.set_key(Key::Merge);
                }
                let value = resolve(&text, plain, tag.as_deref(), &span)?;
                let node = Node {
                    at,
                    data: Data::Scalar(value),
                };
                self.add(measured(node), anchor, &span)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), &span)?;
                self.begin(at, anchor, Content::List(Vec::new()), &span)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), &span)?;
                let content = Content::Map {
                    map: IndexMap::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.begin(at, anchor, content, &span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
            Event::Alias(anchor) => {
                let Some(known) = self.anchors.get(&anchor) else {
                    return Err(place(&span, "found undefined alias"));
                };
                let (count, height) = (known.count, known.height);
                self.count(count, &span)?;
                if self.open.len() + height > MAX_DEPTH {
                    return Err(too_deep(&span));
                }
                let known = known_clone(&self.anchors, anchor);
                match known {
                    Some(known) => self.add(known, 0, &span),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, count: usize, span: &Span) -> Result<()> {
        self.nodes += count;
        if self.nodes > MAX_NODES {
            return Err(place(span, &format!("more than {MAX_NODES} values")));
        }
        Ok(())
    }

    fn begin(&mut self, at: Position, anchor: usize, content: Content, span: &Span) -> Result<()> {
        self.count(1, span)?;
        if self.wants_key() {
            return Err(place(span, "found unhashable key"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.open.push(Open {
            at,
            anchor,
            height: 1,
            count: 1,
            content,
        });
        Ok(())
    }

    fn end(&mut self, span: &Span) -> Result<()> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let data = match open.content {
            Content::List(items) => Data::List(items),
            Content::Map { map, merged, .. } if merged.is_empty() => Data::Map(map),
            Content::Map {
                mut map, merged, ..
            } => {
                merge(&mut map, merged).map_err(|why| place(span, why))?;
                Data::Map(map)
            }
        };
        let whole = Measured {
            node: Node { at: open.at, data },
            height: open.height,
            count: open.count,
        };
        self.add(whole, open.anchor, span)
    }

    /// Whether the next node is a key of a map.
    fn wants_key(&self) -> bool {
        let content = self.open.last().map(|open| &open.content);
        matches!(content, Some(Content::Map { key: None, .. }))
    }

    fn set_key(&mut self, new: Key) -> Result<()> {
        if let Some(Open {
            content: Content::Map { key, .. },
            ..
        }) = self.open.last_mut()
        {
            *key = Some(new);
        }
        Ok(())
    }

    /// Puts a finished node into the list or map around it.
    fn add(&mut self, mut item: Measured, anchor: usize, span: &Span) -> Result<()> {
        if anchor > 0 {
            // Copies for anchors count too, because nested anchors can make them grow fast.
            self.count(item.count, span)?;
            self.anchors.insert(anchor, item.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.done = Some(item.node);
            return Ok(());
        };
        open.count += item.count;
        open.height = open.height.max(item.height + 1);
        match &mut open.content {
            Content::List(items) => items.push(item.node),
            Content::Map { map, merged, key } => match key.take() {
                None => {
                    let Data::Scalar(value) = &item.node.data else {
                        return Err(place(span, "found unhashable key"));
                    };
                    *key = Some(Key::Plain(scalar::key_text(value), item.node.at));
                }
                Some(Key::Merge) => merged.push(item.node),
                Some(Key::Plain(name, at)) => {
                    item.node.at = at;
                    map.insert(name, item.node);
                }
            },
        }
        Ok(())
    }
}

fn known_clone(anchors: &HashMap<usize, Measured>, anchor: usize) -> Option<Measured> {
    anchors.get(&anchor).cloned()
}

fn measured(node: Node) -> Measured {
    Measured {
        node,
        height: 1,
        count: 1,
    }
}

fn too_deep(span: &Span) -> Error {
    place(
        span,
        &format!("lists and maps nest deeper than {MAX_DEPTH}"),
    )
}

fn place(span: &Span, why: &str) -> Error {
    let (line, column) = (span.start.line(), span.start.col() + 1);
    illegal(format!("{why}, line {line}, column {column}"))
}

/// Refuses tags on lists and maps, except those that say that they are lists and maps.
fn check_tag(tag: Option<&Tag>, span: &Span) -> Result<()> {
    let known = |tag: &Tag| {
        tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "seq" | "map" | "set" | "omap")
    };
    match tag {
        Some(tag) if !known(tag) => {
            Err(place(span, "could not determine a constructor for the tag"))
        }
        _ => Ok(()),
    }
}

fn resolve(text: &str, plain: bool, tag: Option<&Tag>, span: &Span) -> Result<Value> {
    let Some(tag) = tag else {
        return Ok(match plain {
            true => scalar::resolve(text),
            false => Value::String(text.to_owned()),
        });
    };
    if !tag.is_yaml_core_schema() {
        return match (tag.handle.as_str(), tag.suffix.as_str()) {
            ("", "!") | ("!", "") => Ok(Value::String(text.to_owned())),
            _ => Err(place(span, "could not determine a constructor for the tag")),
        };
    }
    match tag.suffix.as_str() {
        "str" => Ok(Value::String(text.to_owned())),
        "null" => Ok(Value::Null),
        "int" | "float" | "bool" => match scalar::resolve(text) {
            Value::String(_) => Err(place(span, "the value does not fit its tag")),
            Value::Number(number) if tag.suffix == "float" => {
                Ok(number.as_f64().map_or(Value::Null, Value::from))
            }
            value => Ok(value),
        },
        "timestamp" | "binary" => Ok(Value::String(text.to_owned())),
        _ => Err(place(span, "could not determine a constructor for the tag")),
    }
}

/// Adds the entries that `<<` brought. Earlier ones win over later ones, and the map's own keys win
/// over all.
fn merge(
    map: &mut IndexMap<String, Node>,
    merged: Vec<Node>,
) -> std::result::Result<(), &'static str> {
    const ONLY_MAPS: &str = "expected a mapping or list of mappings for merging";
    for source in merged {
        let sources = match source.data {
            Data::Map(_) => vec![source],
            Data::List(items) => items,
            Data::Scalar(_) => return Err(ONLY_MAPS),
        };
        for source in sources {
            let Data::Map(entries) = source.data else {
                return Err(ONLY_MAPS);
            };
            for (key, node) in entries {
                map.entry(key).or_insert(node);
            }
        }
    }
    Ok(())
}
