//! From characters to tokens: the first half of reading YAML 1.1.
//!
//! Blueprints were written against PyYAML, which takes what the standard leaves open in its own
//! way: `{a:[x]}` is a map, and quoted texts go on at any column. No other reader does the same,
//! so this one follows it step by step. `tests/oracle` compares the two.

mod properties;
mod scalars;

use super::cursor::{Cursor, Mark, Problem, Result, is_blank};
use std::collections::VecDeque;

/// How many characters a key without `?` may have.
const MAX_SIMPLE_KEY: usize = 1024;

/// What a text consists of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    StreamEnd,
    Directive(Directive),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag(Tag),
    Scalar {
        text: String,
        /// Whether it has neither quotes nor the signs of a block.
        is_plain: bool,
    },
}

/// A line that begins with `%`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Directive {
    Version { major: String },
    Tag { handle: String, prefix: String },
    Unknown,
}

/// A tag as it is written. Without a handle it stands for itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tag {
    pub handle: Option<String>,
    pub suffix: String,
}

impl Token {
    /// The name of the token in refusals.
    pub fn name(&self) -> &'static str {
        match self {
            Self::StreamEnd => "the end of the file",
            Self::Directive(_) => "a directive",
            Self::DocumentStart => "'---'",
            Self::DocumentEnd => "'...'",
            Self::BlockSequenceStart => "the start of a list",
            Self::BlockMappingStart => "the start of a map",
            Self::BlockEnd => "the end of a block",
            Self::FlowSequenceStart => "'['",
            Self::FlowSequenceEnd => "']'",
            Self::FlowMappingStart => "'{'",
            Self::FlowMappingEnd => "'}'",
            Self::BlockEntry => "'-'",
            Self::FlowEntry => "','",
            Self::Key => "a key",
            Self::Value => "':'",
            Self::Alias(_) => "an alias",
            Self::Anchor(_) => "an anchor",
            Self::Tag(_) => "a tag",
            Self::Scalar { .. } => "a scalar",
        }
    }
}

/// A token, and where it begins and ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spanned {
    pub token: Token,
    pub start: Mark,
    pub end: Mark,
}

/// A place where a key may have begun. Only a `:` after it tells.
struct SimpleKey {
    flow_level: usize,
    /// The number of the token that the key would begin with.
    token: usize,
    /// Whether nothing else can stand here.
    is_required: bool,
    mark: Mark,
}

/// Reads tokens. It reads ahead only as far as it takes to know whether something is a key.
pub(super) struct Scanner<'t> {
    cursor: Cursor<'t>,
    tokens: VecDeque<Spanned>,
    /// How many tokens were handed out.
    taken: usize,
    /// The column of the innermost block, -1 outside of all.
    indent: i64,
    indents: Vec<i64>,
    flow_level: usize,
    /// Whether a key may begin at the next token.
    allows_key: bool,
    /// The places of possible keys, the outermost first, at most one in each level.
    keys: VecDeque<SimpleKey>,
    is_done: bool,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t str) -> Self {
        Self {
            cursor: Cursor::new(text),
            tokens: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            flow_level: 0,
            allows_key: true,
            keys: VecDeque::new(),
            is_done: false,
        }
    }

    /// The next token. After the last one, the end of the file comes again and again.
    pub fn peek(&mut self) -> Result<&Token> {
        Ok(&self.peek_spanned()?.token)
    }

    /// The place at which the next token begins.
    pub fn peek_mark(&mut self) -> Result<Mark> {
        Ok(self.peek_spanned()?.start)
    }

    fn peek_spanned(&mut self) -> Result<&Spanned> {
        self.read_ahead()?;
        if self.tokens.is_empty() {
            self.push(Token::StreamEnd, self.cursor.mark());
        }
        match self.tokens.front() {
            Some(spanned) => Ok(spanned),
            None => Err(Problem::new("found no token", self.cursor.mark())),
        }
    }

    /// Takes the next token.
    pub fn next(&mut self) -> Result<Spanned> {
        let mark = self.peek_mark()?;
        self.taken += 1;
        let end = Spanned {
            token: Token::StreamEnd,
            start: mark,
            end: mark,
        };
        Ok(self.tokens.pop_front().unwrap_or(end))
    }

    /// Reads tokens until it is certain which the next one is.
    fn read_ahead(&mut self) -> Result<()> {
        while !self.is_done {
            if !self.tokens.is_empty() {
                self.drop_stale_keys()?;
                if self.keys.front().is_none_or(|key| key.token != self.taken) {
                    return Ok(());
                }
            }
            self.fetch()?;
        }
        Ok(())
    }

    /// Adds a token that ends where the cursor is.
    fn push(&mut self, token: Token, start: Mark) {
        let end = self.cursor.mark();
        self.tokens.push_back(Spanned { token, start, end });
    }

    /// Reads one token. Ends of blocks that come before it are tokens too.
    fn fetch(&mut self) -> Result<()> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        self.unwind(i64::from(self.cursor.mark().column));
        let at_line_start = self.cursor.mark().column == 0;
        let in_flow = self.flow_level > 0;
        let next_is_blank = is_blank(self.cursor.peek_at(1));
        match self.cursor.peek() {
            '\0' => self.fetch_stream_end(),
            '%' if at_line_start => self.fetch_directive(),
            '-' if at_line_start && self.cursor.is_at_separator() => {
                self.fetch_document(Token::DocumentStart)
            }
            '.' if at_line_start && self.cursor.is_at_separator() => {
                self.fetch_document(Token::DocumentEnd)
            }
            '[' => self.fetch_flow_start(Token::FlowSequenceStart),
            '{' => self.fetch_flow_start(Token::FlowMappingStart),
            ']' => self.fetch_flow_end(Token::FlowSequenceEnd),
            '}' => self.fetch_flow_end(Token::FlowMappingEnd),
            ',' => {
                self.allows_key = true;
                self.drop_key()?;
                self.push_sign(Token::FlowEntry);
                Ok(())
            }
            '-' if next_is_blank => self.fetch_block_entry(),
            '?' if in_flow || next_is_blank => self.fetch_key(),
            ':' if in_flow || next_is_blank => self.fetch_value(),
            '*' | '&' => {
                self.may_be_key()?;
                self.scan_anchor()
            }
            '!' => {
                self.may_be_key()?;
                self.scan_tag()
            }
            '|' | '>' if !in_flow => {
                self.allows_key = true;
                self.drop_key()?;
                self.scan_block_scalar()
            }
            '\'' | '"' => {
                self.may_be_key()?;
                self.scan_quoted()
            }
            first if self.begins_plain(first) => {
                self.may_be_key()?;
                self.scan_plain()
            }
            other => Err(Problem::new(
                format!("found character {other:?} that cannot start any token"),
                self.cursor.mark(),
            )),
        }
    }

    /// Whether a scalar without quotes can begin with this character, which is the next one.
    fn begins_plain(&self, first: char) -> bool {
        if !is_blank(first) && !"-?:,[]{}#&*!|>'\"%@`".contains(first) {
            return true;
        }
        let may_begin = first == '-' || (self.flow_level == 0 && matches!(first, '?' | ':'));
        may_begin && !is_blank(self.cursor.peek_at(1))
    }

    /// Goes past spaces, comments and empty lines.
    fn skip_to_token(&mut self) {
        if self.cursor.mark().index == 0 && self.cursor.peek() == '\u{feff}' {
            self.cursor.forward();
        }
        loop {
            self.cursor.take_while(|character| character == ' ');
            self.cursor.skip_comment();
            if self.cursor.line_break().is_none() {
                return;
            }
            if self.flow_level == 0 {
                self.allows_key = true;
            }
        }
    }

    /// Forgets the places of keys that can have no `:` any more: it must be in the same line, and
    /// near.
    fn drop_stale_keys(&mut self) -> Result<()> {
        let now = self.cursor.mark();
        while let Some(key) = self.keys.front() {
            if key.mark.line == now.line && now.index - key.mark.index <= MAX_SIMPLE_KEY {
                break;
            }
            self.give_up_key(now)?;
        }
        Ok(())
    }

    fn give_up_key(&mut self, now: Mark) -> Result<()> {
        match self.keys.pop_front() {
            Some(key) if key.is_required => {
                Err(Problem::new("could not find expected ':'", now).within("key", key.mark))
            }
            _ => Ok(()),
        }
    }

    /// Notes that a key may begin here. After it, no other key can begin for now.
    fn may_be_key(&mut self) -> Result<()> {
        let mark = self.cursor.mark();
        if self.allows_key {
            self.drop_key()?;
            self.keys.push_back(SimpleKey {
                flow_level: self.flow_level,
                token: self.taken + self.tokens.len(),
                is_required: self.flow_level == 0 && self.indent == i64::from(mark.column),
                mark,
            });
        }
        self.allows_key = false;
        Ok(())
    }

    /// Takes the place of a possible key in the current level.
    fn take_key(&mut self) -> Option<SimpleKey> {
        self.keys
            .pop_back_if(|key| key.flow_level == self.flow_level)
    }

    /// Forgets the place of a possible key in the current level.
    fn drop_key(&mut self) -> Result<()> {
        match self.take_key() {
            Some(key) if key.is_required => {
                let now = self.cursor.mark();
                Err(Problem::new("could not find expected ':'", now).within("key", key.mark))
            }
            _ => Ok(()),
        }
    }

    /// Ends the blocks that are further to the right than this column.
    fn unwind(&mut self, column: i64) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.indent = self.indents.pop().unwrap_or(-1);
            self.push(Token::BlockEnd, self.cursor.mark());
        }
    }

    /// Begins a block at this column, unless it is one already.
    fn begins_block(&mut self, column: u32) -> bool {
        let column = i64::from(column);
        if self.indent >= column {
            return false;
        }
        self.indents.push(self.indent);
        self.indent = column;
        true
    }

    /// Adds a token of one character.
    fn push_sign(&mut self, token: Token) {
        let start = self.cursor.mark();
        self.cursor.forward();
        self.push(token, start);
    }

    fn fetch_stream_end(&mut self) -> Result<()> {
        self.unwind(-1);
        self.drop_key()?;
        self.allows_key = false;
        self.keys.clear();
        self.push(Token::StreamEnd, self.cursor.mark());
        self.is_done = true;
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<()> {
        self.unwind(-1);
        self.drop_key()?;
        self.allows_key = false;
        self.scan_directive()
    }

    fn fetch_document(&mut self, token: Token) -> Result<()> {
        self.unwind(-1);
        self.drop_key()?;
        self.allows_key = false;
        let start = self.cursor.mark();
        self.cursor.forward_by(3);
        self.push(token, start);
        Ok(())
    }

    fn fetch_flow_start(&mut self, token: Token) -> Result<()> {
        self.may_be_key()?;
        self.flow_level += 1;
        self.allows_key = true;
        self.push_sign(token);
        Ok(())
    }

    fn fetch_flow_end(&mut self, token: Token) -> Result<()> {
        self.drop_key()?;
        self.flow_level = self.flow_level.saturating_sub(1);
        self.allows_key = false;
        self.push_sign(token);
        Ok(())
    }

    /// Begins a block at the cursor if a list or key may begin there.
    fn open_block(&mut self, start: Token, refused: &str) -> Result<()> {
        if self.flow_level > 0 {
            return Ok(());
        }
        let mark = self.cursor.mark();
        if !self.allows_key {
            return Err(Problem::new(refused, mark));
        }
        if self.begins_block(mark.column) {
            self.push(start, mark);
        }
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<()> {
        self.open_block(
            Token::BlockSequenceStart,
            "sequence entries are not allowed here",
        )?;
        self.allows_key = true;
        self.drop_key()?;
        self.push_sign(Token::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<()> {
        self.open_block(
            Token::BlockMappingStart,
            "mapping keys are not allowed here",
        )?;
        self.allows_key = self.flow_level == 0;
        self.drop_key()?;
        self.push_sign(Token::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<()> {
        if let Some(key) = self.take_key() {
            let place = key.token - self.taken;
            let at_key = |token| Spanned {
                token,
                start: key.mark,
                end: key.mark,
            };
            self.tokens.insert(place, at_key(Token::Key));
            if self.flow_level == 0 && self.begins_block(key.mark.column) {
                self.tokens.insert(place, at_key(Token::BlockMappingStart));
            }
            self.allows_key = false;
        } else {
            self.open_block(
                Token::BlockMappingStart,
                "mapping values are not allowed here",
            )?;
            self.allows_key = self.flow_level == 0;
            self.drop_key()?;
        }
        self.push_sign(Token::Value);
        Ok(())
    }
}
