//! Building the tree from the events of the YAML parser.

use super::cursor::{Mark, unprintable};
use super::events::{Event, Events, Properties, YAML_TAG};
use super::{Data, Node, Position, scalar};
use crate::error::{Error, Result};
use indexmap::IndexMap;
use serde_json::Value;
use std::borrow::Cow;
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
    let text = decode(bytes)?;
    if let Some((character, at)) = unprintable(&text) {
        let why = format!("found the character {character:?}, which is not allowed");
        return Err(place(at, &why));
    }
    let mut loader = Loader {
        file,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        done: None,
    };
    let mut events = Events::new(&text);
    let mut has_document = false;
    loop {
        let (event, at) = events
            .next()
            .map_err(|problem| illegal(problem.to_string()))?;
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart if has_document => {
                return Err(place(at, "expected a single document in the stream"));
            }
            Event::DocumentStart => has_document = true,
            event => loader.take(event, at)?,
        }
    }
    Ok(loader.done.filter(|node| !node.is_null()))
}

/// The text of a file. It is UTF-8, or UTF-16 if it begins with a mark that says so, as files of
/// some Windows programs do.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>> {
    let of_pair: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => {
            return std::str::from_utf8(bytes).map(Cow::from).map_err(|error| {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let at = Mark::after(&String::from_utf8_lossy(valid));
                place(at, "the file is not UTF-8")
            });
        }
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: std::result::Result<String, _> =
        char::decode_utf16(pairs.iter().map(|pair| of_pair(*pair))).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(Cow::from(text)),
        _ => Err(illegal("the file is not UTF-16".to_owned())),
    }
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
    anchor: Option<String>,
    /// Whether it is a list whose items have to be maps of one entry.
    is_pairs: bool,
    /// Whether it is a map whose values do not count.
    is_set: bool,
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
    /// The values with an anchor. A value whose end was not read yet has none to copy.
    anchors: HashMap<String, Option<Measured>>,
    nodes: usize,
    done: Option<Node>,
}

impl Loader {
    fn take(&mut self, event: Event, at: Mark) -> Result<()> {
        match event {
            Event::Scalar {
                properties,
                text,
                is_implicit,
            } => {
                self.count(1, at)?;
                self.declare(&properties, at)?;
                let tag = properties.tag.as_deref().filter(|tag| *tag != "!");
                let special = match tag {
                    Some(tag) => tag.strip_prefix(YAML_TAG),
                    None if is_implicit => scalar::special(&text),
                    None => None,
                };
                if self.wants_key() && special == Some("merge") {
                    return self.set_key(Key::Merge);
                }
                let value = match (tag, special) {
                    (Some(_), Some(kind)) => scalar::of_kind(kind, &text),
                    (None, Some("value")) if self.wants_key() => Some(Value::String(text)),
                    (None, None) if is_implicit => Some(scalar::resolve(&text)),
                    (None, None) => Some(Value::String(text)),
                    _ => None,
                };
                let Some(value) = value else {
                    return Err(unknown_tag(tag.or(special), at));
                };
                let node = Node {
                    at: self.position(at),
                    data: Data::Scalar(value),
                };
                self.add(measured(node), properties.anchor, at)
            }
            Event::SequenceStart(properties) => {
                check_tag(&properties, &["seq", "omap", "pairs"], at)?;
                self.begin(properties, Content::List(Vec::new()), at)
            }
            Event::MappingStart(properties) => {
                check_tag(&properties, &["map", "set"], at)?;
                let content = Content::Map {
                    map: IndexMap::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.begin(properties, content, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at),
            Event::Alias(name) => self.alias(&name, at),
            Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => Ok(()),
        }
    }

    fn position(&self, at: Mark) -> Position {
        Position {
            file: self.file,
            line: at.line + 1,
            column: at.column,
        }
    }

    fn alias(&mut self, name: &str, at: Mark) -> Result<()> {
        let Some(known) = self.anchors.get(name) else {
            return Err(place(at, &format!("found undefined alias {name}")));
        };
        let Some(known) = known else {
            let why = format!("found alias {name} inside of the value that it means");
            return Err(place(at, &why));
        };
        let (count, height) = (known.count, known.height);
        if self.open.len() + height > MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.count(count, at)?;
        let copy = self.anchors.get(name).cloned().flatten();
        copy.map_or(Ok(()), |copy| self.add(copy, None, at))
    }

    /// Notes an anchor. A file may use its name once.
    fn declare(&mut self, properties: &Properties, at: Mark) -> Result<()> {
        let Some(name) = &properties.anchor else {
            return Ok(());
        };
        if self.anchors.insert(name.clone(), None).is_some() {
            return Err(place(at, &format!("found duplicate anchor {name}")));
        }
        Ok(())
    }

    fn count(&mut self, count: usize, at: Mark) -> Result<()> {
        self.nodes += count;
        if self.nodes > MAX_NODES {
            return Err(place(at, &format!("more than {MAX_NODES} values")));
        }
        Ok(())
    }

    fn begin(&mut self, properties: Properties, content: Content, at: Mark) -> Result<()> {
        self.count(1, at)?;
        self.declare(&properties, at)?;
        if self.wants_key() {
            return Err(place(at, "found unhashable key"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        let tag = properties.tag.as_deref();
        let tag = tag.and_then(|tag| tag.strip_prefix(YAML_TAG));
        self.open.push(Open {
            at: self.position(at),
            is_pairs: matches!(tag, Some("omap" | "pairs")),
            is_set: tag == Some("set"),
            anchor: properties.anchor,
            height: 1,
            count: 1,
            content,
        });
        Ok(())
    }

    fn end(&mut self, at: Mark) -> Result<()> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let data = match open.content {
            Content::List(items) => {
                let is_pair = |item: &Node| item.as_map().is_some_and(|map| map.len() == 1);
                if open.is_pairs && !items.iter().all(is_pair) {
                    return Err(place(at, "expected maps of one entry in the list"));
                }
                Data::List(items)
            }
            Content::Map { map, merged, .. } if merged.is_empty() => Data::Map(map),
            Content::Map { map, merged, .. } => {
                Data::Map(merge(merged, map).map_err(|why| place(at, why))?)
            }
        };
        let mut data = data;
        if open.is_set
            && let Data::Map(map) = &mut data
        {
            for node in map.values_mut() {
                node.data = Data::Scalar(Value::Null);
            }
        }
        let whole = Measured {
            node: Node { at: open.at, data },
            height: open.height,
            count: open.count,
        };
        self.add(whole, open.anchor, at)
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
    fn add(&mut self, mut item: Measured, anchor: Option<String>, at: Mark) -> Result<()> {
        if let Some(anchor) = anchor {
            // Copies for anchors count too, because nested anchors can make them grow fast.
            self.count(item.count, at)?;
            self.anchors.insert(anchor, Some(item.clone()));
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
                        return Err(place(at, "found unhashable key"));
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

fn measured(node: Node) -> Measured {
    Measured {
        node,
        height: 1,
        count: 1,
    }
}

fn too_deep(at: Mark) -> Error {
    place(at, &format!("lists and maps nest deeper than {MAX_DEPTH}"))
}

fn place(at: Mark, why: &str) -> Error {
    let (line, column) = (at.line + 1, at.column + 1);
    illegal(format!("{why}, line {line}, column {column}"))
}

/// Refuses tags on lists and maps, except those that say that they are lists and maps.
fn check_tag(properties: &Properties, known: &[&str], at: Mark) -> Result<()> {
    match properties.tag.as_deref() {
        None | Some("!") => Ok(()),
        Some(tag) => match tag.strip_prefix(YAML_TAG) {
            Some(kind) if known.contains(&kind) => Ok(()),
            _ => Err(unknown_tag(Some(tag), at)),
        },
    }
}

fn unknown_tag(tag: Option<&str>, at: Mark) -> Error {
    let tag = tag.unwrap_or_default();
    place(at, &format!("the value does not fit the tag '{tag}'"))
}

/// Adds the entries that `<<` brought. In a list of maps the first ones win, and the map's own keys
/// win over all.
fn merge(
    merged: Vec<Node>,
    own: IndexMap<String, Node>,
) -> std::result::Result<IndexMap<String, Node>, &'static str> {
    const ONLY_MAPS: &str = "expected a mapping or list of mappings for merging";
    let mut whole = IndexMap::new();
    for source in merged {
        let sources = match source.data {
            Data::Map(_) => vec![source],
            Data::List(items) => items,
            Data::Scalar(_) => return Err(ONLY_MAPS),
        };
        for source in sources.into_iter().rev() {
            let Data::Map(entries) = source.data else {
                return Err(ONLY_MAPS);
            };
            whole.extend(entries);
        }
    }
    whole.extend(own);
    Ok(whole)
}
