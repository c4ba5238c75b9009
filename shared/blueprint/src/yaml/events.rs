//! From tokens to events: the second half of reading YAML 1.1.

mod flow;

use super::cursor::{Mark, Problem, Result};
use super::scanner::{Directive, Scanner, Spanned, Token};
use std::collections::HashMap;

/// The namespace of the tags that YAML itself defines.
pub(super) const YAML_TAG: &str = "tag:yaml.org,2002:";

/// A step of a depth-first walk through the values of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    Alias(String),
    Scalar {
        properties: Properties,
        text: String,
        /// Whether its letters tell the type, as in `12`.
        is_implicit: bool,
    },
    SequenceStart(Properties),
    SequenceEnd,
    MappingStart(Properties),
    MappingEnd,
}

/// What stands in front of a value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Properties {
    pub anchor: Option<String>,
    /// The whole tag. The tag `!` is the same as none.
    pub tag: Option<String>,
}

/// What comes next.
#[derive(Clone, Copy)]
enum State {
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceEntry,
    /// A list in a map whose `-` are at the column of the map's keys.
    IndentlessSequenceEntry,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceEntry {
        is_first: bool,
    },
    /// A map of one entry in a list: `[a: b]`.
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowMappingKey {
        is_first: bool,
    },
    FlowMappingValue,
    FlowMappingEmptyValue,
    StreamEnd,
}

/// The values that may stand at a place.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Flow,
    Block,
    /// A block, or a list that is not indented.
    BlockOrIndentless,
}

/// Reads events.
pub(super) struct Events<'t> {
    scanner: Scanner<'t>,
    state: State,
    /// What comes after the current value.
    states: Vec<State>,
    /// Where the lists and maps begin that are open, except for those without a sign of their own.
    begins: Vec<Mark>,
    handles: HashMap<String, String>,
}

impl<'t> Events<'t> {
    pub fn new(text: &'t str) -> Self {
        Self {
            scanner: Scanner::new(text),
            state: State::ImplicitDocumentStart,
            states: Vec::new(),
            begins: Vec::new(),
            handles: default_handles(),
        }
    }

    /// The next event, and the place of what it tells.
    pub fn next(&mut self) -> Result<(Event, Mark)> {
        match self.state {
            State::ImplicitDocumentStart => self.implicit_document_start(),
            State::DocumentStart => self.document_start(),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(Place::Block),
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceEntry { is_first } => self.flow_sequence_entry(is_first),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_pair_value(),
            State::FlowPairEnd => self.flow_pair_end(),
            State::FlowMappingKey { is_first } => self.flow_mapping_key(is_first),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingEmptyValue => {
                let mark = self.scanner.peek_mark()?;
                Ok(self.empty_scalar(mark, State::FlowMappingKey { is_first: false }))
            }
            State::StreamEnd => Ok((Event::StreamEnd, self.scanner.peek_mark()?)),
        }
    }

    fn implicit_document_start(&mut self) -> Result<(Event, Mark)> {
        match self.scanner.peek()? {
            Token::Directive(_) | Token::DocumentStart | Token::StreamEnd => self.document_start(),
            _ => {
                self.handles = default_handles();
                let mark = self.scanner.peek_mark()?;
                self.states.push(State::DocumentEnd);
                // A document without a `---` cannot be empty.
                self.state = State::BlockNode;
                Ok((Event::DocumentStart, mark))
            }
        }
    }

    fn document_start(&mut self) -> Result<(Event, Mark)> {
        while *self.scanner.peek()? == Token::DocumentEnd {
            self.scanner.next()?;
        }
        let mark = self.scanner.peek_mark()?;
        if *self.scanner.peek()? == Token::StreamEnd {
            self.state = State::StreamEnd;
            return Ok((Event::StreamEnd, mark));
        }
        self.directives()?;
        if *self.scanner.peek()? != Token::DocumentStart {
            return Err(self.unexpected("'---'")?);
        }
        self.scanner.next()?;
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok((Event::DocumentStart, mark))
    }

    fn document_content(&mut self) -> Result<(Event, Mark)> {
        match self.scanner.peek()? {
            Token::Directive(_) | Token::DocumentStart | Token::DocumentEnd | Token::StreamEnd => {
                let mark = self.scanner.peek_mark()?;
                let after = self.after();
                Ok(self.empty_scalar(mark, after))
            }
            _ => self.node(Place::Block),
        }
    }

    fn document_end(&mut self) -> Result<(Event, Mark)> {
        let mark = self.scanner.peek_mark()?;
        if *self.scanner.peek()? == Token::DocumentEnd {
            self.scanner.next()?;
        }
        self.state = State::DocumentStart;
        Ok((Event::DocumentEnd, mark))
    }

    /// Reads the directives in front of a document.
    fn directives(&mut self) -> Result<()> {
        let mut has_version = false;
        self.handles.clear();
        while let Token::Directive(directive) = self.scanner.peek()? {
            let directive = directive.clone();
            let at = self.scanner.next()?.start;
            match directive {
                Directive::Version { .. } if has_version => {
                    return Err(Problem::new("found duplicate YAML directive", at));
                }
                Directive::Version { major } => {
                    if major.trim_start_matches('0') != "1" {
                        let why = "found incompatible YAML document (version 1.* is required)";
                        return Err(Problem::new(why, at));
                    }
                    has_version = true;
                }
                Directive::Tag { handle, prefix } => {
                    if self.handles.contains_key(&handle) {
                        let why = format!("found duplicate tag handle {handle}");
                        return Err(Problem::new(why, at));
                    }
                    self.handles.insert(handle, prefix);
                }
                Directive::Unknown => {}
            }
        }
        for (handle, prefix) in default_handles() {
            self.handles.entry(handle).or_insert(prefix);
        }
        Ok(())
    }

    /// Reads a value, or the start of a list or map.
    fn node(&mut self, place: Place) -> Result<(Event, Mark)> {
        if matches!(self.scanner.peek()?, Token::Alias(_)) {
            let spanned = self.scanner.next()?;
            self.state = self.after();
            let event = match spanned.token {
                Token::Alias(name) => Event::Alias(name),
                _ => Event::StreamEnd,
            };
            return Ok((event, spanned.start));
        }
        let mark = self.scanner.peek_mark()?;
        let properties = self.properties(mark)?;
        let event = match self.scanner.peek()? {
            Token::BlockEntry if place == Place::BlockOrIndentless => {
                self.state = State::IndentlessSequenceEntry;
                return Ok((Event::SequenceStart(properties), mark));
            }
            Token::Scalar { .. } => return self.scalar(properties, mark),
            Token::FlowSequenceStart => {
                self.state = State::FlowSequenceEntry { is_first: true };
                Event::SequenceStart(properties)
            }
            Token::FlowMappingStart => {
                self.state = State::FlowMappingKey { is_first: true };
                Event::MappingStart(properties)
            }
            Token::BlockSequenceStart if place != Place::Flow => {
                self.state = State::BlockSequenceEntry;
                Event::SequenceStart(properties)
            }
            Token::BlockMappingStart if place != Place::Flow => {
                self.state = State::BlockMappingKey;
                Event::MappingStart(properties)
            }
            _ if properties != Properties::default() => {
                self.state = self.after();
                let event = Event::Scalar {
                    is_implicit: matches!(properties.tag.as_deref(), None | Some("!")),
                    properties,
                    text: String::new(),
                };
                return Ok((event, mark));
            }
            _ => return Err(self.unexpected("a value")?),
        };
        let begin = self.scanner.next()?.start;
        self.begins.push(begin);
        Ok((event, mark))
    }

    fn scalar(&mut self, properties: Properties, mark: Mark) -> Result<(Event, Mark)> {
        self.state = self.after();
        let Token::Scalar { text, is_plain } = self.scanner.next()?.token else {
            return Err(Problem::new("expected a scalar", mark));
        };
        // `! 12` and `! "12"` are numbers.
        let has_free_tag = properties.tag.as_deref() == Some("!");
        let event = Event::Scalar {
            is_implicit: has_free_tag || (is_plain && properties.tag.is_none()),
            properties: Properties {
                tag: properties.tag.filter(|_| !has_free_tag),
                ..properties
            },
            text,
        };
        Ok((event, mark))
    }

    /// Reads an anchor and a tag, in either order.
    fn properties(&mut self, mark: Mark) -> Result<Properties> {
        let mut properties = Properties::default();
        loop {
            match self.scanner.peek()? {
                Token::Anchor(_) if properties.anchor.is_none() => {
                    if let Token::Anchor(name) = self.scanner.next()?.token {
                        properties.anchor = Some(name);
                    }
                }
                Token::Tag(_) if properties.tag.is_none() => {
                    let spanned = self.scanner.next()?;
                    let Token::Tag(tag) = spanned.token else {
                        continue;
                    };
                    let prefix = match &tag.handle {
                        None => "",
                        Some(handle) => self.handles.get(handle).ok_or_else(|| {
                            let why = format!("found undefined tag handle {handle}");
                            Problem::new(why, spanned.start).within("value", mark)
                        })?,
                    };
                    properties.tag = Some(format!("{prefix}{}", tag.suffix));
                }
                _ => return Ok(properties),
            }
        }
    }

    fn block_sequence_entry(&mut self) -> Result<(Event, Mark)> {
        if *self.scanner.peek()? != Token::BlockEntry {
            return self.block_end(Event::SequenceEnd, "list");
        }
        let entry = self.scanner.next()?;
        match self.scanner.peek()? {
            Token::BlockEntry | Token::BlockEnd => {
                Ok(self.empty_scalar(entry.end, State::BlockSequenceEntry))
            }
            _ => {
                self.states.push(State::BlockSequenceEntry);
                self.node(Place::Block)
            }
        }
    }

    fn indentless_sequence_entry(&mut self) -> Result<(Event, Mark)> {
        if *self.scanner.peek()? != Token::BlockEntry {
            self.state = self.after();
            return Ok((Event::SequenceEnd, self.scanner.peek_mark()?));
        }
        let entry = self.scanner.next()?;
        match self.scanner.peek()? {
            Token::BlockEntry | Token::Key | Token::Value | Token::BlockEnd => {
                Ok(self.empty_scalar(entry.end, State::IndentlessSequenceEntry))
            }
            _ => {
                self.states.push(State::IndentlessSequenceEntry);
                self.node(Place::Block)
            }
        }
    }

    fn block_mapping_key(&mut self) -> Result<(Event, Mark)> {
        if *self.scanner.peek()? != Token::Key {
            return self.block_end(Event::MappingEnd, "map");
        }
        let key = self.scanner.next()?;
        self.block_mapping_part(key, State::BlockMappingValue)
    }

    fn block_mapping_value(&mut self) -> Result<(Event, Mark)> {
        if *self.scanner.peek()? != Token::Value {
            let mark = self.scanner.peek_mark()?;
            return Ok(self.empty_scalar(mark, State::BlockMappingKey));
        }
        let value = self.scanner.next()?;
        self.block_mapping_part(value, State::BlockMappingKey)
    }

    /// Reads what comes after `?` or `:`, which may be nothing.
    fn block_mapping_part(&mut self, sign: Spanned, after: State) -> Result<(Event, Mark)> {
        match self.scanner.peek()? {
            Token::Key | Token::Value | Token::BlockEnd => Ok(self.empty_scalar(sign.end, after)),
            _ => {
                self.states.push(after);
                self.node(Place::BlockOrIndentless)
            }
        }
    }

    fn block_end(&mut self, event: Event, what: &'static str) -> Result<(Event, Mark)> {
        if *self.scanner.peek()? != Token::BlockEnd {
            let problem = self.unexpected("the end of the block")?;
            return Err(problem.within(what, self.begin()));
        }
        let mark = self.scanner.next()?.start;
        self.begins.pop();
        self.state = self.after();
        Ok((event, mark))
    }

    /// Where the innermost list or map begins.
    fn begin(&self) -> Mark {
        self.begins.last().copied().unwrap_or_default()
    }

    fn after(&mut self) -> State {
        self.states.pop().unwrap_or(State::StreamEnd)
    }

    fn empty_scalar(&mut self, mark: Mark, after: State) -> (Event, Mark) {
        self.state = after;
        let event = Event::Scalar {
            properties: Properties::default(),
            text: String::new(),
            is_implicit: true,
        };
        (event, mark)
    }

    /// Makes a refusal of the next token.
    fn unexpected(&mut self, wanted: &str) -> Result<Problem> {
        let at = self.scanner.peek_mark()?;
        let found = self.scanner.peek()?.name();
        Ok(Problem::new(
            format!("expected {wanted}, but found {found}"),
            at,
        ))
    }
}

fn default_handles() -> HashMap<String, String> {
    [("!", "!"), ("!!", YAML_TAG)]
        .map(|(handle, prefix)| (handle.to_owned(), prefix.to_owned()))
        .into()
}
