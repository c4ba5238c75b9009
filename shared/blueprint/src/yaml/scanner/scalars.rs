//! Scalars: without quotes, with quotes, and as blocks of lines.

use super::{Scanner, Token};
use crate::yaml::cursor::{Mark, Problem, Result, is_blank, is_break, is_end};

/// What happens to the line breaks at the end of a block.
#[derive(Clone, Copy, PartialEq)]
enum Chomping {
    /// `-`: none stays.
    Strip,
    /// One stays.
    Clip,
    /// `+`: all stay.
    Keep,
}

impl Scanner<'_> {
    /// Reads a scalar without quotes. It goes on in further lines that are indented.
    pub(super) fn scan_plain(&mut self) -> Result<()> {
        let start = self.cursor.mark();
        let mut end = start;
        let mut text = String::new();
        let mut spaces = String::new();
        while self.cursor.peek() != '#' {
            let length = self.plain_length();
            if length == 0 {
                break;
            }
            self.allows_key = false;
            text.push_str(&spaces);
            text.push_str(self.cursor.take_bytes(length));
            end = self.cursor.mark();
            spaces = self.scan_plain_spaces();
            let is_outside =
                self.flow_level == 0 && i64::from(self.cursor.mark().column) <= self.indent;
            if spaces.is_empty() || is_outside {
                break;
            }
        }
        self.tokens.push_back(super::Spanned {
            token: Token::Scalar {
                text,
                is_plain: true,
            },
            start,
            end,
        });
        Ok(())
    }

    /// How many bytes there are before a blank, or a sign that ends the scalar.
    fn plain_length(&self) -> usize {
        let in_flow = self.flow_level > 0;
        let rest = self.cursor.rest();
        let mut characters = rest.char_indices().peekable();
        while let Some((place, character)) = characters.next() {
            let ends = match character {
                ':' => {
                    let next = characters.peek().map_or('\0', |(_, next)| *next);
                    is_blank(next) || (in_flow && ",[]{}".contains(next))
                }
                ',' | '?' | '[' | ']' | '{' | '}' => in_flow,
                other => is_blank(other),
            };
            if ends {
                return place;
            }
        }
        rest.len()
    }

    /// Reads what separates two words: spaces, or line breaks, of which a single one is a space. The
    /// result is empty at the end of the scalar.
    fn scan_plain_spaces(&mut self) -> String {
        let spaces = self.cursor.take_while(|character| character == ' ');
        let Some(first) = self.cursor.line_break() else {
            return spaces.to_owned();
        };
        self.allows_key = true;
        if self.cursor.is_at_separator() {
            return String::new();
        }
        let mut breaks = String::new();
        loop {
            self.skip_spaces();
            let Some(line_break) = self.cursor.line_break() else {
                return folded(first, breaks);
            };
            breaks.push(line_break);
            if self.cursor.is_at_separator() {
                return String::new();
            }
        }
    }

    /// Reads a text in single or double quotes.
    pub(super) fn scan_quoted(&mut self) -> Result<()> {
        let start = self.cursor.mark();
        let quote = self.cursor.peek();
        self.cursor.forward();
        let mut text = String::new();
        self.scan_quoted_word(quote, start, &mut text)?;
        while self.cursor.peek() != quote {
            self.scan_quoted_spaces(start, &mut text)?;
            self.scan_quoted_word(quote, start, &mut text)?;
        }
        self.cursor.forward();
        self.push(
            Token::Scalar {
                text,
                is_plain: false,
            },
            start,
        );
        Ok(())
    }

    /// Reads up to the next blank or the closing quote.
    fn scan_quoted_word(&mut self, quote: char, start: Mark, text: &mut String) -> Result<()> {
        loop {
            let ends = |one: char| is_blank(one) || matches!(one, '\'' | '"' | '\\');
            text.push_str(self.cursor.take_while(|character| !ends(character)));
            match self.cursor.peek() {
                '\'' if quote == '\'' && self.cursor.peek_at(1) == '\'' => {
                    text.push('\'');
                    self.cursor.forward_by(2);
                }
                '\\' if quote == '"' => self.scan_escape(start, text)?,
                other @ ('\'' | '"' | '\\') if other != quote => {
                    text.push(other);
                    self.cursor.forward();
                }
                _ => return Ok(()),
            }
        }
    }

    /// Reads what a backslash stands for.
    fn scan_escape(&mut self, start: Mark, text: &mut String) -> Result<()> {
        self.cursor.forward();
        let simple = match self.cursor.peek() {
            '0' => '\0',
            'a' => '\u{7}',
            'b' => '\u{8}',
            't' | '\t' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            'e' => '\u{1b}',
            same @ (' ' | '"' | '\\' | '/') => same,
            'N' => '\u{85}',
            '_' => '\u{a0}',
            'L' => '\u{2028}',
            'P' => '\u{2029}',
            'x' => return self.scan_code(2, start, text),
            'u' => return self.scan_code(4, start, text),
            'U' => return self.scan_code(8, start, text),
            other if is_break(other) => {
                self.cursor.line_break();
                text.push_str(&self.scan_quoted_breaks(start)?);
                return Ok(());
            }
            _ => {
                let why = "found an unknown escape after '\\'";
                return Err(Problem::new(why, self.cursor.mark()).within("quoted text", start));
            }
        };
        text.push(simple);
        self.cursor.forward();
        Ok(())
    }

    /// Reads a character that is given by its number. Writers of JSON give large ones as pairs.
    fn scan_code(&mut self, digits: usize, start: Mark, text: &mut String) -> Result<()> {
        let mark = self.cursor.mark();
        self.cursor.forward();
        let mut code = self.scan_hex(digits, start)?;
        if (0xd800..0xdc00).contains(&code) && self.cursor.rest().starts_with("\\u") {
            self.cursor.forward_by(2);
            let low = self.scan_hex(4, start)?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        let Some(character) = char::from_u32(code) else {
            let why = format!("found the escape of {code:x}, which is no character");
            return Err(Problem::new(why, mark).within("quoted text", start));
        };
        text.push(character);
        Ok(())
    }

    fn scan_hex(&mut self, digits: usize, start: Mark) -> Result<u32> {
        let given = self.cursor.rest().get(..digits);
        let given = given.filter(|given| given.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(code) = given.and_then(|given| u32::from_str_radix(given, 16).ok()) else {
            let wanted = format!("an escape of {digits} hexadecimal digits");
            return Err(self.unexpected(&wanted, "quoted text", start));
        };
        self.cursor.forward_by(digits);
        Ok(code)
    }

    /// Reads spaces or line breaks inside of quotes. A single line break is a space.
    fn scan_quoted_spaces(&mut self, start: Mark, text: &mut String) -> Result<()> {
        let spaces = self.cursor.take_while(|one| matches!(one, ' ' | '\t'));
        if self.cursor.peek() == '\0' {
            let why = "found unexpected end of stream";
            return Err(Problem::new(why, self.cursor.mark()).within("quoted text", start));
        }
        match self.cursor.line_break() {
            None => text.push_str(spaces),
            Some(first) => {
                let breaks = self.scan_quoted_breaks(start)?;
                text.push_str(&folded(first, breaks));
            }
        }
        Ok(())
    }

    /// Reads the empty lines after a line break inside of quotes.
    fn scan_quoted_breaks(&mut self, start: Mark) -> Result<String> {
        let mut breaks = String::new();
        loop {
            if self.cursor.is_at_separator() {
                let why = "found unexpected document separator";
                return Err(Problem::new(why, self.cursor.mark()).within("quoted text", start));
            }
            self.cursor.take_while(|one| matches!(one, ' ' | '\t'));
            match self.cursor.line_break() {
                Some(line_break) => breaks.push(line_break),
                None => return Ok(breaks),
            }
        }
    }

    /// Reads a block of lines after `|`, which keeps its lines, or `>`, which joins them.
    pub(super) fn scan_block_scalar(&mut self) -> Result<()> {
        let start = self.cursor.mark();
        let joins = self.cursor.peek() == '>';
        self.cursor.forward();
        let (chomping, increment) = self.scan_block_signs(start)?;
        self.scan_rest_of_line("block of text", start)?;
        let least = (self.indent + 1).max(1) as u32;
        let (indent, mut breaks) = match increment {
            None => {
                let (breaks, widest) = self.scan_block_start();
                (least.max(widest), breaks)
            }
            Some(increment) => {
                let indent = least + increment - 1;
                (indent, self.scan_block_breaks(indent))
            }
        };
        let mut text = String::new();
        let mut last_break = None;
        let is_line = |one: char| !matches!(one, ' ' | '\t');
        while self.cursor.mark().column == indent && self.cursor.peek() != '\0' {
            text.push_str(&breaks);
            let begins_line = is_line(self.cursor.peek());
            text.push_str(self.cursor.take_while(|one| !is_end(one)));
            last_break = self.cursor.line_break();
            breaks = self.scan_block_breaks(indent);
            if self.cursor.mark().column != indent || self.cursor.peek() == '\0' {
                break;
            }
            if joins && last_break == Some('\n') && begins_line && is_line(self.cursor.peek()) {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(last_break);
            }
        }
        if chomping != Chomping::Strip {
            text.extend(last_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&breaks);
        }
        self.push(
            Token::Scalar {
                text,
                is_plain: false,
            },
            start,
        );
        Ok(())
    }

    /// Reads the signs after `|` or `>`: what happens at the end, and the width of the indentation,
    /// in either order.
    fn scan_block_signs(&mut self, start: Mark) -> Result<(Chomping, Option<u32>)> {
        let mut chomping = None;
        let mut increment = None;
        loop {
            match self.cursor.peek() {
                '-' if chomping.is_none() => chomping = Some(Chomping::Strip),
                '+' if chomping.is_none() => chomping = Some(Chomping::Keep),
                digit @ '1'..='9' if increment.is_none() => increment = digit.to_digit(10),
                _ if self.is_at_word_end() => {
                    return Ok((chomping.unwrap_or(Chomping::Clip), increment));
                }
                _ => {
                    let wanted = "'-', '+' or the width of the indentation, 1 to 9";
                    return Err(self.unexpected(wanted, "block of text", start));
                }
            }
            self.cursor.forward();
        }
    }

    /// Reads the empty lines before a block, and finds its column: that of its first line, or of an
    /// empty line that is wider.
    fn scan_block_start(&mut self) -> (String, u32) {
        let mut breaks = String::new();
        let mut widest = 0;
        loop {
            self.skip_spaces();
            widest = widest.max(self.cursor.mark().column);
            match self.cursor.line_break() {
                Some(line_break) => breaks.push(line_break),
                None => return (breaks, widest),
            }
        }
    }

    /// Reads empty lines in a block, up to the column at which its lines begin.
    fn scan_block_breaks(&mut self, indent: u32) -> String {
        let mut breaks = String::new();
        loop {
            while self.cursor.mark().column < indent && self.cursor.peek() == ' ' {
                self.cursor.forward();
            }
            match self.cursor.line_break() {
                Some(line_break) => breaks.push(line_break),
                None => return breaks,
            }
        }
    }
}

/// The text that line breaks stand for, when a single one is a space.
fn folded(first: char, breaks: String) -> String {
    match (first, breaks.is_empty()) {
        ('\n', true) => " ".to_owned(),
        ('\n', false) => breaks,
        (separator, _) => format!("{separator}{breaks}"),
    }
}
